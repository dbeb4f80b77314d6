// Fleet: many pools and one server that has room for a limited number of sessions. They exhaust it, it goes down and
// comes back; it never has more sessions than its limit, and all requests are served again.
#pragma once

#include <cstdint>

namespace tide::sim {

// 0: success.
int run_fleet(uint64_t seed, uint64_t pools, bool is_shown);

}  // namespace tide::sim
