#include "world.hpp"

#include <poll.h>

#include <algorithm>

#include "policy/settings.hpp"
#include "policy_draw.hpp"
#include "segment/rings.hpp"

namespace tide::sim {
namespace {

// Names a pool within the process; two worlds of one seed must not share a thread's record of its last slot.
uint64_t next_pool_key() {
  static uint64_t last = 0;
  return ++last;
}

Policy policy_of(uint64_t seed) {
  Dice dice(seed * 7 + 1);
  return draw_policy(dice);
}

constexpr double kConvalescenceChance = 0.5;
constexpr uint64_t kQuietTurnsMax = 400;
// Keeps a minute of virtual time cheap.
constexpr const char* kQuiet[][2] = {{"validation_interval", "5s"}, {"idle_timeout", "10min"},
                                     {"max_lifetime", "0"},         {"max_uses", "0"},
                                     {"scaling_interval", "1s"},    {"query_timeout", "1s"}};

bool is_readable(int fd) {
  pollfd entry{fd, POLLIN, 0};
  return poll(&entry, 1, 0) > 0;
}

}  // namespace

World::World(const WorldSpec& spec)
    : spec_(spec),
      dice_(spec.seed * 7 + 2),
      trace_(spec.is_shown),
      books_(trace_),
      server_(spec.seed * 7 + 3, clock_),
      first_policy_(policy_of(spec.seed)),
      checker_(*this),
      health_monitor_(trace_),
      records_(trace_),
      callers_(*this, spec.seed * 7 + 4),
      faults_(*this, spec.seed * 7 + 5),
      incidents_(*this, spec.seed * 7 + 8),
      operator_(*this, spec.seed * 7 + 6) {
  if (dice_.chance(0.3)) lateness_max_ = dice_.span(Span::micros(10), Span::millis(3));
  server_.set_time_passes([this](Span span) { let_time_pass(span); });
  server_.set_handler([this](const QueryRequest&, ResultTable&) { return incidents_.answer(); });
  open_pool();
}

World::~World() = default;

void World::open_pool() {
  trace_.set_place(0, now());
  for (const Setting& setting : settings_catalogue()) {
    if (setting.name.starts_with("sqlite") || setting.name.starts_with("publish")) continue;
    trace_.say("%s = %s", setting.name.data(), format_value(first_policy_, setting).c_str());
  }
  PoolSpec spec;
  spec.name = "sim";
  spec.target.backend = Backend::custom;
  spec.policy = first_policy_;
  spec.sources.resize(settings_catalogue().size());
  spec.pool_key = next_pool_key();
  spec.seed = spec_.seed;
  spec.probe = probe_;
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
  if (!is_closing_) {
    health_monitor_.turned(*pool_, now(), lateness_max_);
    records_.turned(*pool_);
  }
  keeper_due_ = pool_->keeper().is_closed() ? Instant::never() : now() + wait + lateness();
  if (++idle_turns_ > 50) trace_.complain("liveness", "the keeper turns without a pause");
}

void World::look_for_poke() {
  if (is_poke_seen_ || pool_->keeper().is_closed() || !is_readable(pool_->keeper().fd())) return;
  is_poke_seen_ = true;
  keeper_due_ = earliest(keeper_due_, now() + lateness());
}

// A statement takes its time; everything else continues.
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
  if (!trace_.is_broken() && dice_.chance(kConvalescenceChance)) convalesce();
  if (!trace_.is_broken()) drain_and_resume();
  if (!trace_.is_broken()) close();
}

// Until this many steps have been done in total.
void World::storm(uint64_t steps) {
  trace_.say("---- storm");
  callers_.begin_storm();
  if (dice_.chance(0.9)) faults_.begin();
  if (dice_.chance(0.7)) incidents_.begin();
  if (dice_.chance(0.9)) operator_.begin();
  while (steps_ < steps && step(Instant::never())) {
  }
}

