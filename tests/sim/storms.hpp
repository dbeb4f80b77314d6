// Storms: short lives of one pool in which its statements fail or its database is gone for a while. Whatever happens,
// emergencies and outages are noticed, and the pool is well again soon after.
#pragma once

#include <cstdint>

namespace tide::sim {

// 0: every storm went as it should.
int run_storms(uint64_t first, uint64_t count, bool is_shown);

}  // namespace tide::sim
