// Evaluation: commands to size the pool now instead of at the next scaling_interval, and what is answered to them.
//
// The sizer in charge is asked in the next tick; where it has seen nothing since its last decision, at the next beat, a
// second later at most. The answer is the target before and after, and why; also where no sizer has a say.
// Threads: the keeper's only. Failure: more than kAskedMax at once are refused.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "brain/desk.hpp"

namespace tide::brain {

class Evaluation {
 public:
  static constexpr size_t kAskedMax = 16;

  Verdict accept(const Command& command, const Ledger& ledger);
  bool is_asked() const { return asked_n_ > 0; }
  // What came of it: the target was `before`.
  void answer(Desk& desk, int64_t before, const std::string& why);
  // Draining.
  void refuse(Desk& desk, const std::string& why);

 private:
  void finish(Desk& desk, const Verdict& verdict);

  std::array<uint64_t, kAskedMax> asked_{};  // command ids
  size_t asked_n_ = 0;
};

// Why no sizer has a say now; unset: one has. `is_held`: an emergency or a shortage of memory holds the size.
std::optional<std::string> sizing_is_held(const Desk& desk, bool is_held);

}  // namespace tide::brain
