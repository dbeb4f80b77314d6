#include "pool/keeper.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/units.hpp"
#include "os/shortage.hpp"
#include "plane/attach.hpp"
#include "pool/pool.hpp"
#include "pool/stepping.hpp"

namespace tide {
namespace {

constexpr Span kHeartbeat = Span::seconds(1);
constexpr Span kHeartbeatMin = Span::millis(50);
constexpr Span kResourcesEvery = Span::seconds(1);
constexpr int64_t kClockJumpNs = 5'000'000'000;   // clocks are corrected; more than this at once is a jump
constexpr Span kMailboxPoll = Span::millis(250);  // where the system cannot tell of a posted order
constexpr Span kRevokedPoll = Span::millis(5);    // a holder is still inside our code

void watch(int epoll_fd, int fd) {
  if (fd < 0) return;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

}  // namespace

Keeper::Keeper(Pool& pool, const Policy& policy, uint64_t seed)
    : pool_(pool),
      policy_(policy),
      brain_(policy, pool.board_.capacity(), seed, pool.clock_.now()),
      publisher_(pool),
      bulletin_(pool),
      hand_(pool, brain_, publisher_),
      mailbox_(pool.segment().mailbox_path()),
      clerk_(pool, *this, mailbox_),
      opened_at_(pool.clock_.now()),
      epoll_(Descriptor::epoll("cannot make the descriptors of pool \"" + pool.name() + "\"")),
      poke_("cannot make the descriptors of pool \"" + pool.name() + "\"") {
  slots_.reserve(pool.board_.capacity());
  watch(epoll_.get(), poke_.fd());
  watch(epoll_.get(), mailbox_.fd());
  watch(epoll_.get(), pool.connector_->fd());
  publisher_.settings(policy_, pool.spec_.sources);
  publisher_.note(
      EventKind::pool_open, Severity::info,
      "opened with min_size " + std::to_string(policy.min_size) + ", max_size " + std::to_string(policy.max_size));
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
  const uint64_t id = clerk_.post({0, pool_.clock().wall_ns(), verb, actor, arguments});
  poke();
  return id;
}

Span Keeper::step() {
  const std::lock_guard lock(step_mutex_);
  const Stepping stepping(*this);
  drain_poke();
  Instant now = pool_.clock_.now();
  hand_.clear_work();
  take_completions(now);
  hand_.tend(policy_, now);
  if (is_closing_) {
    step_closing(now);
  } else {
    take_census(now);
    clerk_.take(now);
    for (int round = 0; round < kRoundsMax; ++round) {
      decide(now);
      if (!hand_.has_work()) break;
      hand_.clear_work();
      now = pool_.clock_.now();
      if (!take_completions(now)) break;  // asked for, but not there yet
      hand_.tend(policy_, now);
    }
  }
  Deliveries deliveries;
  const Instant expiry = pool_.turnstile_.expire(now, deliveries);
  deliveries.run();
  take_census(now);
  publish(now);
  clerk_.settle();

  Instant next = earliest(expiry, earliest(connector_wakeup_, publisher_.next_second()));
  if (!is_closing_) next = earliest(next, outlook_.next_wakeup);  // the brain is not asked any more then
  if (mailbox_.fd() < 0 && !pool_.segment().mailbox_path().empty()) next = earliest(next, now + kMailboxPoll);
  if (hand_.is_waiting_for_holders() || is_closing_) next = earliest(next, now + kRevokedPoll);
  return std::clamp(next - pool_.clock_.now(), Span{}, heartbeat());
}

bool Keeper::take_completions(Instant now) {
  // Without memory a step ends where it is; what was not taken then is taken now.
  connector_wakeup_ = pool_.connector_->step(now, completions_);
  hand_.take_unasked(completions_);
  const bool is_any = !completions_.empty();
  for (const Completion& completion : completions_) {
    // Where a session lost its file, whoever asks why should hear of the file.
    if (completion.kind == Completion::Kind::lost) take_file_facts();
  }
  while (completions_taken_ < completions_.size()) hand_.complete(completions_[completions_taken_++], now);
  completions_.clear();
  completions_taken_ = 0;
  return is_any;
}

void Keeper::take_census(Instant now) {
  slots_.clear();
  for (uint32_t slot = 0; slot < pool_.board_.used(); ++slot) {
    const SlotWord seen = pool_.board_.word(slot);
    const format::Slot& s = pool_.board_.slot(slot);
    SlotCensus out;
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
    out.is_retiring = (s.flags.load(std::memory_order_relaxed) & format::kFlagRetire) != 0;
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
      // Until the acquirer has it in hand, the times are still those of the lease before.
      const bool has_begun = pool_.seats_[slot].has_begun(out.lease_id);
      out.leased_at = has_begun ? instant(s.acquired_mono) : now;
      out.since = out.leased_at;
      const SessionFacts facts = pool_.seats_[slot].connection->facts();
      out.idle_in_transaction_since = facts.idle_in_transaction_since;
      if (facts.is_reading) out.reading_since = facts.transaction_since;
      if (out.leased_at > now) out.leased_at = now;
    }
    slots_.push_back(out);
  }
  const format::QueueStats& queue = pool_.segment().queue();
  census_.slots = slots_;
  census_.waiting = pool_.turnstile_.waiting();
  census_.oldest_wait_since = census_.waiting != 0 ? pool_.turnstile_.head_since() : Instant{};
  census_.acquire_timeouts_total = tide::read(queue.timeouts_total);
  census_.wait_p95 = publisher_.recent_wait_p95();
  census_.in_use_average = publisher_.recent_in_use_average();
}

void Keeper::take_traffic(Instant now) {
  Traffic t;
  uint64_t acquires = 0, waited = 0, use_ns = 0, wait_ns = 0, query_ns = 0;
  double running_s = 0;
  for (uint32_t slot = 0; slot < pool_.board_.used(); ++slot) {
    const format::Slot& s = pool_.board_.slot(slot);
    const format::SlotStats& stats = pool_.board_.stats(slot);
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
  const format::QueueStats& queue = pool_.segment().queue();
  const format::KeeperStats& totals = pool_.segment().totals();
  census_.acquires_total = acquires;
  census_.acquires_waited_total = waited;
  t.requests_total = acquires + census_.acquire_timeouts_total + tide::read(queue.rejected_total) + census_.waiting;
  t.slow_total += census_.acquire_timeouts_total;
  t.connects_total = tide::read(totals.connects_total);
  t.connect_failures_total = tide::read(totals.connect_failures_total);
  t.validations_total = tide::read(totals.validations_total);
  t.validation_failures_total = tide::read(totals.validation_failures_total);
  t.ended_seconds = static_cast<double>(use_ns) / 1e9;
  t.use_seconds = t.ended_seconds + running_s;
  t.wait_seconds = static_cast<double>(wait_ns + tide::read(queue.failed_wait_ns_total)) / 1e9 +
                   pool_.turnstile_.seconds_waited(now);
  t.query_seconds = static_cast<double>(query_ns) / 1e9;
  census_.traffic = t;
}

void Keeper::take_resources(Instant now) {
  if (resources_at_.is_set() && now < resources_at_ + kResourcesEvery) return;
  resources_at_ = now;
  if (pool_.spec_.probe != nullptr) {
    static_cast<ProcessResources&>(census_.resources) = pool_.spec_.probe->sample(policy_.memory_limit);
  }
  const ServerLoad& load = hand_.server_load();
  const auto known = [](int64_t n) { return n < 0 ? Resources::kUnknown : static_cast<double>(n); };
  census_.resources.server_sessions = known(load.sessions);
  census_.resources.server_sessions_max = known(load.sessions_max);
  census_.resources.driver_bytes = known(pool_.connector_->memory_bytes());
  take_file_facts();
}

void Keeper::take_file_facts() {
  const FileFacts file = pool_.connector_->file_facts();
  census_.resources.is_file_missing = file.is_missing;
  census_.resources.wal_bytes = file.wal_bytes < 0 ? Resources::kUnknown : static_cast<double>(file.wal_bytes);
}

void Keeper::decide(Instant now) {
  take_census(now);
  take_traffic(now);  // what the brain alone looks at
  if (pool_.has_unmet_.exchange(false, std::memory_order_acquire)) {
    // Demand, though nobody queues: without this a pool that only ever hears "now or never" would stay empty.
    ++census_.waiting;
    if (!census_.oldest_wait_since.is_set()) census_.oldest_wait_since = now;
  }
  take_resources(now);
  publisher_.sample(outlook_, brain_.health().score, now);
  const PoolState before = outlook_.state;
  outlook_ = brain_.tick(now, census_, actions_);
  if (outlook_.state != before) {
    Deliveries deliveries;
    const Gate gate = outlook_.state == PoolState::paused     ? Gate::paused
                      : outlook_.state == PoolState::draining ? Gate::draining
                                                              : Gate::running;
    if (gate != pool_.turnstile_.gate()) pool_.turnstile_.set_gate(gate, now, deliveries);
  }
  if (outlook_.is_settled) is_started_ = true;
  // Before those who wait are refused: who asks again at once must not get into the queue.
  const bool is_broken = outlook_.breaker == BreakerState::open || outlook_.breaker == BreakerState::half_open;
  pool_.breaker_probe_ns_.store(outlook_.breaker_probe_at.ns(), std::memory_order_relaxed);
  pool_.is_broken_.store(is_broken, std::memory_order_relaxed);
  for (const Action& action : actions_) obey(action, now);
  if (is_started_ && !is_ready_told_ && outlook_.state != PoolState::draining) tell_ready(now);
  pool_.can_grow_.store(static_cast<int64_t>(hand_.occupied()) < outlook_.limit_size, std::memory_order_relaxed);
  const std::lock_guard lock(pool_.story_mutex_);
  pool_.limit_reason_ = brain_.limit_reason();
}

// Once: what init_mode asks for is there, and whoever asks is served.
void Keeper::tell_ready(Instant now) {
  is_ready_told_ = true;
  const auto open = std::count_if(slots_.begin(), slots_.end(), [](const SlotCensus& slot) {
    return slot.phase != Phase::opening && slot.phase != Phase::closing;
  });
  publisher_.note(
      EventKind::init, Severity::info,
      "ready after " + describe_span(now - opened_at_) + ": " + std::to_string(open) + " connections open, min_size " +
          std::to_string(policy_.min_size) + ", max_size " + std::to_string(policy_.max_size),
      "{\"open\":" + std::to_string(open) + ",\"min_size\":" + std::to_string(policy_.min_size) + ",\"max_size\":" +
          std::to_string(policy_.max_size) + ",\"took_ms\":" + std::to_string((now - opened_at_).ms()) + "}");
}

void Keeper::obey(const Action& action, Instant now) {
  switch (action.kind) {
    case Action::Kind::note: return note(action);
    case Action::Kind::scaling: return publisher_.scaling(action, census_);
    case Action::Kind::finish_order: return clerk_.answer(action.command_id, action.verdict);
    case Action::Kind::put_alert: return bulletin_.write_alert(brain_, action.slot, now);
    default: return hand_.act(action, policy_, outlook_.limit_size, now);
  }
}

// A note about a lease names its tag, which the brain does not know. Read as any observer does: the holder may write it.
void Keeper::note(const Action& action) {
  std::string text = action.text;
  if (action.lease_id != 0) {
    if (auto segment = Attachment::from_fd(pool_.segment().fd())) {
      const LeaseId lease(action.lease_id);
      for (const SlotCopy& slot : segment->read_slots()) {
        if (slot.index != lease.slot() || slot.word != lease.word() || !slot.is_whole) continue;
        text = (slot.tag.empty() ? std::string("(no tag): ") : "\"" + slot.tag + "\": ") + text;
      }
    }
  }
  publisher_.note(action.event, action.severity, text, action.detail);
}

// The wall clock is for display only, so a jump changes nothing; but whoever reads times should know.
void Keeper::watch_clocks(Instant now) {
  const int64_t ahead_ns = pool_.clock().wall_ns() - now.ns();
  const int64_t jump_ns = ahead_ns - wall_ahead_ns_;
  const bool is_first = wall_ahead_ns_ == 0;
  wall_ahead_ns_ = ahead_ns;
  if (is_first || (jump_ns < kClockJumpNs && jump_ns > -kClockJumpNs)) return;
  const Span by = Span::nanos(jump_ns < 0 ? -jump_ns : jump_ns);
  publisher_.note(EventKind::clock_jump, Severity::warning,
                  "the wall clock jumped " + std::string(jump_ns < 0 ? "back" : "ahead") + " by " + describe_span(by) +
                      "; the pool goes by the monotonic clock",
                  "{\"jump_ms\":" + std::to_string(jump_ns / 1'000'000) + "}");
}

// Leases taken on the fast path wake nobody; how long they may last must be seen soon enough all the same.
Span Keeper::heartbeat() const {
  Span span = kHeartbeat;
  for (const Span limit : {policy_.leak_threshold, policy_.lease_timeout}) {
    if (!limit.is_zero()) span = std::min(span, std::max(limit / 10, kHeartbeatMin));
  }
  return span;
}

void Keeper::publish(Instant now) {
  if (pool_.spec_.events.take_dropped) {
    if (const uint64_t dropped = pool_.spec_.events.take_dropped(); dropped != 0) {
      publisher_.note(EventKind::events_dropped, Severity::warning,
                      std::to_string(dropped) +
                          " events or lines of the log were dropped: the event callback, or who "
                          "reads standard error, did not keep up");
    }
  }
  watch_clocks(now);
  publisher_.sample(outlook_, brain_.health().score, now);
  bulletin_.write(brain_, now);
  publisher_.vitals(outlook_, policy_, census_,
                    is_closing_ ? (is_closed_ ? PoolState::closed : PoolState::draining) : outlook_.state,
                    brain_.health().score, now);
}

}  // namespace tide
