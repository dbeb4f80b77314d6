// Pool: the assembly of a segment, a board, a wait queue, a brain and a keeper, and the leases given from them.
//
// acquire() and release() are the fast path (pool/fast_path.hpp): with an idle connection no lock, no allocation and no
// system call. Everything else is done by the keeper (pool/keeper.hpp).
//
// I3  Every lease ends once, by release, revocation or close.
// Threads: acquire, release, query ... from any thread, each within a Visit of this pool (pool/presence.hpp), which
// keeps the pool alive during the call; the keeper's calls from one thread at a time.
// Failure: codes are promised errors; explain() turns one into a text that names the holders of the connections.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.hpp"
#include "brain/brain.hpp"
#include "os/clock.hpp"
#include "policy/parse.hpp"
#include "pool/alert_feed.hpp"
#include "pool/call_cancel.hpp"
#include "pool/fast_policy.hpp"
#include "pool/in_use_peak.hpp"
#include "pool/listeners.hpp"
#include "pool/presence.hpp"
#include "pool/query_log.hpp"
#include "pool/recent_errors.hpp"
#include "pool/seat.hpp"
#include "pool/wait_queue.hpp"
#include "segment/board.hpp"
#include "segment/segment.hpp"

namespace tide {

class HistoryFile;
class HistoryLeftovers;
class HistorySaver;
class Keeper;

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
  TargetRole role = TargetRole::single;
  std::string group;      // name of the pool to which this target belongs; "": its own
  uint64_t pool_key = 1;  // names this instance in Presence; unique in the process
  uint64_t seed = 0;      // of jitter
  EventSink events;
  LogSink log;                           // used by the option log; called from any thread; may be empty
  AlertSink alerts;                      // told by the keeper; may be empty
  std::shared_ptr<ResourceProbe> probe;  // null: memory and descriptors are unknown
};

struct AcquireRequest {
  const char* tag = "";  // NUL-terminated; cut if too long
  LeaseMode mode = LeaseMode::read_write;
  Span timeout = Span::nanos(-1);  // negative: acquire_timeout; zero: do not wait
  Priority priority = Priority::normal;
  CancelToken* cancel = nullptr;  // may be freed as soon as the request is made

  bool is_plain() const { return priority == Priority::normal && cancel == nullptr; }
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
  // An idle connection at once, or none; then acquire_slow() waits or returns the reason for the refusal.
  LeaseId acquire_idle(const char* tag, LeaseMode mode);
  Code acquire_slow(const AcquireRequest& request, LeaseId& out);
  Code acquire(const AcquireRequest& request, LeaseId& out);
  using AcquireDone = std::function<void(Code, LeaseId, const Status&)>;
  // Calls `done` exactly once, from here, a releasing thread or the keeper, and never within another such call of the
  // same thread. If the result is not ok, it is never called.
  Code acquire_async(const AcquireRequest& request, AcquireDone done);
  // If a call on the lease still runs in another thread, the connection is returned when that call ends.
  Code release(LeaseId lease);
  // The holder guarantees that the session is unchanged: only an open transaction is still rolled back.
  Code release_unchanged(LeaseId lease);
  // The connection must not be used again: it is closed.
  Code discard(LeaseId lease);
  // A caller waits for a connection, or the pool wants this one back.
  bool is_wanted(LeaseId lease) const;
  // Callbacks of asynchronous requests that have not been called, or have not returned.
  uint64_t callbacks_open() const { return callbacks_open_.load(std::memory_order_seq_cst); }
  // Interrupts what runs on the lease's session, if anything.
  Code cancel(LeaseId lease);
  TrippedCalls& tripped_calls() { return tripped_calls_; }
  void* native(LeaseId lease);
  // Statements on a lease, as Connection documents them, with query_timeout, and counted.
  Status query(LeaseId lease, const QueryRequest& request, ResultTable& out);
  Status stream(LeaseId lease, const QueryRequest& request, RowSink& sink, ResultTable& out);
  Status open_rows(LeaseId lease, const QueryRequest& request, ResultTable& page);
  Status fetch_rows(LeaseId lease, ResultTable& page);
  void close_rows(LeaseId lease);
  Status batch(LeaseId lease, std::span<const QueryRequest> requests, Instant deadline, std::vector<ResultTable>& out,
               size_t& failed_at);
  // A transaction that the caller has managed on this lease has ended; further attempts of it, or of a statement, and
  // those that succeeded.
  void count_transaction(LeaseId lease);
  void count_retry(LeaseId lease);
  void count_retry_helped(LeaseId lease);
  Code facts(LeaseId lease, LeaseFacts& out) const;
  // After its last statement; false if the lease has ended.
  bool is_in_transaction(LeaseId lease) const;
  // As Connection has them; empty and nullptr if the lease has ended.
  std::string begin_text(LeaseId lease, const TransactionKind& kind) const;
  const OutcomeWords* outcome_words(LeaseId lease) const;
  // The whole message of a refusal: pool, size, cap and its source, waiters, the three oldest leases, the last error.
  // If there is no session because connects fail, SQLSTATE, hint and is_retryable are those of the last connect.
  Status explain(Code code, Span waited) const;

