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

// The texts are views of literals: data() ends with a NUL.
struct Column {
  std::string_view name;
  ColumnType type;
  std::string_view unit;     // "ms", "connections", "ratio", ... or ""
  std::string_view meaning;  // one sentence
  bool is_writable = false;  // UPDATE may set it, which posts an order
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

// What PostgreSQL calls the type: "bigint", "double precision", ...
std::string_view type_name(ColumnType type);

}  // namespace tide
