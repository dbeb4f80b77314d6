// Assign: which command an UPDATE of a column means; the columns say it themselves (model/column.hpp).
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

// `column = value` in the row whose column `setter.key` is `key`; the verb accepts both.
Result<Assignment> assign(const Column& column, std::string_view key, const ArgumentValue& value);

}  // namespace tide
