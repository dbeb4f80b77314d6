// Pool: the assembly of a segment, a board, a turnstile, a brain and a keeper, and the leases given from them.
//
// acquire() and release() are the fast path (pool/fast_path.hpp): with an idle connection no lock, no allocation and no
// system call. Everything else is the keeper's (pool/keeper.hpp).
//
// I3  Every lease ends once, by release, revocation or close.
// Threads: acquire, release, query ... from any thread, each within a Visit of this pool (pool/presence.hpp), which is
// what keeps the pool alive meanwhile; the keeper's calls from one thread at a time.
// Failure: codes are promised errors; explain() turns one into a text that names who holds the connections.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.hpp"
#include "brain/brain.hpp"
#include "os/clock.hpp"
#include "plane/board.hpp"
#include "plane/segment.hpp"
#include "policy/parse.hpp"
#include "pool/in_use_peak.hpp"
#include "pool/log_fact.hpp"
#include "pool/presence.hpp"
#include "pool/seat.hpp"
#include "pool/turnstile.hpp"

namespace tide {

class Keeper;

enum class PoolEvent : uint8_t { connect = 1, acquire, release, remove, error, alert };
constexpr uint32_t bit_of(PoolEvent event) { return 1U << static_cast<uint32_t>(event); }
const char* pool_event_name(PoolEvent event);

// Where the application hears of events. Called without any lock of the pool.
struct EventSink {
  uint32_t mask = 0;  // bit (1 << PoolEvent)
  std::function<void(PoolEvent, uint64_t conn_id, uint64_t lease_id, const char* text)> call;
  std::function<uint64_t()> take_dropped;  // how many could not be told since it was last asked; may be empty
  bool wants(PoolEvent event) const { return (mask & bit_of(event)) != 0; }
};

struct PoolSpec {
  std::string name;
  std::string app;
  std::string host;
  std::string version;
  Target target;
  Policy policy;
  std::vector<SettingSource> sources;  // parallel to settings_catalogue()
  std::vector<SettingNote> notes;      // shown among the settings
  std::string directory;               // "": private memory
  bool is_hosted = false;              // shown as source
  uint64_t pool_key = 1;               // names this instance in Presence; unique in the process
  uint64_t seed = 0;                   // of jitter
  EventSink events;
  std::shared_ptr<ResourceProbe> probe;                // null: nothing is known of memory and descriptors
  std::function<void(const LogFact&, LogFormat)> log;  // what the option log asks for; from any thread; may be empty
};

struct AcquireRequest {
  const char* tag = "";  // ends with NUL; a longer one than fits is cut
  LeaseMode mode = LeaseMode::read_write;
  Span timeout = Span::nanos(-1);  // negative: acquire_timeout; zero: do not wait
};

struct LeaseFacts {
  LeaseMode mode = LeaseMode::read_write;
  uint64_t conn_id = 0;
  Span age;
  Span idle;
  uint64_t uses_total = 0;
  bool is_in_transaction = false;  // after its last statement
};

class Pool {
 public:
  static Result<std::unique_ptr<Pool>> open(PoolSpec spec, std::unique_ptr<Connector> connector, const Clock& clock);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // -- leases, from any thread within a Visit
  // An idle connection at once, or none; then acquire_slow() waits or says why not.
  LeaseId acquire_idle(const char* tag, LeaseMode mode);
  Code acquire_slow(const AcquireRequest& request, LeaseId& out);
  Code acquire(const AcquireRequest& request, LeaseId& out);
  using AcquireDone = std::function<void(Code, LeaseId, const Status&)>;
  // Calls `done` exactly once, from here, a releasing thread or the keeper, and never within another such call of the
  // thread. Any other result than ok: never called.
  Code acquire_async(const AcquireRequest& request, AcquireDone done);
  // Where a call on the lease still runs in another thread, the connection goes back when that returns.
  Code release(LeaseId lease);
  // The holder vouches that the session is as it got it: only an open transaction is still undone.
  Code release_unchanged(LeaseId lease);
  // The connection must not be used again: it is closed.
  Code discard(LeaseId lease);
  // Somebody waits for a connection, or the pool wants this one back.
  bool is_wanted(LeaseId lease) const;
  // Callbacks of asynchronous requests that have not been called, or have not returned.
  uint64_t callbacks_open() const { return callbacks_open_.load(std::memory_order_seq_cst); }
  // Interrupt what runs on the lease's session, if anything.
  Code cancel(LeaseId lease);
  void* native(LeaseId lease);
  Status query(LeaseId lease, const QueryRequest& request, ResultTable& out);
  Code facts(LeaseId lease, LeaseFacts& out) const;
  // The whole story of a refusal: pool, size, cap and its source, waiters, the three oldest leases, the last error.
  // Where no session exists because connects fail, SQLSTATE, hint and is_retryable are those of the last connect.
  Status explain(Code code, Span waited) const;

