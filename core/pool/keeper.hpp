// Keeper: executes the pool's work. Takes the census, asks the brain, carries out its actions, reports.
//
// It has no thread of its own: step() is called when fd() is readable or the time returned by step() has come, by a
// ThreadKeeper in applications, a foreign event loop, or the simulator.
//
// I1  Connections open, opening or closing never exceed the limit: only the keeper opens, and it counts every slot that
//     is not empty.
// I5  created = destroyed + open: every connection is counted once when created and once when destroyed, with one
//     reason.
// Threads: step(), close and answers from one thread at a time; poke() and post() from any.
// Failure: a failed connect, check or command is recorded (events, last_error, commands) and the keeper continues.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "brain/brain.hpp"
#include "os/descriptor.hpp"
#include "pool/alert_feed.hpp"
#include "pool/call_cancel.hpp"
#include "pool/commands.hpp"
#include "pool/fast_policy.hpp"
#include "pool/in_use_peak.hpp"
#include "pool/listeners.hpp"
#include "pool/query_log.hpp"
#include "pool/recent_errors.hpp"
#include "pool/reserve.hpp"
#include "pool/segment_writer.hpp"
#include "pool/slot_keeper.hpp"
#include "pool/tag_table.hpp"
#include "pool/wait_queue.hpp"
#include "segment/mailbox.hpp"

namespace tide {

struct PoolSpec;

class Keeper {
 public:
  // Throws Shortage if no descriptors are left.
  Keeper(PoolSpec& spec, Segment& segment, Board& board, std::span<Seat> seats, InUsePeak& in_use_peak,
         WaitQueue& wait_queue, Connector& connector, FastPolicy& fast_policy, RecentErrors& errors,
         Listeners& listeners, QueryLog& query_log, TrippedCalls& tripped_calls, const TickClock& clock);
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  // Does all that is due. Returns the time until the next call should be made; at most a second (the heartbeat).
  Span step();
  // The calling thread is inside step() of this keeper: in one of the program's functions. While it waits there, the
  // keeper does nothing.
  bool is_stepped_by_me() const noexcept;
  // Calls a function of the program as step() does. For the thread that drives the keeper, outside of step().
  void call_program(const std::function<void()>& call);
  // Readable when step() has something to do before that.
  int fd() const { return epoll_.get(); }
  // Something happened that may need the keeper soon. Cheap when it is already awake.
  void poke();
  // [any] A request found no idle connection: a queue justifies waking the keeper if the pool can grow. `is_unmet`: the
  // request does not wait.
  void note_demand(bool is_unmet);
  // A command from this process (pools without a segment file). Returns the number under which the answer appears.
  uint64_t post(const std::string& verb, const std::string& arguments, const std::string& actor);

  // The history of earlier instances, before the first step.
  void take_over(const History& history) { segment_writer_.take_over(history); }
  // Takes part in the steps from now on; nullptr: nobody does. Not during a step.
  void set_attendant(Attendant* attendant);

  // [any] A statement failed: shown as the last error at once.
  void note_error(std::string_view text) { segment_writer_.error(text); }
  // [any] An event of what works beside the keeper: written at the next step. Further ones are dropped while many wait.
  void note_later(EventKind kind, Severity severity, std::string message);
  // [any] For a connection that is in no slot.
  uint64_t take_conn_id() noexcept { return slot_keeper_.take_conn_id(); }
  // The holder of a revoked lease has returned: what was kept for its safety may be released.
  void holder_returned(LeaseId lease) { slot_keeper_.holder_returned(lease); }

