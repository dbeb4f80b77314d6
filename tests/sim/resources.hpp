// Resources: memory and descriptors of the process, as defined by the world.
#pragma once

#include "os/process.hpp"

namespace tide::sim {

class FakeProbe final : public ResourceProbe {
 public:
  static constexpr double kUsualBytes = 100e6;
  static constexpr double kUsualLimit = 1e9;

  ProcessResources sample(int64_t memory_limit) override {
    ProcessResources out;
    out.memory_bytes = bytes_;
    out.memory_limit_bytes = memory_limit > 0 ? static_cast<double>(memory_limit) : limit_;
    out.memory_stall = stall_;
    out.descriptors = 20;
    out.descriptors_max = 1024;
    return out;
  }
  void set(double bytes, double limit, double stall) {
    bytes_ = bytes;
    limit_ = limit;
    stall_ = stall;
  }
  // The process is short of memory by either measure.
  bool is_short(int64_t memory_limit) const {
    return bytes_ >= 0.9 * (memory_limit > 0 ? static_cast<double>(memory_limit) : limit_) || stall_ >= 0.1;
  }
  void be_usual() { set(kUsualBytes, kUsualLimit, 0); }

 private:
  double bytes_ = kUsualBytes;
  double limit_ = kUsualLimit;
  double stall_ = 0;
};

}  // namespace tide::sim
