// CancelToken: cancels requests and calls of its owner from another thread. OnTrip: what happens then.
//
// A web server gives one token to all calls made for a client, on any number of pools, and trips it when the client is
// gone.
//
// C1  A token is tripped once and stays so. Afterwards watch() refuses, so nothing is begun with it.
// C2  `call` of an OnTrip is called at most once, without a lock, by the thread that trips the token. When unwatch() has
//     returned, it is not running and never will be; unless unwatch() is called within it.
// C3  A token lives until its owner has freed it and nothing watches or refers to it.
// Threads: any, except watch() and unwatch() of one OnTrip, which are one thread's at a time. trip() takes a mutex and
// calls functions: not from a signal handler.
// Failure: none. Nothing is allocated after the construction.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace tide {

class OnTrip;

class CancelToken {
 public:
  // Owned by the caller until free().
  static CancelToken* make() { return new CancelToken(); }
  CancelToken(const CancelToken&) = delete;
  CancelToken& operator=(const CancelToken&) = delete;

  void trip() noexcept;
  bool is_tripped() const noexcept { return is_tripped_.load(std::memory_order_seq_cst); }

  // References; each hold() needs a free().
  void hold() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void free() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

 private:
  friend class OnTrip;
  CancelToken() = default;
  ~CancelToken() = default;

  std::atomic<bool> is_tripped_{false};
  std::atomic<uint32_t> references_{1};
  std::mutex mutex_;
  std::condition_variable returned_;
  OnTrip* first_ = nullptr;
  const OnTrip* running_ = nullptr;  // whose function is called at present
  uint32_t tripper_ = 0;             // by which thread
};

// A reference; none if the call has no token.
class CancelRef {
 public:
  CancelRef() = default;
  explicit CancelRef(CancelToken* token) noexcept : token_(token) {
    if (token_ != nullptr) token_->hold();
  }
  ~CancelRef() {
    if (token_ != nullptr) token_->free();
  }
  CancelRef(const CancelRef& other) noexcept : CancelRef(other.token_) {}
  CancelRef& operator=(const CancelRef&) = delete;
  CancelToken* get() const noexcept { return token_; }
  bool is_tripped() const noexcept { return token_ != nullptr && token_->is_tripped(); }

 private:
  CancelToken* const token_ = nullptr;
};

// Derive from it, or give it a function that knows its surroundings.
class OnTrip {
 public:
  using Call = void (*)(OnTrip&) noexcept;

  explicit OnTrip(Call call) noexcept : call_(call) {}
  // A derived class calls unwatch() first, while all that its function uses still exists.
  ~OnTrip() { unwatch(); }
  OnTrip(const OnTrip&) = delete;
  OnTrip& operator=(const OnTrip&) = delete;

  // False: the token is tripped already, and `call` will not be called.
  bool watch(CancelToken& token) noexcept;
  // `call` may destroy the OnTrip.
  void unwatch() noexcept;

 private:
  friend class CancelToken;
  void unlink() noexcept;

  const Call call_;
  CancelToken* token_ = nullptr;  // that is watched
  bool is_linked_ = false;
  OnTrip* next_ = nullptr;
  OnTrip* previous_ = nullptr;
};

}  // namespace tide
