// Column: what a value of a relation is: its type, unit and meaning, who may read it, and what an UPDATE of it means.
//
// Threads: any. Failure: none.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "model/commands.hpp"

namespace tide {

enum class ColumnType : uint8_t { integer, int4, real, text, boolean, time, json };

// What PostgreSQL calls the types.
inline constexpr std::string_view kSqlTypes[] = {"bigint",      "integer", "double precision", "text", "boolean",
                                                 "timestamptz", "jsonb"};
constexpr std::string_view sql_type(ColumnType type) { return kSqlTypes[static_cast<size_t>(type)]; }

// Who may read a column where readers have different rights, as roles in PostgreSQL do.
//   open    every reader: the pool's own figures and words, and names of things (pools, applications, options, rules)
//   masked  readers of everything (pg_read_all_stats): what somebody typed or sent (tags, reasons, texts, arguments), who
//           somebody is, where a pool connects to, and messages that may quote any of these
enum class Privacy : uint8_t { open, masked };

// A command that an UPDATE of a column means.
struct Setter {
  Verb verb;
  std::string_view value = {};  // the argument that takes the new value
  std::string_view which = {};  // the argument that says what is changed
  std::string_view key = {};    // the column that has the value of `which`; "": it is the name of the changed column
  std::string_view when = {};   // of a column with several setters: the new value that means this one
};

// The texts are views of literals: data() ends with a NUL.
struct Column {
  std::string_view name;
  ColumnType type;
  std::string_view unit;     // "ms", "connections", "ratio", ... or ""
  std::string_view meaning;  // one sentence
  Privacy privacy;
  std::span<const Setter> setters;  // none: UPDATE may not set it

  constexpr Column(std::string_view its_name, ColumnType its_type, std::string_view its_unit,
                   std::string_view its_meaning, Privacy its_privacy, std::span<const Setter> its_setters = {})
      : name(its_name),
        type(its_type),
        unit(its_unit),
        meaning(its_meaning),
        privacy(its_privacy),
        setters(its_setters) {}
  // Numbers, times and truths are the pool's own and open. A text or an object says who may read it, or is not compiled.
  constexpr Column(std::string_view its_name, ColumnType its_type, std::string_view its_unit,
                   std::string_view its_meaning, std::span<const Setter> its_setters = {})
      : Column(its_name, its_type, its_unit, its_meaning, Privacy::open, its_setters) {
    if (type == ColumnType::text || type == ColumnType::json) throw "a column of texts lacks its Privacy";
  }
};

}  // namespace tide
