#include "replay/requests.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace replay {
namespace {

constexpr double kBatch = 1.3;
constexpr double kNoiseCv = 0.15;
constexpr double kNoiseStep_s = 0.5;
constexpr double kWorkCv = 1.5;
constexpr double kWorkMax_s = 2;

// The point below which a normal number lies with probability p.
double normal_quantile(double p) {
  double low = -10, high = 10;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (std::erfc(-middle / std::numbers::sqrt2) / 2 < p ? low : high) = middle;
  }
  return low;
}

// Equally likely: a table is much faster than as many logarithms as there are requests in a week.
const std::array<double, 4096> kWork_s = [] {
  std::array<double, 4096> out{};
  const double variance = std::log(1 + kWorkCv * kWorkCv);
  for (size_t i = 0; i < out.size(); ++i) {
    const double z = normal_quantile((static_cast<double>(i) + 0.5) / static_cast<double>(out.size()));
    out[i] =
        std::min(kWorkMax_s, std::exp(std::log(DrawnRequests::kWorkMean_s) - variance / 2 + std::sqrt(variance) * z));
  }
  return out;
}();

}  // namespace

DrawnRequests::DrawnRequests(const Trace& trace, uint64_t seed, double length_s)
    : rates_(trace.bins),
      bin_s_(trace.bin_s),
      step_s_(bin_s_ > 1 ? kNoiseStep_s : bin_s_),
      length_s_(length_s),
      seed_(seed) {
  std::vector<double> sorted = rates_;
  std::sort(sorted.begin(), sorted.end());
  const double high = sorted[static_cast<size_t>(0.995 * static_cast<double>(sorted.size() - 1))];
  for (double& rate : rates_) rate *= trace.peak_erlangs / (high * kWorkMean_s) / kBatch;
  rewind();
}

void DrawnRequests::rewind() {
  rng_ = tide::Rng(seed_ * 0x9E3779B97F4A7C15ULL + 1);
  step_ = 0;
  step_end_s_ = batch_at_s_ = rate_now_ = 0;
  batch_left_ = 0;
  has_spare_ = false;
}

double DrawnRequests::exponential() { return -std::log1p(-rng_.unit()); }

double DrawnRequests::normal() {  // Box and Muller
  if (has_spare_) {
    has_spare_ = false;
    return spare_normal_;
  }
  const double radius = std::sqrt(2 * exponential());
  const double angle = 2 * std::numbers::pi * rng_.unit();
  spare_normal_ = radius * std::sin(angle);
  has_spare_ = true;
  return radius * std::cos(angle);
}

double DrawnRequests::gamma(double shape) {  // Marsaglia and Tsang 2000; shape >= 1
  const double d = shape - 1.0 / 3;
  const double c = 1 / std::sqrt(9 * d);
  while (true) {
    const double x = normal();
    const double v = std::pow(1 + c * x, 3);
    if (v > 0 && -exponential() < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
  }
}

double DrawnRequests::rate(double at_s) {
  const int64_t n = static_cast<int64_t>(rates_.size());
  if (bin_s_ <= 1) return rates_[static_cast<size_t>(step_ % n)];
  const double place = at_s / bin_s_ - 0.5;
  const double left = std::floor(place);
  const auto bin = [&](double i) {
    const int64_t k = static_cast<int64_t>(i);
    return rates_[static_cast<size_t>(k < 0 ? 0 : k % n)];
  };
  const double shape = 1 / (kNoiseCv * kNoiseCv);
  return (bin(left) + (bin(left + 1) - bin(left)) * (place - left)) * gamma(shape) / shape;
}

bool DrawnRequests::next_step() {
  const double begin_s = static_cast<double>(step_) * step_s_;
  if (begin_s >= length_s_ - 1e-9) return false;
  rate_now_ = rate(begin_s + step_s_ / 2);
  ++step_;
  step_end_s_ = begin_s + step_s_;
  batch_at_s_ = rate_now_ > 0 ? begin_s + exponential() / rate_now_ : step_end_s_;
  return true;
}

bool DrawnRequests::next(Request& request) {
  if (batch_left_ == 0) {
    if (step_ > 0 && rate_now_ > 0) batch_at_s_ += exponential() / rate_now_;
    while (step_ == 0 || batch_at_s_ >= step_end_s_) {
      if (!next_step()) return false;
    }
    batch_left_ = 1 + static_cast<int>(std::log1p(-rng_.unit()) / std::log(1 - 1 / kBatch));
  }
  --batch_left_;
  request.at_s = batch_at_s_;
  request.work_s = kWork_s[rng_.below(kWork_s.size())];
  return true;
}

}  // namespace replay
