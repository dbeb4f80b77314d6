// Callers: ask for leases, use them, and give them back, well or badly.
//
// Most hold a lease for a random time, with some statements in it. Some give it back twice, or after it was revoked, or
// never; some give it back within the callback that brought it, or ask again there. acquire_async() only: a thread that
// sleeps would stop the world.
// Threads: one.
#pragma once

#include <set>

#include "books.hpp"
#include "dice.hpp"

namespace tide::sim {

class World;

class Callers {
 public:
  Callers(World& world, uint64_t seed) : world_(world), dice_(seed) {}

  void begin_storm();
  // Few come, and they are well-behaved; what others have forgotten comes back.
  void begin_calm();
  // Fewer still, whose statements all go well; every lease that was forgotten comes back.
  void begin_quiet();
  // From now on whoever asks must be served.
  void expect_success(bool must_succeed) { must_succeed_ = must_succeed; }
  void ask(Span timeout);
  // Nobody comes any more; every holder lets go, also of what is long gone.
  void give_up();

 private:
  struct Mood {
    Span gap = Span::millis(1);
    Span hold = Span::millis(1);
    double queries = 1;     // a lease
    double sloppiness = 0;  // share of leases that end badly
  };
  void come(uint64_t age);
  void change_mood(uint64_t age);
  void take_herd();
  void answered(uint64_t number, Code code, LeaseId lease);
  void hold(LeaseId lease);
  void act(LeaseId lease, int64_t left);
  void query(LeaseId lease);
  void let_go(LeaseId lease);
  void remember(bool all);
  Span some_timeout();

  World& world_;
  Dice dice_;
  Mood mood_;
  bool is_calm_ = false;
  bool must_succeed_ = false;
  bool is_quiet_ = false;
  std::set<uint64_t> busy_;  // leases within a statement
  uint64_t age_ = 0;         // what an earlier age noted in the agenda is void
};

}  // namespace tide::sim
