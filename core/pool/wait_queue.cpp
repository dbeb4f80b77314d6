#include "pool/wait_queue.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "base/assert.hpp"
#include "pool/futex.hpp"
#include "pool/presence.hpp"
#include "segment/rings.hpp"

namespace tide {

// Sleepers to wake after the mutex is released. A ticket may be gone by then, so only the address of its signal is
// kept.
class WaitQueue::WakeList {
 public:
  ~WakeList() {
    for (size_t i = 0; i < count_; ++i) futex_wake(signals_[i]);
  }
  // Changes the signal, then remembers the sleeper or, when the list is full, wakes it at once. In that order: a thread
  // woken before the change does not see it and goes back to sleep.
  void tell(std::atomic<uint32_t>& signal, Ticket::Signal news) {
    const std::atomic<uint32_t>* const address = &signal;
    signal.store(news, std::memory_order_release);  // from here on the ticket may be gone
    if (count_ == kMax) {
      futex_wake(address);
    } else {
      signals_[count_++] = address;
    }
  }

 private:
  static constexpr size_t kMax = 16;
  const std::atomic<uint32_t>* signals_[kMax];
  size_t count_ = 0;
};

void Deliveries::add(Ticket* ticket) {
  ticket->next = nullptr;
  if (last_ != nullptr) {
    last_->next = ticket;
  } else {
    first_ = ticket;
  }
  last_ = ticket;
}

void Deliveries::take_from(Deliveries& other) {
  if (other.first_ == nullptr) return;
  (last_ != nullptr ? last_->next : first_) = other.first_;
  last_ = other.last_;
  other.first_ = other.last_ = nullptr;
}

// Marks the thread's delivering loop.
class Deliveries::Running {
 public:
  explicit Running(Deliveries* self) : outer_(running_) { running_ = self; }
  ~Running() { running_ = outer_; }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  Deliveries* const outer_;
};

thread_local Deliveries* Deliveries::running_ = nullptr;

void Deliveries::run() {
  if (first_ == nullptr) return;
  if (running_ != nullptr) return running_->take_from(*this);
  deliver_all();
}

void Deliveries::run_before_sleep() {
  if (running_ != nullptr) take_from(*running_);
  if (first_ != nullptr) deliver_all();
}

void Deliveries::deliver_all() {
  const Running running(this);
  while (first_ != nullptr) {
    Ticket* ticket = first_;
    first_ = ticket->next;
    if (first_ == nullptr) last_ = nullptr;
    ticket->deliver(ticket);
  }
}

WaitQueue::WaitQueue(Board& board, InUsePeak& in_use_peak, Segment& segment)
    : board_(board), in_use_peak_(in_use_peak), stats_(segment.queue()), rows_(segment.waiters()) {
  for (uint32_t i = segment.header().waiters.count; i > 0; --i) free_rows_.push_back(static_cast<int32_t>(i - 1));
}

bool WaitQueue::enqueue(Ticket& ticket, Instant now, int64_t max_waiting, Deliveries& out) {
  bool is_one_returning = false;
  {
    WakeList wake;
    const std::lock_guard lock(mutex_);
    if (!enter(ticket, max_waiting)) return false;
    is_one_returning = serve_locked(now, out, wake);
  }
  if (is_one_returning) look_again(now, out);
  return true;
}

// A lease is being released by a thread that may not have seen the new waiter. That takes some nanoseconds, unless the
// thread lost its processor, or settles a session first.
void WaitQueue::look_again(Instant now, Deliveries& out) {
  constexpr int kYields = 4;
  for (int i = 0; i < kYields && board_.is_one_returning(); ++i) std::this_thread::yield();
  if (board_.is_one_returning()) Presence::settle();
  serve(now, out);
}

// With the mutex held: appends the ticket to the queue, or refuses it.
bool WaitQueue::enter(Ticket& ticket, int64_t max_waiting) {
  const Gate gate = gate_.load(std::memory_order_relaxed);
  if (ticket.is_withdrawn) {
    ticket.refusal = Code::cancelled;
    SeqWrite guard(stats_.seq);
    add_to(stats_.cancelled_total);
    return false;
  }
  // A queue full of normal requests does not keep critical ones out.
  const uint32_t ahead = ticket.is_critical() ? waiting_critical() : waiting();
  const bool is_full = max_waiting > 0 && ahead >= static_cast<uint64_t>(max_waiting);
  if (gate == Gate::closed || gate == Gate::draining || is_full) {
    ticket.refusal = is_full ? Code::queue_full : Code::closed;
    SeqWrite guard(stats_.seq);
    add_to(stats_.rejected_total);
    return false;
  }
  ticket.number = next_number_++;
  if (!base_.is_set()) base_ = ticket.queued_at;
  link(ticket);
  if (ticket.deliver != nullptr) ++async_waiting_;
  if (!free_rows_.empty()) {
    ticket.row = free_rows_.back();
    free_rows_.pop_back();
    format::Waiter& row = rows_[ticket.row];
    SeqWrite guard(row.seq);
    put(row.ticket, ticket.number);
    put(row.queued_mono, static_cast<uint64_t>(ticket.queued_at.ns()));
    put(row.deadline_mono, static_cast<uint64_t>(ticket.deadline.ns()));
    row.tag.assign(row.tag.prefix_of(ticket.tag));
    put(row.priority, static_cast<uint64_t>(ticket.priority));
  }
  queued_us_sum_ += since_base_us(ticket.queued_at);
  note_head();
  if (ticket.is_critical()) waiting_critical_.fetch_add(1, std::memory_order_relaxed);
  waiting_.fetch_add(1, std::memory_order_seq_cst);
  publish();
  return true;
}

// Behind the last ticket of its priority.
void WaitQueue::link(Ticket& ticket) {
  ticket.previous = ticket.is_critical() ? last_critical_ : last_;
  ticket.next = ticket.previous != nullptr ? ticket.previous->next : first_;
  (ticket.previous != nullptr ? ticket.previous->next : first_) = &ticket;
  (ticket.next != nullptr ? ticket.next->previous : last_) = &ticket;
  if (ticket.is_critical()) last_critical_ = &ticket;
}

// Since when the oldest ticket waits: the first of one of the priorities.
void WaitQueue::note_head() {
  const Ticket* normal = last_critical_ != nullptr ? last_critical_->next : first_;
  int64_t since = first_ != nullptr ? first_->queued_at.ns() : 0;
  if (normal != nullptr) since = std::min(since, normal->queued_at.ns());
  head_since_ns_.store(since, std::memory_order_relaxed);
}

void WaitQueue::serve(Instant now, Deliveries& out) {
  WakeList wake;
  const std::lock_guard lock(mutex_);
  serve_locked(now, out, wake);
}

void WaitQueue::serve(Instant now) {
  Deliveries out;
  serve(now, out);
}

bool WaitQueue::serve_locked(Instant now, Deliveries& out, WakeList& wake) {
  if (gate_.load(std::memory_order_relaxed) != Gate::running) return false;
  while (first_ != nullptr) {
    // Between "a caller waits", or "the nudge is over", and "is a connection idle": the matching fence is in
    // Board::end() and give_back().
    std::atomic_thread_fence(std::memory_order_seq_cst);
    bool is_one_returning = false;
    const bool is_critical = first_->is_critical();
    const LeaseId lease = board_.claim_lowest(is_critical ? Reserved::preferred : Reserved::excluded, is_one_returning);
    if (lease.is_none()) return is_one_returning;
    if (!is_critical && board_.is_reserved(lease.slot())) {  // since the claim: no critical request waits for it
      board_.end(lease);
      board_.give_back(lease);
      continue;
    }
    grant(first_, lease, now, out, wake);
  }
  return false;
}

void WaitQueue::pass_on_to_waiter(LeaseId lease, Instant now) {
  Deliveries out;
  if (may_overtake(now) && is_nudge_pending_.load(std::memory_order_relaxed)) {
    // The head is already awake and will check the board. If it checked too early, or left the queue without checking,
    // the flag was cleared before.
    board_.give_back(lease);
    if (!is_nudge_pending_.load(std::memory_order_seq_cst)) serve(now, out);
    return;
  }
  WakeList wake;
  const std::lock_guard lock(mutex_);
  Ticket* head = first_;
  const bool is_served = head != nullptr && gate_.load(std::memory_order_relaxed) == Gate::running;
  if (is_served && !head->is_critical() && board_.is_reserved(lease.slot())) return board_.give_back(lease);
  if (is_served && (head->deliver != nullptr || !may_overtake(now))) {
    // The board may have a connection that this head was nudged to take: it is now available to the next waiter.
    const bool was_nudged = is_nudge_pending_.load(std::memory_order_relaxed);
    grant(head, board_.hand_over(lease), now, out, wake);
    if (was_nudged) serve_locked(now, out, wake);
    return;
  }
  board_.give_back(lease);
  if (is_served && !is_nudge_pending_.load(std::memory_order_relaxed)) {
    is_nudge_pending_.store(true, std::memory_order_seq_cst);
    wake.tell(head->signal, Ticket::kNudged);
  }
}

// The head was nudged: try the board, or continue to wait.
bool WaitQueue::try_as_head(Ticket& ticket, Instant now, Deliveries& out) {
  WakeList wake;
  const std::lock_guard lock(mutex_);
  if (ticket.signal.load(std::memory_order_relaxed) != Ticket::kNudged) return false;  // granted or refused since
  ticket.signal.store(Ticket::kQueued, std::memory_order_relaxed);
  is_nudge_pending_.store(false, std::memory_order_seq_cst);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  serve_locked(now, out, wake);
  return ticket.signal.load(std::memory_order_relaxed) == Ticket::kGranted;
}

bool WaitQueue::give_up(Ticket& ticket, Instant now, Deliveries& out) {
  WakeList wake;
  const std::lock_guard lock(mutex_);
  const uint32_t signal = ticket.signal.load(std::memory_order_relaxed);
  if (signal == Ticket::kGranted) return true;  // I8
  if (signal == Ticket::kRefused) return false;
  unlink(&ticket);
  ticket.refusal = Code::timeout;
  ticket.signal.store(Ticket::kRefused, std::memory_order_relaxed);  // for withdraw()
  {
    SeqWrite guard(stats_.seq);
    add_to(stats_.timeouts_total);
    add_to(stats_.failed_wait_ns_total, static_cast<uint64_t>(std::max<int64_t>(0, (now - ticket.queued_at).ns())));
  }
  publish();
  serve_locked(now, out, wake);  // a nudge that this ticket received now applies to the next one
  return false;
}

void WaitQueue::withdraw(Ticket& ticket, Instant now, Deliveries& out) {
  WakeList wake;
  const std::lock_guard lock(mutex_);
  const uint32_t signal = ticket.signal.load(std::memory_order_relaxed);
  if (signal == Ticket::kGranted || signal == Ticket::kRefused) return;  // I8
  ticket.is_withdrawn = true;
  if (ticket.number == 0) return;  // not queued yet
  {
    SeqWrite guard(stats_.seq);
    add_to(stats_.cancelled_total);
    add_to(stats_.failed_wait_ns_total, static_cast<uint64_t>(std::max<int64_t>(0, (now - ticket.queued_at).ns())));
  }
  refuse(&ticket, Code::cancelled, out, wake);
  publish();
  serve_locked(now, out, wake);  // a nudge that this ticket received now applies to the next one
}

void WaitQueue::count_timeout(Span waited) {
  const std::lock_guard lock(mutex_);
  SeqWrite guard(stats_.seq);
  add_to(stats_.timeouts_total);
  add_to(stats_.failed_wait_ns_total, static_cast<uint64_t>(std::max<int64_t>(0, waited.ns())));
}

void WaitQueue::park(Ticket& ticket, Instant now) {
  futex_wait(ticket.signal, Ticket::kQueued, std::min(ticket.deadline - now, Span::seconds(3600)));
}

void WaitQueue::grant(Ticket* ticket, LeaseId lease, Instant now, Deliveries& out, WakeList& wake) {
  unlink(ticket);
  publish();
  in_use_peak_.note(lease.slot());
  const Span waited = now - ticket->queued_at;
  board_.write_wait(lease.slot(), waited, waited.ns() > objective_ns_.load(std::memory_order_relaxed));
  board_.write_holder(lease, ticket->tag, ticket->thread_id, now);
  ticket->lease = lease;
  end_ticket(ticket, Ticket::kGranted, out, wake);
}

void WaitQueue::refuse(Ticket* ticket, Code why, Deliveries& out, WakeList& wake) {
  unlink(ticket);
  ticket->refusal = why;
  end_ticket(ticket, Ticket::kRefused, out, wake);
}

void WaitQueue::end_ticket(Ticket* ticket, Ticket::Signal how, Deliveries& out, WakeList& wake) {
  if (ticket->deliver == nullptr) return wake.tell(ticket->signal, how);
  ticket->signal.store(how, std::memory_order_release);
  out.add(ticket);
}

void WaitQueue::unlink(Ticket* ticket) {
  (ticket->previous != nullptr ? ticket->previous->next : first_) = ticket->next;
  (ticket->next != nullptr ? ticket->next->previous : last_) = ticket->previous;
  // What precedes a critical ticket is critical.
  if (last_critical_ == ticket) last_critical_ = ticket->previous;
  if (ticket->is_critical()) waiting_critical_.fetch_sub(1, std::memory_order_relaxed);
  if (ticket->deliver != nullptr) --async_waiting_;
  queued_us_sum_ -= since_base_us(ticket->queued_at);
  if (ticket->signal.load(std::memory_order_relaxed) == Ticket::kNudged) {
    is_nudge_pending_.store(false, std::memory_order_seq_cst);
  }
  if (ticket->row >= 0) {
    format::Waiter& row = rows_[ticket->row];
    SeqWrite guard(row.seq);
    put(row.ticket, 0);
    free_rows_.push_back(ticket->row);
    ticket->row = -1;
  }
  note_head();
  waiting_.fetch_sub(1, std::memory_order_seq_cst);
}

double WaitQueue::seconds_waited(Instant now) {
  if (waiting() == 0) return 0;
  const std::lock_guard lock(mutex_);
  const double all = static_cast<double>(waiting()) * static_cast<double>(since_base_us(now));
  return std::max(0.0, (all - static_cast<double>(queued_us_sum_)) / 1e6);
}

uint32_t WaitQueue::take_waiting_most() {
  const std::lock_guard lock(mutex_);
  return std::exchange(waiting_most_, waiting());
}

void WaitQueue::reset_peak() {
  const std::lock_guard lock(mutex_);
  SeqWrite guard(stats_.seq);
  put(stats_.waiting_peak, waiting());
}

void WaitQueue::publish() {
  SeqWrite guard(stats_.seq);
  const uint32_t n = waiting();
  waiting_most_ = std::max(waiting_most_, n);
  put(stats_.waiting, n);
  put(stats_.head_since_mono, static_cast<uint64_t>(head_since_ns_.load(std::memory_order_relaxed)));
  if (n > read(stats_.waiting_peak)) put(stats_.waiting_peak, n);
}

void WaitQueue::set_gate(Gate gate, Instant now, Deliveries& out) {
  bool is_one_returning = false;
  {
    WakeList wake;
    const std::lock_guard lock(mutex_);
    gate_.store(gate, std::memory_order_seq_cst);
    // Callers that queued before did not check the board.
    if (gate == Gate::running) is_one_returning = serve_locked(now, out, wake);
  }
  if (is_one_returning) look_again(now, out);
  if (gate == Gate::closed || gate == Gate::draining) refuse_all(Code::closed, out);
}

void WaitQueue::refuse_all(Code why, Deliveries& out) {
  WakeList wake;
  const std::lock_guard lock(mutex_);
  uint64_t refused = 0;
  for (; first_ != nullptr; ++refused) refuse(first_, why, out, wake);
  if (refused == 0) return;
  {
    SeqWrite guard(stats_.seq);
    add_to(stats_.rejected_total, refused);
  }
  publish();
}

Instant WaitQueue::expire(Instant now, Deliveries& out) {
  WakeList wake;
  const std::lock_guard lock(mutex_);
  Instant next = Instant::never();
  if (async_waiting_ == 0) return next;
  for (Ticket* ticket = first_; ticket != nullptr;) {
    Ticket* following = ticket->next;
    if (ticket->deliver != nullptr) {
      if (ticket->deadline <= now) {
        SeqWrite guard(stats_.seq);
        add_to(stats_.timeouts_total);
        add_to(stats_.failed_wait_ns_total, static_cast<uint64_t>((now - ticket->queued_at).ns()));
        refuse(ticket, Code::timeout, out, wake);
      } else {
        next = earliest(next, ticket->deadline);
      }
    }
    ticket = following;
  }
  publish();
  serve_locked(now, out, wake);
  return next;
}

}  // namespace tide
