#include "base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace tide {

void assert_failed(const char* what, const char* file, int line) noexcept {
  std::fprintf(stderr, "tidepool: broken invariant: %s (%s:%d)\n", what, file, line);
  std::abort();
}

}  // namespace tide
