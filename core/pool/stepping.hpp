// Stepping: which keepers the calling thread is driving right now, for those who must not wait for them there.
#pragma once

#include "pool/keeper.hpp"

namespace tide {

// Marks the thread as the one that drives this keeper. They nest: a function of the program that one keeper calls may
// step another.
class Keeper::Stepping {
 public:
  explicit Stepping(const Keeper& keeper) : keeper_(keeper), outer_(innermost_) { innermost_ = this; }
  ~Stepping() { innermost_ = outer_; }
  Stepping(const Stepping&) = delete;
  Stepping& operator=(const Stepping&) = delete;
  static bool is_mine(const Keeper& keeper) {
    for (const Stepping* at = innermost_; at != nullptr; at = at->outer_) {
      if (&at->keeper_ == &keeper) return true;
    }
    return false;
  }

 private:
  static thread_local const Stepping* innermost_;
  const Keeper& keeper_;
  const Stepping* const outer_;
};

}  // namespace tide
