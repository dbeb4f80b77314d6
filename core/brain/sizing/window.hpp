// StabilisationWindow: the largest recommendation of a recent period. Capacity is reduced only to it.
//
// A monotonic queue: a recommendation that is not larger than a later one is never needed again, so the kept values
// decrease from the oldest to the newest. When it is full, the newest two are merged into one with the value of the
// larger and the time of the later: capacity may then be kept a little longer, never shorter.
// Invariant: highest() is never below a recommendation of the last window.
// Threads: the keeper only.
#pragma once

#include <array>
#include <cstdint>

namespace tide::brain {

class StabilisationWindow {
 public:
  static constexpr uint32_t kEntries = 64;

  void add(double now_s, int64_t recommended);
  void forget_before(double t_s);
  void clear() { count_ = 0; }
  bool is_empty() const { return count_ == 0; }
  int64_t highest() const { return is_empty() ? 0 : at(0).value; }

 private:
  struct Entry {
    double at_s;
    int64_t value;
  };
  const Entry& at(uint32_t i) const { return entries_[(first_ + i) % kEntries]; }
  Entry& at(uint32_t i) { return entries_[(first_ + i) % kEntries]; }

  std::array<Entry, kEntries> entries_{};
  uint32_t first_ = 0;
  uint32_t count_ = 0;
};

}  // namespace tide::brain
