// How often a test repeats itself with other numbers: less often under a sanitizer, where each round takes about twenty
// times as long. ThreadSanitizer cannot find anything in a single thread.
#pragma once

namespace tide::test {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
inline constexpr bool kIsSanitized = true;
#else
inline constexpr bool kIsSanitized = false;
#endif

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
