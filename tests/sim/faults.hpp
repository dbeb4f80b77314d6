// Faults: faults of a server, a network and a machine.
#pragma once

#include "dice.hpp"
#include "driver/fake/server.hpp"
#include "kinds.hpp"

namespace tide::sim {

class World;

class Faults {
 public:
  Faults(World& world, uint64_t seed) : world_(world), dice_(seed) {}

  void begin();
  // All faults end: up, fast, unlimited. An open in progress keeps the fault it met.
  void end();
  bool is_down() const { return is_down_; }

 private:
  // Each strike has its own dice, so that disabling one does not affect the others.
  void strike(uint64_t age);
  void strike_with(Kind kind, Dice& dice);
  void kill(Dice& dice);
  void freeze_some(Dice& dice);
  void spoil_opens(Dice& dice);
  void slow_down(Dice& dice);
  void refuse(Dice& dice);
  void crowd(Dice& dice);
  void press_memory(Dice& dice);
  void jump(Dice& dice);
  void flap(Instant until, uint64_t age);
  void go_down();
  void come_up();
  template <typename Cure>
  void until(Dice& dice, Span most, Cure cure);

  World& world_;
  Dice dice_;
  Span gap_ = Span::millis(100);
  bool is_down_ = false;
  uint64_t age_ = 0;
};

}  // namespace tide::sim
