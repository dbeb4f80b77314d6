#include "callers.hpp"

#include "pool/presence.hpp"
#include "world.hpp"

namespace tide::sim {
namespace {

constexpr size_t kPendingMax = 80;  // keeps a step cheap; the queue's own bound is an option

}  // namespace

void Callers::begin_storm() {
  is_calm_ = is_quiet_ = false;
  change_mood(++age_);
  come(age_);
}

void Callers::begin_calm() {
  is_calm_ = true;
  mood_ = {Span::millis(8), Span::micros(500), 0.5, 0};
  come(++age_);
  remember(false);
}

void Callers::begin_quiet() {
  is_calm_ = is_quiet_ = true;
  mood_ = {Span::millis(150), Span::millis(1), 1, 0};
  come(++age_);
  remember(true);
}

// A lease that its holder forgot is released now, unless the pool is to revoke it.
void Callers::remember(bool all) {
  const Policy& policy = world_.policy();
  const bool is_reclaimed =
      policy.lease_timeout_action == LeaseTimeoutAction::reclaim && !policy.lease_timeout.is_zero();
  for (const auto& [bits, lease] : world_.books().leases()) {
    if (!all && is_reclaimed && !lease.is_revoked && dice_.chance(0.5)) continue;
    world_.after(dice_.span(Span(), Span::millis(50)), [this, id = lease.id] {
      if (world_.books().find(id) != nullptr && !busy_.contains(id.bits)) let_go(id);
    });
  }
}

void Callers::change_mood(uint64_t age) {
  if (age != age_) return;
  constexpr int64_t kGapsUs[] = {100, 300, 1000, 1000, 5000, 30000};
  constexpr int64_t kHoldsUs[] = {20, 300, 1000, 3000, 10000};
  mood_.gap = Span::micros(dice_.one_of(kGapsUs));
  mood_.hold = Span::micros(dice_.one_of(kHoldsUs));
  mood_.queries = 0.5 * static_cast<double>(dice_.between(0, 4));
  mood_.sloppiness = dice_.chance(0.3) ? 0.2 : 0.02;
  if (dice_.chance(0.1)) take_herd();
  if (dice_.chance(0.05)) mood_.gap = Span::seconds(2);  // no requests for a while
  world_.after(dice_.about(Span::millis(100)), [this, age] { change_mood(age); });
}

void Callers::take_herd() {
  for (int64_t n = dice_.between(5, 40); n > 0; --n) ask(some_timeout());
}

void Callers::come(uint64_t age) {
  if (age != age_) return;
  ask(is_calm_ ? Span::seconds(20) : some_timeout());
  world_.after(dice_.about(mood_.gap), [this, age] { come(age); });
}

Span Callers::some_timeout() {
  const double which = dice_.chance(0.5) ? 1 : 0;
  if (which > 0) return Span::nanos(-1);  // acquire_timeout
  return dice_.chance(0.2) ? Span() : dice_.about(Span::millis(20));
}

void Callers::ask(Span timeout) {
  Books& books = world_.books();
  if (books.pending().size() >= kPendingMax) return;
  AcquireRequest request;
  request.tag = is_calm_ ? "calm" : "storm";
  request.mode = dice_.chance(0.3) ? LeaseMode::read : LeaseMode::read_write;
  request.timeout = timeout;
  const Span limit = timeout.ns() < 0 ? world_.policy().acquire_timeout : timeout;
  if (dice_.chance(0.1)) request.priority = Priority::critical;
  const uint64_t number = books.ask(world_.now(), limit, request.mode, request.priority, must_succeed_);
  if (!must_succeed_ && dice_.chance(0.1)) request.cancel = cancel_later(number);
  const bool is_refusing = world_.is_refusing();
  const format::Cell& waiting = world_.pool().segment().queue().waiting;
  const uint64_t waiting_before = read(waiting);
  const Code code = world_.pool().acquire_async(
      request, [this, number](Code answer, LeaseId lease, const Status&) { answered(number, answer, lease); });
  if (code == Code::ok) {
    if (read(waiting) == waiting_before) return;  // served: the answer has come, or comes when this callback returns
    books.queued(number);
    if (is_refusing && books.pending().contains(number)) {
      world_.trace().complain("breaker", "it is open, but request %llu may wait",
                              static_cast<unsigned long long>(number));
    }
  } else {
    books.refused(number, code, world_.now());
  }
}

// A token that is tripped before or after the request is served.
CancelToken* Callers::cancel_later(uint64_t number) {
  auto token = std::shared_ptr<CancelToken>(CancelToken::make(), [](CancelToken* own) { own->free(); });
  world_.after(dice_.about(Span::millis(3)), [this, number, token] {
    world_.books().cancel(number);
    token->trip();
    if (world_.books().pending().contains(number)) {
      world_.trace().complain("I7", "request %llu still waits after its cancel",
                              static_cast<unsigned long long>(number));
    }
  });
  return token.get();
}

void Callers::answered(uint64_t number, Code code, LeaseId lease) {
  world_.books().answered(number, code, lease, world_.now(), world_.policy().fairness_window);
  if (code == Code::ok) return hold(lease);
  if (!is_calm_ && dice_.chance(0.1)) ask(some_timeout());  // retries at once
}

void Callers::hold(LeaseId lease) {
  if (dice_.chance(0.03)) return let_go(lease);  // within the callback
  if (!is_calm_ && dice_.chance(0.02)) ask(some_timeout());
  const int64_t acts = dice_.between(0, static_cast<int64_t>(2 * mood_.queries + 0.5));
  const Span first = dice_.about(mood_.hold / (acts + 1)).scaled(world_.incidents().slowness(world_.books().live()));
  world_.after(first, [this, lease, acts] { act(lease, acts); });
}

void Callers::act(LeaseId lease, int64_t left) {
  const Lease* known = world_.books().find(lease);
  if (known == nullptr) return;  // was released during a calm
  if (left > 0 && !world_.may_nest()) {
    return world_.after(Span::micros(100), [this, lease, left] { act(lease, left); });
  }
  if (left > 0) {
    query(lease);
    const Span next = dice_.about(mood_.hold / left);
    return world_.after(next, [this, lease, left] { act(lease, left - 1); });
  }
  if (world_.incidents().is_leaky() && dice_.chance(0.1)) return;
  if (!dice_.chance(mood_.sloppiness)) return let_go(lease);
  if (dice_.chance(0.3)) return;  // forgotten
  if (dice_.chance(0.5)) {        // much too late
    return world_.after(dice_.about(Span::millis(100)), [this, lease] {
      if (world_.books().find(lease) != nullptr) let_go(lease);
    });
  }
  let_go(lease);
  let_go(lease);  // twice
}

void Callers::query(LeaseId lease) {
  constexpr const char* kWords[] = {"one",   "one",    "one",      "echo",       "change 3", "set",
                                    "begin", "commit", "rollback", "fail 40001", "nonsense", "wait"};
  QueryRequest request;
  request.sql = dice_.one_of(kWords);
  if (is_quiet_ || (is_calm_ && request.sql == "wait")) request.sql = "one";
  if (request.sql == "wait") request.deadline = world_.now() + dice_.about(Span::millis(10));
  const Visit visit(Presence::key_of_slot(world_.pool().key(), lease.slot()));
  busy_.insert(lease.bits);
  Lease* known = world_.books().find(lease);
  const bool is_live = !known->is_revoked;
  if (dice_.chance(0.1)) {
    const bool has_native = world_.pool().native(lease) != nullptr;
    if (has_native != is_live)
      world_.trace().complain("I3", "native() of a lease that is %s", is_live ? "running" : "over");
    known->is_native_out = known->is_native_out || has_native;
  }
  ResultTable result;
  const Status status = world_.pool().query(lease, request, result);
  busy_.erase(lease.bits);
  world_.trace().say("slot %u lease %llu query %s: %s", lease.slot(),
                     static_cast<unsigned long long>(lease.generation()), request.sql.data(), code_name(status.code));
  if (is_live) {
    ++world_.books().totals.queries;
    world_.books().totals.query_errors += status.is_ok() ? 0 : 1;
  } else if (status.code != Code::stale_lease) {
    world_.trace().complain("I3", "a query on a lease that is over says %s", code_name(status.code));
  }
}

void Callers::let_go(LeaseId lease) {
  const Code code = world_.pool().release(lease);
  world_.books().let_go(lease, code, world_.now());
}

void Callers::give_up() {
  ++age_;
  std::vector<LeaseId> left;
  for (const auto& [bits, lease] : world_.books().leases()) left.push_back(lease.id);
  for (const LeaseId lease : left) let_go(lease);
}

}  // namespace tide::sim
