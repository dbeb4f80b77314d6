// Wishes: random arguments of commands: options of the catalogue with valid values, with contradictory ones, and with
// garbage; the same for alert rules.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dice.hpp"
#include "policy/settings.hpp"

namespace tide::sim {

struct Wish {
  std::string option;
  std::string value;
  std::string arguments() const;  // of a set command
};

// Any option that can change while the pool is open, and a value of its range, short if it is a span.
Wish draw_wish(Dice& dice);
// The few most important options, and invalid words.
Wish draw_usual_wish(Dice& dice);

// A value that is valid by itself but contradicts every state of the other options; `other` is the option it
// contradicts.
struct Contradiction {
  Wish wish;
  std::string_view other;
};
Contradiction draw_contradiction(Dice& dice);

// For set_alert and drop_alert.
std::string draw_alert(Dice& dice);
std::string draw_rule(Dice& dice);

// In this order they never contradict each other on the way from any policy to `policy`.
std::vector<Wish> wishes_back_to(const Policy& policy);

}  // namespace tide::sim
