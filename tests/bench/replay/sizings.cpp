#include "replay/sizings.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

namespace replay {
namespace {

constexpr int kHold_s = 15;

tide::brain::SizingSettings settings_for(const Server& server, double share) {
  tide::brain::SizingSettings settings;
  settings.min_size = server.min_size;
  settings.max_size = server.max_size;
  settings.connect_s = server.connect_s;
  settings.max_connecting = server.max_connecting;
  settings.objective_s = server.objective_s;
  settings.share = share;
  return settings;
}

// The smallest size with which at most `share` of the second's arrivals find every connection in use.
int64_t smallest(const std::vector<uint32_t>& found, double share) {
  const double allowed = share * static_cast<double>(std::accumulate(found.begin(), found.end(), uint64_t{0}));
  double queued = 0;
  for (size_t others = found.size(); others-- > 0;) {
    queued += static_cast<double>(found[others]);
    if (queued > allowed) return std::min(static_cast<int64_t>(others) + 1, static_cast<int64_t>(found.size()) - 1);
  }
  return 1;
}

std::vector<int64_t> held(const std::vector<int64_t>& sizes) {
  std::vector<int64_t> out(sizes.size());
  const int64_t n = static_cast<int64_t>(sizes.size());
  for (int64_t i = 0; i < n; ++i) {
    out[static_cast<size_t>(i)] = *std::max_element(sizes.begin() + std::max<int64_t>(0, i - kHold_s),
                                                    sizes.begin() + std::min(n, i + kHold_s + 1));
  }
  return out;
}

}  // namespace

int64_t Threshold::tick(const tide::brain::Observation& seen) {
  const double utilization = seen.in_use_avg / std::max(1.0, seen.open);
  const double wait_s = seen.arrivals > 0 ? seen.wait_s / seen.arrivals : 0;
  high_ = utilization > 0.8 || wait_s > 1 ? high_ + 1 : 0;
  low_ = utilization < 0.3 ? low_ + 1 : 0;
  const int64_t target = static_cast<int64_t>(seen.target);
  if (high_ >= 2 && seen.now_s - up_at_s_ >= 60) {
    high_ = 0;
    up_at_s_ = seen.now_s;
    return target + 2;
  }
  if (low_ >= 3 && seen.now_s - down_at_s_ >= 300) {
    low_ = 0;
    down_at_s_ = seen.now_s;
    return target - 2;
  }
  return target;
}

int64_t Schedule::tick(const tide::brain::Observation& seen) {
  return sizes_[std::min(static_cast<size_t>(seen.now_s + 0.02), sizes_.size() - 1)];
}

Adaptive::Adaptive(const Server& server, const std::vector<double>& season_s, double share)
    : begin_(server.min_size), sizer_(settings_for(server, share), season_s) {}

int64_t Adaptive::tick(const tide::brain::Observation& seen) {
  const int64_t target = sizer_.tick(seen);
  arrivals_.push_back(seen.arrivals);
  forecast_10_.push_back(sizer_.forecast(10));
  forecast_60_.push_back(sizer_.forecast(60));
  return target;
}

int64_t Adaptive::demand(const Queue& queue) {
  return sizer_.demand(queue.now_s, queue.waiting, queue.in_use, queue.open, queue.connecting, queue.target);
}

Adaptive::Accuracy Adaptive::accuracy(int horizon_s) const {
  const std::vector<double>& forecasts = horizon_s == 10 ? forecast_10_ : forecast_60_;
  const std::span<const double> all(arrivals_);
  const auto mean = [&](size_t from, size_t n) {
    const auto part = all.subspan(from, n);
    return std::accumulate(part.begin(), part.end(), 0.0) / static_cast<double>(n);
  };
  double error = 0, plain_error = 0, total = 0;
  const size_t horizon = static_cast<size_t>(horizon_s);
  for (size_t i = 10; i + horizon < all.size(); ++i) {  // the forecast made at the end of second i
    const double actual = mean(i + 1 + horizon - 10, 10);
    error += std::abs(forecasts[i] - actual);
    plain_error += std::abs(mean(i - 4, 5) - actual);
    total += actual;
  }
  return total > 0 ? Accuracy{error / total, plain_error / total} : Accuracy{};
}

Outcome oracle(Requests& requests, const Server& server, const Found& found, double slow_max) {
  Server ideal = server;
  ideal.min_size = 1;
  ideal.connect_s = 0.001;
  ideal.max_connecting = server.max_size;
  Outcome out;
  for (const double share : {.5, .35, .25, .18, .13, .09, .06, .04, .03, .02, .015, .01, .0075, .005, .003, .001, .0}) {
    std::vector<int64_t> sizes;
    for (const std::vector<uint32_t>& second : found) sizes.push_back(smallest(second, share));
    const std::vector<int64_t> schedule = held(sizes);
    Schedule sizing(schedule);
    out = PoolModel(requests, sizing, ideal).run();
    if (out.slow_share <= slow_max) break;
  }
  return out;
}

}  // namespace replay
