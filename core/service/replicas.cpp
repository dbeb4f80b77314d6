#include "service/replicas.hpp"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>

#include "os/shortage.hpp"
#include "pool/blocked_signals.hpp"
#include "pool/cancel_token.hpp"
#include "pool/keeper.hpp"

namespace tide {
namespace {

constexpr Span kEveryMax = Span::seconds(1);
constexpr Span kEveryMin = Span::millis(20);
constexpr Span kCatchUpEvery = Span::millis(2);  // while a read waits for a position
constexpr Span kCatchUpMax = Span::millis(100);
constexpr Span kAnswerMax = Span::seconds(2);

std::chrono::nanoseconds chrono_of(Span span) { return std::chrono::nanoseconds(std::max<int64_t>(span.ns(), 0)); }

// Four looks within the accepted lag.
Span every_of(Span lag_max) { return lag_max.is_zero() ? kEveryMax : std::clamp(lag_max / 4, kEveryMin, kEveryMax); }

TargetLoad load_of(Pool& pool) {
  Segment& segment = pool.segment();
  TargetLoad load;
  for (uint32_t i = 0; i < segment.capacity(); ++i) {
    if (SlotWord(read(segment.slots()[i].word)).state() == SlotState::leased) ++load.in_use;
  }
  load.waiting = static_cast<uint32_t>(read(segment.queue().waiting));
  load.limit = static_cast<uint32_t>(std::max<uint64_t>(read(segment.vitals().limit_size), 1));
  return load;
}

bool has_session(Pool& pool) {
  Segment& segment = pool.segment();
  for (uint32_t i = 0; i < segment.capacity(); ++i) {
    const SlotState state = SlotWord(read(segment.slots()[i].word)).state();
    if (state != SlotState::empty && state != SlotState::opening && state != SlotState::closing) return true;
  }
  return false;
}

}  // namespace

std::vector<std::optional<TargetReport>> survey_group(std::span<const std::unique_ptr<TargetProbe>> probes,
                                                      Span timeout) {
  std::vector<std::optional<TargetReport>> reports(probes.size());
  std::vector<std::thread> threads;
  threads.reserve(probes.size());
  const auto ask = [&](size_t i) {
    TargetReport report;
    if (probes[i]->ask(timeout, report)) reports[i] = std::move(report);
  };
  const BlockedSignals blocked;
  for (size_t i = 0; i < probes.size(); ++i) {
    try {
      threads.emplace_back(ask, i);
    } catch (const std::system_error&) {
      ask(i);
    }
  }
  for (std::thread& thread : threads) thread.join();
  return reports;
}

// How much the primary was used: while it is the same, and not busy, nothing was written through this pool.
struct Replicas::Activity {
  uint64_t leases = 0;
  bool is_busy = false;
  bool operator==(const Activity&) const = default;

  static Activity of(Pool& pool);
};

Replicas::Activity Replicas::Activity::of(Pool& pool) {
  Segment& segment = pool.segment();
  Activity activity;
  for (uint32_t i = 0; i < segment.capacity(); ++i) {
    const format::Slot& slot = segment.slots()[i];
    const SlotState state = SlotWord(slot.word.load(std::memory_order_acquire)).state();
    const bool is_at_rest = state == SlotState::empty || state == SlotState::idle || state == SlotState::opening;
    activity.is_busy = activity.is_busy || !is_at_rest;
    activity.leases += read(slot.acquires_total);
  }
  return activity;
}

// What the threads share.
struct Replicas::Watch {
  explicit Watch(std::vector<Member> of)
      : members(std::move(of)),
        primary(*members.front().pool),
        clock(primary.clock()),
        routing(members.size(), clock.now()) {}

  // Of the thread of one member.
  void run(size_t number);
  void take(size_t number, const Status& status, const TargetReport& report, uint64_t asked);
  void publish();
  void publish(size_t number);
  Span every() const { return every_of(primary.fast_policy().max_replica_lag()); }
  // The rest is called with the mutex held.
  // A position after everything that was committed before this call; nullopt: the primary did not tell it in time.
  std::optional<uint64_t> position_to_see(std::unique_lock<std::mutex>& lock, Instant deadline, bool may_wait);
  size_t choose(uint64_t tried, uint64_t position) const;
  size_t number_of(const Pool& pool) const;

