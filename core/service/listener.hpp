// Listener: the thread that listens for notifications, and the calls of the subscriptions.
//
// The thread is started by the first subscription and ends with finish(). It drives Listening, and makes the calls of
// subscriptions of the service itself; those of the program are passed on, to the thread that calls the program.
//
// N1  The calls of a subscription are made one at a time, in order.
// N2  After unsubscribe() has returned no call of that subscription is made or in progress, unless it was called from within
//     it: then that call is the last.
// N3  When kOutstandingMax calls of the program are outstanding, nothing more is read until half of them are made: the server
//     keeps the notifications. Subscriptions of the service are told lost and gap meanwhile.
// Threads: any. Subscribers are called without a lock.
// Failure: a Status. Without memory the connection counts as lost.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "base/status.hpp"
#include "pool/pool.hpp"
#include "service/listening.hpp"

namespace tide {

struct ListenerNeeds {
  // Empty: the database has no notifications.
  std::function<std::unique_ptr<ListeningPort>(const Policy&)> make_port = {};
  // Calls the program, now or later, in the order of these calls; empty: the calling thread does.
  std::function<void(std::function<void()>)> call_program = {};
  Policy policy = {};
  uint64_t seed = 0;  // of the jitter
};

class Listener {
 public:
  static constexpr size_t kOutstandingMax = 4096;

  // `ours`: called by the listening thread, and must not block. `program`: may block.
  enum class Side : uint8_t { ours, program };
  using Call = std::function<void(SubscriptionId, const ListenEvent&)>;

  Listener(Pool& pool, ListenerNeeds needs);
  // After finish(), or if there was never a subscription.
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  Result<SubscriptionId> subscribe(std::string_view channel, Side side, Call call);
  Status unsubscribe(SubscriptionId id);
  // For connections opened from now on, and for the delays between them.
  void set_policy(const Policy& policy);

  // Ends all subscriptions, and the thread. False: a function of the program has not returned.
  bool finish(Instant give_up);
  // As Keeper has them.
  void hold_for_fork(Instant give_up) noexcept;
  void release_after_fork() noexcept;
  void abandon_after_fork() noexcept;

 private:
  class Subscriber;
  struct State;

  Status check(std::string_view channel) const;
  Status start_thread();

  const std::shared_ptr<State> state_;  // shared with the thread, and with calls that have not been made
  std::thread thread_;                  // guarded by the mutex of the state
};

}  // namespace tide
