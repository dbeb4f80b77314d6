// Growth: opens connections, at a pace that a struggling server can handle.
//
// Connections are opened when there are fewer than the target, or when callers (and min_idle) need more than are idle,
// being opened or held by the keeper: those will serve them. With the adaptive sizer it first checks whether a lease
// will end sooner than a connection can be opened (steering); as long as the limit has room, no caller is left waiting
// for a lease that does not end. What demand opens beyond the target becomes the target, so that whatever lowers the
// target later (sizer, idle_timeout) also closes it. Without pooling the target stays zero, so that what a caller did
// not wait for is closed at once.
// While the breaker is open only its probe is opened, whether or not a caller needs it.
// Bounds: the limit, counting open, opening and closing (I1); max_connecting at once; the backoff.
// Backoff: opens in progress at the same time fail together, as one round. Round n waits a random time up to retry_base
// * 2^(n-1), at most retry_max (full jitter); then one single open probes; a success ends it. A permanent failure is
// retried every retry_max. The pool never gives up.
// A server that is not ready (57P03) reduces the target to what is open, so that only callers cause new attempts; for
// kCrowdedFor, or until a connect succeeds, the adaptive sizer does not raise it. For a full server see room.
// Threads: the keeper only.
#pragma once

#include <cstdint>

#include "brain/desk.hpp"
#include "brain/health/breaker.hpp"
#include "brain/room.hpp"
#include "brain/steering.hpp"

namespace tide::brain {

class Growth {
 public:
  static constexpr Span kCrowdedFor = Span::seconds(10);

  void tick(Desk& desk, Steering& steering, Breaker& breaker, const Room& room);

  void succeeded();
  void failed(Instant now, bool is_permanent, const Policy& policy, Rng& rng);
  // The server is not ready for more.
  void crowded() { is_crowded_ = true; }
  // It was not ready recently: a higher target would be lowered again at once.
  bool is_crowded(Instant now) const { return now < crowded_until_; }
  // A shorter retry_max takes effect at once.
  void set_policy(const Policy& policy, Instant now) { retry_at_ = earliest(retry_at_, now + policy.retry_max); }

 private:
  int64_t allowed(Desk& desk, int64_t wanted, const Breaker& breaker) const;

  int64_t under_way_ = 0;    // opens requested and not yet answered
  int64_t stragglers_ = 0;   // of those, begun before the latest round of failures: their failures are not a new round
  int rounds_ = 0;           // failures in a row; 0: the last open succeeded
  Instant retry_at_;         // while rounds_ > 0
  bool is_crowded_ = false;  // until the next tick
  Instant crowded_until_;
};

}  // namespace tide::brain
