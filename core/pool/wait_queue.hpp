// WaitQueue: the queue of callers for whom no connection was idle.
//
// Why not a condition variable: a woken waiter would race newcomers on the board, and without a rule it may lose
// forever. Why not strict hand-over: with very short leases every hand-over waits for a wake-up, which costs 40 % of
// the throughput. So: until the head of the queue has waited `fairness_window`, a returned connection is put on the
// board, the head is woken (once at a time) and may lose to a thread that is already running; from then on connections
// are handed to the head directly and no request may overtake it.
//
// Critical requests are queued before all others, in order of their arrival; a returned connection is handed to them at
// once, and no normal request overtakes them. Reserved connections (pool/reserve.hpp) are given to them only.
//
// I4  No waiter sleeps while a connection is idle that it may take: a thread that puts one on the board checks for waiters afterwards,
//     and a thread that queues checks the board afterwards. A release on the fast path omits its barrier between the
//     two: it is `returning` before it checks, by a full barrier, and a thread that queues and sees that requests one
//     barrier in all threads before it checks again.
// I7  A ticket is in exactly one of: queued, granted, refused (closed, full), expired, withdrawn.
// I8  A grant that races a timeout or a withdrawal belongs to the waiter; the mutex decides which came first.
// I9  A request that has waited the fairness window is not overtaken by a later one of the same or a lower priority.
// I11 A reserved connection is granted to a critical request only.
// Threads: any. One mutex, never held across a driver call, a callback or a sleep.
// Failure: none of its own; a refused ticket carries the code.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "base/status.hpp"
#include "pool/in_use_peak.hpp"
#include "pool/ports.hpp"
#include "segment/board.hpp"

namespace tide {

// Which requests may pass. In any state but running a caller is queued or refused.
enum class Gate : uint32_t { running, paused, draining, closed };

struct Ticket {
  enum Signal : uint32_t { kQueued, kNudged, kGranted, kRefused };

  std::atomic<uint32_t> signal{kQueued};
  uint64_t number = 0;
  Instant queued_at;
  Instant deadline = Instant::never();
  const char* tag = "";  // NUL-terminated, lives as long as the ticket
  uint32_t thread_id = 0;
  LeaseMode mode = LeaseMode::read_write;
  Priority priority = Priority::normal;
  bool is_withdrawn = false;  // under the queue's mutex; also before it is queued
  LeaseId lease;              // of a granted ticket
  Code refusal = Code::ok;    // of a refused or expired one

  // Asynchronous: owned by the queue, returned through Deliveries. Null: a thread sleeps on `signal`.
  void (*deliver)(Ticket*) = nullptr;

  // Used by the queue, or by the Deliveries that contain the ticket.
  Ticket* next = nullptr;
  Ticket* previous = nullptr;
  int32_t row = -1;

  bool is_critical() const { return priority == Priority::critical; }
};

// Asynchronous tickets that are finished; called when no lock is held.
//
// A delivery calls the program, which may release leases or request more, and so finish further tickets. Those are
// delivered by the loop already running on this thread, never within a delivery, so the stack depth does not depend on
// the length of the chain. A ticket may therefore be delivered after the call that finished it has returned, and must
// own what it needs.
class Deliveries {
 public:
  Deliveries() = default;
  ~Deliveries() {
    if (first_ != nullptr) run();
  }
  Deliveries(const Deliveries&) = delete;
  Deliveries& operator=(const Deliveries&) = delete;
  void add(Ticket* ticket);
  void run();
  // Before the thread sleeps: also delivers what the enclosing loop has not delivered yet, since that cannot continue
  // meanwhile.
  void run_before_sleep();

 private:
  class Running;
  void deliver_all();
  void take_from(Deliveries& other);
  static thread_local Deliveries* running_;  // of this thread; null: none
  Ticket* first_ = nullptr;
  Ticket* last_ = nullptr;
};

class WaitQueue {
 public:
  WaitQueue(Board& board, InUsePeak& in_use_peak, Segment& segment);

  // -- called on the fast path, without the mutex
  Gate gate() const { return gate_.load(std::memory_order_relaxed); }
  bool has_waiters() const { return waiting_.load(std::memory_order_seq_cst) != 0; }
  // No caller waits, and new requests may pass.
  bool is_free() const {
    return gate_.load(std::memory_order_relaxed) == Gate::running && waiting_.load(std::memory_order_relaxed) == 0;
  }
  uint32_t waiting() const { return waiting_.load(std::memory_order_relaxed); }
  Instant head_since() const { return Instant::at_ns(head_since_ns_.load(std::memory_order_relaxed)); }
  uint32_t waiting_critical() const { return waiting_critical_.load(std::memory_order_relaxed); }
  // May a new request take an idle connection although others wait?
  bool may_overtake(Instant now) const {
    return waiting() == 0 || (waiting_critical() == 0 && now.ns() - head_since_ns_.load(std::memory_order_relaxed) <
                                                             window_ns_.load(std::memory_order_relaxed));
  }
  bool may_overtake(Instant now, Priority priority) const {
    return priority == Priority::critical ? waiting_critical() == 0 : may_overtake(now);
  }

