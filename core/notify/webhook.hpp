// Webhook: delivers the changes of a pool's alerts to notify_webhook_url, on a thread of its own.
//
// The keeper puts a change into the outbox and continues; the thread is started by the first one. What it did is
// published in the segment (format::NotifyStats), and in events when deliveries begin to fail and when they succeed again.
//
// Invariants: nobody waits for the receiver but this thread, and finish(), which does so for a limited time. Neither
// path, query and user of the URL nor the secret leave this object but towards the receiver.
// Threads: put() the keeper, finish() the thread that closes the pool, fork functions as Keeper has them.
// Failure: described in the segment; without memory or a thread the change is kept, or counted as dropped.
#pragma once

#include <memory>
#include <thread>

#include "base/status.hpp"
#include "notify/letter.hpp"
#include "os/clock.hpp"

namespace tide {

class Pool;

class Webhook {
 public:
  // Whether alerts can be delivered as this policy says. Loads what is needed: see HttpLibrary::load().
  static Status check(const Policy& policy);

  // After check(). A valid policy with a URL.
  Webhook(const Policy& policy, Sender sender, uint64_t seed, const Clock& clock);
  // Without finish(), because the pool could not be opened, what is queued is dropped.
  ~Webhook();
  Webhook(const Webhook&) = delete;
  Webhook& operator=(const Webhook&) = delete;

  // The pool whose alerts these are; before the first put(). It must exist until finish() has returned.
  void serve(Pool& pool);
  void put(AlertChange change) noexcept;
  // Tells the receiver that alerts end with the pool, waits for that until `give_up`, and drops what is left.
  void finish(Instant give_up);

  void hold_for_fork(Instant give_up) noexcept;
  void release_after_fork() noexcept;
  void abandon_after_fork() noexcept;

 private:
  struct State;
  void start_thread() noexcept;

  const std::shared_ptr<State> state_;  // shared with the thread
  std::thread thread_;                  // guarded by the mutex of the state
};

// The URL with the path that the format requires, if it has none.
std::string receiver_url(const Policy& policy);

}  // namespace tide
