#include "fleet.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "os/clock.hpp"
#include "policy/settings.hpp"
#include "stage.hpp"

namespace tide::sim {
namespace {

constexpr uint32_t kForeign = 10;    // sessions of other clients
constexpr double kSessionsEach = 5;  // the server's room per pool
// The first pools after an outage open more than they need for long: the last ones must wait until they release them.
constexpr Span kServedWithin = Span::seconds(60);
// Pools that opened more in a rush close them after scale_down_cooldown (5 min); until then the server is nearly full.
constexpr Span kWellWithin = Span::seconds(400);
// A pool that has opened many keeps them for a while.
constexpr Span kCrowdWithin = Span::seconds(300);
constexpr Span kHold = Span::millis(100);

Policy draw_policy_of_fleet(Dice& dice) {
  Policy policy;
  policy.min_size = 1;
  policy.max_size = dice.between(3, 10);
  policy.acquire_timeout = Span::seconds(5);
  policy.connect_timeout = Span::seconds(1);
  policy.retry_max = dice.span(Span::millis(500), Span::seconds(3));
  policy.breaker_trip_after = dice.span(Span::millis(200), Span::seconds(3));
  policy.breaker_probe_interval = dice.span(Span::millis(200), Span::seconds(1));
  policy.health_interval = dice.span(Span::seconds(1), Span::seconds(10));
  policy.max_lifetime = dice.span(Span::seconds(20), Span::seconds(60));
  policy.validation_interval = Span::seconds(5);
  policy.validation_timeout = Span::millis(500);
  policy.scale_down_cooldown = Span::seconds(10);
  policy.sizing = dice.chance(0.7) ? Sizing::adaptive : Sizing::threshold;
  TIDE_ASSERT(check_policy(policy).is_ok());
  return policy;
}

class Fleet {
 public:
  Fleet(uint64_t seed, uint64_t pools, bool is_shown)
      : stage_(seed, is_shown),
        sessions_max_(kForeign + static_cast<uint32_t>(kSessionsEach * static_cast<double>(pools))) {
    stage_.server().set_sessions_max(sessions_max_);
    stage_.server().set_foreign_sessions(kForeign);
    for (uint64_t n = 0; n < pools; ++n) stage_.add(draw_policy_of_fleet(stage_.dice()));
  }

  bool live();
  Stage& stage() { return stage_; }

 private:
  void load(double erlangs);
  void outage(const char* what, Span lasts);
  void expect_served(const char* after);
  void check_sessions();

  Stage stage_;
  const uint32_t sessions_max_;
};

// Each pool has its own share of it.
void Fleet::load(double erlangs) {
  for (const auto& player : stage_.players()) {
    player->set_load(erlangs * (0.2 + 1.6 * stage_.dice().unit()) / kHold.seconds_exact(), kHold);
  }
}

void Fleet::check_sessions() {
  if (stage_.server().sessions_peak() + kForeign > sessions_max_) {
    stage_.trace().complain("sessions", "the server had %u, the limit is %u",
                            stage_.server().sessions_peak() + kForeign, sessions_max_);
  }
}

// No more faults: within a while all requests are served, and the pools are healthy.
void Fleet::expect_served(const char* after) {
  auto& players = stage_.players();
  const Instant since = stage_.now();
  std::vector<uint64_t> served;
  for (const auto& player : players) served.push_back(player->served());
  const auto is_waiting = [&] {
    for (size_t i = 0; i < players.size(); ++i) {
      if (players[i]->served() == served[i]) return true;
    }
    return false;
  };
  if (!stage_.run_while(is_waiting, kServedWithin) && !stage_.trace().is_broken()) {
    stage_.trace().complain("I10", "a request is not served after %s", after);
  }
  const auto is_ill = [](const auto& player) { return !player->health_monitor().is_well(); };
  if (!stage_.run_while([&] { return std::any_of(players.begin(), players.end(), is_ill); }, kWellWithin) &&
      !stage_.trace().is_broken()) {
    const auto ill = std::find_if(players.begin(), players.end(), is_ill);
    stage_.trace().complain("health", "not healthy after %s: %s", after, HealthChecker::ills((*ill)->pool()).c_str());
  }
  stage_.trace().say("all served and healthy %.1f s after %s", (stage_.now() - since).seconds_exact(), after);
  check_sessions();
}

void Fleet::outage(const char* what, Span lasts) {
  stage_.trace().say("%s", what);
  stage_.server().go_down();
  stage_.poke_all();
  stage_.run_for(lasts);
  stage_.server().come_up();
  expect_served(what);
}

bool Fleet::live() {
  load(0.6);
  stage_.run_for(Span::seconds(15));
  stage_.trace().say("all pools want more than there is room for");
  load(4);
  stage_.run_for(Span::seconds(15));
  load(0.6);
  stage_.run_for(Span::seconds(5));
  const Instant since = stage_.now();
  auto& players = stage_.players();
  const auto is_ill = [](const auto& player) { return !player->health_monitor().is_well(); };
  stage_.run_while([&] { return std::any_of(players.begin(), players.end(), is_ill); }, kCrowdWithin);
  if (!stage_.trace().is_broken() && std::any_of(players.begin(), players.end(), is_ill)) {
    stage_.trace().complain("health", "the crowd is gone, but not all are healthy");
  }
  stage_.trace().say("healthy after %.0f s", (stage_.now() - since).seconds_exact());
  outage("an outage", Span::seconds(20));
  outage("a short outage", Span::seconds(1));
  stage_.trace().say("half of the sessions are cut off");
  (void)stage_.server().kill_some(0.5);
  stage_.poke_all();
  expect_served("the loss of half of the sessions");
  stage_.close_all();
  if (!stage_.trace().is_broken() && stage_.server().sessions_now() != 0) {
    stage_.trace().complain("close", "%u sessions are left on the server", stage_.server().sessions_now());
  }
  return !stage_.trace().is_broken();
}

}  // namespace

int run_fleet(uint64_t seed, uint64_t pools, bool is_shown) {
  const Clock& clock = SystemClock::instance();
  const Instant start = clock.now();
  auto* const fleet = new Fleet(seed, pools, is_shown);
  if (!fleet->live()) {
    fleet->stage().trace().report();
    std::fprintf(stderr, "replay: sim --pools %llu --first %llu --trace\n", static_cast<unsigned long long>(pools),
                 static_cast<unsigned long long>(seed));
    std::_Exit(1);  // pools in the middle of their lives cannot be destroyed cleanly
  }
  uint64_t served = 0, refused = 0, trips = 0;
  for (const auto& player : fleet->stage().players()) {
    served += player->served();
    refused += player->refused();
    trips += player->health_monitor().trips();
  }
  std::printf(
      "%llu pools, %llu steps, %.0f s of virtual time: %llu leases, %llu refusals, %llu times a breaker opened, "
      "at most %u sessions of %u; %.1f s\n",
      static_cast<unsigned long long>(pools), static_cast<unsigned long long>(fleet->stage().steps()),
      (fleet->stage().now() - Instant()).seconds_exact(), static_cast<unsigned long long>(served),
      static_cast<unsigned long long>(refused), static_cast<unsigned long long>(trips),
      fleet->stage().server().sessions_peak() + kForeign,
      kForeign + static_cast<uint32_t>(kSessionsEach * static_cast<double>(pools)),
      (clock.now() - start).seconds_exact());
  delete fleet;
  return 0;
}

}  // namespace tide::sim
