// Cell: a number in a segment that may be written while others read it.
#pragma once

#include <atomic>
#include <cstdint>

namespace tide::format {

// An atomic that is copyable with its record; readers copy the records of a segment.
template <typename Number>
struct CellOf : std::atomic<Number> {
  using std::atomic<Number>::atomic;
  using std::atomic<Number>::operator=;
  CellOf() = default;
  CellOf(const CellOf& other) noexcept : std::atomic<Number>(other.load(std::memory_order_relaxed)) {}
  CellOf& operator=(const CellOf& other) noexcept {
    this->store(other.load(std::memory_order_relaxed), std::memory_order_relaxed);
    return *this;
  }
};
using Cell = CellOf<uint64_t>;
using Cell32 = CellOf<uint32_t>;
static_assert(sizeof(Cell) == 8 && Cell::is_always_lock_free && sizeof(Cell32) == 4);

}  // namespace tide::format
