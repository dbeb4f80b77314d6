// Column: describes a value of a relation: type, unit, meaning, who may read it, and which command an UPDATE of it
// means.
//
// Threads: any. Failure: none.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "model/commands.hpp"

namespace tide {

enum class ColumnType : uint8_t { integer, int4, real, text, boolean, time, json };

// The names of the types in PostgreSQL.
inline constexpr std::string_view kSqlTypes[] = {"bigint",      "integer", "double precision", "text", "boolean",
                                                 "timestamptz", "jsonb"};
constexpr std::string_view sql_type(ColumnType type) { return kSqlTypes[static_cast<size_t>(type)]; }

// Who may read a column, where readers have different privileges, such as PostgreSQL roles.
//   open    every reader: the pool's own figures and words, and names of things (pools, applications, options, rules)
//   masked  readers of everything (pg_read_all_stats): what users typed or sent (tags, reasons, texts, arguments),
//           identities of users, what a pool connects to, and messages that may quote any of these
enum class Privacy : uint8_t { open, masked };

// The command that an UPDATE of a column means.
struct Setter {
  Verb verb;
  std::string_view value = {};  // the argument that takes the new value
  std::string_view which = {};  // the argument that identifies what is changed
  std::string_view key = {};    // the column with the value of `which`; "": `which` is the name of the changed column
  std::string_view when = {};   // for a column with several setters: the new value that selects this one
};

// The texts are views of literals: data() is NUL-terminated.
struct Column {
  std::string_view name;
  ColumnType type;
  std::string_view unit;     // "ms", "connections", "ratio", ... or ""
  std::string_view meaning;  // one sentence
  Privacy privacy;
  std::span<const Setter> setters;  // empty: UPDATE may not set it

  constexpr Column(std::string_view its_name, ColumnType its_type, std::string_view its_unit,
                   std::string_view its_meaning, Privacy its_privacy, std::span<const Setter> its_setters = {})
      : name(its_name),
        type(its_type),
        unit(its_unit),
        meaning(its_meaning),
        privacy(its_privacy),
        setters(its_setters) {}
  // Numbers, times and booleans are the pool's own and open. A text or JSON column without a Privacy does not compile.
  constexpr Column(std::string_view its_name, ColumnType its_type, std::string_view its_unit,
                   std::string_view its_meaning, std::span<const Setter> its_setters = {})
      : Column(its_name, its_type, its_unit, its_meaning, Privacy::open, its_setters) {
    if (type == ColumnType::text || type == ColumnType::json) throw "a column of texts lacks its Privacy";
  }
};

}  // namespace tide
