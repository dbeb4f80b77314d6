// The actions of one kind among all actions.
#pragma once

#include <variant>
#include <vector>

#include "brain/action.hpp"

namespace tide::test {

template <typename Kind>
std::vector<Kind> all(const std::vector<Action>& actions) {
  std::vector<Kind> out;
  for (const Action& action : actions) {
    if (const Kind* one = std::get_if<Kind>(&action)) out.push_back(*one);
  }
  return out;
}

}  // namespace tide::test
