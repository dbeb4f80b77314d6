// Wishes: the arguments of orders at random: options of the catalogue with values that are accepted, with ones that
// contradict, and with garbage; alert rules, likewise.
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
  std::string arguments() const;  // of a set order
};

// Any option that can change while the pool is open, and a value of its range, short where it is a span.
Wish draw_wish(Dice& dice);
// The few options that matter most, and words that are none.
Wish draw_usual_wish(Dice& dice);

// A value that is accepted alone and cannot hold together with what is there, whatever that is; `other` is what it
// contradicts.
struct Contradiction {
  Wish wish;
  std::string_view other;
};
Contradiction draw_contradiction(Dice& dice);

// Of set_alert and drop_alert.
std::string draw_alert(Dice& dice);
std::string draw_rule(Dice& dice);

// In this order they never contradict on the way from any policy to `policy`.
std::vector<Wish> wishes_back_to(const Policy& policy);

}  // namespace tide::sim
