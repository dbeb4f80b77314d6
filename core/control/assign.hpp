// Assign: determines the command that an UPDATE of a column means, from the setters of the column (model/column.hpp).
//
// Threads: any; nothing is kept. Failure: bad_argument, naming the column, its value and what is accepted.
#pragma once

#include <string_view>

#include "base/status.hpp"
#include "model/column.hpp"
#include "model/command.hpp"

namespace tide {

struct Assignment {
  const Setter* setter;
  ArgumentValue which;  // for setter->which
  ArgumentValue value;  // for setter->value
};

// `column = value` in the row in which column `setter.key` is `key`. The value is one that the verb accepts.
Result<Assignment> assign(const Column& column, std::string_view key, const ArgumentValue& value);

}  // namespace tide