  // -- keeper and assembly
  Keeper& keeper() { return *keeper_; }
  const std::string& name() const { return spec_.name; }
  const InstanceId& instance_id() const { return instance_id_; }
  uint64_t key() const { return spec_.pool_key; }
  // Begins to save the history, if there is a history_file. Throws Shortage.
  void start_saving();
  // For the last time, once the keeper is closed. False: the disk did not finish within `limit`.
  bool finish_saving(Span limit);
  Segment& segment() { return *segment_; }
  const Clock& clock() const { return clock_.clock(); }
  const FastPolicy& fast_policy() const { return fast_policy_; }
  // nullptr: the database cannot be watched.
  std::shared_ptr<ChangeWatch> change_watch() { return connector_->change_watch(); }
  Backend backend() const { return spec_.target.backend; }
  // In a forked child: closes descriptors only; nothing else may be called afterwards, not even the destructor.
  // `is_whole`: the keeper was idle (Keeper::hold_for_fork()); if not, the connections' descriptors stay open.
  void abandon_after_fork(bool is_whole) noexcept;

 private:
  struct AsyncTicket;
  class WithdrawOnTrip;

  Pool(PoolSpec spec, std::unique_ptr<Segment> segment, std::unique_ptr<Connector> connector, const Clock& clock);

  class Call;

  void take_over(HistoryLeftovers& leftovers);

  // fast_path.hpp
  bool is_fresh(const format::Slot& slot, Instant now) const;

  // lease.cpp
  LeaseId claim_any(Instant now, Priority priority);
  LeaseId claim_one(Priority priority);
  [[gnu::cold]] Code acquire_special(const AcquireRequest& request, LeaseId& out);
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
  // Work: Status(Connection&, Instant limit), where the limit is that of query_timeout, and which sets `bytes`, the size of
  // its result. Log: bool(const FinishedCall&), the function of the query log for this work.
  template <typename Work, typename Log>
  Status work_on_session(LeaseId lease, uint64_t statements, const int64_t& bytes, Work&& work, Log&& log);
  template <typename Work, typename Log>
  Status work_within_call(LeaseId lease, uint64_t statements, const int64_t& bytes, Work& work, Log& log,
                          uint64_t& conn_id);
  void note_wait(const Ticket& ticket);
  void count(LeaseId lease, format::Cell format::SlotStats::*counter);
  CloseReason settle_seat(Seat& seat, Return how, bool& is_fit) const;
  CloseReason reason_to_retire(const format::Slot& slot, Instant now) const;
  Code refusal_now(Instant now) const;
  Status explain_unavailable(const std::string& who, const Status& failure) const;
  Span timeout_of(const AcquireRequest& request) const;
  void tell_of_lease(PoolEvent event, LeaseId lease) const;

  PoolSpec spec_;
  InstanceId instance_id_;
  std::unique_ptr<Segment> segment_;
  Board board_;
  InUsePeak in_use_peak_;
  WaitQueue wait_queue_;
  TickClock clock_;
  std::vector<Seat> seats_;

  FastPolicy fast_policy_;
  Listeners listeners_;
  RecentErrors errors_;
  QueryLog query_log_;
  std::atomic<uint64_t> callbacks_open_{0};
  TrippedCalls tripped_calls_;
  std::unique_ptr<Connector> connector_;
  std::unique_ptr<Keeper> keeper_;
  std::shared_ptr<HistoryFile> history_file_;    // nullptr: there is none
  std::unique_ptr<HistorySaver> history_saver_;  // ended before the keeper
};

}  // namespace tide

#include "pool/fast_path.hpp"  // the inline half
