// A random policy, with every span so short that everything it controls happens within seconds of virtual time.
#pragma once

#include "dice.hpp"
#include "policy/policy.hpp"

namespace tide::sim {

Policy draw_policy(Dice& dice);

}  // namespace tide::sim
