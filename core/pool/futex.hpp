// Futex: sleep until a word changes. The only place where an application's thread sleeps in the pool.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/instant.hpp"

namespace tide {

// Sleeps while `word` is `expected`, at most `timeout`. May return early without a reason; callers check again.
void futex_wait(const std::atomic<uint32_t>& word, uint32_t expected, Span timeout) noexcept;
// Wakes one sleeper. `word` may no longer exist: then no thread of the pool sleeps there and nothing happens.
void futex_wake(const std::atomic<uint32_t>* word) noexcept;
void futex_wake_all(const std::atomic<uint32_t>* word) noexcept;
// The calling thread's id in the operating system (cached).
inline uint32_t current_thread_id() noexcept;
void forget_thread_id_after_fork() noexcept;

// 0: not read yet.
extern constinit thread_local uint32_t cached_thread_id __attribute__((tls_model("initial-exec")));
uint32_t ask_thread_id() noexcept;

inline uint32_t current_thread_id() noexcept { return cached_thread_id != 0 ? cached_thread_id : ask_thread_id(); }

}  // namespace tide
