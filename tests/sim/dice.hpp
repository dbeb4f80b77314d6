// Dice: the random choices of one part of the world. Each part has its own, so that a change of one does not affect the
// sequences of the others.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

#include "base/instant.hpp"
#include "base/rng.hpp"

namespace tide::sim {

class Dice {
 public:
  explicit Dice(uint64_t seed) : rng_(seed) {}

  // Seeds another object.
  uint64_t seed() { return rng_.next(); }
  double unit() { return rng_.unit(); }
  bool chance(double probability) { return rng_.chance(probability); }
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(rng_.below(static_cast<uint64_t>(high - low + 1)));
  }
  size_t index(size_t count) { return static_cast<size_t>(rng_.below(count)); }
  Span span(Span low, Span high) { return low + (high - low).scaled(rng_.unit()); }
  // `mean` on average, at most ten times that, never zero.
  Span about(Span mean) { return std::max(mean.scaled(std::min(-std::log(1.0 - rng_.unit()), 10.0)), Span::nanos(1)); }
  template <typename T, size_t N>
  const T& one_of(const T (&choices)[N]) {
    return choices[index(N)];
  }

 private:
  Rng rng_;
};

}  // namespace tide::sim
