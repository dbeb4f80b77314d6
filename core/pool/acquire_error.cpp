// The message of a refusal: who holds the connections, since when, and why there are no more of them.
#include <algorithm>

#include "base/units.hpp"
#include "pool/keeper.hpp"
#include "pool/pool.hpp"
#include "segment/attach.hpp"

namespace tide {
namespace {

constexpr size_t kHoldersTold = 3;

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

// What would help. What keeps the pool from opening more sessions comes first: until that is resolved, releasing sooner
// or raising a limit changes nothing.
std::string advice(Code code, const SlotCounts& sizes, int64_t limit, const Status& failure) {
  if (code == Code::refused) {
    return "in a callback on the pool's own thread, acquire asynchronously or with timeout 0, or acquire in another "
           "thread";
  }
  const int64_t sessions = sizes.open();
  const std::string mend =
      !failure.hint().empty() ? failure.hint() : "see the connect error; `events` lists the attempts";
  if (!failure && sessions == 0) return mend;
  // A full server is itself a limit.
  if (!failure && (sessions < limit || failure.sqlstate() == "53300"))
    return "release leases sooner, or fix the failing connection attempts: " + mend;
  if (sessions == 0)
    return "the first connection is still being opened: use a longer timeout, and check that the database responds";
  return code == Code::queue_full
             ? "try again later, raise max_waiting, or shed load"
             : "release leases sooner, raise max_size, or check the leases relation for the holders";
}

// A request refused because connects fail gets that error: it decides whether to retry and what to do.
void follow(const Status& failure, Status& refusal) {
  refusal.text().sqlstate = failure.sqlstate();
  refusal.native_code = failure.native_code;
  refusal.is_retryable = failure.is_retryable;
  refusal.text().detail = failure.detail();
}

}  // namespace

Status Pool::explain(Code code, Span waited) const {
  const auto [limit_reason, failure] = errors_.told();
  const std::string who = "pool \"" + spec_.name + "\": ";
  if (code == Code::closed) {
    const bool is_draining = wait_queue_.gate() == Gate::draining;
    return Status::error(code, who + (is_draining ? "draining, not accepting requests" : "closed or closing"), "",
                         is_draining ? "resume the pool" : "");
  }
  if (code == Code::cancelled) {
    Status status = Status::error(code, who + "the request for a connection was cancelled by its token");
    status.text().sqlstate = "57014";
    status.is_unexecuted = true;
    return status;
  }
  if (code == Code::unavailable) return explain_unavailable(who, failure);
  if (code != Code::timeout && code != Code::queue_full && code != Code::refused) {
    return Status::error(code, who + code_name(code));
  }

  // The same copy that an observer would take: the live slots change while they are read.
  auto segment = Attachment::from_fd(segment_->fd());
  std::vector<SlotCopy> slots;
  std::optional<VitalsCopy> vitals;
  if (segment) {
    slots = segment->read_slots();
    vitals = segment->read_vitals();
  }
  const SlotCounts sizes = board_.counts();
  std::string state = "size " + std::to_string(sizes.size());
  if (vitals) state += " of " + std::to_string(vitals->limit_size) + " (" + limit_reason + ")";
  state += ", " + std::to_string(sizes.in_use()) + " in use";
  if (sizes.connecting() != 0) state += ", " + std::to_string(sizes.connecting()) + " connecting";
  state += ", " + std::to_string(wait_queue_.waiting()) + " waiting";

  const bool is_paused = wait_queue_.gate() == Gate::paused;
  std::string what = "max_waiting " + std::to_string(fast_policy_.max_waiting()) + " callers are already waiting";
  if (code == Code::timeout) {
    const Span limit = waited.ns() >= 0 ? waited : fast_policy_.acquire_timeout();
    what = limit.is_zero() ? "no connection is idle" : "no connection within " + describe_span(limit);
  } else if (code == Code::refused) {
    what = "no connection is idle, and this callback blocks the thread that opens connections";
  }
  if (is_paused) what += ", the pool is paused";
  const bool is_unconnected = !failure && sizes.open() == 0;
  if (is_unconnected) what += ", and none can be opened: " + failure.message();
  Status refusal = Status::error(code, who + what + "; " + state, holders_of(slots, clock_.now().ns()),
                                 advice(code, sizes, vitals ? int64_t{vitals->limit_size} : 0, failure));
  const bool is_about_sessions = code != Code::refused && !is_paused;
  if (is_paused && code != Code::refused) refusal.text().hint = "resume the pool";
  if (is_unconnected) {
    if (is_about_sessions) follow(failure, refusal);
  } else if (!failure) {
    refusal.text().detail +=
        (refusal.detail().empty() ? "" : "\n") + std::string("last connect error: ") + failure.message();
  }
  return refusal;
}

Status Pool::explain_unavailable(const std::string& who, const Status& failure) const {
  if (failure) {
    // A connect has succeeded since the request was refused.
    return Status::error(Code::unavailable, who + "the last connection attempt failed", "", "try again");
  }
  std::string what = "no connection can be opened: ";
  if (errors_.is_broken()) {
    const Instant probe_at = errors_.breaker_probe_at();
    const Span left = std::max(Span{}, probe_at - clock_.now());
    what = "the circuit breaker is open; " +
           (!probe_at.is_set() ? std::string("a connection attempt is in progress")
                               : "next connection attempt in " + describe_span(left)) +
           "; last error: ";
  }
  Status refusal =
      Status::error(Code::unavailable, who + what + failure.message(), "", advice(Code::unavailable, {}, 0, failure));
  follow(failure, refusal);
  return refusal;
}

}  // namespace tide
