#include "pool/keeper.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

#include "base/overloaded.hpp"
#include "base/units.hpp"
#include "model/command.hpp"
#include "os/shortage.hpp"
#include "pool/pool.hpp"
#include "segment/attach.hpp"

namespace tide {
namespace {

constexpr Span kHeartbeat = Span::seconds(1);
constexpr Span kHeartbeatMin = Span::millis(50);
constexpr Span kResourcesEvery = Span::seconds(1);
constexpr Span kWalBlockTold = Span::seconds(10);  // readers that keep the WAL longer are an event
constexpr int64_t kClockJumpNs = 5'000'000'000;    // clock corrections are smaller; a larger step is a jump
constexpr Span kMailboxPoll = Span::millis(250);   // if the system cannot signal a posted command
constexpr Span kCloseGrace = Span::seconds(5);     // time for the driver to end sessions when the pool closes
constexpr Span kRevokedPoll = Span::millis(5);     // a holder is still inside the pool's code

void watch(int epoll_fd, int fd) {
  if (fd < 0) return;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

}  // namespace

// Marks the thread as the one that drives this keeper. Marks nest: a function of the program called by one keeper may
// step another.
class Keeper::Stepping {
 public:
  explicit Stepping(const Keeper& keeper) : keeper_(keeper), outer_(innermost_) { innermost_ = this; }
  ~Stepping() { innermost_ = outer_; }
  Stepping(const Stepping&) = delete;
  Stepping& operator=(const Stepping&) = delete;
  static bool is_mine(const Keeper& keeper) {
    for (const Stepping* at = innermost_; at != nullptr; at = at->outer_) {
      if (&at->keeper_ == &keeper) return true;
    }
    return false;
  }

