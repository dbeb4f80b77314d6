// A broken invariant prints the location and aborts the process.
#pragma once

namespace tide {
[[noreturn]] void assert_failed(const char* what, const char* file, int line) noexcept;
}

#define TIDE_ASSERT(condition) \
  (static_cast<bool>(condition) ? void(0) : ::tide::assert_failed(#condition, __FILE__, __LINE__))

// For the fast path: only checked in debug, sanitizer and simulation builds.
#if defined(TIDE_DEBUG) || !defined(NDEBUG)
#define TIDE_DEBUG_ASSERT(condition) TIDE_ASSERT(condition)
#else
#define TIDE_DEBUG_ASSERT(condition) void(0)
#endif
