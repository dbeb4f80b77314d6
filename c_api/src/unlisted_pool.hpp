// UnlistedPool: a pool that does not have a handle yet, or no longer has one, and that a child of fork() knows.
//
// Threads: one. Failure: none.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "handles.hpp"
#include "pool/pool.hpp"

namespace tide {

class UnlistedPool {
 public:
  UnlistedPool(uint64_t handle, std::unique_ptr<Pool> pool) : handle_(handle), pool_(std::move(pool)) {
    Handles::instance().note_unlisted(handle_, pool_.get());
  }
  ~UnlistedPool() {
    if (pool_ == nullptr) return;
    const ForkPause pause;
    Handles::instance().note_unlisted(handle_, nullptr);
    pool_.reset();
  }
  UnlistedPool(const UnlistedPool&) = delete;
  UnlistedPool& operator=(const UnlistedPool&) = delete;
  Pool& operator*() const { return *pool_; }
  Pool* operator->() const { return pool_.get(); }
  std::unique_ptr<Pool> take() { return std::move(pool_); }

 private:
  const uint64_t handle_;
  std::unique_ptr<Pool> pool_;
};

}  // namespace tide