  // -- keeper and assembly
  Keeper& keeper() { return *keeper_; }
  const std::string& name() const { return spec_.name; }
  const InstanceId& instance_id() const { return instance_id_; }
  // Ids of commands and alerts: the instance's first bits, then a number, so that an id alone says whose it is.
  uint64_t id_of(uint64_t number) const;
  uint64_t key() const { return spec_.pool_key; }
  Segment& segment() { return *segment_; }
  const Clock& clock() const { return clock_.clock(); }
  Span query_timeout() const { return Span::nanos(query_timeout_ns_.load(std::memory_order_relaxed)); }
  // In a forked child: close descriptors only; nothing else may be called afterwards, not even the destructor.
  // `is_whole`: the keeper was at rest (Keeper::hold_for_fork()); if not, the connections' descriptors stay open.
  void abandon_after_fork(bool is_whole) noexcept;

 private:
  friend class Keeper;
  friend class Hand;
  friend class Publisher;
  friend class Clerk;
  friend class Bulletin;
  struct AsyncTicket;

  Pool(PoolSpec spec, std::unique_ptr<Segment> segment, std::unique_ptr<Connector> connector, const Clock& clock);

  class Call;

  // fast_path.hpp
  bool is_fresh(const format::Slot& slot, Instant now) const;

  // lease.cpp
  LeaseId claim_any(Instant now);
  [[gnu::cold]] LeaseId acquire_any(const char* tag, LeaseMode mode, Instant now);
  [[gnu::cold]] LeaseId begin_or_put_away(LeaseId lease, const char* tag, LeaseMode mode, Instant now);
  bool is_worn(LeaseId lease, Instant now);
  void put_away(LeaseId lease);
  LeaseId begin(LeaseId lease, const char* tag, LeaseMode mode, Instant now);
  [[gnu::cold]] LeaseId begin_noted(LeaseId lease, LeaseMode mode);
  [[gnu::cold]] Code refuse_return(LeaseId lease);
  [[gnu::noinline]] Code finish_return(LeaseId lease, Return how);
  void settle_and_pass_on(LeaseId lease, Return how);
  [[gnu::cold]] void pass_on_or_put_away(LeaseId lease, Instant now, CloseReason reason, bool is_fit);
  Code give_up_at_once();
  Code give_back(LeaseId lease, Return how);
  Status begin_touch(LeaseId lease, Instant now);
  Status query_within_call(LeaseId lease, const QueryRequest& request, ResultTable& out, uint64_t& conn_id);
  CloseReason settle_seat(Seat& seat, Return how, bool& is_fit) const;
  CloseReason reason_to_retire(const format::Slot& slot, Instant now) const;
  Code refusal_now(Instant now) const;
  Status explain_unavailable(const std::string& who, const Status& failure) const;
  Span timeout_of(const AcquireRequest& request) const;
  void tell_of_lease(PoolEvent event, LeaseId lease) const;
  void set_fast_policy(const Policy& policy);
  void tell(PoolEvent event, uint64_t conn_id, uint64_t lease_id, const char* text) const {
    if ((told_.load(std::memory_order_relaxed) & bit_of(event)) != 0) tell_and_log(event, conn_id, lease_id, text);
  }
  [[gnu::cold]] void tell_and_log(PoolEvent event, uint64_t conn_id, uint64_t lease_id, const char* text) const;
  bool logs(LogLevel level) const { return log_level_.load(std::memory_order_relaxed) >= level && spec_.log; }
  void log(LogFact fact) const;

  PoolSpec spec_;
  InstanceId instance_id_;
  std::unique_ptr<Segment> segment_;
  Board board_;
  InUsePeak in_use_peak_;
  Turnstile turnstile_;
  TickClock clock_;
  std::vector<Seat> seats_;

  // What the fast path needs of the policy; written by the keeper when a setting changes.
  std::atomic<uint64_t> fast_key_{0};  // the pool's key, or one that no hint has: acquires tell an event
  std::atomic<uint32_t> told_{0};      // the events that the program or the log wants: bit_of()
  std::atomic<LogLevel> log_level_{LogLevel::off};
  std::atomic<LogFormat> log_format_{LogFormat::key_value};
  std::atomic<bool> asks_at_return_{false};  // see set_fast_policy()
  std::atomic<int64_t> acquire_timeout_ns_{0};
  std::atomic<int64_t> query_timeout_ns_{0};
  std::atomic<int64_t> probe_after_ns_{0};
  std::atomic<int64_t> max_waiting_{0};
  std::atomic<uint64_t> max_uses_{0};
  std::atomic<ResetMode> reset_mode_{ResetMode::smart};
  std::atomic<uint64_t> callbacks_open_{0};
  std::atomic<bool> has_unmet_{false};  // somebody who would not wait found nothing, since the keeper last decided
  std::atomic<bool> can_grow_{true};    // a queue is worth waking the keeper for
  // The breaker is open: nobody is let into the queue. When the next connect is tried; 0: one is under way.
  std::atomic<bool> is_broken_{false};
  std::atomic<int64_t> breaker_probe_ns_{0};
  // No connection, and trying again cannot help: fail at once, until it is time to try nevertheless.
  std::atomic<int64_t> unreachable_until_ns_{0};

  mutable std::mutex story_mutex_;  // guards the texts below: slow paths only
  std::string limit_reason_;
  Status last_connect_failure_;  // ok while connects succeed

  std::unique_ptr<Connector> connector_;
  std::unique_ptr<Keeper> keeper_;
};

}  // namespace tide

#include "pool/fast_path.hpp"  // the inline half
