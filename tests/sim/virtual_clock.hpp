// VirtualClock: time that passes only when the world says so.
#pragma once

#include "base/assert.hpp"
#include "pool/ports.hpp"

namespace tide::sim {

class VirtualClock final : public Clock {
 public:
  Instant now() const override { return now_; }
  int64_t wall_ns() const override { return kWallStartNs + now_.ns(); }
  void move_to(Instant when) {
    TIDE_ASSERT(when >= now_);
    now_ = when;
  }

 private:
  static constexpr int64_t kWallStartNs = 1'800'000'000'000'000'000;
  Instant now_ = Instant::at_ns(1'000'000'000);
};

}  // namespace tide::sim
