// Patience: the clock and the pause of those who look at pools from outside. Pools themselves are told the time.
//
// Threads: any.
#pragma once

#include <cstdint>

#include "base/instant.hpp"

namespace tide {

int64_t monotonic_ns_now();
int64_t wall_ns_now();  // since 1970
void pause_for(Span span);

}  // namespace tide
