// How long to pause at most before another attempt. The pause itself is random between 0 and that (full jitter).
#pragma once

#include <algorithm>

#include "base/instant.hpp"

namespace tide {

// `base` doubled with each further round, at most `max`. Rounds are counted from 1.
constexpr Span backoff_ceiling(int rounds, Span base, Span max) {
  Span ceiling = base;
  for (int i = 1; i < rounds && ceiling < max; ++i) ceiling = ceiling * 2;
  return std::min(ceiling, max);
}

}  // namespace tide
