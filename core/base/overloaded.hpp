// Overloaded: a visitor of a variant, one lambda for each alternative.
#pragma once

namespace tide {

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <typename... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

}  // namespace tide