// No more faults: the pool must recover, and serve every request.
void World::calm() {
  trace_.say("---- calm");
  faults_.end();
  incidents_.end();
  operator_.end();
  callers_.begin_calm();
  become_whole();
  callers_.expect_success(true);
  run_until(now() + dice_.span(Span::millis(100), Span::millis(800)));
  run_while([this] { return checker_.pending_orders() != 0; }, Span::seconds(30), "orders",
            "a command is never answered");
  callers_.expect_success(false);
  run_while([this] { return books_.has_promises(); }, Span::seconds(30), "I4", "a caller is not served without faults");
  if (!trace_.is_broken()) checker_.check_orders(operator_.posted());
}

// I10. Every failed connect restarts the time: scripted faults may still be pending.
void World::become_whole() {
  checker_.expect_whole();
  run_while([this] { return checker_.is_expecting_whole(); }, Span::seconds(600), "I10",
            "the pool never reached its size again");
}

// With a light load and no faults the pool becomes healthy, reports it, and stops changing.
void World::convalesce() {
  trace_.say("---- convalescence");
  operator_.reset_settings(first_policy_);
  for (const char* const* wish : kQuiet) {
    operator_.order("set", std::string(R"({"option":")") + wish[0] + R"(","value":")" + wish[1] + "\"}");
  }
  if (!first_policy_.health_interval.is_zero()) operator_.order("set", R"({"option":"health_interval","value":"1s"})");
  callers_.begin_quiet();
  const Instant since = now();
  health_monitor_.expect_ends(since);
  run_until(now() + Span::seconds(1));
  run_while([this] { return !health_monitor_.is_well(); }, Span::seconds(60), "health",
            "not healthy within a minute of light load");
  if (trace_.is_broken()) return trace_.say("%s", HealthChecker::ills(*pool_).c_str());
  // If checks are switched off, their last results expire after a minute, and the alert a minute later.
  const Instant end = since + Span::seconds(policy().health_interval.is_zero() ? 160 : 130);
  while (!trace_.is_broken() && !lasting_alert().empty()) {
    if (!step(end) && !trace_.is_broken()) {
      trace_.complain("alerts", "%s is not resolved within two minutes of light load", lasting_alert().c_str());
    }
  }
  const uint64_t turns = health_monitor_.turns();
  const uint64_t steps = steps_;
  run_until(now() + Span::seconds(2));
  if (health_monitor_.turns() - turns > kQuietTurnsMax) {
    trace_.complain("rest", "%llu turns of the keeper in two seconds of %llu steps",
                    static_cast<unsigned long long>(health_monitor_.turns() - turns),
                    static_cast<unsigned long long>(steps_ - steps));
  }
  if (kinds().has(Kind::memory)) {
    probe_->set(0.95 * FakeProbe::kUsualLimit, FakeProbe::kUsualLimit, 0);
    run_until(now() + Span::seconds(8));
    probe_->be_usual();
  }
  health_monitor_.expect_ends(Instant());
}

// A built-in rule that fires without a reason; "" if none does.
std::string World::lasting_alert() {
  const Policy& policy = this->policy();
  const auto limit = static_cast<double>(read(pool_->segment().vitals().limit_size));
  const format::AlertRulesBlock& rules = pool_->segment().alert_rules();
  for (const std::string& rule : records_.firing()) {
    const auto is_it = [&](const format::AlertRuleRecord& record) {
      return record.rule.view() == rule && record.is_built_in != 0;
    };
    if (std::none_of(rules.record, rules.record + rules.count, is_it)) continue;
    if (rule == "errors_per_hour") continue;  // an hour is longer than this wait
    if (rule == "connection_exhaustion" && policy.alert_utilization * limit < 2) continue;  // one lease is enough
    if (rule == "wait_time" && policy.alert_wait < Span::millis(100)) continue;      // a connect takes about that long
    if (rule == "frequent_scaling" && policy.sizing == Sizing::threshold) continue;  // its spans are that short
    return rule;
  }
  return "";
}

bool World::is_refusing() {
  const auto state = static_cast<PoolState>(read(pool_->segment().vitals().state));
  return !is_in_keeper_ && state != PoolState::closed && HealthChecker::is_refusing(*pool_);
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
  if (server_.sessions_now() != 0)
    trace_.complain("close", "%u sessions are left on the server", server_.sessions_now());
}

}  // namespace tide::sim
