#include "brain/health/pressure.hpp"

#include <algorithm>
#include <cmath>

#include "base/units.hpp"
#include "brain/wording.hpp"

namespace tide::brain {
namespace {

constexpr Span kShedEvery = Span::seconds(1);
constexpr Span kIdle = Span::seconds(1);

double memory_ratio(const Resources& r) {
  const bool is_known =
      std::isfinite(r.memory_bytes) && std::isfinite(r.memory_limit_bytes) && r.memory_limit_bytes > 0;
  return is_known ? r.memory_bytes / r.memory_limit_bytes : 0;
}

std::string megabytes(double bytes) { return short_number(std::round(bytes / 1048576)) + " MB"; }

}  // namespace

void Pressure::tick(Desk& desk) {
  const Resources& r = desk.census().resources;
  const double used = memory_ratio(r);
  const double stall = std::isfinite(r.memory_stall) ? r.memory_stall : 0;
  const bool was_on = is_on_;
  is_on_ = was_on ? used >= kOff || stall >= kStallOn / 2 : used >= kOn || stall >= kStallOn;
  if (is_on_ != was_on) {
    const std::string state = megabytes(r.memory_bytes) + " of " + megabytes(r.memory_limit_bytes) + " used";
    desk.note(EventKind::memory_pressure, is_on_ ? Severity::warning : Severity::info,
              is_on_ ? "memory usage high, " + state +
                           (stall >= kStallOn ? ", tasks are stalled waiting for memory" : "") +
                           ": releasing caches and idle connections above the minimum size"
                     : "memory usage back to normal, " + state,
              "{\"ratio\":" + short_number(used) + "}");
    shed_at_ = desk.now();
    if (is_on_) desk.shed_memory();
  }
  if (!is_on_ || desk.ledger().controls.is_paused) return;
  if (desk.now() >= shed_at_ + kShedEvery) {
    shed_at_ = desk.now();
    desk.shed_memory();
    shed(desk);
  }
  desk.wake_at(shed_at_ + kShedEvery);
}

void Pressure::shed(Desk& desk) {
  if (desk.census().waiting > 0) return;
  const int64_t lowest = desk.bounds().lowest;
  int64_t n = 0;
  for (const SlotCensus& slot : HighestFirst{desk.census().slots}) {
    if (desk.counts().staying() <= lowest || desk.counts().idle <= desk.policy().min_idle) break;
    if (!desk.is_staying(slot, Phase::idle) || desk.now() - slot.last_used < kIdle) continue;
    desk.retire(slot, CloseReason::scale);
    ++n;
  }
  const int64_t left = std::max(lowest, desk.counts().staying());
  if (n > 0 && desk.ledger().target > left) {
    desk.set_target(left, SizeSource::autoscale, "memory usage high: " + counted(n, "idle connection") + " closed");
  }
}

}  // namespace tide::brain
