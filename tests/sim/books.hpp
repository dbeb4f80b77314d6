// Books: the world's own record of requests and leases, kept without asking the pool.
//
// I3  Every lease ends once: released, or revoked. A lease is removed from the books when its holder has released it.
// I7  Every request is answered exactly once.
// I8  An answer belongs to the request, even if its deadline comes at the same moment.
// I9  No request is served from the queue before an older one of its priority, or before a critical one; none overtakes a
//     request of its priority that has waited the window.
// Threads: one. Failure: complaints in the trace.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "base/status.hpp"
#include "pool/ports.hpp"
#include "segment/slot_word.hpp"
#include "trace.hpp"

namespace tide::sim {

struct Request {
  uint64_t number = 0;
  Instant asked;
  Instant deadline;
  LeaseMode mode = LeaseMode::read_write;
  Priority priority = Priority::normal;
  bool must_succeed = false;  // requested while there are no faults
  bool is_queued = false;     // acquire_async() has returned
  bool is_cancelled = false;  // its token is tripped
};

struct Lease {
  LeaseId id;
  Instant granted;
  Priority priority = Priority::normal;
  bool is_revoke_ordered = false;
  bool is_native_out = false;
  bool is_revoked = false;  // revoked; the holder has not noticed yet
};

struct Totals {
  uint64_t granted = 0, waited = 0, timeouts = 0, rejected = 0, cancelled = 0;
  uint64_t released = 0, revoked = 0;
  uint64_t queries = 0, query_errors = 0;
  uint64_t wait_ns = 0, failed_wait_ns = 0, use_ns = 0;
  uint64_t connects = 0, removes = 0, told_acquires = 0, told_releases = 0;  // from the event sink
};

class Books {
 public:
  explicit Books(Trace& trace) : trace_(trace) {}

  // -- requests
  uint64_t ask(Instant now, Span timeout, LeaseMode mode, Priority priority, bool must_succeed);
  void cancel(uint64_t number);                           // its token will be tripped, if it still waits
  void queued(uint64_t number);                           // acquire_async() returned ok
  void refused(uint64_t number, Code code, Instant now);  // it returned another code: never answered
  void answered(uint64_t number, Code code, LeaseId lease, Instant now, Span window);
  const std::map<uint64_t, Request>& pending() const { return pending_; }
  // A request waits that must be served.
  bool has_promises() const;
  // Requests that were overtaken while waiting and still wait at the end of the step.
  void settle_overtakings();

  // -- leases
  Lease* find(LeaseId id);
  std::map<uint64_t, Lease>& leases() { return leases_; }
  size_t live() const { return live_; }
  size_t zombies() const;   // revoked; the holder may still use the native handle
  void lost(Lease& lease);  // according to the board
  void let_go(LeaseId id, Code code, Instant now);

  Totals totals;
  bool may_be_closed = false;       // a drain was requested, or the pool closes
  bool may_be_unavailable = false;  // a connect may have failed permanently a short time ago

 private:
  struct Overtaking {
    uint64_t older;
    uint64_t younger;
    const char* how;
  };
  void granted(const Request& request, LeaseId lease, Instant now, Span window);
  void check_refusal(Code code, const Request& request);

  Trace& trace_;
  std::map<uint64_t, Request> pending_;       // oldest first
  std::map<uint64_t, Lease> leases_;          // by id
  std::map<uint32_t, uint64_t> generations_;  // the last lease of each slot
  std::vector<Overtaking> overtakings_;
  uint64_t last_request_ = 0;
  size_t live_ = 0;
};

}  // namespace tide::sim
