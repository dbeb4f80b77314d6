// BlockedSignals: threads started during its lifetime have all signals blocked, so that the program's handlers never
// run in a thread that the program did not create.
//
// Threads: used by the thread that starts the other.
#pragma once

#include <pthread.h>
#include <signal.h>

namespace tide {

class BlockedSignals {
 public:
  BlockedSignals() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~BlockedSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_;
};

}  // namespace tide
