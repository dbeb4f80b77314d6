// Evaluation: commands to size the pool now instead of at the next scaling_interval, and their answers.
//
// The sizer in charge decides in the next tick; if it has observed nothing since its last decision, at the next beat,
// at most a second later. The answer is the target before and after, and the reason; also if no sizer is in charge.
// Threads: the keeper only. Failure: more than kAskedMax at once are refused.
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
  // Answers; the target was `before`.
  void answer(Desk& desk, int64_t before, const std::string& why);
  // Answers while draining.
  void refuse(Desk& desk, const std::string& why);

 private:
  void finish(Desk& desk, const Verdict& verdict);

  std::array<uint64_t, kAskedMax> asked_{};  // command ids
  size_t asked_n_ = 0;
};

// Why no sizer is in charge now; unset: one is. `is_held`: an emergency or a shortage of memory holds the size.
std::optional<std::string> sizing_is_held(const Desk& desk, bool is_held);

}  // namespace tide::brain
