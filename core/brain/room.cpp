#include "brain/room.hpp"

#include <algorithm>
#include <utility>

#include "brain/wording.hpp"

namespace tide::brain {
namespace {

constexpr Span kOthersWithin = Span::seconds(1);

// retry_base doubled with each further refusal, at most retry_max; the second half of it is random.
Span pause_after(int64_t refusals, const Policy& policy, Rng& rng) {
  Span pause = policy.retry_base;
  for (int64_t i = 1; i < refusals && pause < policy.retry_max; ++i) pause = pause * 2;
  return std::min(pause, policy.retry_max).scaled(0.5 + 0.5 * rng.unit());
}

}  // namespace

void Room::refused(std::string why) { refusal_ = std::move(why); }

void Room::tick(Desk& desk) {
  Caps& caps = desk.ledger().caps;
  const Counts& counts = desk.counts();
  const int64_t there = counts.total - counts.connecting;  // closing ones still have a session at the server
  const int64_t limit = precedence_without(desk.ledger(), {&Caps::room}).limit;
  if (refusal_ && !refused_at_.is_set()) refused_at_ = desk.now();
  // Connects begun at the same time may have got the remaining sessions.
  if (refusal_ && (counts.connecting == 0 || desk.now() - refused_at_ >= kOthersWithin)) learn(desk, there, limit);
  if (!room_) return;
  if (there > *room_) grow(desk, there);
  if (*room_ >= limit) return end(desk, "the server accepts the " + counted(limit, "connection") + " there may be");
  if (desk.now() >= kept_until_) return end(desk, "no connection was refused recently");
  caps.room = *room_;
  caps.probe = std::max(counts.total - *room_, desk.now() >= try_at_ ? step_ : 0);
}

void Room::learn(Desk& desk, int64_t there, int64_t limit) {
  Ledger& ledger = desk.ledger();
  const std::string why = std::exchange(refusal_, std::nullopt).value();
  refused_at_ = Instant();
  // Without a live connection there is nothing to learn: other clients have all sessions, and may release them all.
  if (desk.counts().alive() == 0) return;
  const Policy& policy = desk.policy();
  ++refusals_;
  step_ = 1;
  try_at_ = desk.now() + pause_after(refusals_, policy, ledger.rng);
  kept_until_ = desk.now() + std::max(kKept, policy.retry_max * 2);
  const bool was_full = room_.has_value();
  room_ = there;
  ledger.room_reason = why;
  if (was_full || there >= limit) return;
  desk.note(EventKind::server_full_on, Severity::warning,
            "the server has room for " + counted(there, "connection") + " and no more: " + why,
            "{\"room\":" + std::to_string(there) + ",\"limit\":" + std::to_string(limit) + "}");
}

void Room::grow(Desk& desk, int64_t there) {
  Ledger& ledger = desk.ledger();
  const bool was_target = ledger.target == *room_;
  room_ = there;
  // A connect begun before the refusal says nothing about the time after it.
  if (desk.now() >= try_at_) {
    step_ *= 2;
    refusals_ = 0;
    try_at_ = desk.now();
  }
  if (was_target) desk.set_target(there, SizeSource::autoscale, "the server accepted another connection");
}

void Room::end(Desk& desk, const std::string& why) {
  Caps& caps = desk.ledger().caps;
  const bool was_told = caps.room.has_value();
  caps.room.reset();
  caps.probe = 0;
  room_.reset();
  step_ = 1;
  refusals_ = 0;
  if (was_told) desk.note(EventKind::server_full_off, Severity::info, "the server is no longer full: " + why);
}

void Room::forget(Desk& desk) {
  refusal_.reset();
  refused_at_ = Instant();
  if (room_) end(desk, "drained");
}

}  // namespace tide::brain
