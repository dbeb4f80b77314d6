// How often this program has asked for memory. The counting operator new stands in quiet_test.cpp.
#pragma once

#include <cstddef>

namespace tide::test {

size_t allocations();

}  // namespace tide::test
