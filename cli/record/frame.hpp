// Frame: what the pools of a host showed at one moment, as relations with named columns.
//
// The live view, recordings and their replay use the same frames. Columns are found by name, so that a recording of another
// version can be shown: a column that it lacks is null.
//
// Threads: one at a time. Failure: none; a name that does not exist is null.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace tide::cli::record {

using Value = std::variant<std::monostate, int64_t, double, std::string>;  // first: null

struct Table {
  std::string relation;
  std::vector<std::string> columns;
  std::vector<std::vector<Value>> rows;  // each as long as columns

  // The position of a column, or the number of columns if there is none.
  size_t column(std::string_view name) const;
  bool operator==(const Table&) const = default;
};

// A row whose values are asked for by the names of columns.
class RowView {
 public:
  RowView(const Table& table, size_t row) : table_(table), values_(table.rows[row]) {}
  std::optional<int64_t> whole(std::string_view column) const;
  std::optional<double> number(std::string_view column) const;  // also of whole numbers
  std::string text(std::string_view column) const;              // "" for null
  bool is_true(std::string_view column) const { return whole(column).value_or(0) != 0; }

 private:
  const Value* find(std::string_view column) const;
  const Table& table_;
  const std::vector<Value>& values_;
};

struct Frame {
  int64_t wall_us = 0;  // since 1970; may jump
  int64_t mono_ns = 0;  // for differences between frames of one boot
  std::string host;
  std::vector<Table> tables;

  const Table* table(std::string_view relation) const;  // nullptr if there is none
  bool operator==(const Frame&) const = default;
};

}  // namespace tide::cli::record
