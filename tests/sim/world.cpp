#include "world.hpp"

#include <poll.h>

#include "policy/settings.hpp"
#include "policy_draw.hpp"

namespace tide::sim {
namespace {

// Names a pool within the process; two worlds of one seed must not meet in a thread's memory of its last slot.
uint64_t next_pool_key() {
  static uint64_t last = 0;
  return ++last;
}

Policy policy_of(uint64_t seed) {
  Dice dice(seed * 7 + 1);
  return draw_policy(dice);
}

bool is_readable(int fd) {
  pollfd entry{fd, POLLIN, 0};
  return poll(&entry, 1, 0) > 0;
}

}  // namespace

World::World(uint64_t seed, bool is_shown)
    : dice_(seed * 7 + 2),
      trace_(is_shown),
      books_(trace_),
      server_(seed * 7 + 3, clock_),
      first_policy_(policy_of(seed)),
      checker_(*this),
      callers_(*this, seed * 7 + 4),
      faults_(*this, seed * 7 + 5),
      operator_(*this, seed * 7 + 6),
      seed_(seed) {
  if (dice_.chance(0.3)) lateness_max_ = dice_.span(Span::micros(10), Span::millis(3));
  server_.set_time_passes([this](Span span) { let_time_pass(span); });
  open_pool();
}

World::~World() = default;

void World::open_pool() {
  trace_.set_place(0, now());
  for (const Setting& setting : settings_catalogue()) {
    if (setting.name.starts_with("sqlite") || setting.name.starts_with("plane")) continue;
    trace_.say("%s = %s", setting.name.data(), format_value(first_policy_, setting).c_str());
  }
  PoolSpec spec;
  spec.name = "sim";
  spec.target.backend = Backend::custom;
  spec.policy = first_policy_;
  spec.sources.resize(settings_catalogue().size());
  spec.pool_key = next_pool_key();
  spec.seed = seed_;
  spec.events.mask = ~uint32_t{0};
  spec.events.call = [this](PoolEvent event, uint64_t, uint64_t, const char* text) { checker_.told(event, text); };
  auto opened = Pool::open(std::move(spec), std::make_unique<fake::FakeConnector>(server_, first_policy_), clock_);
  TIDE_ASSERT(opened.is_ok());
  pool_ = opened.take();
  keeper_due_ = now();
}

// ---- the scheduler ------------------------------------------------------------------------------------------------

bool World::step(Instant until) {
  look_for_poke();
  const Instant event_at = agenda_.next();
  const Instant next = earliest(keeper_due_, event_at);
  if (next > until || trace_.is_broken()) return false;
  if (next > now()) idle_turns_ = 0;
  clock_.move_to(latest(next, now()));  // a nested statement may have lasted longer
  trace_.set_place(++steps_, now());
  if (keeper_due_ < event_at || (keeper_due_ == event_at && dice_.chance(0.5))) {
    run_keeper();
  } else {
    agenda_.take()();
  }
  if (trace_.is_broken()) return false;
  trace_.set_place(steps_, now());
  checker_.check();
  return true;
}

void World::run_until(Instant until) {
  while (step(until)) {
  }
  if (!trace_.is_broken() && until > now()) clock_.move_to(until);
}

template <typename Condition>
void World::run_while(Condition condition, Span at_most, const char* invariant, const char* what) {
  const Instant end = now() + at_most;
  while (!trace_.is_broken() && condition()) {
    if (!step(end) && !trace_.is_broken()) trace_.complain(invariant, "%s", what);
  }
}

void World::run_keeper() {
  if (is_poke_seen_) idle_turns_ = 0;
  is_poke_seen_ = false;
  is_in_keeper_ = true;
  const Span wait = pool_->keeper().step();
  is_in_keeper_ = false;
  keeper_due_ = pool_->keeper().is_closed() ? Instant::never() : now() + wait + lateness();
  if (++idle_turns_ > 50) trace_.complain("liveness", "the keeper turns without a pause");
}

void World::look_for_poke() {
  if (is_poke_seen_ || pool_->keeper().is_closed() || !is_readable(pool_->keeper().fd())) return;
  is_poke_seen_ = true;
  keeper_due_ = earliest(keeper_due_, now() + lateness());
}

// A statement takes its time; everybody else goes on.
void World::let_time_pass(Span span) {
  const Instant end = now() + span;
  ++nesting_;
  run_until(end);
  --nesting_;
}

// ---- the life -----------------------------------------------------------------------------------------------------

void World::live(uint64_t steps) {
  const int64_t acts = dice_.between(1, 4);
  for (int64_t act = 0; act < acts && !trace_.is_broken(); ++act) {
    storm(steps * static_cast<uint64_t>(act + 1) / static_cast<uint64_t>(acts));
    calm();
  }
  if (!trace_.is_broken()) drain_and_resume();
  if (!trace_.is_broken()) close();
}

// Until so many steps are done in all.
void World::storm(uint64_t steps) {
  trace_.say("---- storm");
  callers_.begin_storm();
  if (dice_.chance(0.9)) faults_.begin();
  if (dice_.chance(0.9)) operator_.begin();
  while (steps_ < steps && step(Instant::never())) {
  }
}

// Nothing goes wrong any more: the pool must get over what did, and serve whoever comes.
void World::calm() {
  trace_.say("---- calm");
  faults_.end();
  operator_.end();
  callers_.begin_calm();
  become_whole();
  callers_.expect_success(true);
  run_until(now() + dice_.span(Span::millis(100), Span::millis(800)));
  run_while([this] { return checker_.pending_orders() != 0; }, Span::seconds(30), "orders", "an order is never answered");
  callers_.expect_success(false);
  run_while([this] { return books_.has_promises(); }, Span::seconds(30), "I4", "a caller is not served though all is well");
  if (!trace_.is_broken()) checker_.check_orders(operator_.posted());
}

// I10. Every failed connect starts the time anew: scripted faults may still be on their way.
void World::become_whole() {
  checker_.expect_whole();
  run_while([this] { return checker_.is_expecting_whole(); }, Span::seconds(600), "I10", "never whole again");
}

void World::drain_and_resume() {
  trace_.say("---- drain");
  operator_.order("drain", "{}");
  run_while([this] { return !checker_.is_drained(); }, Span::seconds(60), "drain", "the pool does not become empty");
  callers_.ask(Span::millis(10));
  operator_.order("resume", "{}");
  become_whole();
}

void World::close() {
  trace_.say("---- close");
  callers_.begin_storm();
  if (dice_.chance(0.3)) faults_.begin();
  run_until(now() + dice_.span(Span(), Span::millis(100)));
  if (trace_.is_broken()) return;
  books_.may_be_closed = is_closing_ = true;
  pool_->keeper().begin_close(now() + dice_.span(Span(), Span::millis(60)));
  run_while([this] { return !pool_->keeper().is_closed(); }, Span::seconds(10), "close", "it does not end");
  if (trace_.is_broken()) return;
  checker_.check_closed();
  callers_.give_up();
  callers_.ask(Span::millis(10));
  pool_.reset();
  if (server_.sessions_now() != 0) trace_.complain("close", "%u sessions are left on the server", server_.sessions_now());
}

}  // namespace tide::sim
