// Callers: request leases, use them, and release them, correctly or not.
//
// Most hold a lease for a random time, with some statements in it. Some release it twice, or after it was revoked, or
// never; some release it within the callback that delivered it, or request another one there. acquire_async() only: a
// sleeping thread would stop the world.
// Threads: one.
#pragma once

#include <set>

#include "books.hpp"
#include "dice.hpp"
#include "pool/cancel_token.hpp"

namespace tide::sim {

class World;

class Callers {
 public:
  Callers(World& world, uint64_t seed) : world_(world), dice_(seed) {}

  void begin_storm();
  // Few requests, without misuse; forgotten leases are released.
  void begin_calm();
  // Even fewer, whose statements all succeed; every forgotten lease is released.
  void begin_quiet();
  // From now on every request must be served.
  void expect_success(bool must_succeed) { must_succeed_ = must_succeed; }
  void ask(Span timeout);
  // No more requests; every holder releases its lease, even revoked ones.
  void give_up();

 private:
  struct Mood {
    Span gap = Span::millis(1);
    Span hold = Span::millis(1);
    double queries = 1;     // per lease
    double sloppiness = 0;  // share of leases that end badly
  };
  void come(uint64_t age);
  void change_mood(uint64_t age);
  void take_herd();
  CancelToken* cancel_later(uint64_t number);
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
  uint64_t age_ = 0;         // agenda entries of an earlier age are ignored
};

}  // namespace tide::sim
