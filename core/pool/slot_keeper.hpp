// SlotKeeper: carries out single actions on slots: open, retire, validate, reset, revoke, and handles their results.
//
// I1, I5 as in keeper.hpp: the only file that fills and empties slots, hence the only one that counts connections.
// Threads: the keeper only.
// Failure: none; what the connector reports is recorded and counted.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <span>
#include <vector>

#include "brain/action.hpp"
#include "pool/ports.hpp"
#include "pool/seat.hpp"
#include "segment/board.hpp"

namespace tide {

class Brain;
class InUsePeak;
class Listeners;
class SegmentWriter;
class RecentErrors;
class WaitQueue;

class SlotKeeper {
 public:
  SlotKeeper(uint64_t pool_key, Board& board, std::span<Seat> seats, InUsePeak& in_use_peak, WaitQueue& wait_queue,
             Connector& connector, RecentErrors& errors, const Listeners& listeners, Brain& brain,
             SegmentWriter& segment_writer);
  ~SlotKeeper();

  // -- actions of the brain
  void open(const Policy& policy, int64_t limit, Instant now);  // `limit` is the effective cap
  void retire(const action::Retire& action, Instant now);
  void validate(const action::Validate& action, const Policy& policy, Instant now);
  void cancel(LeaseId lease, Instant now);
  void revoke(LeaseId lease, CloseReason reason, Instant now);
  void end_transaction(LeaseId lease, const std::string& why, Instant now);
  void mark(LeaseId lease, format::SlotFlag flag);
  void shed_memory(Instant now);

  // A result from the connector.
  void complete(Completion& completion, const Policy& policy, Instant now);
  // Slots that callers soiled, and revoked ones whose holder has left the pool's code.
  void tend(const Policy& policy, Instant now);
  // Closes every idle connection; with `is_forced` also revokes leased ones. True: no slot is in use any more.
  bool shut_all(bool is_forced, Instant now);

  // Every existing session has been passed to the connector to be closed.
  bool is_done_with_sessions() const;

  // [any] For a connection, in a slot or beside the slots.
  uint64_t take_conn_id() noexcept { return next_conn_id_.fetch_add(1, std::memory_order_relaxed); }

  uint32_t occupied() const { return occupied_; }  // slots that are not empty
  bool is_waiting_for_holders() const { return !revoked_.empty() || !to_revoke_.empty() || !departing_.empty(); }
  // Requests that did not reach the connector, answered as failed.
  void take_unasked(std::vector<Completion>& out);
  bool has_work() const { return submitted_; }  // the connector received a request since the last call
  void clear_work() { submitted_ = false; }
  bool has_failed() const { return has_failed_; }  // a connect has failed
  const Status& permanent_failure() const { return permanent_failure_; }
  const ServerLoad& server_load() const { return server_load_; }  // as found by the last survey
  // [any] The holder of a revoked lease has returned: its session's memory may be freed now.
  void holder_returned(LeaseId lease);
  void abandon_after_fork() noexcept;

 private:
  // A disarmed session whose holder may still use its native handle: the memory is kept until the holder returns the
  // lease, or forever if it never does.
  struct Zombie {
    LeaseId lease;
    std::unique_ptr<Connection> connection;
  };
  // A request to the connector, which promises an answer; if there is no memory for it the answer is `failure`.
  template <typename Request>
  void ask(uint32_t slot, Completion::Kind failure, Request&& request);
  void clear_old_marks();
  bool begin_closing(uint32_t slot, SlotWord seen, CloseReason reason, Instant now);
  bool revoke_if_begun(LeaseId lease, CloseReason reason, Instant now);
  void bury(uint32_t slot, SlotWord seen, Instant now);
  void close_unvisited(Instant now);
  void finish_closing(uint32_t slot, Instant now);
  void welcome(Completion& completion, Instant now);
  void refuse_open(Completion& completion, const Policy& policy, Instant now);
  void put_back(uint32_t slot, Instant now);
  Connection* session_of(LeaseId lease, uint64_t& number);
  void tell_transaction_ended(const std::string& why);
  void cut_off(uint32_t slot, Instant now);
  void validation_ended(uint32_t slot, bool is_alive, Instant now);
  void lose(Completion& completion, Instant now);
  void move(uint32_t slot, SlotWord from, SlotState to);
  void empty(uint32_t slot);
  void stamp_state(uint32_t slot, Instant now);

  const uint64_t pool_key_;
  Board& board_;
  const std::span<Seat> seats_;
  InUsePeak& in_use_peak_;
  WaitQueue& wait_queue_;
  Connector& connector_;
  RecentErrors& errors_;
  const Listeners& listeners_;
  Brain& brain_;
  SegmentWriter& segment_writer_;
  std::vector<Instant> asked_at_;          // start of the connect in progress in a slot
  std::vector<CloseReason> close_reason_;  // for closing slots
  enum class CutOff : uint8_t { no, under_way, finished, given_up };
  std::vector<CutOff> cut_off_;  // how a session was cut off after its lease was revoked
  struct ToRevoke {
    LeaseId lease;
    CloseReason reason;
  };
  // These have capacity for every slot from the start: a slot missing from its list is lost.
  std::vector<ToRevoke> to_revoke_;     // leases whose acquirer has not finished preparing them
  std::vector<uint32_t> revoked_;       // slots in state revoked
  std::vector<uint32_t> departing_;     // slots in state closing whose session another thread may still access
  std::vector<uint64_t> marked_lease_;  // the lease that a slot's overdue and suspect flags describe
  std::mutex zombies_mutex_;
  std::vector<Zombie> zombies_;
  std::vector<LeaseId> returned_;  // for slots still in state revoked: their holders have already returned
  std::atomic<uint64_t> next_conn_id_{1};
  uint32_t occupied_ = 0;
  bool submitted_ = false;
  struct Unasked {
    uint32_t slot;
    Completion::Kind failure;
  };
  std::vector<Unasked> unasked_;  // capacity for every slot from the start: at most one request is in progress in each
  Status permanent_failure_;
  bool has_failed_ = false;
  std::vector<bool> is_surveyed_;  // the slot is held for a survey
  ServerLoad server_load_;
};

template <typename Request>
void SlotKeeper::ask(uint32_t slot, Completion::Kind failure, Request&& request) {
  try {
    request();
  } catch (const std::bad_alloc&) {
    unasked_.push_back({slot, failure});
  }
  submitted_ = true;
}

}  // namespace tide
