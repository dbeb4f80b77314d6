// Fleet: many pools at once against one server that has room for a certain number of sessions. They crowd it, it goes
// away and comes back; it never has more sessions than it may, and everybody is served again.
#pragma once

#include <cstdint>

namespace tide::sim {

// 0: all went well.
int run_fleet(uint64_t seed, uint64_t pools, bool is_shown);

}  // namespace tide::sim
