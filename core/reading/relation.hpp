// Relation: a named set of columns over readings. The catalogue is the one list of them; SQL, C API and help print it.
//
// Columns stand in the order in which a Row has its values. New columns only at the end.
// Threads: any; the catalogue lives for ever.
#pragma once

#include <span>
#include <string_view>

#include "model/column.hpp"

namespace tide {

struct Relation {
  std::string_view name;
  std::string_view meaning;  // one sentence
  std::span<const Column> columns;
};

// In the order people read them.
std::span<const Relation> relations_catalogue();
// nullptr when there is none of this name.
const Relation* find_relation(std::string_view name);

}  // namespace tide