 private:
  static thread_local const Stepping* innermost_;
  const Keeper& keeper_;
  const Stepping* const outer_;
};

thread_local const Keeper::Stepping* Keeper::Stepping::innermost_ = nullptr;

Keeper::Keeper(PoolSpec& spec, Segment& segment, Board& board, std::span<Seat> seats, InUsePeak& in_use_peak,
               WaitQueue& wait_queue, Connector& connector, FastPolicy& fast_policy, RecentErrors& errors,
               Listeners& listeners, QueryLog& query_log, TrippedCalls& tripped_calls, const TickClock& clock)
    : spec_(spec),
      segment_(segment),
      board_(board),
      seats_(seats),
      wait_queue_(wait_queue),
      connector_(connector),
      fast_policy_(fast_policy),
      errors_(errors),
      listeners_(listeners),
      query_log_(query_log),
      tripped_calls_(tripped_calls),
      clock_(clock),
      policy_(spec.policy),
      brain_(policy_, board.capacity(), spec.seed, clock.now()),
      segment_writer_(segment, board, in_use_peak, wait_queue, listeners, clock.clock()),
      alert_feed_(spec.alerts),
      slot_keeper_(spec.pool_key, board, seats, in_use_peak, wait_queue, connector, errors, listeners, brain_,
                   segment_writer_),
      reserve_(board),
      mailbox_(segment.mailbox_path()),
      commands_(segment, clock.clock(), mailbox_, segment_writer_, outlook_),
      tag_table_(std::span(segment.tags(), segment.header().tags.count)),
      opened_at_(clock.now()),
      epoll_(Descriptor::epoll("cannot create the descriptors of pool \"" + spec.name + "\"")),
      poke_("cannot create the descriptors of pool \"" + spec.name + "\"") {
  apply_policy();
  slots_.reserve(board.capacity());
  watch(epoll_.get(), poke_.fd());
  watch(epoll_.get(), mailbox_.fd());
  watch(epoll_.get(), connector.fd());
  segment_writer_.settings(policy_, spec.sources, spec.notes);
  segment_writer_.note(
      EventKind::pool_open, Severity::info,
      "opened with min_size " + std::to_string(policy_.min_size) + ", max_size " + std::to_string(policy_.max_size));
}

void Keeper::poke() {
  if (is_poked_.exchange(true, std::memory_order_seq_cst)) return;
  poke_.ring();
}

void Keeper::drain_poke() {
  poke_.clear();
  is_poked_.store(false, std::memory_order_seq_cst);
}

uint64_t Keeper::post(const std::string& verb, const std::string& arguments, const std::string& actor) {
  const uint64_t id = commands_.post({0, clock_.clock().wall_ns(), verb, actor, arguments});
  poke();
  return id;
}

void Keeper::note_later(EventKind kind, Severity severity, std::string message) {
  {
    const std::lock_guard lock(late_mutex_);
    if (late_notes_.size() == kLateNotesMax) return;
    late_notes_.push_back({kind, severity, std::move(message)});
  }
  poke();
}

void Keeper::note_waiting() {
  std::vector<LateNote> notes;
  {
    const std::lock_guard lock(late_mutex_);
    notes.swap(late_notes_);
  }
  for (const LateNote& late : notes) segment_writer_.note(late.kind, late.severity, late.message);
}

void Keeper::note_demand(bool is_unmet) {
  if (!can_grow_.load(std::memory_order_relaxed)) return;
  if (is_unmet) has_unmet_.store(true, std::memory_order_release);
  poke();
}

// The part of the policy that others read.
void Keeper::apply_policy() {
  listeners_.set(policy_);
  fast_policy_.set(policy_, listeners_.is_any());
  wait_queue_.set_window(policy_.fairness_window);
  wait_queue_.set_objective(policy_.wait_objective);
  query_log_.set_threshold(policy_.slow_query_threshold);
}

Span Keeper::step() {
  const std::lock_guard lock(step_mutex_);
  const Stepping stepping(*this);
  drain_poke();
  Instant now = clock_.now();
  slot_keeper_.clear_work();
  take_completions(now);
  slot_keeper_.tend(policy_, now);
  if (is_closing_) {
    step_closing(now);
  } else {
    take_census(now);
    commands_.take([&](const Command& command) { return accept(command, now); });
    for (int round = 0; round < kRoundsMax; ++round) {
      decide(now);
      if (!slot_keeper_.has_work()) break;
      slot_keeper_.clear_work();
      now = clock_.now();
      if (!take_completions(now)) break;  // requested, but not complete yet
      slot_keeper_.tend(policy_, now);
    }
  }
  if (query_log_.drain(now)) poke();
  if (attendant_ != nullptr) attendant_wakeup_ = attendant_->step(now);
  Deliveries deliveries;
  const Instant expiry = wait_queue_.expire(now, deliveries);
  deliveries.run();
  take_census(now);
  publish(now);
  commands_.settle();

  Instant next = earliest(expiry, earliest(connector_wakeup_, segment_writer_.next_second()));
  next = earliest(next, earliest(attendant_wakeup_, tripped_calls_.repeat(now)));
  if (!is_closing_) next = earliest(next, outlook_.next_wakeup);  // then the brain is no longer asked
  if (mailbox_.fd() < 0 && !segment_.mailbox_path().empty()) next = earliest(next, now + kMailboxPoll);
  if (slot_keeper_.is_waiting_for_holders() || is_closing_) next = earliest(next, now + kRevokedPoll);
  return std::clamp(next - clock_.now(), Span{}, heartbeat());
}

bool Keeper::take_completions(Instant now) {
  // Without memory a step ends early; what it did not take is taken now.
  connector_wakeup_ = connector_.step(now, completions_);
  slot_keeper_.take_unasked(completions_);
  const bool is_any = !completions_.empty();
  for (const Completion& completion : completions_) {
    // If a session lost its file, its error should name the file.
    if (completion.kind == Completion::Kind::lost) take_file_facts();
  }
  while (completions_taken_ < completions_.size())
    slot_keeper_.complete(completions_[completions_taken_++], policy_, now);
  completions_.clear();
  completions_taken_ = 0;
  return is_any;
}

void Keeper::take_census(Instant now) {
  slots_.clear();
  counts_ = {};
  wal_reader_ = {};
  for (uint32_t slot = 0; slot < board_.used(); ++slot) {
    const SlotWord seen = board_.word(slot);
    const format::Slot& s = board_.slot(slot);
    SlotCensus out;
    counts_.add(seen.state());
    switch (seen.state()) {
      case SlotState::empty: continue;
      case SlotState::opening: out.phase = Phase::opening; break;
      case SlotState::idle: out.phase = Phase::idle; break;
      case SlotState::leased: out.phase = Phase::leased; break;
      case SlotState::returning:
      case SlotState::soiled:
      case SlotState::held: out.phase = Phase::held; break;
      case SlotState::closing:
      case SlotState::revoked: out.phase = Phase::closing; break;
    }
    const auto instant = [](const format::Cell& cell) {
      return Instant::at_ns(static_cast<int64_t>(tide::read(cell)));
    };
    out.slot = slot;
    out.is_retiring = static_cast<bool>(format::Retirement::of(s));
    out.conn_id = tide::read(s.conn_id);
    out.born = instant(s.born_mono);
    out.expires_at = instant(s.expires_mono);
    out.last_used = instant(s.last_used_mono);
    out.validated_at = instant(s.validated_mono);
    out.uses = tide::read(s.acquires_total) - tide::read(s.acquires_before);
    out.since = instant(s.since_mono);
    if (out.phase == Phase::idle) out.since = latest(out.since, out.last_used);
    if (out.phase == Phase::leased) {
      out.lease_id = LeaseId(slot, seen.generation()).bits;
      // Until the acquirer has prepared the slot, the times are still those of the previous lease.
      const bool has_begun = seats_[slot].has_begun(out.lease_id);
      out.leased_at = has_begun ? instant(s.acquired_mono) : now;
      out.since = out.leased_at;
      const SessionFacts facts = seats_[slot].connection->facts();
      out.idle_in_transaction_since = facts.idle_in_transaction_since;
      if (facts.is_reading) out.reading_since = facts.transaction_since;
      if (const Instant since = facts.snapshot_since;
          since.is_set() && (!wal_reader_.since.is_set() || since < wal_reader_.since)) {
        wal_reader_ = {since, out.lease_id, out.conn_id, {}};
      }
      if (out.leased_at > now) out.leased_at = now;
    }
    slots_.push_back(out);
  }
  const format::QueueStats& queue = segment_.queue();
  census_.slots = slots_;
  census_.waiting = wait_queue_.waiting();
  census_.waiting_critical = wait_queue_.waiting_critical();
  census_.oldest_wait_since = census_.waiting != 0 ? wait_queue_.head_since() : Instant{};
  census_.acquire_timeouts_total = tide::read(queue.timeouts_total);
  census_.wait_p95 = segment_writer_.recent_wait_p95();
  census_.in_use_average = segment_writer_.recent_in_use_average();
}

void Keeper::take_traffic(Instant now) {
  Traffic t;
  uint64_t acquires = 0, waited = 0, use_ns = 0, wait_ns = 0, query_ns = 0;
  double running_s = 0;
  for (uint32_t slot = 0; slot < board_.used(); ++slot) {
    const format::Slot& s = board_.slot(slot);
    const format::SlotStats& stats = board_.stats(slot);
    acquires += tide::read(s.acquires_total);
    waited += tide::read(stats.waited_total);
    t.releases_total += tide::read(stats.releases_total);
    t.slow_total += tide::read(stats.slow_total);
    t.queries_total += tide::read(stats.queries_total);
    t.query_errors_total += tide::read(stats.query_errors_total);
    t.query_faults_total += tide::read(stats.faults_total);
    use_ns += tide::read(stats.use_ns_total);
    wait_ns += tide::read(stats.wait_ns_total);
    query_ns += tide::read(stats.query_ns_total);
  }
  for (const SlotCensus& slot : slots_) {
    if (slot.phase == Phase::leased) running_s += (now - slot.leased_at).seconds_exact();
  }
  const format::QueueStats& queue = segment_.queue();
  const format::KeeperStats& totals = segment_.totals();
  census_.acquires_total = acquires;
  census_.acquires_waited_total = waited;
  t.requests_total = acquires + census_.acquire_timeouts_total + tide::read(queue.rejected_total) +
                     tide::read(queue.cancelled_total) + census_.waiting;
  t.slow_total += census_.acquire_timeouts_total;
  t.connects_total = tide::read(totals.connects_total);
  t.connect_failures_total = tide::read(totals.connect_failures_total);
  t.validations_total = tide::read(totals.validations_total);
  t.validation_failures_total = tide::read(totals.validation_failures_total);
  t.ended_seconds = static_cast<double>(use_ns) / 1e9;
  t.use_seconds = t.ended_seconds + running_s;
  t.wait_seconds =
      static_cast<double>(wait_ns + tide::read(queue.failed_wait_ns_total)) / 1e9 + wait_queue_.seconds_waited(now);
  t.query_seconds = static_cast<double>(query_ns) / 1e9;
  census_.traffic = t;
}

void Keeper::take_resources(Instant now) {
  if (resources_at_.is_set() && now < resources_at_ + kResourcesEvery) return;
  resources_at_ = now;
  if (spec_.probe != nullptr) {
    static_cast<ProcessResources&>(census_.resources) = spec_.probe->sample(policy_.memory_limit);
  }
  const ServerLoad& load = slot_keeper_.server_load();
  const auto known = [](int64_t n) { return n < 0 ? Resources::kUnknown : static_cast<double>(n); };
  census_.resources.server_sessions = known(load.sessions);
  census_.resources.server_sessions_max = known(load.sessions_max);
  census_.resources.driver_bytes = known(connector_.memory_bytes());
  take_file_facts();
}

void Keeper::take_file_facts() {
  const FileFacts file = connector_.file_facts();
  const bool has_wal = file.wal_bytes >= 0;
  const Instant now = clock_.now(), blocked_since = file.wal.blocked_since;
  census_.resources.is_file_missing = file.is_missing;
  census_.resources.wal_bytes = has_wal ? static_cast<double>(file.wal_bytes) : Resources::kUnknown;
  census_.resources.wal_blocked_ms = !has_wal                 ? Resources::kUnknown
                                     : blocked_since.is_set() ? (now - blocked_since).ms_exact()
                                                              : 0;
  if (has_wal) publish_wal(file.wal, now);
}

void Keeper::publish_wal(const WalFacts& wal, Instant now) {
  if (wal_reader_.since.is_set()) wal_reader_.tag = tag_of(LeaseId(wal_reader_.lease_id)).value_or("");
  segment_writer_.wal(wal, wal_reader_, now);
  if (!wal.blocked_since.is_set()) is_wal_block_told_ = false;
  if (is_wal_block_told_ || !wal.blocked_since.is_set() || now < wal.blocked_since + kWalBlockTold) return;
  is_wal_block_told_ = true;
  std::string reader = "another process, or a statement on the native handle";
  if (wal_reader_.since.is_set()) {
    reader = (wal_reader_.tag.empty() ? std::string("a lease without a tag") : "\"" + wal_reader_.tag + "\"") +
             ", which has read for " + describe_span(now - wal_reader_.since);
  }
  segment_writer_.note(EventKind::checkpoint_blocked, Severity::warning,
                       "the WAL has not been copied wholly for " + describe_span(now - wal.blocked_since) +
                           "; the oldest reader is " + reader);
}

void Keeper::decide(Instant now) {
  take_census(now);
  take_traffic(now);  // used only by the brain
  if (has_unmet_.exchange(false, std::memory_order_acquire) && policy_.is_pooling()) {
    // Demand without a queue: otherwise a pool that only gets requests with timeout 0 would stay empty.
    ++census_.waiting;
    if (!census_.oldest_wait_since.is_set()) census_.oldest_wait_since = now;
  }
  take_resources(now);
  segment_writer_.sample(census_, outlook_, brain_.health().score, now);
  const PoolState before = outlook_.state;
  outlook_ = brain_.tick(now, census_, actions_);
  if (outlook_.state != before) {
    Deliveries deliveries;
    const Gate gate = outlook_.state == PoolState::paused     ? Gate::paused
                      : outlook_.state == PoolState::draining ? Gate::draining
                                                              : Gate::running;
    if (gate != wait_queue_.gate()) wait_queue_.set_gate(gate, now, deliveries);
  }
  if (outlook_.is_settled) is_started_ = true;
  // Before the waiters are refused: a caller that retries at once must not enter the queue.
  const bool is_broken = outlook_.breaker == BreakerState::open || outlook_.breaker == BreakerState::half_open;
  errors_.set_breaker(is_broken, outlook_.breaker_probe_at);
  for (const Action& action : actions_) obey(action, now);
  settle_reserve(now);
  if (is_started_ && !is_ready_told_ && outlook_.state != PoolState::draining) tell_ready(now);
  can_grow_.store(static_cast<int64_t>(slot_keeper_.occupied()) < outlook_.limit_size, std::memory_order_relaxed);
  errors_.set_limit_reason(brain_.limit_reason());
}

// Before what was requested for a slot completes: until then it cannot be leased.
void Keeper::settle_reserve(Instant now) {
  if (!reserve_.settle(outlook_.limit_size, policy_.reserve_size)) return;
  Deliveries deliveries;
  if (wait_queue_.has_waiters()) wait_queue_.serve(now, deliveries);
}

// Once: the connections that init_mode requires are open, and requests are served.
void Keeper::tell_ready(Instant now) {
  is_ready_told_ = true;
  const uint32_t open = counts_.open();
  segment_writer_.note(
      EventKind::init, Severity::info,
      "ready after " + describe_span(now - opened_at_) + ": " + std::to_string(open) + " connections open, min_size " +
          std::to_string(policy_.min_size) + ", max_size " + std::to_string(policy_.max_size),
      "{\"open\":" + std::to_string(open) + ",\"min_size\":" + std::to_string(policy_.min_size) + ",\"max_size\":" +
          std::to_string(policy_.max_size) + ",\"took_ms\":" + std::to_string((now - opened_at_).ms()) + "}");
}

void Keeper::obey(const Action& action, Instant now) {
  std::visit(
      Overloaded{
          [&](const action::Open&) { slot_keeper_.open(policy_, outlook_.limit_size, now); },
          [&](const action::Retire& retire) { slot_keeper_.retire(retire, now); },
          [&](const action::Validate& validate) { slot_keeper_.validate(validate, policy_, now); },
          [&](const action::CancelLease& cancel) {
            segment_writer_.count(&format::KeeperStats::leases_cancelled_total);
            slot_keeper_.cancel(LeaseId(cancel.lease_id), now);
          },
          [&](const action::RevokeLease& lost) {
            slot_keeper_.revoke(LeaseId(lost.lease_id), CloseReason::control, now);
          },
          [&](const action::EndTransaction& end) { slot_keeper_.end_transaction(LeaseId(end.lease_id), end.why, now); },
          [&](const action::MarkOverdue& overdue) {
            segment_writer_.count(&format::KeeperStats::leases_overdue_total);
            slot_keeper_.mark(LeaseId(overdue.lease_id), format::kFlagOverdue);
          },
          [&](const action::MarkSuspect& suspect) {
            slot_keeper_.mark(LeaseId(suspect.lease_id), format::kFlagSuspect);
          },
          [&](const action::Note& told) { note(told); },
          [&](const action::Scale& scale) {
            segment_writer_.scaling(scale, counts_.of(SlotState::leased), census_.waiting);
          },
          [&](const action::FinishCommand& done) { commands_.answer(done.command_id, done.verdict); },
          [&](const action::ShedMemory&) {
            slot_keeper_.shed_memory(now);
            if (attendant_ != nullptr) attendant_->shed_memory();
          },
          [&](const action::RefuseWaiters&) {
            Deliveries deliveries;
            wait_queue_.refuse_all(Code::unavailable, deliveries);
          },
          [&](const action::PutAlert& alert) { put_alert(alert.place, now); },
      },
      action);
}

Verdict Keeper::accept(const Command& command, Instant now) {
  if (command.verb() == Verb::set) return set_option(command, now);
  if (command.verb() == Verb::reset_stats) {
    segment_writer_.tallies(brain_);  // counted before the command
    segment_writer_.reset_stats();
    tag_table_.clear();
    segment_writer_.note(EventKind::stats_reset, Severity::info, "statistics reset by " + command.actor);
    return Verdict::applied("statistics reset");
  }
  if (command.verb() == Verb::clear_cache) return clear_cache(command);
  if (command.verb() == Verb::clear_logs) return clear_logs(command, now);
  return brain_.accept(command, census_, now);
}

Verdict Keeper::clear_cache(const Command& command) {
  const std::string key = command.text("key").value_or(""), tag = command.text("tag").value_or("");
  const uint64_t removed = attendant_ == nullptr ? 0 : attendant_->clear_cache(key, tag);
  const std::string text = std::to_string(removed) + " results removed from the query cache";
  segment_writer_.note(EventKind::cache_cleared, Severity::info, text + " by " + command.actor);
  return Verdict::applied(text);
}

Verdict Keeper::clear_logs(const Command& command, Instant now) {
  query_log_.clear(now);
  segment_writer_.note(EventKind::logs_cleared, Severity::info, "query logs cleared by " + command.actor);
  return Verdict::applied(query_log_.is_on() ? "query logs cleared" : "there is no query log (query_log_size 0)");
}

Verdict Keeper::set_option(const Command& command, Instant now) {
  Policy changed = policy_;
  const auto set = tide::set_option(changed, *command.text("option"), *command.text("value"), board_.capacity());
  if (!set) return Verdict::refused(set.status());
  const Setting* const setting = *set;
  if (Status checked = check_policy(changed); !checked) return Verdict::refused(std::move(checked));
  policy_ = changed;
  apply_policy();
  brain_.set_policy(changed, now);
  connector_.set_policy(changed);
  if (attendant_ != nullptr) attendant_->set_policy(changed);
  spec_.sources[place_of(*setting)] = SettingSource::manual;
  segment_writer_.settings(changed, spec_.sources, spec_.notes);
  std::string text = std::string(setting->name) + " is " + format_value(changed, *setting) + " now";
  const std::string why = why_without_effect(changed, spec_.target.scheme, *setting);
  if (!why.empty()) text += "; " + why;
  segment_writer_.note(EventKind::setting_changed, Severity::info, text + ", set by " + command.actor);
  return Verdict::applied(setting->applies == Applies::new_connections ? text + ", for new connections" : text);
}

// Read as observers do: the holder may write it. Nothing: the lease is over.
std::optional<std::string> Keeper::tag_of(LeaseId lease) const {
  const auto segment = Attachment::from_fd(segment_.fd());
  if (!segment) return std::nullopt;
  for (const SlotCopy& slot : segment->read_slots()) {
    if (slot.index == lease.slot() && slot.word == lease.word() && slot.is_whole) return slot.tag;
  }
  return std::nullopt;
}

// A note about a lease names its tag, which the brain does not know.
void Keeper::note(const action::Note& action) {
  std::string text = action.text;
  if (action.lease_id != 0) {
    if (const auto tag = tag_of(LeaseId(action.lease_id))) {
      text = (tag->empty() ? std::string("(no tag): ") : "\"" + *tag + "\": ") + text;
    }
  }
  segment_writer_.note(action.event, action.severity, text, action.detail);
}

void Keeper::put_alert(size_t place, Instant now) {
  segment_writer_.alert(brain_, place, now);
  const brain::Alert& alert = brain_.alert_monitor().alert(place);
  alert_feed_.look(alert, place, segment_.id_of(alert.number), clock_.clock().wall_ns() - now.ns());
}

// The wall clock is for display only, so a jump changes nothing; but readers of timestamps should know.
void Keeper::watch_clocks(Instant now) {
  const int64_t ahead_ns = clock_.clock().wall_ns() - now.ns();
  const int64_t jump_ns = ahead_ns - wall_ahead_ns_;
  const bool is_first = wall_ahead_ns_ == 0;
  wall_ahead_ns_ = ahead_ns;
  if (is_first || (jump_ns < kClockJumpNs && jump_ns > -kClockJumpNs)) return;
  const Span by = Span::nanos(jump_ns < 0 ? -jump_ns : jump_ns);
  segment_writer_.note(EventKind::clock_jump, Severity::warning,
                       "the wall clock jumped " + std::string(jump_ns < 0 ? "back" : "ahead") + " by " +
                           describe_span(by) + "; the pool uses the monotonic clock",
                       "{\"jump_ms\":" + std::to_string(jump_ns / 1'000'000) + "}");
}

// Leases taken on the fast path do not wake the keeper; their time limits must be checked in time nevertheless.
Span Keeper::heartbeat() const {
  Span span = kHeartbeat;
  for (const Span limit : {policy_.leak_threshold, policy_.lease_timeout}) {
    if (!limit.is_zero()) span = std::min(span, std::max(limit / 10, kHeartbeatMin));
  }
  return span;
}

void Keeper::publish(Instant now) {
  if (const uint64_t dropped = listeners_.take_dropped(); dropped != 0) {
    segment_writer_.note(
        EventKind::events_dropped, Severity::warning,
        std::to_string(dropped) +
            " events or log lines were dropped: the event callback or the reader of standard error did not keep up");
  }
  note_waiting();
  watch_clocks(now);
  tag_table_.step(segment_.fd(), board_.used(), now, clock_.clock().wall_ns());
  if (is_closing_) {
    take_traffic(now);
    segment_writer_.sample(census_, outlook_, brain_.health().score, now);
    if (is_closed_) segment_writer_.finish_history(census_, outlook_, brain_.health().score, now);
  }
  segment_writer_.findings(brain_, now);
  segment_writer_.vitals(outlook_, policy_, census_,
                         is_closing_ ? (is_closed_ ? PoolState::closed : PoolState::draining) : outlook_.state,
                         brain_.health().score, connector_.pooler(), now);
}

// ---- the end: closing, and fork()

void Keeper::set_attendant(Attendant* attendant) {
  const std::lock_guard lock(step_mutex_);
  attendant_ = attendant;
  if (attendant_ != nullptr) attendant_->set_policy(policy_);
  attendant_wakeup_ = attendant == nullptr ? Instant::never() : clock_.now();
  poke();
}

bool Keeper::is_stepped_by_me() const noexcept { return Stepping::is_mine(*this); }

void Keeper::call_program(const std::function<void()>& call) {
  const Stepping stepping(*this);
  call();
}

void Keeper::begin_close(Instant deadline) {
  if (is_closing_) return;
  const std::lock_guard lock(step_mutex_);
  const Stepping stepping(*this);  // refusing the waiters calls the program
  is_closing_ = true;
  close_deadline_ = deadline;
  close_began_at_ = clock_.now();
  reclaimed_before_close_ = read(segment_.totals().leases_reclaimed_total);
  close_gives_up_ = latest(deadline, clock_.now()) + kCloseGrace;
  Deliveries deliveries;
  wait_queue_.set_gate(Gate::closed, clock_.now(), deliveries);
  try {
    commands_.refuse_pending("the pool is closing");
  } catch (const std::bad_alloc&) {
    // A process waiting for an answer sees the pool closed.
  }
  connector_.give_up_opens();
  poke();
}

void Keeper::step_closing(Instant now) {
  if (is_closed_) return;
  const bool is_forced = now >= close_deadline_;
  is_closed_ = try_to_close(is_forced, now);
  if (is_closed_) tell_closed(is_forced, now);
}

bool Keeper::try_to_close(bool is_forced, Instant now) {
  if (is_forced) connector_.give_up();
  bool is_any = false;
  for (int round = 0; round < kRoundsMax; ++round) {
    revoked_at_close_ = revoked_at_close_ || (is_forced && board_.counts().of(SlotState::leased) != 0);
    if (slot_keeper_.shut_all(is_forced, now) && !connector_.is_at_work()) return true;
    slot_keeper_.tend(policy_, now);
    is_any = take_completions(now);
    if (!is_any) break;
  }
  // A driver that cannot end a session in time must not keep the application from exiting.
  const bool is_held_up = is_forced && !is_any && slot_keeper_.is_done_with_sessions() && connector_.is_held_up();
  return is_held_up || now >= close_gives_up_;
}

// Once. Processes that still have the segment open read it; its file is removed with the pool.
void Keeper::tell_closed(bool is_forced, Instant now) {
  const uint64_t cut = read(segment_.totals().leases_reclaimed_total) - reclaimed_before_close_;
  const bool has_left = slot_keeper_.occupied() != 0 || connector_.is_at_work();
  const char* reason = has_left                ? "the driver did not close its sessions in time"
                       : is_forced && cut != 0 ? "leases that did not end before the timeout were revoked"
                                               : "all leases had ended";
  segment_writer_.note(
      EventKind::pool_closed, cut != 0 || has_left ? Severity::warning : Severity::info,
      "closed after " + describe_span(now - close_began_at_) + ": " + reason + ", " + std::to_string(cut) +
          " leases revoked",
      "{\"leases_cut\":" + std::to_string(cut) + ",\"took_ms\":" + std::to_string((now - close_began_at_).ms()) + "}");
}

Status Keeper::left_behind() const { return connector_.left_behind(); }

bool Keeper::hold_for_fork(Instant give_up) noexcept {
  (void)connector_.hold_for_fork(std::max(Span{}, give_up - clock_.now()));
  if (is_stepped_by_me()) return true;  // a function of the program forks: this thread is between two changes
  while (!(is_held_for_fork_ = step_mutex_.try_lock())) {
    if (clock_.now() >= give_up) return false;
    pause_for(Span::micros(100));
  }
  return true;
}

void Keeper::release_after_fork() noexcept {
  connector_.release_after_fork();
  if (std::exchange(is_held_for_fork_, false)) step_mutex_.unlock();
}

void Keeper::abandon_after_fork(bool is_whole) noexcept {
  if (is_whole) slot_keeper_.abandon_after_fork();
  mailbox_.abandon();
  poke_.close();
  epoll_.close();
}

}  // namespace tide
