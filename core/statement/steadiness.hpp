// Determines from its text whether a statement may be answered from a cache: whether it only reads, and whether its result
// depends on anything but the data.
//
// Conservative: a function that is not known to depend on its arguments and the data alone counts as volatile, and so do
// functions of the program, system views, and literals such as 'now'. Not seen is what the text does not contain: the
// definitions of views, operators and foreign tables.
// Threads: pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/sql_scanner.hpp"

namespace tide {

enum class Steadiness : uint8_t {
  unfit,      // may write or lock, is not one query, or its end is not known
  volatile_,  // reads, but the same data may give another result
  steady,     // the same data and parameters give the same result
};

Steadiness steadiness_of(std::string_view sql, Dialect dialect);

// Whether a text means the current time to a database that converts it to one: 'now', 'today 12:00'.
bool means_current_time(std::string_view text) noexcept;

}  // namespace tide
