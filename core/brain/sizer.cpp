#include "brain/sizer.hpp"

#include <algorithm>
#include <string>

#include "base/units.hpp"
#include "brain/wording.hpp"

namespace tide::brain {
namespace {

double utilization(const Desk& desk) {
  return desk.census().in_use_average / static_cast<double>(std::max<int64_t>(1, desk.ledger().target));
}

int64_t highest(const Desk& desk) { return std::min(desk.bounds().limit, desk.policy().max_size); }

int64_t lowest(const Desk& desk) {
  return std::max(desk.bounds().lowest, desk.counts().in_use + desk.policy().min_idle);
}

bool is_high(const Desk& desk) {
  const Span wait = desk.census().wait_p95;
  return utilization(desk) >= desk.policy().scale_up_utilization ||
         (!wait.is_zero() && wait >= desk.policy().scale_up_wait);
}

bool is_low(const Desk& desk) {
  return utilization(desk) <= desk.policy().scale_down_utilization && desk.census().waiting == 0;
}

bool is_over(std::optional<Instant> begin, Span cooldown, Instant now) { return !begin || now >= *begin + cooldown; }

// The numbers behind a decision.
std::string evidence(const Desk& desk, std::string_view option, double threshold, int64_t periods) {
  std::string text = "utilization " + short_number(utilization(desk)) + " (" + std::string(option) + " " +
                     short_number(threshold) + ") for " + counted(periods, "evaluation") + ": " +
                     short_number(desk.census().in_use_average) + " of " + std::to_string(desk.ledger().target) +
                     " in use, " + std::to_string(desk.census().waiting) + " waiting, wait p95 ";
  return text + describe_span(desk.census().wait_p95);
}

}  // namespace

// With a manual size, or while the pool is not running, there is nothing to evaluate.
bool Sizer::is_free_to_move(const Desk& desk) const {
  const Ledger& ledger = desk.ledger();
  const Policy& policy = desk.policy();
  return policy.is_pooling() && policy.scaling && policy.sizing == Sizing::threshold && !ledger.controls.is_paused &&
         ledger.is_started && (desk.bounds().lowest < highest(desk) || ledger.target > desk.bounds().lowest);
}

bool Sizer::is_dormant(const Desk& desk) const {
  return high_in_row_ == 0 && low_in_row_ == 0 && desk.ledger().target == desk.bounds().lowest && !is_high(desk) &&
         desk.counts().in_use == 0 && desk.census().waiting == 0 && desk.census().wait_p95.is_zero();
}

// Advances to the first grid point that is not before `now`.
void Sizer::skip_to(Instant now, Span interval) {
  if (now <= next_at_) return;
  const int64_t missed = ((now - next_at_).ns() + interval.ns() - 1) / interval.ns();
  next_at_ += interval * missed;
}

void Sizer::tick(Desk& desk, std::optional<std::string>* why) {
  const Instant now = desk.now();
  const Span interval = std::max(desk.policy().scaling_interval, Span::millis(1));
  next_at_ = earliest(next_at_, now + interval);  // the interval may have become shorter
  const bool is_free = is_free_to_move(desk);
  if (!is_free || was_dormant_) skip_to(now, interval);
  if (!is_free) high_in_row_ = low_in_row_ = 0;
  const bool is_due = now >= next_at_;
  const bool is_asked = why != nullptr && desk.policy().sizing == Sizing::threshold;
  moved_because_.clear();
  if (is_free && (is_due || is_asked)) evaluate(desk);
  if (is_due) skip_to(now + Span::nanos(1), interval);
  if (is_asked) *why = is_free ? reasons(desk) : "only one size is possible";
  was_dormant_ = is_free && is_dormant(desk);
  if (is_free && !was_dormant_) desk.wake_at(next_at_);
}

std::string Sizer::reasons(const Desk& desk) const {
  const Policy& policy = desk.policy();
  if (!moved_because_.empty()) return moved_because_;
  if (high_in_row_ > 0) {
    return evidence(desk, "scale_up_utilization", policy.scale_up_utilization, high_in_row_) + "; up to " +
           std::to_string(highest(desk)) + " after " + counted(policy.scale_up_periods, "evaluation") +
           " and scale_up_cooldown " + format_span(policy.scale_up_cooldown);
  }
  if (low_in_row_ > 0) {
    return evidence(desk, "scale_down_utilization", policy.scale_down_utilization, low_in_row_) + "; down to " +
           std::to_string(lowest(desk)) + " after " + counted(policy.scale_down_periods, "evaluation") +
           " and scale_down_cooldown " + format_span(policy.scale_down_cooldown);
  }
  return "utilization " + short_number(utilization(desk)) + ", scale_up_utilization " +
         short_number(policy.scale_up_utilization) + ", scale_down_utilization " +
         short_number(policy.scale_down_utilization) + ", " + std::to_string(desk.census().waiting) + " waiting";
}

void Sizer::evaluate(Desk& desk) {
  const Policy& policy = desk.policy();
  high_in_row_ = is_high(desk) ? std::min(high_in_row_ + 1, policy.scale_up_periods) : 0;
  const bool may_go_down = high_in_row_ == 0 && is_low(desk) && desk.ledger().target > lowest(desk);
  low_in_row_ = may_go_down ? std::min(low_in_row_ + 1, policy.scale_down_periods) : 0;
  if (!step_up(desk)) step_down(desk);
}

bool Sizer::step_up(Desk& desk) {
  const Policy& policy = desk.policy();
  const int64_t target = desk.ledger().target;
  if (high_in_row_ < std::max<int64_t>(1, policy.scale_up_periods) || target >= highest(desk)) return false;
  if (!is_over(stepped_up_at_, policy.scale_up_cooldown, desk.now())) return false;
  const std::string why = evidence(desk, "scale_up_utilization", policy.scale_up_utilization, high_in_row_);
  desk.set_target(std::min(target + policy.grow_step, highest(desk)), SizeSource::autoscale, why);
  moved_because_ = why;
  stepped_up_at_ = desk.now();
  high_in_row_ = 0;
  return true;
}

void Sizer::step_down(Desk& desk) {
  const Policy& policy = desk.policy();
  if (low_in_row_ < std::max<int64_t>(1, policy.scale_down_periods)) return;
  if (!is_over(desk.ledger().target_changed_at, policy.scale_down_cooldown, desk.now())) return;
  const std::string why = evidence(desk, "scale_down_utilization", policy.scale_down_utilization, low_in_row_);
  desk.set_target(std::max(desk.ledger().target - policy.grow_step, lowest(desk)), SizeSource::autoscale, why);
  moved_because_ = why;
  low_in_row_ = 0;
}

}  // namespace tide::brain
