#include "storms.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>

#include "os/clock.hpp"
#include "policy/settings.hpp"
#include "pool/keeper.hpp"
#include "segment/rings.hpp"
#include "stage.hpp"

namespace tide::sim {
namespace {

enum class Weather : uint8_t { errors, down, flapping, refusing, password, silent, crowded };
constexpr size_t kWeathers = 7;
constexpr const char* kNames[kWeathers] = {"errors", "down", "flapping", "refusing", "password", "silent", "crowded"};

struct Tally {
  uint64_t storms = 0;
  uint64_t emergencies = 0;
  uint64_t trips = 0;
  uint64_t steps = 0;
  double slowest_s = 0;  // time until recovery
};

constexpr double kRate = 12;  // requests per second, enough for statistics in every second
constexpr double kLightRate = 2;

Policy draw_policy_of_storm(Dice& dice) {
  constexpr Span kIntervals[] = {Span(), Span::seconds(1), Span::seconds(5), Span::seconds(30)};
  constexpr const char* kRecoveries[] = {"", "restart_connections,scale_pool", "restart_connections",
                                         "reset_metrics,scale_pool"};
  Policy policy;
  policy.max_size = dice.between(1, 20);
  policy.min_size = dice.between(0, std::min<int64_t>(3, policy.max_size));
  policy.burst = dice.chance(0.5);
  policy.acquire_timeout = dice.chance(0.5) ? Span::seconds(1) : Span::seconds(10);
  policy.connect_timeout = dice.span(Span::millis(100), Span::seconds(2));
  policy.retry_max = dice.span(Span::millis(500), Span::seconds(5));
  policy.breaker = dice.chance(0.9);
  policy.breaker_trip_after = dice.span(Span(), Span::seconds(4));
  policy.breaker_probe_interval = dice.span(Span::millis(50), Span::seconds(2));
  policy.health_interval = dice.one_of(kIntervals);
  policy.emergency = dice.chance(0.9);
  policy.emergency_below = dice.between(0, 80);
  policy.emergency_max_size = dice.between(1, 6);
  policy.recovery = dice.one_of(kRecoveries);
  policy.sizing = dice.chance(0.7) ? Sizing::adaptive : Sizing::threshold;
  TIDE_ASSERT(check_policy(policy).is_ok());
  return policy;
}

class Storm {
 public:
  Storm(uint64_t seed, bool is_shown)
      : stage_(seed, is_shown),
        weather_(static_cast<Weather>(stage_.dice().index(kWeathers))),
        player_(stage_.add(draw_policy_of_storm(stage_.dice()))) {}

  // False: something went wrong.
  bool live(Tally& tally);
  Trace& trace() { return stage_.trace(); }

 private:
  void break_out(Span lasts);
  void flap(Instant until);
  void clear_up();
  void check_entered(Span lasts);

