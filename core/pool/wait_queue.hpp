// WaitQueue: the queue of callers for whom no connection was idle.
//
// Why not a condition variable: a woken waiter would race newcomers on the board, and without a rule it may lose for
// ever. Why not strict hand-over: with tiny holds every hand-over waits for a wake-up, which costs 40 % of the
// throughput. So: until the head of the queue has waited `fairness_window`, a connection that comes back is put on the
// board, the head is woken (once at a time) and may lose to a thread that is running already; from then on connections
// are handed to the head directly and nobody may overtake it.
//
// I4  No waiter sleeps while a connection is idle: whoever puts one on the board looks for waiters afterwards, and
//     whoever queues looks at the board afterwards. Of the two barriers in between a release on the fast path leaves its
//     own out: it is `returning` before it looks, by a full barrier, and who queues and sees that asks for one barrier in
//     all threads before it looks again.
// I7  A ticket is in exactly one of: queued, granted, refused (closed, full), expired, withdrawn.
// I8  A grant that races a timeout belongs to the waiter; the mutex decides which came first.
// I9  Who has waited the fairness window is not overtaken by a request that came later.
// Threads: any. One mutex, never held across a driver call, a callback or a sleep.
// Failure: none of its own; a refused ticket carries the code.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.hpp"
#include "pool/in_use_peak.hpp"
#include "pool/ports.hpp"
#include "segment/board.hpp"

namespace tide {

// Who may pass. Anything but running sends a caller to the queue or away.
enum class Gate : uint32_t { running, paused, draining, closed };

struct Ticket {
  enum Signal : uint32_t { kQueued, kNudged, kGranted, kRefused };

  std::atomic<uint32_t> signal{kQueued};
  uint64_t number = 0;
  Instant queued_at;
  Instant deadline = Instant::never();
  const char* tag = "";  // ends with NUL, lives as long as the ticket
  uint32_t thread_id = 0;
  LeaseMode mode = LeaseMode::read_write;
  LeaseId lease;            // of a granted ticket
  Code refusal = Code::ok;  // of a refused or expired one

  // Asynchronous: owned by the queue, given back through Deliveries. Null: a thread sleeps on `signal`.
  void (*deliver)(Ticket*) = nullptr;

  // The queue's, or that of the Deliveries it is among.
  Ticket* next = nullptr;
  Ticket* previous = nullptr;
  int32_t row = -1;
};

// Asynchronous tickets that are finished; called when no lock is held.
//
// A delivery calls the program, which may give leases back or ask for more, and so finish further tickets. Those are
// delivered by the loop that is running on this thread already, never within a delivery: the stack stays as deep as it
// is, however long the chain. So a ticket may be delivered after the call that finished it has returned, and must keep
// what it needs.
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
  // Before the thread sleeps: also what the loop around it has not delivered yet, since that cannot go on meanwhile.
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

  // -- asked on the fast path, without the mutex
  Gate gate() const { return gate_.load(std::memory_order_relaxed); }
  bool has_waiters() const { return waiting_.load(std::memory_order_seq_cst) != 0; }
  // Nobody waits, and who comes may pass.
  bool is_free() const {
    return gate_.load(std::memory_order_relaxed) == Gate::running && waiting_.load(std::memory_order_relaxed) == 0;
  }
  uint32_t waiting() const { return waiting_.load(std::memory_order_relaxed); }
  Instant head_since() const { return Instant::at_ns(head_since_ns_.load(std::memory_order_relaxed)); }
  // May a request that comes now take an idle connection although others wait?
  bool may_overtake(Instant now) const {
    return waiting() == 0 ||
           now.ns() - head_since_ns_.load(std::memory_order_relaxed) < window_ns_.load(std::memory_order_relaxed);
  }

  // -- callers
  // Queue up; serves the queue from the board at once. False: refused, ticket.refusal says why.
  bool enqueue(Ticket& ticket, Instant now, int64_t max_waiting, Deliveries& out);
  // Sleep until the ticket is granted, refused or expired. Only for tickets without `deliver`.
  // `clock` is asked for the time; true: granted.
  template <typename Now>
  bool wait(Ticket& ticket, Now&& now, Deliveries& out);
  // The connection of a lease that this caller has ended (Board::end) is fit for the next holder: hand it over or put
  // it on the board.
  void pass_on(LeaseId lease, Instant now) {
    if (has_waiters()) [[unlikely]]
      return pass_on_to_waiter(lease, now);
    board_.give_back(lease);
    if (has_waiters()) [[unlikely]]
      serve(now);
  }
  // Give idle connections to waiters, oldest first.
  void serve(Instant now, Deliveries& out);
  void serve(Instant now);
  // Count one who did not even queue (timeout 0).
  void count_timeout(Span waited);

  // -- keeper
  void set_gate(Gate gate, Instant now, Deliveries& out);  // closed and draining refuse all who wait
  void set_window(Span window) { window_ns_.store(window.ns(), std::memory_order_relaxed); }
  // Who waits longer than this counts as slow.
  void set_objective(Span objective) { objective_ns_.store(objective.ns(), std::memory_order_relaxed); }
  // How long those who wait now have waited, all together.
  double seconds_waited(Instant now);
  void refuse_all(Code why, Deliveries& out);
  // The most who waited at once since the last call; who waits now begins the next count.
  uint32_t take_waiting_most();
  // The published peak begins anew, with who waits now.
  void reset_peak();
  // Asynchronous tickets past their deadline; returns the next such deadline.
  Instant expire(Instant now, Deliveries& out);
  void lock_for_fork() { mutex_.lock(); }
  void unlock_after_fork() { mutex_.unlock(); }

 private:
  class WakeList;
  void pass_on_to_waiter(LeaseId lease, Instant now);
  void end_ticket(Ticket* ticket, Ticket::Signal how, Deliveries& out, WakeList& wake);
  bool try_as_head(Ticket& ticket, Instant now, Deliveries& out);
  bool give_up(Ticket& ticket, Instant now, Deliveries& out);
  void park(Ticket& ticket, Instant now);
  // True: somebody still waits, and a lease was being given back just then. Where that one may not have seen the first
  // who waits, look_again().
  bool serve_locked(Instant now, Deliveries& out, WakeList& wake);
  void look_again(Instant now, Deliveries& out);
  bool enter(Ticket& ticket, int64_t max_waiting);
  void grant(Ticket* ticket, LeaseId lease, Instant now, Deliveries& out, WakeList& wake);
  void refuse(Ticket* ticket, Code why, Deliveries& out, WakeList& wake);
  void unlink(Ticket* ticket);
  void publish();
  int64_t since_base_us(Instant at) const { return (at - base_).ns() / 1000; }

  Board& board_;
  InUsePeak& in_use_peak_;
  format::QueueStats& stats_;
  format::Waiter* rows_;
  std::vector<int32_t> free_rows_;

  alignas(64) std::atomic<uint32_t> waiting_{0};
  std::atomic<bool> is_nudge_pending_{false};
  std::atomic<int64_t> head_since_ns_{0};
  std::atomic<int64_t> window_ns_{1'000'000};
  std::atomic<int64_t> objective_ns_{10'000'000};
  std::atomic<Gate> gate_{Gate::running};

  alignas(64) std::mutex mutex_;
  Ticket* first_ = nullptr;
  Ticket* last_ = nullptr;
  uint64_t next_number_ = 1;
  uint32_t async_waiting_ = 0;
  uint32_t waiting_most_ = 0;  // since take_waiting_most()
  Instant base_;               // of the sum: the first ticket's
  int64_t queued_us_sum_ = 0;  // of the tickets that wait, their queued_at since base_
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
