#include "brain/evaluation.hpp"

#include "brain/wording.hpp"

namespace tide::brain {

Verdict Evaluation::accept(const Command& command, const Ledger& ledger) {
  const auto refused = [](std::string why, std::string detail, std::string hint) {
    return Verdict::refused(Status::error(Code::refused, std::move(why), std::move(detail), std::move(hint)));
  };
  if (ledger.controls.is_draining) {
    return refused("evaluate refused: the pool is draining", "a draining pool has no size to evaluate",
                   "resume the pool first");
  }
  if (asked_n_ == kAskedMax) {
    return refused(std::to_string(kAskedMax) + " evaluations are already in progress",
                   "at most " + std::to_string(kAskedMax) + " are allowed", "wait for their answers");
  }
  asked_[asked_n_++] = command.id;
  return Verdict::pending("evaluating");
}

void Evaluation::answer(Desk& desk, int64_t before, const std::string& why) {
  const int64_t after = desk.ledger().target;
  const std::string what = before == after ? "target stays at " + std::to_string(after)
                                           : "target " + std::to_string(before) + " -> " + std::to_string(after);
  finish(desk, Verdict::applied(what + ": " + why));
}

void Evaluation::refuse(Desk& desk, const std::string& why) {
  if (asked_n_ > 0) finish(desk, Verdict::refused(Status::error(Code::refused, "not evaluated: " + why)));
}

void Evaluation::finish(Desk& desk, const Verdict& verdict) {
  for (size_t i = 0; i < asked_n_; ++i) desk.put(action::FinishCommand{asked_[i], verdict});
  asked_n_ = 0;
}

std::optional<std::string> sizing_is_held(const Desk& desk, bool is_held) {
  const Ledger& ledger = desk.ledger();
  if (!desk.policy().scaling) return "the option scaling is off";
  if (ledger.controls.is_paused) return "the pool is paused";
  if (ledger.controls.manual_size) return limit_reason(ledger);
  if (is_held) return ledger.caps.emergency ? "the pool is in emergency mode" : "the process is near its memory limit";
  if (!ledger.is_started) return "the pool is starting";
  return std::nullopt;
}

}  // namespace tide::brain