  Stage stage_;
  const Weather weather_;
  double failing_share_ = 0;
  Player& player_;
};

void Storm::flap(Instant until) {
  if (stage_.now() >= until) return;
  stage_.server().go_down();
  stage_.poke_all();
  stage_.after(stage_.dice().about(Span::millis(200)), [this, until] {
    stage_.server().come_up();
    stage_.after(stage_.dice().about(Span::millis(200)), [this, until] { flap(until); });
  });
}

void Storm::break_out(Span lasts) {
  fake::FakeServer& server = stage_.server();
  switch (weather_) {
    case Weather::errors:
      failing_share_ = 0.6 + 0.4 * stage_.dice().unit();
      return stage_.fail_statements(failing_share_);
    case Weather::down: return server.go_down();
    case Weather::flapping: return flap(stage_.now() + lasts);
    case Weather::refusing: server.set_refusing(true); break;
    case Weather::password: server.set_refusing(true, "28P01"); break;
    case Weather::silent: return server.set_silent(true);
    case Weather::crowded:
      server.set_sessions_max(100);
      server.set_foreign_sessions(stage_.dice().chance(0.5) ? 100 : 98);
  }
  if (stage_.dice().chance(0.8)) server.kill_all();
}

void Storm::clear_up() {
  fake::FakeServer& server = stage_.server();
  server.come_up();
  server.set_refusing(false);
  server.set_silent(false);
  if (weather_ == Weather::silent) server.kill_all();  // on its next use a client notices that the session is gone
  server.set_sessions_max(0);
  server.set_foreign_sessions(0);
  stage_.fail_statements(0);
}

// What must be detected during the storm.
void Storm::check_entered(Span lasts) {
  const Policy& policy = player_.pool().keeper().policy();
  const HealthChecker& health_monitor = player_.health_monitor();
  // With less than that, a second may have more successful statements than failed ones, by chance.
  const bool is_bad = weather_ == Weather::errors && failing_share_ >= 0.8 && lasts >= Span::seconds(8);
  if (is_bad && policy.emergency && health_monitor.emergencies() == 0) {
    trace().complain("emergency", "more than half of the statements failed for %.1f s, but no emergency began",
                     lasts.seconds_exact());
  }
  // A request makes a lazy pool connect; the first failure may take connect_timeout, and so may the detection of a
  // loss.
  const bool is_gone = weather_ == Weather::down || weather_ == Weather::password;
  const bool had_sessions = weather_ == Weather::down;
  const Span noticed = policy.breaker_trip_after + policy.connect_timeout + Span::seconds(2);
  if (is_gone && had_sessions && policy.breaker && lasts > noticed && health_monitor.trips() == 0) {
    trace().complain("breaker", "the server was down for %.1f s, but it never opened", lasts.seconds_exact());
  }
}

bool Storm::live(Tally& tally) {
  player_.set_load(kRate, Span::millis(10));
  stage_.run_for(Span::seconds(3));
  const Span lasts = stage_.dice().span(Span::seconds(2), Span::seconds(15));
  trace().say("%s for %.1f s", kNames[static_cast<size_t>(weather_)], lasts.seconds_exact());
  break_out(lasts);
  stage_.poke_all();
  stage_.run_for(lasts);
  check_entered(lasts);
  clear_up();
  trace().say("over: %s", HealthChecker::ills(player_.pool()).c_str());
  player_.health_monitor().expect_ends(stage_.now());
  player_.set_load(kLightRate, Span::millis(10));
  const Instant since = stage_.now();
  stage_.run_for(player_.pool().keeper().policy().connect_timeout);  // opens that began before may still fail
  const uint64_t served = player_.served();
  const bool is_well = stage_.run_while(
      [&] { return !player_.health_monitor().is_well() || player_.served() == served; }, Span::seconds(60));
  if (!is_well && !trace().is_broken()) {
    trace().complain("health", "not healthy a minute after the storm: %s", HealthChecker::ills(player_.pool()).c_str());
  }
  tally.slowest_s = std::max(tally.slowest_s, (stage_.now() - since).seconds_exact());
  // A healthy pool serves all new requests.
  stage_.run_while([this] { return player_.has_waiters(); }, Span::seconds(10));
  const uint64_t refused = player_.refused();
  stage_.run_for(Span::seconds(5));
  if (player_.refused() != refused) trace().complain("I10", "a request is refused without faults");
  stage_.close_all();
  ++tally.storms;
  tally.emergencies += player_.health_monitor().emergencies();
  tally.trips += player_.health_monitor().trips();
  tally.steps += stage_.steps();
  return !trace().is_broken();
}

}  // namespace

int run_storms(uint64_t first, uint64_t count, bool is_shown) {
  const Clock& clock = SystemClock::instance();
  const Instant start = clock.now();
  Tally tally;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    auto* const storm = new Storm(seed, is_shown);
    if (!storm->live(tally)) {
      storm->trace().report();
      std::fprintf(stderr, "replay: sim --storms 1 --first %llu --trace\n", static_cast<unsigned long long>(seed));
      std::_Exit(1);  // a pool in the middle of its life cannot be destroyed cleanly
    }
    delete storm;
  }
  std::printf(
      "%llu storms, %llu steps: %llu emergencies, %llu times the breaker opened, healthy after %.1f s at most; %.1f "
      "s\n",
      static_cast<unsigned long long>(tally.storms), static_cast<unsigned long long>(tally.steps),
      static_cast<unsigned long long>(tally.emergencies), static_cast<unsigned long long>(tally.trips), tally.slowest_s,
      (clock.now() - start).seconds_exact());
  return 0;
}

}  // namespace tide::sim
