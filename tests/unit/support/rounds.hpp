// How often a test repeats what it does with other numbers: fewer times under a sanitizer, where each takes some twenty
// times as long. ThreadSanitizer has nothing to see in one thread.
#pragma once

namespace tide::test {

constexpr int rounds(int plain) {
#if defined(__SANITIZE_THREAD__)
  return plain / 40;
#elif defined(__SANITIZE_ADDRESS__)
  return plain / 10;
#else
  return plain;
#endif
}

}  // namespace tide::test
