#include "brain/sizing/season.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tide::brain {
namespace {

constexpr float kEmpty = std::numeric_limits<float>::quiet_NaN();
constexpr float kBlend = 0.4F;
constexpr int kBucketsMin = 8;
constexpr int kSamplesMax = 24;  // points that a mean uses

}  // namespace

SeasonProfile::SeasonProfile(double season_s) {
  buckets_.fill(kEmpty);
  buckets_total_ = std::clamp(static_cast<int>(std::min(season_s / 2, 1e6)), kBucketsMin, kBucketsMax);
  width_s_ = season_s / buckets_total_;
}

int64_t SeasonProfile::bucket(double t_s) const { return static_cast<int64_t>(t_s / width_s_) % buckets_total_; }

void SeasonProfile::blend(int64_t bucket, double mean) {
  float& value = buckets_[static_cast<size_t>(bucket)];
  const float seen = static_cast<float>(mean);
  value = std::isnan(value) ? seen : value + kBlend * (seen - value);
}

void SeasonProfile::see(double now_s, double dt_s, double arrivals_per_s) {
  const int64_t b = bucket(std::max(0.0, now_s - std::min(dt_s, width_s_) / 2));
  if (b != current_ && count_ > 0) {
    blend(current_, sum_ / count_);
    sum_ = count_ = 0;
  }
  if (dt_s > 2 * width_s_) {  // buckets passed without a tick
    const int64_t passed = static_cast<int64_t>(std::min(dt_s / width_s_, 1.0 * buckets_total_)) - 1;
    for (int64_t i = 1; i <= passed; ++i) blend((b - i + buckets_total_) % buckets_total_, arrivals_per_s);
  }
  current_ = b;
  sum_ += arrivals_per_s;
  count_ += 1;
}

double SeasonProfile::at(double t_s) const { return static_cast<double>(buckets_[static_cast<size_t>(bucket(t_s))]); }

double SeasonProfile::mean(double from_s, double to_s) const {
  const int samples = std::clamp(static_cast<int>(std::ceil((to_s - from_s) / width_s_)) * 2, 2, kSamplesMax);
  double sum = 0;
  for (int i = 0; i < samples; ++i) sum += at(from_s + (to_s - from_s) * (i + 0.5) / samples);
  return sum / samples;  // NaN if one of them is
}

double SeasonProfile::peak(double from_s, double to_s) const {
  double highest = std::numeric_limits<double>::quiet_NaN();
  double t_s = from_s;
  for (int i = 0; i <= buckets_total_; ++i) {
    highest = std::fmax(highest, at(std::min(t_s, to_s)));
    if (t_s >= to_s) break;
    t_s += width_s_;
  }
  return highest;
}

}  // namespace tide::brain