  // -- callers
  // Queues the ticket; serves the queue from the board at once. False: refused, ticket.refusal says why.
  bool enqueue(Ticket& ticket, Instant now, int64_t max_waiting, Deliveries& out);
  // Sleeps until the ticket is granted, refused or expired. Only for tickets without `deliver`. Reads the time from
  // `clock`; true: granted.
  template <typename Now>
  bool wait(Ticket& ticket, Now&& now, Deliveries& out);
  // The connection of a lease that this caller has ended (Board::end) is fit for the next holder: hands it over or puts
  // it on the board.
  void pass_on(LeaseId lease, Instant now) {
    if (has_waiters()) [[unlikely]]
      return pass_on_to_waiter(lease, now);
    board_.give_back(lease);
    if (has_waiters()) [[unlikely]]
      serve(now);
  }
  // Gives idle connections to waiters, oldest first.
  void serve(Instant now, Deliveries& out);
  void serve(Instant now);
  // The caller no longer wants the connection. Nothing happens if the ticket has ended. A ticket that is not queued yet
  // will be refused.
  void withdraw(Ticket& ticket, Instant now, Deliveries& out);
  // Counts a request that did not queue (timeout 0).
  void count_timeout(Span waited);

  // -- keeper
  void set_gate(Gate gate, Instant now, Deliveries& out);  // closed and draining refuse all waiters
  void set_window(Span window) { window_ns_.store(window.ns(), std::memory_order_relaxed); }
  // A request that waits longer than this counts as slow.
  void set_objective(Span objective) { objective_ns_.store(objective.ns(), std::memory_order_relaxed); }
  // The total time that the current waiters have waited.
  double seconds_waited(Instant now);
  void refuse_all(Code why, Deliveries& out);
  // The highest number of waiters since the last call; the next count starts with the current waiters.
  uint32_t take_waiting_most();
  // Restarts the published peak with the current waiters.
  void reset_peak();
  // Expires asynchronous tickets past their deadline; returns the next such deadline.
  Instant expire(Instant now, Deliveries& out);

 private:
  class WakeList;
  void pass_on_to_waiter(LeaseId lease, Instant now);
  void end_ticket(Ticket* ticket, Ticket::Signal how, Deliveries& out, WakeList& wake);
  bool try_as_head(Ticket& ticket, Instant now, Deliveries& out);
  bool give_up(Ticket& ticket, Instant now, Deliveries& out);
  void park(Ticket& ticket, Instant now);
  // True: a caller still waits, and a lease was being released at that moment. The releasing thread may not have seen
  // the first waiter, so look_again() is needed.
  bool serve_locked(Instant now, Deliveries& out, WakeList& wake);
  void look_again(Instant now, Deliveries& out);
  bool enter(Ticket& ticket, int64_t max_waiting);
  void grant(Ticket* ticket, LeaseId lease, Instant now, Deliveries& out, WakeList& wake);
  void refuse(Ticket* ticket, Code why, Deliveries& out, WakeList& wake);
  void link(Ticket& ticket);
  void unlink(Ticket* ticket);
  void note_head();
  void publish();
  int64_t since_base_us(Instant at) const { return (at - base_).ns() / 1000; }

  Board& board_;
  InUsePeak& in_use_peak_;
  format::QueueStats& stats_;
  format::Waiter* rows_;
  std::vector<int32_t> free_rows_;

  alignas(64) std::atomic<uint32_t> waiting_{0};
  std::atomic<uint32_t> waiting_critical_{0};
  std::atomic<bool> is_nudge_pending_{false};
  std::atomic<int64_t> head_since_ns_{0};
  std::atomic<int64_t> window_ns_{1'000'000};
  std::atomic<int64_t> objective_ns_{10'000'000};
  std::atomic<Gate> gate_{Gate::running};

  alignas(64) std::mutex mutex_;
  Ticket* first_ = nullptr;
  Ticket* last_ = nullptr;
  Ticket* last_critical_ = nullptr;  // the critical ones come first
  uint64_t next_number_ = 1;
  uint32_t async_waiting_ = 0;
  uint32_t waiting_most_ = 0;  // since take_waiting_most()
  Instant base_;               // of the sum: the first ticket's queued_at
  int64_t queued_us_sum_ = 0;  // of the waiting tickets, their queued_at since base_
};

template <typename Now>
bool WaitQueue::wait(Ticket& ticket, Now&& now, Deliveries& out) {
  for (;;) {
    switch (ticket.signal.load(std::memory_order_acquire)) {
      case Ticket::kGranted: return true;
      case Ticket::kRefused: return false;
      case Ticket::kNudged: {
        if (try_as_head(ticket, now(), out)) return true;
        break;
      }
      default: {
        const Instant t = now();
        if (t >= ticket.deadline) return give_up(ticket, t, out);
        park(ticket, t);
      }
    }
  }
}

}  // namespace tide
