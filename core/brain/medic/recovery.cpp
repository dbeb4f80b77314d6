#include "brain/medic/recovery.hpp"

#include <algorithm>

#include "base/units.hpp"
#include "brain/wording.hpp"

namespace tide::brain {
namespace {

constexpr Span kFirstPause = Span::seconds(2);
constexpr Span kLongestPause = Span::seconds(60);
constexpr Span kRestartSpread = Span::seconds(5);

bool has_failed(const Health& health, Check check) { return health.of(check).status == HealthStatus::failed; }

std::string failed_checks(const Health& health) {
  std::string names;
  for (size_t i = 0; i < kChecks; ++i) {
    if (health.findings[i].status != HealthStatus::failed) continue;
    names.append(names.empty() ? "" : ", ").append(check_name(static_cast<Check>(i)));
  }
  return names;
}

// The n-th word of a list that is separated by commas, counting round and round.
std::string_view word_at(std::string_view list, int64_t n) {
  const int64_t words = 1 + std::count(list.begin(), list.end(), ',');
  for (int64_t i = n % words; i > 0; --i) list.remove_prefix(list.find(',') + 1);
  return list.substr(0, list.find(','));
}

int64_t words_in(std::string_view list) {
  return list.empty() ? 0 : 1 + std::count(list.begin(), list.end(), ',');
}

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

void Recovery::tick(Desk& desk, const Health& health, bool is_held) {
  const std::string& list = desk.policy().recovery;
  if (!strategy_.empty()) {
    // Who forgets what went wrong is well at once: that says nothing.
    const bool is_proof = !health.has(HealthStatus::failed) && strategy_ != kRecoveryStrategies[2];
    if (is_proof || desk.now() >= judge_at_) return judge(desk, health);
    return desk.wake_at(judge_at_);
  }
  if (!health.has(HealthStatus::failed)) {
    if (!health.has(HealthStatus::warning)) attempts_ = 0, has_given_up_ = false;
    return;
  }
  if (list.empty() || has_given_up_ || desk.ledger().controls.is_paused) return;
  if (desk.now() < next_at_) return desk.wake_at(next_at_);
  if (attempts_ >= desk.policy().recovery_max_attempts) {
    has_given_up_ = true;
    return tell(desk, Severity::critical,
                "recovery given up after " + counted(attempts_, "attempt") + ": " + failed_checks(health) + " failed",
                "given_up");
  }
  const int64_t words = words_in(list);
  for (int64_t i = 0; i < words; ++i) {
    if (try_one(desk, health, is_held, word_at(list, attempts_ + i))) return;
  }
}

bool Recovery::try_one(Desk& desk, const Health& health, bool is_held, std::string_view strategy) {
  Ledger& ledger = desk.ledger();
  const bool is_ill = has_failed(health, Check::performance);
  std::string what;
  if (strategy == kRecoveryStrategies[0]) {
    if (!(is_ill || has_failed(health, Check::connectivity)) || desk.counts().open() == 0) return false;
    const int64_t n = ledger.dossiers.mark_for_replacement(desk.census(), desk.now(), kRestartSpread, ledger.rng, 0);
    what = "replacing " + counted(n, "connection") + " over " + format_span(kRestartSpread);
  } else if (strategy == kRecoveryStrategies[1]) {
    const int64_t to = std::min(ledger.target + desk.policy().grow_step, desk.rule().limit);
    // Of memory, descriptors and sessions there would be even less.
    const bool is_short =
        has_failed(health, Check::scaling) || (has_failed(health, Check::resources) && desk.census().waiting > 0);
    if (!is_short || is_held || to <= ledger.target || !desk.policy().scaling) return false;
    what = "target " + std::to_string(ledger.target) + " -> " + std::to_string(to);
    desk.set_target(to, SizeSource::autoscale, "recovery from a failed check: " + failed_checks(health));
  } else {
    if (!is_ill && !has_failed(health, Check::scaling)) return false;
    wants_forget_ = true;
    what = "what was learnt of the load is forgotten";
  }
  strategy_ = strategy;
  trouble_ = failed_checks(health);
  ++attempts_;
  ++ledger.tallies.recovery_attempts;
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
    tell(desk, Severity::info, which + "helped: " + trouble_ + " is well again", "success");
  } else {
    tell(desk, Severity::warning, which + "did not help: " + failed_checks(health) + " failed", "failure");
  }
  strategy_.clear();
  next_at_ = desk.now() + pause_after(attempts_).scaled(desk.ledger().rng.unit());
}

}  // namespace tide::brain
