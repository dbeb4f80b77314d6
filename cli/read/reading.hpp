// Reading: the rows of a relation, read at one moment through the C API.
//
// Threads: one.
#pragma once

#include <tidepool/tidepool.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "command.hpp"

namespace tide::cli {

struct Cell {
  bool is_null = true;
  int64_t integer = 0;  // of integers, booleans (0 or 1) and times (microseconds since 1970)
  double real = 0;      // of TIDE_DOUBLE
  std::string text;     // of every type, as tide_cursor_text() writes it
};

struct Reading {
  const tide_relation* relation = nullptr;
  std::vector<std::vector<Cell>> rows;

  // -1: there is no such column.
  int column(std::string_view name) const;
  // For columns that the relation has; null for others.
  const Cell& cell(size_t row, std::string_view name) const;
  std::string text(size_t row, std::string_view name) const { return cell(row, name).text; }
};

// Which pools: a name, or an instance_id; "": all.
struct Which {
  std::string directory;
  std::string pool;
  std::string instance;
};
Which which_of(const Common& common, const std::string& pool = "");

// Throws Failure: no such relation.
Reading read(const std::string& relation, const Which& which);
const tide_relation* relation_at(std::string_view name);  // nullptr: there is none
std::vector<std::string> relation_names();
// The directory in which pools are looked for.
std::string directory_of(const std::string& wanted);
[[noreturn]] void fail_with(const tide_error& error);

// Throws Failure, with what is wrong and what to do: no pool can be seen, or none has this name. Else tells on the standard
// error about files that this program cannot read, so that nobody misses a pool without a word.
void require_pools(const Which& which);
void warn_of_unreadable(const Which& which);

}  // namespace tide::cli
