#include "books.hpp"

#include <algorithm>

namespace tide::sim {
namespace {

unsigned long long long_of(uint64_t n) { return n; }
uint64_t count_ns(Span span) { return static_cast<uint64_t>(span.ns()); }

}  // namespace

uint64_t Books::ask(Instant now, Span timeout, LeaseMode mode, Priority priority, bool must_succeed) {
  const uint64_t number = ++last_request_;
  pending_[number] = {number, now, now + timeout, mode, priority, must_succeed};
  return number;
}

void Books::cancel(uint64_t number) {
  if (const auto found = pending_.find(number); found != pending_.end()) found->second.is_cancelled = true;
}

void Books::queued(uint64_t number) {
  if (const auto found = pending_.find(number); found != pending_.end()) found->second.is_queued = true;
}

void Books::check_refusal(Code code, const Request& request) {
  const bool is_known = code == Code::timeout || code == Code::queue_full || (code == Code::closed && may_be_closed) ||
                        (code == Code::unavailable && may_be_unavailable) ||
                        (code == Code::cancelled && request.is_cancelled);
  if (!is_known) trace_.complain("I7", "request %llu refused with %s", long_of(request.number), code_name(code));
  // A full queue is caused by the callers, and an open in progress may still meet the fault it was given in the storm.
  const bool is_excused = code == Code::queue_full || code == Code::unavailable;
  if (request.must_succeed && !is_excused) {
    trace_.complain("I10", "request %llu got %s although nothing is wrong", long_of(request.number), code_name(code));
  }
}

void Books::refused(uint64_t number, Code code, Instant now) {
  const auto found = pending_.find(number);
  if (found == pending_.end()) return trace_.complain("I7", "request %llu was answered and refused", long_of(number));
  const Request request = found->second;
  pending_.erase(found);
  trace_.say("request %llu refused: %s", long_of(number), code_name(code));
  check_refusal(code, request);
  if (code == Code::timeout) {
    ++totals.timeouts;
    if (now < request.deadline) trace_.complain("I7", "request %llu timed out early", long_of(number));
  }
  if (code == Code::queue_full) ++totals.rejected;
}

void Books::answered(uint64_t number, Code code, LeaseId lease, Instant now, Span window) {
  const auto found = pending_.find(number);
  if (found == pending_.end()) return trace_.complain("I7", "request %llu is answered a second time", long_of(number));
  const Request request = found->second;
  pending_.erase(found);
  if (code == Code::ok) return granted(request, lease, now, window);
  trace_.say("request %llu fails: %s", long_of(number), code_name(code));
  check_refusal(code, request);
  if (code == Code::timeout) {
    ++totals.timeouts;
    totals.failed_wait_ns += count_ns(now - request.asked);
    if (now < request.deadline) trace_.complain("I7", "request %llu timed out early", long_of(number));
  } else if (code == Code::cancelled) {
    ++totals.cancelled;
    totals.failed_wait_ns += count_ns(now - request.asked);
  } else {
    ++totals.rejected;
  }
}

void Books::granted(const Request& request, LeaseId lease, Instant now, Span window) {
  trace_.say("request %llu gets slot %u lease %llu%s", long_of(request.number), lease.slot(),
             long_of(lease.generation()), request.is_queued ? " after a wait" : "");
  ++totals.granted;
  if (request.is_queued) {
    ++totals.waited;
    totals.wait_ns += count_ns(now - request.asked);
  }
  for (const auto& [number, oldest] : pending_) {
    if (oldest.priority != request.priority) {
      const bool is_passed = oldest.priority == Priority::critical && oldest.is_queued;
      if (is_passed) overtakings_.push_back({oldest.number, request.number, "although that is critical"});
      continue;
    }
    if (request.is_queued && oldest.number < request.number) {
      overtakings_.push_back({oldest.number, request.number, "within the queue"});
    } else if (!request.is_queued && oldest.is_queued && now - oldest.asked >= window) {
      overtakings_.push_back({oldest.number, request.number, "although it had waited the window"});
    }
    break;
  }
  uint64_t& last = generations_[lease.slot()];
  if (lease.generation() <= last) {
    trace_.complain("I3", "lease %llu of slot %u again", long_of(lease.generation()), lease.slot());
  }
  last = lease.generation();
  Lease& entry = leases_[lease.bits];
  entry.id = lease;
  entry.granted = now;
  entry.priority = request.priority;
  ++live_;
}

bool Books::has_promises() const {
  return std::any_of(pending_.begin(), pending_.end(), [](const auto& entry) { return entry.second.must_succeed; });
}

// A ticket may be granted before an older one is notified of its own grant; what counts is which requests still wait.
void Books::settle_overtakings() {
  for (const Overtaking& o : overtakings_) {
    if (pending_.contains(o.older)) {
      trace_.complain("I9", "request %llu passed request %llu %s", long_of(o.younger), long_of(o.older), o.how);
    }
  }
  overtakings_.clear();
}

Lease* Books::find(LeaseId id) {
  const auto found = leases_.find(id.bits);
  return found == leases_.end() ? nullptr : &found->second;
}

size_t Books::zombies() const {
  return static_cast<size_t>(std::count_if(leases_.begin(), leases_.end(), [](const auto& entry) {
    return entry.second.is_revoked && entry.second.is_native_out;
  }));
}

void Books::lost(Lease& lease) {
  trace_.say("slot %u lease %llu is revoked", lease.id.slot(), long_of(lease.id.generation()));
  lease.is_revoked = true;
  ++totals.revoked;
  --live_;
}

void Books::let_go(LeaseId id, Code code, Instant now) {
  const Lease* lease = find(id);
  const bool is_live = lease != nullptr && !lease->is_revoked;
  trace_.say("slot %u lease %llu is let go: %s", id.slot(), long_of(id.generation()), code_name(code));
  if (code != (is_live ? Code::ok : Code::stale_lease)) {
    trace_.complain("I3", "release says %s of a lease that is %s", code_name(code), is_live ? "running" : "over");
  }
  if (is_live) {
    ++totals.released;
    totals.use_ns += count_ns(now - lease->granted);
    --live_;
  }
  leases_.erase(id.bits);
}

}  // namespace tide::sim
