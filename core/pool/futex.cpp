#include "pool/futex.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <limits>

#include "os/clock.hpp"

namespace tide {

constinit thread_local uint32_t cached_thread_id = 0;

void futex_wait(const std::atomic<uint32_t>& word, uint32_t expected, Span timeout) noexcept {
  const timespec t = timespec_of(timeout);
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, &t, nullptr, 0);
}

void futex_wake(const std::atomic<uint32_t>* word) noexcept {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

void futex_wake_all(const std::atomic<uint32_t>* word) noexcept {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, std::numeric_limits<int>::max(), nullptr, nullptr, 0);
}

uint32_t ask_thread_id() noexcept { return cached_thread_id = static_cast<uint32_t>(syscall(SYS_gettid)); }

void forget_thread_id_after_fork() noexcept { cached_thread_id = 0; }

}  // namespace tide
