// World: a program carried out by a service over the fake database in virtual time, on one thread, and what it must hold:
//
//   twice     nothing takes effect twice
//   lost      what was told to be committed is in the store, from then on
//   false     what was told to have failed is not in the store
//   parts     a transaction whose outcome is unknown is in the store as a whole, or not at all
//   unknown   the outcome is told to be unknown only if it cannot be known
//   dirty     no read sees what is not committed, or what a savepoint undid; no session has state of another lease
//   leak      no lease remains
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "driver/fake/connector.hpp"
#include "pool/pool.hpp"
#include "program.hpp"
#include "service/service.hpp"

namespace tide::programs {

class VirtualClock final : public Clock {
 public:
  Instant now() const override { return now_; }
  int64_t wall_ns() const override { return now_.ns(); }
  void advance(Span span) { now_ += span; }

 private:
  Instant now_ = Instant::at_ns(1'000'000'000);
};

struct Counts {
  uint64_t programs = 0;
  uint64_t committed = 0;
  uint64_t failed = 0;
  uint64_t unknown = 0;
  uint64_t repeated = 0;  // bodies
};

// What is done wrong on purpose, to try the checks.
enum class Break : uint8_t { nothing, forget_commit };

class World {
 public:
  World(const Program& program, Break broken, Counts& counts);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // What did not hold; empty: everything did.
  std::string run();

 private:
  using Ids = std::set<int>;
  enum class Truth : uint8_t { pending, present, absent, either };
  struct Savepoint {
    int name;
    Ids effects;
  };
  struct Actor {
    TransactionId transaction = 0;
    bool is_body = false;
    bool has_ended_body = false;  // the step `end` was met
    int answer = 0;
    Ids effects;  // of the open transaction
    Ids undone;   // by savepoints, and failed statements
    std::vector<Savepoint> savepoints;
    bool has_altered = false;
    uint64_t restarts_before = 0;
    std::vector<size_t> steps;  // of the body, for its repetition
  };

  void carry_out(const Step& step);
  void carry_out_in(const Step& step, Actor& actor);
  void carry_out_outside(const Step& step, Actor& actor);
  void run_until_end(int actor);
  void transact(const Step& step, Actor& actor);
  int body(const Step& step, Actor& actor, TransactionId id, bool is_first);
  void end_handle(const Step& step, Actor& actor);
  void conclude(Actor& actor, const Status& status, bool is_error_certain = true);
  void forget(Actor& actor);
  void check_read(const ResultTable& table, int key, const Actor* actor);
  void check_state(const ResultTable& table, bool has_altered);
  void check_end();
  void complain(const std::string& what);
  void pass(Span span);
  fake::Fault fault_for(std::string_view sql);
  bool may_be_unknown(const Actor& actor) const;
  Status query(const Actor& actor, const std::string& sql);
  static std::string add_text(int id);

  const Program& program_;
  const Break broken_;
  Counts& counts_;
  VirtualClock clock_;
  fake::FakeServer server_;
  std::unique_ptr<Pool> pool_;
  std::unique_ptr<Service> service_;
  std::vector<Actor> actors_;
  std::vector<Truth> truths_;
  std::vector<Ids> unknown_;  // each as a whole, or not at all
  ResultTable table_;
  std::string complaint_;
  size_t next_step_ = 0;
  // The step that is being carried out.
  const Step* step_ = nullptr;
  int statements_ = 0;
  bool is_restart_due_ = false;
  bool has_undecided_ = false;  // in this step
  bool was_down_ = false;       // in this step
  uint64_t restarts_ = 0;
};

}  // namespace tide::programs
