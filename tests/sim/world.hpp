// World: one pool, its server, its callers and its operator, in virtual time and on one thread.
//
// A step is the next event: the keeper is called because its time has come or its descriptor is readable, or an entry
// of the agenda is carried out. A statement that takes time runs the world meanwhile (nested steps), so that leases are
// revoked and connections end under running statements. After every step the checker checks everything.
// The life of a world: acts, each a storm (load, faults, commands) and then a calm in which the pool must recover; at
// the end drain, resume, and close.
// Threads: one. Failure: the trace has the complaint; the world stops at that point.
#pragma once

#include <memory>

#include "agenda.hpp"
#include "books.hpp"
#include "callers.hpp"
#include "checker.hpp"
#include "dice.hpp"
#include "driver/fake/connector.hpp"
#include "driver/fake/server.hpp"
#include "faults.hpp"
#include "health_checker.hpp"
#include "incidents.hpp"
#include "kinds.hpp"
#include "operator.hpp"
#include "pool/keeper.hpp"
#include "pool/pool.hpp"
#include "record_checker.hpp"
#include "resources.hpp"
#include "trace.hpp"
#include "virtual_clock.hpp"

namespace tide::sim {

struct WorldSpec {
  uint64_t seed = 1;
  bool is_shown = false;
  Kinds kinds;         // the enabled faults
  std::string broken;  // an invariant whose check is broken on purpose
};

class World {
 public:
  explicit World(const WorldSpec& spec);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // The whole life, with about `steps` steps.
  void live(uint64_t steps);

  Trace& trace() { return trace_; }
  uint64_t steps() const { return steps_; }

  // -- for the parts
  Instant now() const { return clock_.now(); }
  void after(Span span, Agenda::Deed deed) { agenda_.at(now() + span, std::move(deed)); }
  Pool& pool() { return *pool_; }
  const Policy& policy() const { return pool_->keeper().policy(); }
  fake::FakeServer& server() { return server_; }
  Books& books() { return books_; }
  Checker& checker() { return checker_; }
  HealthChecker& health_monitor() { return health_monitor_; }
  RecordChecker& records() { return records_; }
  Faults& faults() { return faults_; }
  Incidents& incidents() { return incidents_; }
  FakeProbe& probe() { return *probe_; }
  const Kinds& kinds() const { return spec_.kinds; }
  bool breaks(std::string_view invariant) const { return spec_.broken == invariant; }
  uint64_t order(const std::string& verb, const std::string& arguments) { return operator_.order(verb, arguments); }
  void jump_wall(Span by) { clock_.jump_wall(by); }
  // The statement being answered takes this much longer.
  void let_statement_last(Span span) { let_time_pass(span); }
  // New requests must be refused at once.
  bool is_refusing();
  Callers& callers() { return callers_; }
  Span lateness_max() const { return lateness_max_; }
  bool is_closing() const { return is_closing_; }
  // May a caller start something that takes time? Not within the keeper, and not nested too deeply.
  bool may_nest() const { return !is_in_keeper_ && nesting_ < kNestingMax; }
  void poke() { pool_->keeper().poke(); }  // like a socket that hangs up

 private:
  static constexpr int kNestingMax = 3;

  void open_pool();
  bool step(Instant until);
  void run_until(Instant until);
  template <typename Condition>
  void run_while(Condition condition, Span at_most, const char* invariant, const char* what);
  void run_keeper();
  void look_for_poke();
  void let_time_pass(Span span);
  void storm(uint64_t steps);
  void calm();
  void become_whole();
  void convalesce();
  std::string lasting_alert();
  void drain_and_resume();
  void close();
  Span lateness() { return lateness_max_.is_zero() ? Span() : dice_.span(Span(), lateness_max_); }

  const WorldSpec spec_;
  Dice dice_;
  VirtualClock clock_;
  Trace trace_;
  Agenda agenda_;
  Books books_;
  fake::FakeServer server_;
  const Policy first_policy_;
  std::shared_ptr<FakeProbe> probe_ = std::make_shared<FakeProbe>();
  Checker checker_;
  HealthChecker health_monitor_;
  RecordChecker records_;
  Callers callers_;
  Faults faults_;
  Incidents incidents_;
  Operator operator_;
  std::unique_ptr<Pool> pool_;

  Span lateness_max_;  // the keeper's thread may be scheduled late
  Instant keeper_due_;
  bool is_poke_seen_ = false;
  bool is_in_keeper_ = false;
  bool is_closing_ = false;
  int nesting_ = 0;
  int idle_turns_ = 0;  // of the keeper, at one time, without having been poked
  uint64_t steps_ = 0;
};

}  // namespace tide::sim
