// Growth: opens connections, at the pace a struggling server can bear.
//
// Opens are asked for when there are fewer connections than the target, or when callers (and min_idle) need more than
// are idle, being opened or held by the keeper: those will serve them. Where the adaptive sizer steers it first asks
// whether a lease will end sooner than a connection can be opened (steering); no caller is left waiting for one that
// does not end while the limit has room. What demand opens beyond the target becomes the target, so that whatever
// brings the target down later (sizer, idle_timeout) also closes it.
// While the breaker is open the one probe is all that is opened, whether somebody wants it or not.
// Bounds: the limit, counting open, opening and closing (I1); max_connecting at once; the backoff.
// Backoff: opens that were under way together fail together, as one round. Round n waits a random time up to
// retry_base * 2^(n-1), at most retry_max (full jitter); then one single open probes; a success ends it. A failure
// that trying again cannot help is tried again every retry_max. Nothing gives up for good.
// A server that is not ready (57P03) brings the target down to what is open, so that only callers make us ask again; for
// kCrowdedFor, or until a connect succeeds, the adaptive sizer does not raise it. What a full one means stands in room.
// Threads: the keeper's only.
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
  // It was not a short while ago: a greater target would come down again at once.
  bool is_crowded(Instant now) const { return now < crowded_until_; }
  // A shorter retry_max takes effect at once.
  void set_policy(const Policy& policy, Instant now) { retry_at_ = earliest(retry_at_, now + policy.retry_max); }

 private:
  int64_t allowed(Desk& desk, int64_t wanted, const Breaker& breaker) const;

  int64_t under_way_ = 0;    // opens asked for and not answered
  int64_t stragglers_ = 0;   // of those, begun before the latest round of failures: they tell nothing new
  int rounds_ = 0;           // failed in a row; 0 means well
  Instant retry_at_;         // while rounds_ > 0
  bool is_crowded_ = false;  // until the next tick
  Instant crowded_until_;
};

}  // namespace tide::brain
