// SeasonProfile: the usual course of the load in one season (an hour, a day, a week).
//
// At most 288 buckets of mean arrivals per second; each is blended with its value of the previous cycle: v <- v + 0.4
// (mean - v). A bucket without a measurement is unknown (NaN), and so is every mean that needs it: a profile has no
// values before its season has passed once.
// Failure: a silence longer than a bucket fills the buckets it covers, at most one cycle of them.
// Threads: the keeper only.
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
