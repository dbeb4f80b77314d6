// Relation: a named set of columns over readings. The catalogue is the one list of them; SQL, C API and help print it.
//
// Columns stand in the order in which a Row has its values. New columns only at the end.
// Threads: any; the catalogue lives for ever.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace tide {

enum class ColumnType : uint8_t { integer, real, text, boolean, time, json };

// Who may read a column where readers have different rights, as roles in PostgreSQL do.
//   open    every reader: the pool's own figures and words, and names of things (pools, applications, options, rules)
//   masked  readers of everything (pg_read_all_stats): what somebody typed or sent (tags, reasons, texts, arguments), who
//           somebody is, where a pool connects to, and messages that may quote any of these
enum class Privacy : uint8_t { open, masked };

// The texts are views of literals: data() ends with a NUL.
struct Column {
  std::string_view name;
  ColumnType type;
  std::string_view unit;     // "ms", "connections", "ratio", ... or ""
  std::string_view meaning;  // one sentence
  bool is_writable;          // UPDATE may set it, which posts an order
  Privacy privacy;

  constexpr Column(std::string_view its_name, ColumnType its_type, std::string_view its_unit,
                   std::string_view its_meaning, Privacy its_privacy, bool may_be_set = false)
      : name(its_name),
        type(its_type),
        unit(its_unit),
        meaning(its_meaning),
        is_writable(may_be_set),
        privacy(its_privacy) {}
  // Numbers, times and truths are the pool's own and open. A text or an object says who may read it, or is not compiled.
  constexpr Column(std::string_view its_name, ColumnType its_type, std::string_view its_unit,
                   std::string_view its_meaning, bool may_be_set = false)
      : Column(its_name, its_type, its_unit, its_meaning, Privacy::open, may_be_set) {
    if (type == ColumnType::text || type == ColumnType::json) throw "a column of texts lacks its Privacy";
  }
};

struct Relation {
  std::string_view name;
  std::string_view meaning;  // one sentence
  std::span<const Column> columns;
};

// In the order people read them.
std::span<const Relation> relations_catalogue();
// nullptr when there is none of this name.
const Relation* find_relation(std::string_view name);

// "open" or "masked".
std::string_view privacy_name(Privacy privacy);
// What PostgreSQL calls the type: "bigint", "double precision", ...
std::string_view type_name(ColumnType type);

}  // namespace tide
