#include "pool/cancel_token.hpp"

#include "pool/futex.hpp"

namespace tide {

void CancelToken::trip() noexcept {
  hold();  // a function that is called may free the token
  {
    std::unique_lock lock(mutex_);
    if (!is_tripped_.exchange(true, std::memory_order_seq_cst)) {
      tripper_ = current_thread_id();
      while (first_ != nullptr) {
        OnTrip* const one = first_;
        one->unlink();
        running_ = one;
        lock.unlock();
        one->call_(*one);  // afterwards it may be gone
        lock.lock();
        running_ = nullptr;
        returned_.notify_all();
      }
    }
  }
  free();
}

bool OnTrip::watch(CancelToken& token) noexcept {
  const std::lock_guard lock(token.mutex_);
  if (token.is_tripped_.load(std::memory_order_relaxed)) return false;
  token.hold();
  token_ = &token;
  next_ = token.first_;
  if (next_ != nullptr) next_->previous_ = this;
  previous_ = nullptr;
  token.first_ = this;
  is_linked_ = true;
  return true;
}

// With the token's mutex held.
void OnTrip::unlink() noexcept {
  (previous_ != nullptr ? previous_->next_ : token_->first_) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
  is_linked_ = false;
}

void OnTrip::unwatch() noexcept {
  if (token_ == nullptr) return;
  CancelToken& token = *token_;
  {
    std::unique_lock lock(token.mutex_);
    if (is_linked_) {
      unlink();
    } else if (token.tripper_ != current_thread_id()) {
      token.returned_.wait(lock, [&] { return token.running_ != this; });
    }
    token_ = nullptr;
  }
  token.free();
}

}  // namespace tide
