// The clocks of the host, for what is shown again and again. Decisions take the time as an argument.
//
// Threads: any.
#pragma once

#include <cstdint>

namespace tide::cli {

int64_t monotonic_ns_now();
int64_t wall_us_now();  // since 1970

}  // namespace tide::cli
