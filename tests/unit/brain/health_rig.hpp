// A whole brain with a load: statements that fail or take long, requests that are slow or refused, second by second.
#pragma once

#include "rig.hpp"

namespace tide::test {

struct Load {
  uint64_t queries = 100;
  uint64_t faults = 0;
  double query_ms = 1;
  uint64_t requests = 100;
  uint64_t slow = 0;
  uint64_t timeouts = 0;
  double hold_ms = 10;
};

class HealthRig : public Rig {
 public:
  static Policy quick() {
    Policy policy = calm();
    policy.health_interval = Span::seconds(1);
    policy.scaling = true;
    return policy;
  }
  explicit HealthRig(const Policy& wanted = quick()) : Rig(Whole{}, wanted) { settle(); }

  // A second of load, then a tick whose actions are carried out.
  void second(const Load& load) {
    now += Span::seconds(1);
    traffic.queries_total += load.queries;
    traffic.query_errors_total += load.faults;
    traffic.query_faults_total += load.faults;
    traffic.query_seconds += load.query_ms * static_cast<double>(load.queries) / 1e3;
    traffic.requests_total += load.requests;
    traffic.slow_total += load.slow + load.timeouts;
    traffic.releases_total += load.requests - load.timeouts;
    acquires += load.requests - load.timeouts;
    timeouts += load.timeouts;
    const double held = load.hold_ms * static_cast<double>(load.requests - load.timeouts) / 1e3;
    traffic.ended_seconds += held;
    traffic.use_seconds += held;
    round();
  }
  // A tick whose actions are carried out, repeated while there are actions.
  void round() {
    for (int i = 0; i < 20; ++i) {
      tick();
      for (const Action& action : actions) told.push_back(action);
      const bool is_quiet = opens() + surveys_asked() + count<action::Retire>() == 0;
      obey();
      if (is_server_up) {
        arrive();
        checked(true);
      } else {
        fail_opens();
      }
      if (is_quiet || !is_server_up) return;
    }
  }
  int times(EventKind event) const {
    const auto notes = all<action::Note>(told);
    return static_cast<int>(
        std::count_if(notes.begin(), notes.end(), [event](const auto& note) { return note.event == event; }));
  }
  const brain::Finding& finding(HealthCheck check) const { return brain.health().of(check); }

  bool is_server_up = true;
  std::vector<Action> told;
};

}  // namespace tide::test
