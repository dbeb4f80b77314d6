// VirtualClock: time that passes only when the world says so. The wall clock can also jump.
#pragma once

#include "base/assert.hpp"
#include "pool/ports.hpp"

namespace tide::sim {

class VirtualClock final : public Clock {
 public:
  Instant now() const override { return now_; }
  int64_t wall_ns() const override { return kWallStartNs + wall_jumps_ns_ + now_.ns(); }
  void jump_wall(Span by) { wall_jumps_ns_ += by.ns(); }
  void move_to(Instant when) {
    TIDE_ASSERT(when >= now_);
    now_ = when;
  }

 private:
  static constexpr int64_t kWallStartNs = 1'800'000'000'000'000'000;
  int64_t wall_jumps_ns_ = 0;
  Instant now_ = Instant::at_ns(1'000'000'000);
};

}  // namespace tide::sim
