// Operator: issues commands at random times, valid ones and garbage.
#pragma once

#include <string>

#include "dice.hpp"
#include "policy/policy.hpp"

namespace tide::sim {

class World;

class Operator {
 public:
  Operator(World& world, uint64_t seed) : world_(world), dice_(seed) {}

  void begin();
  // No more commands; lasting ones are reverted.
  void end();
  uint64_t order(const std::string& verb, const std::string& arguments);  // its command id
  // Every option gets the value it had when the pool was opened.
  void reset_settings(const Policy& policy);
  uint64_t posted() const { return posted_; }

 private:
  void come(uint64_t age);
  void order_something();
  void set_something();
  void order_alert();
  void ack_something();
  void order_garbage();
  void revoke_something();
  void resume_later();

  World& world_;
  Dice dice_;
  Span gap_ = Span::millis(50);
  uint64_t age_ = 0;
  uint64_t posted_ = 0;
};

}  // namespace tide::sim
