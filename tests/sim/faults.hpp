// Faults: what a server and a network do to a pool.
#pragma once

#include "dice.hpp"
#include "driver/fake/server.hpp"

namespace tide::sim {

class World;

class Faults {
 public:
  Faults(World& world, uint64_t seed) : world_(world), dice_(seed) {}

  void begin();
  // All is well again: up, quick, unlimited. An open under way keeps the fate it met.
  void end();

 private:
  void strike(uint64_t age);
  void kill_some();
  void spoil_opens();
  void slow_down();
  void shrink_server();

  World& world_;
  Dice dice_;
  Span gap_ = Span::millis(100);
  uint64_t age_ = 0;
};

}  // namespace tide::sim
