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
  server.come_up();
  server.set_refusing(false);
  server.forget_script();
  server.set_sessions_max(0);
  server.hold_closes_until(Instant());
  server.set_latencies(usual_latencies());
  world_.trace().say("the server is well");
  world_.poke();
}

void Faults::strike(uint64_t age) {
  if (age != age_) return;
  fake::FakeServer& server = world_.server();
  const auto until = [&](Span most, auto cure) {
    world_.after(dice_.span(Span::millis(1), most), [this, age, cure] {
      if (age == age_) cure(world_.server());
    });
  };
  switch (dice_.between(0, 8)) {
    case 0:
      world_.trace().say("fault: down");
      server.go_down();
      until(Span::millis(400), [](fake::FakeServer& s) { s.come_up(); });
      break;
    case 1:
      world_.trace().say("fault: refusing");
      server.set_refusing(true);
      until(Span::millis(300), [](fake::FakeServer& s) { s.set_refusing(false); });
      break;
    case 2:
      slow_down();
      until(Span::millis(500), [](fake::FakeServer& s) { s.set_latencies(usual_latencies()); });
      break;
    case 3: {
      const auto n = static_cast<uint32_t>(dice_.between(0, 8));
      world_.trace().say("fault: at most %u sessions", n + 1);
      server.set_sessions_max(n + 1);
      until(Span::millis(400), [](fake::FakeServer& s) { s.set_sessions_max(0); });
      break;
    }
    case 4:
      world_.trace().say("fault: closes are held");
      server.hold_closes_until(world_.now() + dice_.span(Span::millis(1), Span::millis(300)));
      break;
    case 5:
    case 6: spoil_opens(); break;
    default: kill_some();
  }
  world_.poke();  // sockets that hang up wake whoever watches them
  world_.after(dice_.about(gap_), [this, age] { strike(age); });
}

void Faults::slow_down() {
  fake::Latencies slow = usual_latencies();
  slow.open.least = world_.policy().connect_timeout.scaled(dice_.chance(0.5) ? 0.5 : 1.2);
  slow.validate.mean_more = world_.policy().validation_timeout.scaled(0.5);
  slow.reset.mean_more = slow.validate.mean_more;
  slow.query.mean_more = Span::millis(3);
  world_.trace().say("fault: slow");
  world_.server().set_latencies(slow);
}

void Faults::spoil_opens() {
  constexpr fake::OpenFate kFates[] = {fake::OpenFate::fail, fake::OpenFate::hang, fake::OpenFate::fail_for_good};
  const fake::OpenFate fate = dice_.one_of(kFates);
  const auto n = static_cast<uint32_t>(dice_.between(1, 4));
  world_.trace().say("fault: the next %u opens meet fate %d", n, static_cast<int>(fate));
  world_.server().script_opens(n, fate);
}

void Faults::kill_some() {
  fake::FakeServer& server = world_.server();
  const std::vector<int32_t> pids = server.pids();
  if (pids.empty()) return;
  const int32_t victim = pids[dice_.index(pids.size())];
  switch (dice_.between(0, 4)) {
    case 0:
      world_.trace().say("fault: all sessions are half open");
      return server.make_all_half_open();
    case 1:
      world_.trace().say("fault: session %d is half open", victim);
      return server.make_half_open(victim);
    case 2: {
      const uint32_t killed = server.kill_some(dice_.chance(0.3) ? 1.0 : 0.5);
      return world_.trace().say("fault: %u sessions killed", killed);
    }
    default:
      world_.trace().say("fault: session %d killed", victim);
      (void)server.kill(victim);
  }
}

}  // namespace tide::sim