  const std::vector<Member> members;
  Pool& primary;
  const Clock& clock;

  mutable std::mutex mutex;
  std::condition_variable wanted;    // the threads should ask
  std::condition_variable answered;  // something was seen, or a thread has ended
  Routing routing;
  mutable size_t turn = 0;
  bool has_ended = false;
  size_t running = 0;
  // Positions for reads.
  uint64_t asks = 0;
  uint64_t asks_answered = 0;
  bool is_answer_good = false;
  uint64_t end_position = 0;             // of the last good answer
  std::optional<Activity> end_activity;  // nothing was written since that answer while this is the activity
  uint64_t waiters = 0;                  // for a position
};

// ---- the threads

void Replicas::Watch::run(size_t number) {
  pthread_setname_np(pthread_self(), "tidepool-probe");
  std::unique_lock lock(mutex);
  while (!has_ended) {
    const uint64_t asked = asks;
    lock.unlock();
    TargetReport report;
    Status status;
    try {
      status = members[number].probe->ask(kAnswerMax, report);
    } catch (const std::bad_alloc&) {
      status = Status::out_of_memory();
    }
    lock.lock();
    if (has_ended) break;
    take(number, status, report, asked);
    const bool is_primary = number == Routing::kPrimary;
    wanted.wait_for(lock, chrono_of(every()),
                    [&] { return has_ended || (is_primary ? asks != asks_answered : waiters != 0); });
    if (!is_primary && waiters != 0) wanted.wait_for(lock, chrono_of(kCatchUpEvery), [&] { return has_ended; });
  }
  --running;
  answered.notify_all();
}

void Replicas::Watch::take(size_t number, const Status& status, const TargetReport& report, uint64_t asked) {
  const Instant now = clock.now();
  routing.set_lag_max(primary.fast_policy().max_replica_lag(), now);
  if (status)
    routing.saw(number, report, now);
  else
    routing.missed(number, "it does not answer: " + status.message(), now);
  routing.set_primary_gone(routing.is_primary_silent() && !has_session(primary), now);
  if (number == Routing::kPrimary) {
    is_answer_good = status.is_ok() && !report.is_in_recovery;
    if (is_answer_good) end_position = end_of_record(report.end);
    asks_answered = asked;
  }
  publish();
  answered.notify_all();
}

void Replicas::Watch::publish() {
  for (size_t i = 0; i < members.size(); ++i) publish(i);
  for (const Routing::Told& told : routing.take_changes()) {
    const bool is_back = told.change == Routing::Change::back;
    const bool is_primary = told.target == Routing::kPrimary;
    const std::string name = (is_primary ? "the primary, \"" : "replica \"") + members[told.target].pool->name() + "\"";
    const char* const what = is_primary ? "writes" : "reads";
    primary.keeper().note_later(
        is_back ? EventKind::target_back : EventKind::target_left_out, is_back ? Severity::info : Severity::warning,
        is_back ? name + " gets " + what + " again" : name + " gets no " + what + ": " + routing.view(told.target).why);
  }
}

void Replicas::Watch::publish(size_t number) {
  const TargetView& view = routing.view(number);
  format::TargetVitals& out = members[number].pool->segment().routing();
  const SeqWrite guard(out.seq);
  put(out.is_serving, view.is_serving ? 1 : 0);
  put(out.lag_ns, view.lag ? static_cast<uint64_t>(view.lag->ns()) : ~uint64_t{0});
  put(out.lsn, view.position);
  put(out.checked_mono, static_cast<uint64_t>(view.checked_at.ns()));
  put(out.left_out_mono, static_cast<uint64_t>(view.left_out_since.ns()));
  out.why.assign(view.why);
}

// ---- reads

size_t Replicas::Watch::choose(uint64_t tried, uint64_t position) const {
  std::vector<TargetLoad> loads(members.size());
  for (size_t i = 1; i < members.size(); ++i) {
    if (routing.view(i).is_serving) loads[i] = load_of(*members[i].pool);
  }
  return routing.choose(loads, tried, position, turn++);
}

std::optional<uint64_t> Replicas::Watch::position_to_see(std::unique_lock<std::mutex>& lock, Instant deadline,
                                                         bool may_wait) {
  const Activity before = Activity::of(primary);
  if (!before.is_busy && end_activity == before) return end_position;
  if (!may_wait) return std::nullopt;
  const uint64_t mine = ++asks;
  wanted.notify_all();
  const Instant limit = earliest(deadline, clock.now() + kCatchUpMax);
  while (asks_answered < mine && !has_ended) {
    const Span left = limit - clock.now();
    if (left <= Span{}) return std::nullopt;
    answered.wait_for(lock, chrono_of(left));
  }
  if (asks_answered < mine || !is_answer_good) return std::nullopt;
  // What was not busy before the primary was asked has ended before.
  if (before.is_busy)
    end_activity.reset();
  else
    end_activity = before;
  return end_position;
}

size_t Replicas::Watch::number_of(const Pool& pool) const {
  for (size_t i = 0; i < members.size(); ++i) {
    if (members[i].pool == &pool) return i;
  }
  return Routing::kPrimary;
}

size_t Replicas::choose(Instant deadline, bool may_wait, uint64_t tried) {
  Watch& watch = *watch_;
  std::unique_lock lock(watch.mutex);
  if (!watch.primary.fast_policy().read_your_writes()) return watch.choose(tried, 0);
  if (!watch.routing.is_any_serving(tried)) return Routing::kPrimary;
  const std::optional<uint64_t> position = watch.position_to_see(lock, deadline, may_wait);
  if (!position) return Routing::kPrimary;
  size_t found = watch.choose(tried, *position);
  if (found != Routing::kPrimary || !may_wait) return found;
  const Instant limit = earliest(deadline, watch.clock.now() + kCatchUpMax);
  ++watch.waiters;
  watch.wanted.notify_all();
  while (found == Routing::kPrimary && watch.routing.is_any_serving(tried) && !watch.has_ended) {
    const Span left = limit - watch.clock.now();
    if (left <= Span{}) break;
    watch.answered.wait_for(lock, chrono_of(left));
    found = watch.choose(tried, *position);
  }
  --watch.waiters;
  return found;
}

namespace {

// Why another server may succeed where this one did not.
bool may_try_another(Code code) {
  return code == Code::unavailable || code == Code::queue_full || code == Code::closed || code == Code::refused ||
         code == Code::database;
}

bool lies_with_the_server(Code code) { return code == Code::unavailable || code == Code::database; }

Span left_of(Instant deadline, Instant now) {
  return deadline == Instant::never() ? Span::nanos(-1) : std::max(deadline - now, Span{});
}

// How long a request waits at one replica, whose server may just be going down, before it is chosen again.
Span turn_of(Span left) {
  constexpr Span kTurnMax = Span::seconds(1), kTooShort = Span::millis(20);
  return left < kTooShort ? left : std::min(left / 2, kTurnMax);
}

}  // namespace

Status Replicas::acquire(OwnLease& lease, AcquireRequest request) {
  Watch& watch = *watch_;
  const Span given = request.timeout.ns() < 0 ? watch.primary.fast_policy().acquire_timeout() : request.timeout;
  const Instant deadline = watch.clock.now() + given;
  uint64_t tried = 0;
  for (;;) {
    const size_t target = choose(deadline, !given.is_zero(), tried);
    lease.use(*watch.members[target].pool);
    const Span left = left_of(deadline, watch.clock.now());
    request.timeout = target == Routing::kPrimary ? left : turn_of(left);
    Status status = lease.acquire(request);
    if (status) {
      watch.members[target].pool->segment().routing().reads_total.fetch_add(1, std::memory_order_relaxed);
      return status;
    }
    if (target == Routing::kPrimary) return status;
    if (status.code == Code::timeout && request.timeout < left) continue;
    // Who does not wait gets what is idle anywhere.
    if (!may_try_another(status.code) && !(status.code == Code::timeout && given.is_zero())) return status;
    if (lies_with_the_server(status.code)) note_lost(*watch.members[target].pool, status);
    tried |= uint64_t{1} << target;
  }
}

Code Replicas::acquire_async(const AcquireRequest& request, Done done) {
  Watch& watch = *watch_;
  const Span given = request.timeout.ns() < 0 ? watch.primary.fast_policy().acquire_timeout() : request.timeout;
  const Instant deadline = watch.clock.now() + given;
  uint64_t tried = 0;
  for (;;) {
    const size_t target = choose(deadline, false, tried);
    const Code code = ask_later(target, request, deadline, done);
    if (target == Routing::kPrimary || !may_try_another(code)) return code;
    tried |= uint64_t{1} << target;
  }
}

Code Replicas::ask_later(size_t target, AcquireRequest request, Instant deadline, const Done& done) {
  const Member& member = watch_->members[target];
  const Span left = left_of(deadline, watch_->clock.now());
  request.timeout = target == Routing::kPrimary ? left : turn_of(left);
  const bool is_turn = request.timeout < left;
  const Visit visit(Presence::key_of_pool(member.pool->key()));
  return member.pool->acquire_async(
      request, [this, target, deadline, done, is_turn, mode = request.mode, tag = std::string(request.tag),
                priority = request.priority,
                cancel = CancelRef(request.cancel)](Code outcome, LeaseId lease, const Status& why) {
        const Member& from = watch_->members[target];
        if (outcome == Code::ok) from.pool->segment().routing().reads_total.fetch_add(1, std::memory_order_relaxed);
        const bool is_over = !may_try_another(outcome) && !(outcome == Code::timeout && is_turn);
        if (target == Routing::kPrimary || is_over) return done(from.handle, outcome, lease, why);
        if (lies_with_the_server(outcome)) note_lost(*from.pool, why);
        const AcquireRequest again{tag.c_str(), mode, {}, priority, cancel.get()};
        const Code code = ask_later(Routing::kPrimary, again, deadline, done);
        if (code != Code::ok) done(watch_->members.front().handle, code, {}, watch_->primary.explain(code, Span{}));
      });
}

void Replicas::note_lost(const Pool& pool, const Status& why) {
  Watch& watch = *watch_;
  const std::lock_guard lock(watch.mutex);
  const size_t number = watch.number_of(pool);
  if (number == Routing::kPrimary || watch.has_ended) return;
  watch.members[number].pool->segment().routing().errors_total.fetch_add(1, std::memory_order_relaxed);
  watch.routing.failed(number, why.message(), watch.clock.now());
  watch.publish();
}

uint64_t Replicas::handle_of(const Pool& pool) const { return watch_->members[watch_->number_of(pool)].handle; }

// ---- begin, end, fork

Replicas::Replicas(std::vector<Member> members) : watch_(std::make_shared<Watch>(std::move(members))) {
  for (size_t i = 1; i < watch_->members.size(); ++i) replica_handles_.push_back(watch_->members[i].handle);
  const BlockedSignals blocked;
  for (size_t i = 0; i < watch_->members.size(); ++i) {
    const std::lock_guard lock(watch_->mutex);
    try {
      // It keeps what it uses alive: it may outlive the group, if a call of the probe does not return.
      std::thread([watch = watch_, i] { watch->run(i); }).detach();
      ++watch_->running;
    } catch (const std::system_error& problem) {
      watch_->has_ended = true;
      watch_->wanted.notify_all();
      throw Shortage(shortage_status("cannot start a thread for a replica", problem.code().value()));
    }
  }
}

Replicas::~Replicas() { end(watch_->clock.now()); }

void Replicas::end(Instant give_up) {
  Watch& watch = *watch_;
  std::unique_lock lock(watch.mutex);
  watch.has_ended = true;
  watch.wanted.notify_all();
  watch.answered.notify_all();
  for (const Member& member : watch.members) member.probe->end();
  while (watch.running != 0) {
    const Span left = give_up - watch.clock.now();
    if (left <= Span{}) return;
    watch.answered.wait_for(lock, chrono_of(left));
  }
}

bool Replicas::hold_for_fork(Instant give_up) noexcept {
  bool are_held = true;
  for (const Member& member : watch_->members)
    are_held = member.probe->hold_for_fork(give_up - watch_->clock.now()) && are_held;
  return are_held;
}

void Replicas::release_after_fork() noexcept {
  for (const Member& member : watch_->members) member.probe->release_after_fork();
}

void Replicas::abandon_after_fork(bool is_whole) noexcept {
  if (!is_whole) return;
  for (const Member& member : watch_->members) member.probe->abandon();
}

}  // namespace tide
