#include "faults.hpp"

#include "world.hpp"

namespace tide::sim {
namespace {

fake::Latencies usual_latencies() {
  fake::Latencies latencies;
  latencies.query = {Span(), Span::micros(150)};
  return latencies;
}

}  // namespace

void Faults::begin() {
  world_.server().set_latencies(usual_latencies());
  gap_ = dice_.span(Span::millis(20), Span::millis(400));
  const uint64_t age = ++age_;
  world_.after(dice_.about(gap_), [this, age] { strike(age); });
}

void Faults::end() {
  ++age_;
  fake::FakeServer& server = world_.server();
  come_up();
  server.set_refusing(false);
  server.set_silent(false);
  server.forget_script();
  server.set_sessions_max(0);
  server.set_foreign_sessions(0);
  server.hold_closes_until(Instant());
  server.set_latencies(usual_latencies());
  world_.probe().be_usual();
  world_.trace().say("the server is available");
  world_.poke();
}

template <typename Cure>
void Faults::until(Dice& dice, Span most, Cure cure) {
  const Span usual = dice.span(Span::millis(1), most);
  // Sometimes long enough to affect checks that look back for several seconds.
  world_.after(dice.chance(0.1) ? usual * 10 : usual, [this, age = age_, cure] {
    if (age == age_) cure(world_.server());
  });
}

void Faults::strike(uint64_t age) {
  if (age != age_) return;
  constexpr Kind kKindsOfFaults[] = {Kind::down,     Kind::flapping, Kind::slow,       Kind::silent,
                                     Kind::refusing, Kind::crowded,  Kind::password,   Kind::foreign,
                                     Kind::partial,  Kind::kills,    Kind::kills,      Kind::hangs,
                                     Kind::hangs,    Kind::closes,   Kind::clock_jump, Kind::memory};
  const Kind kind = dice_.one_of(kKindsOfFaults);
  Dice dice(dice_.seed());
  if (world_.kinds().has(kind)) strike_with(kind, dice);
  world_.poke();  // sockets that hang up wake their watchers
  world_.after(dice_.about(gap_), [this, age] { strike(age); });
}

void Faults::strike_with(Kind kind, Dice& dice) {
  world_.trace().say("fault: %s", kind_name(kind).data());
  fake::FakeServer& server = world_.server();
  switch (kind) {
    case Kind::down: go_down(); return until(dice, Span::millis(400), [this](fake::FakeServer&) { come_up(); });
    case Kind::flapping: return flap(world_.now() + dice.span(Span::millis(200), Span::seconds(3)), age_);
    case Kind::slow: return slow_down(dice);
    case Kind::silent:
      server.set_silent(true);
      return until(dice, Span::millis(300), [](fake::FakeServer& s) { s.set_silent(false); });
    case Kind::refusing: return refuse(dice);
    case Kind::password:
      server.set_refusing(true, "28P01");
      return until(dice, Span::millis(300), [](fake::FakeServer& s) { s.set_refusing(false); });
    case Kind::crowded:
    case Kind::foreign: return crowd(dice);
    case Kind::partial: return freeze_some(dice);
    case Kind::kills: return kill(dice);
    case Kind::hangs: return spoil_opens(dice);
    case Kind::closes: return server.hold_closes_until(world_.now() + dice.span(Span::millis(1), Span::millis(300)));
    case Kind::clock_jump: return jump(dice);
    case Kind::memory: return press_memory(dice);
    default: return;
  }
}

void Faults::go_down() {
  is_down_ = true;
  world_.server().go_down();
}

void Faults::come_up() {
  is_down_ = false;
  world_.server().come_up();
}

void Faults::flap(Instant until, uint64_t age) {
  if (age != age_) return;
  const bool is_over = world_.now() >= until;
  if (is_down_ || is_over) {
    come_up();
  } else {
    go_down();
  }
  world_.poke();
  if (is_over) return;
  world_.after(Span::millis(50) + dice_.about(Span::millis(150)), [this, until, age] { flap(until, age); });
}

void Faults::slow_down(Dice& dice) {
  fake::Latencies slow = usual_latencies();
  slow.open.least = world_.policy().connect_timeout.scaled(dice.chance(0.5) ? 0.5 : 1.2);
  slow.validate.mean_more = world_.policy().validation_timeout.scaled(0.5);
  slow.reset.mean_more = slow.validate.mean_more;
  slow.query.mean_more = Span::millis(3);
  world_.server().set_latencies(slow);
  until(dice, Span::millis(500), [](fake::FakeServer& s) { s.set_latencies(usual_latencies()); });
}

void Faults::refuse(Dice& dice) {
  constexpr const char* kStates[] = {"57P03", "57P03", "08004", "53400", "58000"};
  world_.server().set_refusing(true, dice.one_of(kStates));
  until(dice, Span::millis(300), [](fake::FakeServer& s) { s.set_refusing(false); });
}

// Room for a few sessions only, or for many of which other clients use nearly all.
void Faults::crowd(Dice& dice) {
  const auto room = static_cast<uint32_t>(dice.between(1, 9));
  const uint32_t foreign = dice.chance(0.5) ? 90 : 0;
  world_.server().set_sessions_max(foreign + room);
  world_.server().set_foreign_sessions(foreign);
  until(dice, Span::millis(400), [](fake::FakeServer& s) {
    s.set_sessions_max(0);
    s.set_foreign_sessions(0);
  });
}

void Faults::spoil_opens(Dice& dice) {
  constexpr fake::OpenFate kFates[] = {fake::OpenFate::fail, fake::OpenFate::hang, fake::OpenFate::fail_for_good};
  world_.server().script_opens(static_cast<uint32_t>(dice.between(1, 4)), dice.one_of(kFates));
}

void Faults::freeze_some(Dice& dice) {
  for (const int32_t pid : world_.server().pids()) {
    if (dice.chance(0.5)) world_.server().make_half_open(pid);
  }
}

void Faults::kill(Dice& dice) {
  fake::FakeServer& server = world_.server();
  const std::vector<int32_t> pids = server.pids();
  if (pids.empty()) return;
  const int32_t victim = pids[dice.index(pids.size())];
  if (dice.chance(0.3)) {
    (void)server.kill_some(dice.chance(0.3) ? 1.0 : 0.5);
  } else if (dice.chance(0.3)) {
    server.make_half_open(victim);
  } else {
    (void)server.kill(victim);
  }
}

void Faults::press_memory(Dice& dice) {
  FakeProbe& probe = world_.probe();
  const double limit = FakeProbe::kUsualLimit * (dice.chance(0.5) ? 0.1 : 1);  // reduced below the current use
  const double bytes = limit * (0.8 + 0.05 * static_cast<double>(dice.between(0, 5)));
  probe.set(bytes, limit, dice.chance(0.2) ? 0.2 : 0);
  until(dice, Span::seconds(2), [this](fake::FakeServer&) { world_.probe().be_usual(); });
}

void Faults::jump(Dice& dice) {
  constexpr int64_t kDayNs = 86'400'000'000'000;
  world_.jump_wall(Span::nanos(dice.chance(0.5) ? kDayNs : -kDayNs));
}

}  // namespace tide::sim
