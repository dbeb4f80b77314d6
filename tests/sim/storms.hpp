// Storms: short lives of one pool in which its statements fail or its database is down for a while. In all cases
// emergencies and outages are detected, and the pool recovers soon after.
#pragma once

#include <cstdint>

namespace tide::sim {

// 0: every storm succeeded.
int run_storms(uint64_t first, uint64_t count, bool is_shown);

}  // namespace tide::sim
