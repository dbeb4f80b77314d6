// SeasonProfile: how the load of one season (an hour, a day, a week) usually runs.
//
// At most 288 buckets of mean arrivals a second; each is blended with what it was a cycle ago: v <- v + 0.4 (mean - v).
// A bucket never seen is unknown (NaN), and so is every mean that would need it: a profile says nothing before its
// season has passed once.
// Failure: a silence longer than a bucket fills the buckets it covers, at most one cycle of them.
// Threads: the keeper's only.
#pragma once

#include <array>
#include <cstdint>

namespace tide::brain {

class SeasonProfile {
 public:
  static constexpr int kBucketsMax = 288;
  static constexpr double kSeasonMin_s = 16;

  explicit SeasonProfile(double season_s = kSeasonMin_s);

  void see(double now_s, double dt_s, double arrivals_per_s);  // the tick that ended at now_s
  double at(double t_s) const;
  double mean(double from_s, double to_s) const;
  double peak(double from_s, double to_s) const;  // highest of the known buckets

 private:
  int64_t bucket(double t_s) const;
  void blend(int64_t bucket, double mean);

  std::array<float, kBucketsMax> buckets_;
  int buckets_total_;
  double width_s_;
  int64_t current_ = 0;
  double sum_ = 0;
  double count_ = 0;  // ticks in the current bucket
};

}  // namespace tide::brain