  // Begins to close: new requests are refused, leases may finish until `deadline`, then they are revoked.
  void begin_close(Instant deadline);
  bool is_closed() const { return is_closed_; }
  bool had_to_revoke() const { return revoked_at_close_; }
  // Of a closed pool: a driver call that has not returned. Ok: none.
  Status left_behind() const;
  // min_size connections are open (or the pool is lazy).
  bool is_started() const { return is_started_; }
  // The pool has started, or a connect has failed: a caller with timeout 0 cannot expect more.
  bool has_begun() const { return is_started_ || slot_keeper_.has_failed(); }
  // The first connect failed permanently: what init_mode=fail_fast reports.
  const Status& start_failure() const { return slot_keeper_.permanent_failure(); }
  const Policy& policy() const { return policy_; }
  // Before fork(), in the calling thread: keeps the keeper from changing its lists, so that they are consistent in the
  // child. False: it did not become idle by `give_up`, because a function of the program blocks it.
  bool hold_for_fork(Instant give_up) noexcept;
  void release_after_fork() noexcept;
  // `is_whole`: hold_for_fork() succeeded; if not, only descriptors that never change are closed.
  void abandon_after_fork(bool is_whole) noexcept;

 private:
  class Stepping;
  static constexpr int kRoundsMax = 8;  // completions that arrive at once, within one step

  bool take_completions(Instant now);
  void decide(Instant now);
  void step_closing(Instant now);
  bool try_to_close(bool is_forced, Instant now);
  void tell_ready(Instant now);
  void tell_closed(bool is_forced, Instant now);
  void take_census(Instant now);
  void publish(Instant now);
  void drain_poke();
  void settle_reserve(Instant now);
  void take_traffic(Instant now);
  void take_resources(Instant now);
  void take_file_facts();
  void publish_wal(const WalFacts& wal, Instant now);
  std::optional<std::string> tag_of(LeaseId lease) const;
  void apply_policy();
  Verdict accept(const Command& command, Instant now);
  Verdict set_option(const Command& command, Instant now);
  Verdict clear_cache(const Command& command);
  Verdict clear_logs(const Command& command, Instant now);
  void obey(const Action& action, Instant now);
  void note(const action::Note& action);
  void put_alert(size_t place, Instant now);
  void note_waiting();
  void watch_clocks(Instant now);
  Span heartbeat() const;

  PoolSpec& spec_;
  Segment& segment_;
  Board& board_;
  const std::span<Seat> seats_;
  WaitQueue& wait_queue_;
  Connector& connector_;
  FastPolicy& fast_policy_;
  RecentErrors& errors_;
  Listeners& listeners_;
  QueryLog& query_log_;
  TrippedCalls& tripped_calls_;
  const TickClock& clock_;
  Attendant* attendant_ = nullptr;
  Instant attendant_wakeup_ = Instant::never();

  Policy policy_;
  Brain brain_;
  SegmentWriter segment_writer_;
  AlertFeed alert_feed_;
  SlotKeeper slot_keeper_;
  Reserve reserve_;
  Mailbox mailbox_;
  Commands commands_;
  TagTable tag_table_;

  std::vector<SlotCensus> slots_;
  SlotCounts counts_;  // from the census
  Census census_;
  WalReader wal_reader_;  // from the census
  bool is_wal_block_told_ = false;
  std::vector<Action> actions_;
  std::vector<Completion> completions_;
  size_t completions_taken_ = 0;  // of `completions_`
  Outlook outlook_;
  Instant resources_at_;
  int64_t wall_ahead_ns_ = 0;  // of the monotonic clock
  Instant connector_wakeup_ = Instant::never();

  Instant opened_at_;
  bool is_started_ = false;
  bool is_ready_told_ = false;
  Instant close_began_at_;
  uint64_t reclaimed_before_close_ = 0;
  bool is_closing_ = false;
  bool is_closed_ = false;
  bool revoked_at_close_ = false;
  Instant close_deadline_ = Instant::never();
  Instant close_gives_up_ = Instant::never();

  std::mutex step_mutex_;  // held during a step and during fork(); the thread that holds it never waits for it
  bool is_held_for_fork_ = false;

  struct LateNote {
    EventKind kind;
    Severity severity;
    std::string message;
  };
  static constexpr size_t kLateNotesMax = 64;
  std::mutex late_mutex_;
  std::vector<LateNote> late_notes_;

  Descriptor epoll_;
  Bell poke_;
  std::atomic<bool> is_poked_{false};
  std::atomic<bool> has_unmet_{false};  // a request with timeout 0 found nothing since the keeper last decided
  std::atomic<bool> can_grow_{true};
};

}  // namespace tide
