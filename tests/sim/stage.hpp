// Stage: pools on one virtual clock and one thread, with one server and a load each; cheap, for long times and many
// pools. Other features of a world (nested statements, operators, garbage, exact books) are omitted.
//
// A step is the next event: a keeper turns, or an entry of the agenda is carried out. After each turn the pool's
// checkers run, and overdue requests are detected.
// Threads: one. Failure: the trace has the complaint; the stage stops at that point.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "agenda.hpp"
#include "dice.hpp"
#include "driver/fake/server.hpp"
#include "health_checker.hpp"
#include "pool/pool.hpp"
#include "record_checker.hpp"
#include "resources.hpp"
#include "trace.hpp"
#include "virtual_clock.hpp"

namespace tide::sim {

class Stage;

// One pool and its callers.
class Player {
 public:
  Player(Stage& stage, const Policy& policy, uint64_t seed, size_t number);
  ~Player();

  // Requests per second from now on, each of which holds its lease for about `hold` and runs one statement.
  void set_load(double rate, Span hold);
  void post(const std::string& verb, const std::string& arguments);

  Pool& pool() { return *pool_; }
  HealthChecker& health_monitor() { return health_monitor_; }
  RecordChecker& records() { return records_; }
  uint64_t asked() const { return asked_; }
  uint64_t served() const { return served_; }
  uint64_t refused() const { return refused_; }
  bool has_waiters() const { return !deadlines_.empty(); }

 private:
  friend class Stage;

  void come(uint64_t age);
  void ask();
  void hold(LeaseId lease);
  void turn();
  void check_waiters();

  Stage& stage_;
  Dice dice_;
  const size_t number_;
  HealthChecker health_monitor_;
  RecordChecker records_;
  std::shared_ptr<FakeProbe> probe_ = std::make_shared<FakeProbe>();
  std::unique_ptr<Pool> pool_;
  Instant keeper_due_;
  bool is_poked_ = false;
  double rate_ = 0;
  Span hold_;
  uint64_t age_ = 0;
  uint64_t asked_ = 0, served_ = 0, refused_ = 0;
  std::map<uint64_t, Instant> deadlines_;  // of unanswered requests
};

class Stage {
 public:
  Stage(uint64_t seed, bool is_shown);
  ~Stage();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  Player& add(const Policy& policy);
  void run_until(Instant until);
  void run_for(Span span) { run_until(now() + span); }
  template <typename Condition>
  bool run_while(const Condition& condition, Span at_most) {
    const Instant end = now() + at_most;
    while (condition() && step(end)) {
    }
    return !trace_.is_broken() && !condition();
  }
  // This share of the statements fails.
  void fail_statements(double share) { failing_share_ = share; }
  void close_all();

  Instant now() const { return clock_.now(); }
  void after(Span span, Agenda::Deed deed) { agenda_.at(now() + span, std::move(deed)); }
  void poke_all();  // like sockets that hang up
  fake::FakeServer& server() { return server_; }
  Trace& trace() { return trace_; }
  Dice& dice() { return dice_; }
  std::vector<std::unique_ptr<Player>>& players() { return players_; }
  uint64_t steps() const { return steps_; }

 private:
  friend class Player;
  bool step(Instant until);
  void look_for_pokes();

  Dice dice_;
  VirtualClock clock_;
  Trace trace_;
  Agenda agenda_;
  fake::FakeServer server_;
  std::vector<std::unique_ptr<Player>> players_;
  double failing_share_ = 0;
  uint64_t steps_ = 0;
  int epoll_fd_ = -1;
};

}  // namespace tide::sim
