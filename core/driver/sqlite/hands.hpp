// Hands: who uses a database handle now: nobody, a statement of the holder, or work of the driver.
//
// Taking and giving back costs one atomic operation each while nobody else is interested. Somebody who is holds a Look:
// while it exists, nothing is taken or given back.
//
// N1  One user at a time.
// N2  After close(), try_take() and try_give() fail, so that every user takes the way through a Look.
// Threads: any. Failure: none.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace tide::sqlite {

class Hands {
 public:
  enum class Use : uint32_t { free, query, inner };

  // False: they are in use, or somebody looks.
  bool try_take(Use use) noexcept {
    uint32_t expected = 0;
    return word_.compare_exchange_strong(expected, static_cast<uint32_t>(use));
  }
  // By the user. False: somebody looks.
  bool try_give() noexcept {
    uint32_t seen = word_.load(std::memory_order_relaxed);
    return (seen & kSlow) == 0 && word_.compare_exchange_strong(seen, 0);
  }

  class Look {
   public:
    explicit Look(Hands& hands) : hands_(hands), lock_(hands.mutex_) { hands_.word_.fetch_or(kSlow); }
    ~Look() {
      if (hands_.waiting_ == 0 && !hands_.is_closed_) hands_.word_.fetch_and(~kSlow);
    }
    Look(const Look&) = delete;
    Look& operator=(const Look&) = delete;

    Use use() const noexcept { return static_cast<Use>(hands_.word_.load() & ~kSlow); }
    bool is_free() const noexcept { return use() == Use::free; }
    void set(Use use) noexcept {
      hands_.word_.store(static_cast<uint32_t>(use) | kSlow);
      if (use == Use::free) hands_.freed_.notify_all();
    }
    void wait_until_free() {
      ++hands_.waiting_;
      hands_.freed_.wait(lock_, [this] { return is_free(); });
      --hands_.waiting_;
    }
    void close() noexcept { hands_.is_closed_ = true; }

   private:
    Hands& hands_;
    std::unique_lock<std::mutex> lock_;
  };

 private:
  static constexpr uint32_t kSlow = 1U << 31;

  std::atomic<uint32_t> word_{0};  // Use, and kSlow while somebody looks or waits
  std::mutex mutex_;               // guards the following, and the word while it has kSlow
  std::condition_variable freed_;
  int waiting_ = 0;
  bool is_closed_ = false;
};

}  // namespace tide::sqlite
