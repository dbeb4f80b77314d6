#include "checker.hpp"

#include <algorithm>
#include <span>

#include "pool/reserve.hpp"
#include "segment/rings.hpp"
#include "world.hpp"

namespace tide::sim {
namespace {

constexpr char kLetters[] = ".oILSHCR";  // in the order of SlotState
// The brain checks again no sooner than a millisecond after something was due.
constexpr Span kRecheck = Span::millis(1);
// A caller that takes an idle connection does not wake the keeper: a lease is first seen at the keeper's own wake-up.
constexpr Span kHeartbeat = Span::seconds(1);

using Reach = std::array<std::array<bool, kSlotStates>, kSlotStates>;

// I2: which states can follow which within one lease, that is, without entering `leased`.
Reach reach_without_lease() {
  Reach reach{};
  const auto state = [](int i) { return static_cast<SlotState>(i); };
  for (int from = 0; from < kSlotStates; ++from) {
    for (int to = 0; to < kSlotStates; ++to) {
      const bool is_step = is_allowed(state(from), state(to), SlotActor::keeper) ||
                           is_allowed(state(from), state(to), SlotActor::caller);
      reach[static_cast<size_t>(from)][static_cast<size_t>(to)] =
          from == to || (is_step && state(to) != SlotState::leased);
    }
  }
  for (size_t via = 0; via < kSlotStates; ++via) {
    for (size_t from = 0; from < kSlotStates; ++from) {
      for (size_t to = 0; to < kSlotStates; ++to) {
        reach[from][to] = reach[from][to] || (reach[from][via] && reach[via][to]);
      }
    }
  }
  return reach;
}

unsigned long long shown(uint64_t n) { return n; }
uint64_t closed_total(const format::KeeperStats& t) {
  return read(t.closed_idle_total) + read(t.closed_lifetime_total) + read(t.closed_uses_total) +
         read(t.closed_error_total) + read(t.closed_scale_total) + read(t.closed_control_total) +
         read(t.closed_shutdown_total);
}

}  // namespace

void Checker::told(PoolEvent event, const char* text) {
  Totals& totals = world_.books().totals;
  world_.health_monitor().told(world_.pool(), event, text, world_.now());
  switch (event) {
    case PoolEvent::connect: ++totals.connects; break;
    case PoolEvent::acquire: ++totals.told_acquires; break;
    case PoolEvent::release: ++totals.told_releases; break;
    case PoolEvent::remove: ++totals.removes; break;
    case PoolEvent::error:
      if (std::string_view(text).find("password") != std::string_view::npos) {
        unavailable_until_ = world_.now() + world_.policy().retry_max;
        world_.books().may_be_unavailable = true;
      }
      break;
    case PoolEvent::alert:
      world_.trace().say("alert: %s", text);
      if (std::string_view(text).starts_with("breaker open")) world_.books().may_be_unavailable = true;
      break;
  }
}

void Checker::ordered(std::string_view verb) {
  ordered_at_ = world_.now();
  if (verb != "drain") return;
  drain_ordered_at_ = world_.now();
  world_.books().may_be_closed = true;
}

Checker::Look Checker::look() {
  Look look;
  Segment& segment = world_.pool().segment();
  const uint32_t capacity = segment.capacity();
  words_.resize(capacity);
  used_ = static_cast<uint32_t>(read(segment.vitals().slots_used));
  for (uint32_t slot = 0; slot < used_; ++slot) {
    const format::Slot& s = segment.slots()[slot];
    const SlotWord word(read(s.word));
    check_word(slot, words_[slot], word);
    check_slot(slot, word);
    words_[slot] = word;
    ++look.in_state[static_cast<size_t>(word.state())];
    look.full += word.state() != SlotState::empty ? 1 : 0;
    const format::SlotStats& stats = segment.slot_stats()[slot];
    look.acquires += read(s.acquires_total);
    look.releases += read(stats.releases_total);
    look.waited += read(stats.waited_total);
    look.queries += read(stats.queries_total);
    look.query_errors += read(stats.query_errors_total);
    look.use_ns += read(stats.use_ns_total);
    look.wait_ns += read(stats.wait_ns_total);
  }
  return look;
}

void Checker::check() {
  const Look now = look();
  check_revocations();
  check_limit(now);
  check_leases(now);
  check_reserve(now);
  check_queue(now);
  check_time();
  check_counters(now);
  check_connects(now);
  check_recovery(now);
  check_pressure();
  check_unpooled();
  world_.books().settle_overtakings();
  say_state(now);
}

void Checker::check_word(uint32_t slot, SlotWord before, SlotWord after) {
  static const Reach reach = reach_without_lease();
  const bool is_legal =
      after.is_sane() && (after.generation() > before.generation() ||
                          (after.generation() == before.generation() &&
                           reach[static_cast<size_t>(before.state())][static_cast<size_t>(after.state())]));
  if (is_legal) return;
  world_.trace().complain("I2", "slot %u: state %d of lease %llu follows state %d of lease %llu", slot,
                          static_cast<int>(after.state()), shown(after.generation()), static_cast<int>(before.state()),
                          shown(before.generation()));
}

void Checker::check_slot(uint32_t slot, SlotWord word) {
  Segment& segment = world_.pool().segment();
  const format::Slot& s = segment.slots()[slot];
  if ((read(s.conn_id) == 0) != (word.state() == SlotState::empty)) {
    world_.trace().complain("I2", "slot %u has connection %llu in state %d", slot, shown(read(s.conn_id)),
                            static_cast<int>(word.state()));
  }
  if (((read(s.seq) | read(segment.slot_stats()[slot].seq)) & 1) != 0) {
    world_.trace().complain("seq", "slot %u is left half-written", slot);
  }
}

void Checker::check_limit(const Look& look) {
  const int64_t limit = static_cast<int64_t>(read(world_.pool().segment().vitals().limit_size));
  const uint32_t sessions = world_.server().sessions_now();
  if (look.full > limit && look.full > full_before_) {
    world_.trace().complain("I1", "%u connections, the limit is %lld", look.full, static_cast<long long>(limit));
  }
  if (sessions > look.full + world_.books().zombies()) {
    world_.trace().complain("I1", "the server has %u sessions, the pool %u", sessions, look.full);
  }
  full_before_ = look.full;
}

// I3: the leases shown on the board are exactly those in the books.
void Checker::check_leases(const Look& look) {
  Books& books = world_.books();
  for (uint32_t slot = 0; slot < used_; ++slot) {
    if (words_[slot].state() != SlotState::leased) continue;
    const LeaseId id(slot, words_[slot].generation());
    const Lease* lease = books.find(id);
    if (lease == nullptr || lease->is_revoked) {
      world_.trace().complain("I3", "slot %u is leased, but no caller has lease %llu", slot, shown(id.generation()));
    }
  }
  if (look.of(SlotState::leased) != books.live()) {
    world_.trace().complain("I3", "%u slots are leased, %zu leases are running", look.of(SlotState::leased),
                            books.live());
  }
}

// I3: a lease is only revoked for a reason: its time is over and the policy says so, a command, or close.
void Checker::check_revocations() {
  const Policy& policy = world_.policy();
  const bool reclaims = policy.lease_timeout_action == LeaseTimeoutAction::reclaim && !policy.lease_timeout.is_zero();
  const Span slack = world_.lateness_max() + kRecheck;
  for (auto& [bits, lease] : world_.books().leases()) {
    if (lease.is_revoked) continue;
    const Span age = world_.now() - lease.granted;
    if (words_[lease.id.slot()] != lease.id.word()) {
      world_.books().lost(lease);
      const bool is_due = reclaims && age >= policy.lease_timeout;
      if (!is_due && !lease.is_revoke_ordered && !world_.is_closing()) {
        world_.trace().complain("I3", "lease %llu was revoked without a reason", shown(lease.id.generation()));
      }
    } else if (reclaims && !world_.is_closing() && world_.now() - ordered_at_ > slack &&
               age > std::max(policy.lease_timeout, kHeartbeat) + slack) {
      world_.trace().complain("I3", "lease %llu should have been revoked", shown(lease.id.generation()));
    }
  }
}

// I11: of the leases since the limits were last lowered, normal requests have at most what they may take.
void Checker::check_reserve(const Look& look) {
  const int64_t limit = static_cast<int64_t>(read(world_.pool().segment().vitals().limit_size));
  const int64_t to_all = Reserve::open_to_all(limit, world_.policy().reserve_size);
  if (to_all < open_to_all_) to_all_lowered_at_ = world_.now();
  open_to_all_ = to_all;
  const int64_t usable = int64_t{look.full} - look.of(SlotState::closing) - look.of(SlotState::revoked);
  reserved_ = std::max<int64_t>(usable - to_all, 0);
  int64_t normal = 0;
  for (const auto& [bits, lease] : world_.books().leases()) {
    const bool counts = !lease.is_revoked && lease.priority == Priority::normal && lease.granted > to_all_lowered_at_;
    normal += counts ? 1 : 0;
  }
  if (normal > to_all) {
    world_.trace().complain("I11", "normal requests hold %lld of the %lld connections that they may take",
                            static_cast<long long>(normal), static_cast<long long>(to_all));
  }
}

// I4: no request waits beside an idle connection that it may take. I7: no request waits beyond its deadline.
void Checker::check_queue(const Look& look) {
  const format::QueueStats& queue = world_.pool().segment().queue();
  const auto& pending = world_.books().pending();
  if (read(queue.waiting) != pending.size()) {
    world_.trace().complain("I7", "%llu in the queue, %zu wait", shown(read(queue.waiting)), pending.size());
  }
  const auto state = static_cast<PoolState>(read(world_.pool().segment().vitals().state));
  const bool is_serving = state != PoolState::paused && state != PoolState::draining;
  const bool is_broken = world_.breaks("I4") && world_.faults().is_down() && !pending.empty();
  if (is_broken) world_.trace().complain("I4", "on purpose: a request waits while the server is down");
  const bool has_critical = std::any_of(pending.begin(), pending.end(),
                                        [](const auto& entry) { return entry.second.priority == Priority::critical; });
  const int64_t not_for_them = has_critical ? 0 : reserved_;
  if (is_serving && !world_.is_closing() && !pending.empty() && look.of(SlotState::idle) > not_for_them) {
    world_.trace().complain("I4", "%zu wait beside %u idle connections", pending.size(), look.of(SlotState::idle));
  }
  for (const auto& [number, request] : pending) {
    if (world_.now() - request.deadline <= world_.lateness_max()) continue;
    world_.trace().complain("I7", "request %llu still waits at its deadline", shown(number));
    break;
  }
}

// I6: a burst ends at its time.
void Checker::check_time() {
  const Instant burst_until =
      Instant::at_ns(static_cast<int64_t>(read(world_.pool().segment().vitals().burst_until_mono)));
  if (burst_until.is_set() && !world_.is_closing() && world_.now() - burst_until > world_.lateness_max() + kRecheck) {
    world_.trace().complain("I6", "the burst should have ended");
  }
}

void Checker::check_counters(const Look& look) {
  const Totals& books = world_.books().totals;
  const format::QueueStats& queue = world_.pool().segment().queue();
  const struct {
    const char* what;
    uint64_t shown;
    uint64_t expected;
  } kPairs[] = {
      {"acquires_total", look.acquires, books.granted},
      {"acquire events", books.told_acquires, books.granted},
      {"waited_total", look.waited, books.waited},
      {"wait_ns_total", look.wait_ns, books.wait_ns},
      {"releases_total", look.releases, books.released},
      {"release events", books.told_releases, books.released},
      {"use_ns_total", look.use_ns, books.use_ns},
      {"queries_total", look.queries, books.queries},
      {"query_errors_total", look.query_errors, books.query_errors},
      {"timeouts_total", read(queue.timeouts_total), books.timeouts},
      {"failed_wait_ns_total", read(queue.failed_wait_ns_total), books.failed_wait_ns},
      {"rejected_total", read(queue.rejected_total), books.rejected},
      {"cancelled_total", read(queue.cancelled_total), books.cancelled},
      {"leases_reclaimed_total", read(world_.pool().segment().totals().leases_reclaimed_total), books.revoked},
  };
  for (const auto& pair : kPairs) {
    if (pair.shown == pair.expected) continue;
    world_.trace().complain("counters", "%s is %llu, the books say %llu", pair.what, shown(pair.shown),
                            shown(pair.expected));
  }
  const format::KeeperStats& totals = world_.pool().segment().totals();
  const uint32_t in_use = look.of(SlotState::leased) + look.of(SlotState::returning);
  const uint32_t size = look.full - look.of(SlotState::closing) - look.of(SlotState::revoked);
  const bool is_peak = read(totals.in_use_peak) >= in_use && read(totals.size_peak) >= size;
  if (!is_peak) world_.trace().complain("counters", "size %u or in_use %u is above its peak", size, in_use);
}

// I5: created = destroyed + open; and the same number in all places.
void Checker::check_connects(const Look& look) {
  const format::KeeperStats& totals = world_.pool().segment().totals();
  const Totals& books = world_.books().totals;
  const uint64_t connects = read(totals.connects_total);
  const uint64_t closed = closed_total(totals);
  const uint32_t opening = look.of(SlotState::opening);
  if (connects != closed + look.full - opening) {
    world_.trace().complain("I5", "%llu connects, %llu closed, %u open", shown(connects), shown(closed),
                            look.full - opening);
  }
  if (connects != books.connects || closed != books.removes) {
    world_.trace().complain("I5", "%llu connects and %llu closes, told of %llu and %llu", shown(connects),
                            shown(closed), shown(books.connects), shown(books.removes));
  }
  const uint64_t failures = read(totals.connect_failures_total);
  if (world_.server().opens_total() != connects + failures + opening) {
    world_.trace().complain("I5", "the server saw %llu opens, the pool %llu", shown(world_.server().opens_total()),
                            shown(connects + failures + opening));
  }
}

// I10: the rate of opens is limited; and a pool without faults reaches its size.
void Checker::check_recovery(const Look& look) {
  Pool& pool = world_.pool();
  const Policy& policy = world_.policy();
  const uint32_t opening = look.of(SlotState::opening);
  if (opening > policy.max_connecting && opening > opening_before_) {
    world_.trace().complain("I10", "%u connects at once, at most %lld", opening,
                            static_cast<long long>(policy.max_connecting));
  }
  opening_before_ = opening;
  const Instant now = world_.now();
  const Span slack = world_.lateness_max() * 2 + kRecheck;
  const format::Vitals& vitals = pool.segment().vitals();
  Books& books = world_.books();
  // Requests may fail at once because no connection can be opened, but only until the next attempt is due.
  books.may_be_unavailable =
      (unavailable_until_.is_set() && now <= unavailable_until_ + slack) || HealthChecker::is_refusing(pool);
  if (static_cast<PoolState>(read(vitals.state)) != PoolState::draining && now - drain_ordered_at_ > slack) {
    books.may_be_closed = world_.is_closing();
  }
  connect_timeout_max_ = std::max(connect_timeout_max_, policy.connect_timeout);
  const uint64_t failures = read(pool.segment().totals().connect_failures_total);
  if (failures != failures_) expected_since_ = now;
  failures_ = failures;
  if (!is_expecting_whole_ || now - ordered_at_ <= slack) return;
  const auto wanted = static_cast<int64_t>(std::min(read(vitals.target_size), read(vitals.limit_size)));
  const int64_t open =
      static_cast<int64_t>(look.full) - opening - look.of(SlotState::closing) - look.of(SlotState::revoked);
  const auto state = static_cast<PoolState>(read(vitals.state));
  const bool is_serving = state == PoolState::running || state == PoolState::degraded || state == PoolState::emergency;
  // Connections with short lifetimes may end as fast as they are opened; opening enough of them is sufficient.
  const auto made = static_cast<int64_t>(read(pool.segment().totals().connects_total) - connects_at_start_);
  if (is_serving && (open >= wanted || made > wanted)) {
    is_expecting_whole_ = false;
    return world_.trace().say("whole: %lld of %lld", static_cast<long long>(open), static_cast<long long>(wanted));
  }
  const int64_t rounds = wanted / policy.max_connecting + 2;
  // A connect that hangs, a pause, and then each round of connects; while the breaker is open, until its next probe.
  const Span pause = std::max(policy.retry_max, policy.breaker ? policy.breaker_probe_interval.scaled(1.1) : Span());
  const Span bound = pause + connect_timeout_max_ + Span::millis(20) * rounds + Span::millis(100) + slack * 8;
  if (now - expected_since_ > bound) {
    is_expecting_whole_ = false;
    world_.trace().complain("I10", "only %lld of %lld open", static_cast<long long>(open),
                            static_cast<long long>(wanted));
  }
}

// Short of memory and without waiters: idle connections above the lowest size are closed.
void Checker::check_pressure() {
  constexpr Span kShedWithin = Span::seconds(5);  // sampled each second, paused one, idle for one; heartbeats
  Pool& pool = world_.pool();
  const Policy& policy = world_.policy();
  const format::Vitals& vitals = pool.segment().vitals();
  const auto state = static_cast<PoolState>(read(vitals.state));
  const bool is_expected = world_.probe().is_short(policy.memory_limit) && world_.books().pending().empty() &&
                           state != PoolState::paused && state != PoolState::draining && !world_.is_closing() &&
                           static_cast<SizeSource>(read(vitals.size_source)) != SizeSource::manual;
  if (!is_expected) shed_expected_since_ = Instant();
  if (is_expected && !shed_expected_since_.is_set()) shed_expected_since_ = world_.now();
  if (!is_expected || world_.now() - latest(shed_expected_since_, ordered_at_) <= kShedWithin) return;
  const int64_t lowest = std::min(policy.min_size, static_cast<int64_t>(read(vitals.limit_size)));
  int64_t open = 0, idle = 0, unused = 0;
  for (uint32_t slot = 0; slot < used_; ++slot) {
    const SlotState slot_state = words_[slot].state();
    const format::Slot& s = pool.segment().slots()[slot];
    if (slot_state == SlotState::empty || slot_state == SlotState::closing || slot_state == SlotState::revoked)
      continue;
    ++open;
    if (slot_state != SlotState::idle) continue;
    ++idle;
    const Span unused_for = world_.now() - Instant::at_ns(static_cast<int64_t>(read(s.last_used_mono)));
    if (unused_for > kShedWithin && read(s.since_mono) < static_cast<uint64_t>((world_.now() - kShedWithin).ns()))
      ++unused;
  }
  if (unused > 0 && open > lowest && idle > policy.min_idle) {
    world_.trace().complain("memory", "short of it, but %lld of %lld connections are idle",
                            static_cast<long long>(unused), static_cast<long long>(open));
  }
}

// max_size=0: no connection stays without a lease.
void Checker::check_unpooled() {
  Pool& pool = world_.pool();
  const format::Vitals& vitals = pool.segment().vitals();
  const auto state = static_cast<PoolState>(read(vitals.state));
  const bool is_expected = !world_.policy().is_pooling() && state != PoolState::paused &&
                           state != PoolState::draining && !world_.is_closing();
  if (!is_expected) unpooled_since_ = Instant();
  if (is_expected && !unpooled_since_.is_set()) unpooled_since_ = world_.now();
  const Span bound = world_.lateness_max() * 2 + kRecheck;
  if (!is_expected || world_.now() - latest(unpooled_since_, ordered_at_) <= bound) return;
  for (uint32_t slot = 0; slot < used_; ++slot) {
    const format::Slot& s = pool.segment().slots()[slot];
    if (words_[slot].state() != SlotState::idle) continue;
    if (read(s.since_mono) >= static_cast<uint64_t>((world_.now() - bound).ns())) continue;
    world_.trace().complain("unpooled", "connection %llu is kept without a lease", shown(read(s.conn_id)));
  }
}

void Checker::say_state(const Look& look) {
  const format::Vitals& vitals = world_.pool().segment().vitals();
  std::string text;
  for (const SlotWord word : std::span(words_).first(used_)) text += kLetters[static_cast<size_t>(word.state())];
  text.erase(text.find_last_not_of('.') + 1);
  text += " | " + std::to_string(look.full) + " full, target " + std::to_string(read(vitals.target_size)) + ", limit " +
          std::to_string(read(vitals.limit_size)) + ", " + std::to_string(world_.books().pending().size()) +
          " wait, state " + std::to_string(read(vitals.state));
  if (text == state_text_) return;
  state_text_ = std::move(text);
  world_.trace().say("%s", state_text_.c_str());
}

void Checker::expect_whole() {
  is_expecting_whole_ = true;
  expected_since_ = world_.now();
  connects_at_start_ = read(world_.pool().segment().totals().connects_total);
}

bool Checker::is_drained() const {
  const bool is_draining = static_cast<PoolState>(read(world_.pool().segment().vitals().state)) == PoolState::draining;
  return is_draining && full_before_ == 0;
}

void Checker::check_closed() {
  check();
  if (full_before_ != 0) world_.trace().complain("close", "%u connections are left", full_before_);
  if (!world_.books().pending().empty()) world_.trace().complain("I7", "requests are left unanswered");
  if (pending_orders() != 0) world_.trace().complain("orders", "commands are left unanswered");
}

uint64_t Checker::pending_orders() const {
  Segment& segment = world_.pool().segment();
  const format::Region& region = segment.header().commands;
  const auto* records = segment.commands();
  return static_cast<uint64_t>(std::count_if(records, records + region.count, [](const format::CommandRecord& record) {
    return read(record.stamp) != 0 && record.status == static_cast<uint32_t>(CommandStatus::queued);
  }));
}

void Checker::check_orders(uint64_t posted) {
  Segment& segment = world_.pool().segment();
  const format::Region& region = segment.header().commands;
  const auto* records = segment.commands();
  uint64_t last = 0;
  for (uint32_t i = 0; i < region.count; ++i) last = std::max(last, read(records[i].stamp));
  if (last != posted) world_.trace().complain("orders", "%llu were posted, %llu answered", shown(posted), shown(last));
}

}  // namespace tide::sim
