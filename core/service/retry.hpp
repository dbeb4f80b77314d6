// Retry: whether and when a call is attempted again.
//
// The pauses between attempts are random between 0 and retry_base, doubled with each attempt, at most retry_max: of
// callers that collided, few collide again.
// Threads: Pauses any; Retry belongs to one call. Failure: none.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string_view>
#include <utility>

#include "base/instant.hpp"
#include "base/rng.hpp"
#include "base/status.hpp"
#include "pool/cancel_token.hpp"
#include "pool/fast_policy.hpp"
#include "statement/placeholders.hpp"

namespace tide {

// A serialization failure or a deadlock: nothing of the transaction has taken effect.
bool is_conflict(const Status& status) noexcept;
// The connection was lost.
bool is_lost(const Status& status) noexcept;
// One statement that is executed in a transaction of its own, so that it takes effect as a whole or not at all.
bool is_one_transaction(std::string_view sql, Dialect dialect) noexcept;

class Pauses {
 public:
  Pauses(std::function<void(Span)> pause, uint64_t seed) : pause_(std::move(pause)), rng_(seed) {}
  void pause(Span span) const { pause_(span); }
  // Ends early when the token is tripped.
  void pause(Span span, const CancelToken& token) const;
  // Between 0 and `ceiling`.
  Span draw(Span ceiling);

 private:
  const std::function<void(Span)> pause_;
  std::mutex mutex_;
  Rng rng_;
};

class Retry {
 public:
  // `attempts_max`: further attempts; negative: those of the policy. `token`: may be null.
  Retry(Pauses& pauses, const FastPolicy& policy, int64_t attempts_max, Instant deadline, const CancelToken* token)
      : pauses_(pauses), policy_(policy), attempts_max_(attempts_max), deadline_(deadline), token_(token) {}

  // Pauses, then a further attempt is due. False: none is left, or no time for one, or the token is tripped: then
  // `failure`, that of the last attempt, says so.
  bool again(Instant now, Status& failure);
  bool is_repeating() const { return attempts_ > 0; }

 private:
  bool is_cancelled(Status& failure) const;

  Pauses& pauses_;
  const FastPolicy& policy_;
  const int64_t attempts_max_;
  const Instant deadline_;
  const CancelToken* const token_;
  int attempts_ = 0;
};

}  // namespace tide
