// The story behind a refusal: who holds the connections, since when, and why there are no more of them.
#include <algorithm>

#include "base/units.hpp"
#include "plane/attach.hpp"
#include "pool/keeper.hpp"
#include "pool/pool.hpp"

namespace tide {
namespace {

constexpr size_t kHoldersTold = 3;

struct Sizes {
  uint32_t size = 0;
  uint32_t in_use = 0;
  uint32_t connecting = 0;
};

Sizes sizes_of(const std::vector<SlotCopy>& slots) {
  Sizes sizes;
  for (const SlotCopy& slot : slots) {
    switch (slot.word.state()) {
      case SlotState::leased:
      case SlotState::returning: ++sizes.in_use; [[fallthrough]];
      case SlotState::idle:
      case SlotState::held:
      case SlotState::soiled: ++sizes.size; break;
      case SlotState::opening:
        ++sizes.connecting;
        ++sizes.size;
        break;
      default: break;
    }
  }
  return sizes;
}

std::string holders_of(std::vector<SlotCopy> slots, int64_t now_mono) {
  std::erase_if(slots, [](const SlotCopy& s) { return s.word.state() != SlotState::leased || !s.is_whole; });
  std::sort(slots.begin(), slots.end(),
            [](const SlotCopy& a, const SlotCopy& b) { return a.acquired_mono < b.acquired_mono; });
  std::string text;
  for (size_t i = 0; i < slots.size() && i < kHoldersTold; ++i) {
    const SlotCopy& s = slots[i];
    text += i == 0 ? "oldest leases: " : ", ";
    text += (s.tag.empty() ? std::string("(no tag)") : "\"" + s.tag + "\"") + " for " +
            describe_span(Span::nanos(std::max<int64_t>(0, now_mono - s.acquired_mono))) + " (conn " +
            std::to_string(s.conn_id) + ", thread " + std::to_string(s.thread_id) + ")";
  }
  return text;
}

}  // namespace

Status Pool::explain(Code code, Span waited) const {
  std::string limit_reason;
  std::string connect_error;
  std::string connect_sqlstate;
  {
    const std::lock_guard lock(story_mutex_);
    limit_reason = limit_reason_;
    connect_error = last_connect_error_;
    connect_sqlstate = last_connect_sqlstate_;
  }
  const std::string who = "pool \"" + spec_.name + "\": ";
  if (code == Code::closed) {
    const bool is_draining = turnstile_.gate() == Gate::draining;
    return Status::error(code, who + (is_draining ? "draining, nobody is let in" : "closed or closing"), "",
                         is_draining ? "resume the pool" : "");
  }
  // The same copy any observer would take: the live slots are written while we look.
  auto segment = Attachment::from_fd(segment_->fd());
  std::vector<SlotCopy> slots;
  std::optional<VitalsCopy> vitals;
  if (segment) {
    slots = segment->read_slots();
    vitals = segment->read_vitals();
  }
  const Sizes sizes = sizes_of(slots);
  const uint32_t waiting = turnstile_.waiting();
  std::string state = "size " + std::to_string(sizes.size);
  if (vitals) state += " of " + std::to_string(vitals->limit_size) + " (" + limit_reason + ")";
  state += ", " + std::to_string(sizes.in_use) + " in use";
  if (sizes.connecting != 0) state += ", " + std::to_string(sizes.connecting) + " connecting";
  state += ", " + std::to_string(waiting) + " waiting";
  std::string detail = holders_of(slots, clock_.now().ns());
  if (!connect_error.empty())
    detail += (detail.empty() ? "" : "\n") + std::string("last connect error: ") + connect_error;

  switch (code) {
    case Code::timeout: {
      const Span limit = waited.ns() >= 0 ? waited : Span::nanos(acquire_timeout_ns_.load(std::memory_order_relaxed));
      const bool is_paused = turnstile_.gate() == Gate::paused;
      const std::string what =
          limit.is_zero() ? "no connection is idle" : "no connection within " + describe_span(limit);
      return Status::error(
          code, who + what + (is_paused ? ", the pool is paused; " : "; ") + state, detail,
          is_paused ? "resume the pool" : "release leases sooner, raise max_size, or look at the leases relation");
    }
    case Code::refused:
      return Status::error(code,
                           who + "no connection is idle, and this callback holds up the thread that could open one; " +
                               state,
                           detail,
                           "in a callback on the thread that drives the pool, acquire with a callback or with a "
                           "timeout of 0, or let another thread wait");
    case Code::queue_full:
      return Status::error(code,
                           who + "max_waiting " + std::to_string(max_waiting_.load(std::memory_order_relaxed)) +
                               " callers wait already; " + state,
                           detail, "try again later, raise max_waiting, or shed load");
    case Code::unavailable: {
      std::string what = "no connection can be made: ";
      if (is_broken_.load(std::memory_order_relaxed)) {
        const int64_t probe_ns = breaker_probe_ns_.load(std::memory_order_relaxed);
        const Span left = Span::nanos(std::max<int64_t>(0, probe_ns - clock_.now().ns()));
        what = "the breaker is open, since no connection could be made for a while; " +
               (probe_ns == 0 ? std::string("a connect is being tried now") :
                                "the next connect is tried in " + describe_span(left)) +
               "; last error: ";
      }
      Status status = Status::error(code, who + what + connect_error, "",
                                    "try again after that; `events` lists the attempts");
      status.sqlstate = connect_sqlstate;
      return status;
    }
    default: return Status::error(code, who + code_name(code));
  }
}

}  // namespace tide
