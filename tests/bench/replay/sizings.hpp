// Who may decide the size in a replay: the product's adaptive sizer, and what it is compared with.
#pragma once

#include <vector>

#include "brain/sizing/adaptive.hpp"
#include "replay/pool_model.hpp"

namespace replay {

class FixedSize : public Sizing {
 public:
  explicit FixedSize(int64_t size) : size_(size) {}
  int64_t begin() override { return size_; }
  int64_t tick(const tide::brain::Observation&) override { return size_; }

 private:
  int64_t size_;
};

// The threshold rule as it is usually written down: utilization above 0.8 (or a mean wait above 1 s) in 2 periods in a
// row adds 2, below 0.3 in 3 takes 2 away; 60 s between two steps up, 300 s between two down; a period is 30 s.
class Threshold : public Sizing {
 public:
  explicit Threshold(int64_t begin) : begin_(begin) {}
  int64_t begin() override { return begin_; }
  double period_s() const override { return 30; }
  int64_t tick(const tide::brain::Observation& seen) override;

 private:
  int64_t begin_;
  int high_ = 0, low_ = 0;
  double up_at_s_ = -1e9, down_at_s_ = -1e9;
};

// A size known for each second beforehand.
class Schedule : public Sizing {
 public:
  explicit Schedule(const std::vector<int64_t>& sizes) : sizes_(sizes) {}
  int64_t begin() override { return sizes_.front(); }
  double first_tick_s() const override { return 0.99; }
  int64_t tick(const tide::brain::Observation& seen) override;

 private:
  const std::vector<int64_t>& sizes_;
};

// The real one, asked as the brain asks it; keeps its forecasts and what came.
class Adaptive : public Sizing {
 public:
  Adaptive(const Server& server, const std::vector<double>& season_s, double share = 0.008);
  int64_t begin() override { return begin_; }
  int64_t tick(const tide::brain::Observation& seen) override;
  int64_t demand(const Queue& queue) override;
  const tide::brain::AdaptiveSizer& sizer() const { return sizer_; }

  struct Accuracy {
    double wape = 0, persistence = 0;
  };
  Accuracy accuracy(int horizon_s) const;  // of what was selected, at 10 or 60 s

 private:
  int64_t begin_;
  tide::brain::AdaptiveSizer sizer_;
  std::vector<double> arrivals_, forecast_10_, forecast_60_;  // one a tick
};

// The smallest sizes, known beforehand and opened for nothing, that keep the slow share below `slow_max`: each second
// the smallest with which at most a certain share of its arrivals queue, held over the highest of 15 s before and
// after. That share is the largest that suffices. A strong reference, not a bound.
Outcome oracle(Requests& requests, const Server& server, const Found& found, double slow_max);

}  // namespace replay
