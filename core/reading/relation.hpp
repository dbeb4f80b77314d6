// Relation: a named set of columns. The catalogue lists all relations; SQL, C API and help are generated from it.
//
// Columns have the order of the values in a Row. New columns are only appended.
// Threads: any; the catalogue lives forever.
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

// In the order in which they are shown.
std::span<const Relation> relations_catalogue();
// nullptr if no relation has this name.
const Relation* find_relation(std::string_view name);

}  // namespace tide
