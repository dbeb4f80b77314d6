#include "notify/outbox.hpp"

#include <algorithm>
#include <utility>

#include "base/backoff.hpp"

namespace tide {
namespace {

// Slack accepts one message a second, PagerDuty 120 events a minute.
constexpr Span interval_of(WebhookFormat format) {
  if (format == WebhookFormat::slack) return Span::seconds(1);
  return format == WebhookFormat::pagerduty ? Span::millis(500) : Span::millis(100);
}

// The receiver will not accept this body at any time.
constexpr bool is_refusal_of_content(int status) { return status == 400 || status == 413 || status == 422; }

constexpr size_t kKnownMax = 256;  // more than a pool has rules

}  // namespace

void Outbox::put(AlertChange change, Instant now) {
  remember(change, now);
  queue_.push_back({std::move(change), now});
  make_room();
}

void Outbox::remember(const AlertChange& change, Instant now) {
  forget_resolved(now);
  if (known_.empty()) repeated_at_ = now;
  if (known_.size() >= kKnownMax && !known_.contains(change.alert_id)) return;
  Known& known = known_[change.alert_id];
  known.last = change;
  known.resolved_at = change.is_resolved() ? now : Instant();
}

void Outbox::forget_resolved(Instant now) {
  const Span keep = is_repeating() ? kRepeatResolvedFor : Span{};
  std::erase_if(known_, [&](const auto& entry) {
    const Known& known = entry.second;
    return known.resolved_at.is_set() && now >= known.resolved_at + keep;
  });
}

bool Outbox::has_later_change(size_t place) const {
  return std::any_of(queue_.begin() + static_cast<std::ptrdiff_t>(place) + 1, queue_.end(),
                     [&](const Queued& later) { return later.change.alert_id == queue_[place].change.alert_id; });
}

void Outbox::drop(size_t place) {
  queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(place));
  ++dropped_;
}

void Outbox::make_room() {
  while (queue_.size() > kQueueMax) {
    size_t place = under_way_;
    while (place < queue_.size() && !has_later_change(place)) ++place;
    drop(place < queue_.size() ? place : under_way_);
  }
}

// Not what an operator still needs to know: that an alert fires.
void Outbox::drop_old(Instant now) {
  for (size_t place = 0; place < queue_.size();) {
    const Queued& old = queue_[place];
    if (now < old.at + kKeepFor) return;
    if (old.change.is_resolved() || has_later_change(place)) {
      drop(place);
    } else {
      ++place;
    }
  }
}

bool Outbox::is_repeat_due(Instant now) const {
  return is_repeating() && !known_.empty() && now >= repeated_at_ + kRepeatEvery;
}

Instant Outbox::due_at() const {
  Instant due = Instant::never();
  if (!queue_.empty()) {
    const bool is_full = queue_.size() >= batch_max_;
    due = queue_.front().at + (is_closing_ || is_full ? Span{} : kGatherFor);
  }
  if (is_repeating() && !known_.empty()) due = earliest(due, repeated_at_ + kRepeatEvery);
  if (due == Instant::never()) return due;
  if (!is_closing_) due = latest(due, not_before_);
  return started_at_.is_set() ? latest(due, started_at_ + interval_of(format_)) : due;
}

Instant Outbox::next_wakeup() const { return is_under_way_ ? Instant::never() : due_at(); }

std::vector<AlertChange> Outbox::take(Instant now) {
  std::vector<AlertChange> out;
  if (is_under_way_) return out;
  drop_old(now);
  forget_resolved(now);
  if (now < due_at()) return out;
  const size_t count = std::min(queue_.size(), batch_max_);
  // Repetitions first, so that a change in the queue is the last word about its alert. An alert whose beginning has not
  // been delivered is in the queue, and is not repeated before.
  has_repetitions_ = is_repeat_due(now) && count == queue_.size();
  if (has_repetitions_) {
    for (const auto& [id, known] : known_) out.push_back(known.last);
  }
  for (size_t i = 0; i < count; ++i) out.push_back(queue_[i].change);
  is_under_way_ = !out.empty();
  under_way_ = count;
  if (is_under_way_) started_at_ = now;
  return out;
}

void Outbox::settle(const DeliveryResult& result, Instant now) {
  if (!std::exchange(is_under_way_, false)) return;
  if (result.is_delivered()) {
    settle_delivered(now);
  } else {
    settle_failed(result, now);
  }
  under_way_ = 0;
}

void Outbox::settle_delivered(Instant now) {
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(under_way_));
  sent_ += under_way_;
  failures_in_a_row_ = 0;
  not_before_ = now;
  if (has_repetitions_) repeated_at_ = now;
  batch_max_ = std::min(changes_max(format_), batch_max_ * 2);
}

void Outbox::settle_failed(const DeliveryResult& result, Instant now) {
  ++failures_;
  ++failures_in_a_row_;
  if (is_closing_) return drop_rest();
  if (is_refusal_of_content(result.status) && under_way_ != 0) {  // the receiver is there
    batch_max_ = std::max<size_t>(1, under_way_ / 2);             // perhaps it is only one of them
    not_before_ = now + kRetryMin;
    if (under_way_ == 1) drop(0);
    return;
  }
  const int rounds = static_cast<int>(std::min<uint64_t>(failures_in_a_row_, 30));
  const Span pause = std::max(backoff_ceiling(rounds, kRetryBase, kRetryMax).scaled(rng_.unit()), kRetryMin);
  not_before_ = now + std::max(pause, std::min(result.retry_after, kRetryAfterMax));
}

void Outbox::begin_close(Instant now, int64_t wall_ns) {
  if (is_closing_) return;
  for (auto& [id, known] : known_) {
    if (known.resolved_at.is_set()) continue;
    AlertChange end = known.last;
    end.step = AlertStep::resolved;
    end.resolved_wall_ns = wall_ns;
    end.message += " (the pool was closed)";
    queue_.push_back({std::move(end), now});
  }
  known_.clear();
  is_closing_ = true;
  make_room();
}

void Outbox::drop_rest() {
  dropped_ += queue_.size();
  queue_.clear();
  is_under_way_ = false;
  under_way_ = 0;
}

Outbox::Facts Outbox::facts() const {
  return {sent_, failures_, dropped_ + put_lost_, queue_.size(), failures_in_a_row_};
}

}  // namespace tide
