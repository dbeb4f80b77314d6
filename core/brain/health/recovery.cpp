#include "brain/health/recovery.hpp"

#include <algorithm>

#include "base/units.hpp"
#include "brain/wording.hpp"

namespace tide::brain {
namespace {

constexpr Span kFirstPause = Span::seconds(2);
constexpr Span kLongestPause = Span::seconds(60);
constexpr Span kRestartSpread = Span::seconds(5);

bool has_failed(const Health& health, HealthCheck check) { return health.of(check).status == HealthStatus::failed; }

std::string failed_checks(const Health& health) {
  std::string names;
  for (size_t i = 0; i < kChecks; ++i) {
    if (health.findings[i].status != HealthStatus::failed) continue;
    names.append(names.empty() ? "" : ", ").append(word(static_cast<HealthCheck>(i)));
  }
  return names;
}

// The n-th word of a comma-separated list, cyclically.
std::string_view word_at(std::string_view list, int64_t n) {
  const int64_t words = 1 + std::count(list.begin(), list.end(), ',');
  for (int64_t i = n % words; i > 0; --i) list.remove_prefix(list.find(',') + 1);
  return list.substr(0, list.find(','));
}

int64_t words_in(std::string_view list) { return list.empty() ? 0 : 1 + std::count(list.begin(), list.end(), ','); }

Span pause_after(int64_t attempts) {
  Span pause = kFirstPause;
  for (int64_t i = 1; i < attempts && pause < kLongestPause; ++i) pause = pause * 2;
  return std::min(pause, kLongestPause);
}

}  // namespace

void Recovery::tell(Desk& desk, Severity severity, const std::string& text, const char* outcome) const {
  const std::string& strategy = strategy_.empty() ? desk.policy().recovery : strategy_;
  desk.note(EventKind::recovery, severity, text,
            "{\"strategy\":\"" + strategy + "\",\"attempt\":" + std::to_string(attempts_) +
                ",\"of\":" + std::to_string(desk.policy().recovery_max_attempts) + ",\"outcome\":\"" + outcome + "\"}");
}

void Recovery::tick(Desk& desk, const Health& health, const Surroundings& around) {
  const std::string& list = desk.policy().recovery;
  if (desk.ledger().caps.recovery) {
    if (around.is_held || around.is_tripped || desk.now() >= held_until_) {
      release(desk);
    } else {
      desk.wake_at(held_until_);
    }
  }
  if (!strategy_.empty()) {
    if (health.rounds == begun_in_round_) return;
    if (!health.has(HealthStatus::failed) || health.of(HealthCheck::connectivity).checked_at >= judge_at_)
      judge(desk, health);
    return;
  }
  if (!health.has(HealthStatus::failed)) {
    if (!health.has(HealthStatus::warning)) attempts_ = 0, has_given_up_ = false;
    return;
  }
  if (list.empty() || has_given_up_ || desk.ledger().controls.is_paused || around.is_tripped) return;
  if (desk.now() < next_at_) return desk.wake_at(next_at_);
  if (attempts_ >= desk.policy().recovery_max_attempts) {
    has_given_up_ = true;
    return tell(desk, Severity::critical,
                "recovery given up after " + counted(attempts_, "attempt") + ": " + failed_checks(health) + " failed",
                "given_up");
  }
  const int64_t words = words_in(list);
  for (int64_t i = 0; i < words; ++i) {
    if (try_one(desk, health, around, word_at(list, attempts_ + i))) return;
  }
}

void Recovery::release(Desk& desk) { desk.ledger().caps.recovery.reset(); }

bool Recovery::try_one(Desk& desk, const Health& health, const Surroundings& around, std::string_view strategy) {
  Ledger& ledger = desk.ledger();
  const bool is_ill = has_failed(health, HealthCheck::performance);
  std::string what;
  if (strategy == kRecoveryStrategies[0]) {
    if (!(is_ill || has_failed(health, HealthCheck::connectivity)) || desk.counts().open() == 0) return false;
    const int64_t n = ledger.dossiers.mark_for_replacement(desk.census(), desk.now(), kRestartSpread, ledger.rng, 0);
    what = "replacing " + counted(n, "connection") + " over " + format_span(kRestartSpread);
  } else if (strategy == kRecoveryStrategies[1]) {
    const int64_t to = std::min(ledger.target + desk.policy().grow_step, desk.bounds().limit);
    // More connections would leave even less memory, descriptors and sessions.
    const bool is_short = has_failed(health, HealthCheck::scaling) ||
                          (has_failed(health, HealthCheck::resources) && desk.census().waiting > 0);
    if (!is_short || around.is_held || around.is_failing || to <= ledger.target || !desk.policy().scaling ||
        !desk.policy().is_pooling())
      return false;
    what =
        "target " + std::to_string(ledger.target) + " -> " + std::to_string(to) + ", held for " + format_span(kHoldFor);
    desk.set_target(to, SizeSource::autoscale, "recovery from a failed check: " + failed_checks(health));
    ledger.caps.recovery = to;
    held_until_ = desk.now() + kHoldFor;
    desk.wake_at(held_until_);
  } else {
    if (!is_ill && !has_failed(health, HealthCheck::scaling)) return false;
    wants_forget_ = true;
    what = "load statistics reset";
  }
  strategy_ = strategy;
  trouble_ = failed_checks(health);
  ++attempts_;
  ++ledger.tallies.recovery_attempts;
  begun_in_round_ = health.rounds;
  judge_at_ = desk.now() + kJudgeAfter;
  desk.wake_at(judge_at_);
  tell(desk, Severity::warning,
       "recovery from failed " + trouble_ + ", attempt " + std::to_string(attempts_) + " of " +
           std::to_string(desk.policy().recovery_max_attempts) + ": " + strategy_ + ", " + what,
       "begun");
  return true;
}

void Recovery::judge(Desk& desk, const Health& health) {
  const bool is_well = !health.has(HealthStatus::failed);
  const std::string which = "recovery attempt " + std::to_string(attempts_) + " (" + strategy_ + ") ";
  if (is_well) {
    tell(desk, Severity::info, which + "succeeded: " + trouble_ + " is back to normal", "success");
  } else {
    tell(desk, Severity::warning, which + "was unsuccessful: " + failed_checks(health) + " failed", "failure");
  }
  strategy_.clear();
  next_at_ = desk.now() + pause_after(attempts_).scaled(desk.ledger().rng.unit());
}

}  // namespace tide::brain
