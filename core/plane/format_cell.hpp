// Cell: a number in a segment that is written while others read it.
#pragma once

#include <atomic>
#include <cstdint>

namespace tide::format {

using Cell = std::atomic<uint64_t>;
using Cell32 = std::atomic<uint32_t>;
static_assert(sizeof(Cell) == 8 && Cell::is_always_lock_free && sizeof(Cell32) == 4);

}  // namespace tide::format
