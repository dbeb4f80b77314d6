// How often this program has allocated memory. The counting operator new is in quiet_test.cpp.
#pragma once

#include <cstddef>

namespace tide::test {

size_t allocations();

}  // namespace tide::test
