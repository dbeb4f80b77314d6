// What callers ask for: a trace of arrivals per bin, and the requests drawn from it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/rng.hpp"

namespace replay {

struct Trace {
  std::string name;
  std::vector<double> bins;  // arrivals in each, in any unit: peak_erlangs scales them
  double bin_s = 1;          // how long a bin lasts in a replay
  double native_bin_s = 1;   // ... and lasted when it was recorded
  double peak_erlangs = 15;  // what the bin at the 99.5th percentile offers to a database without load
  std::vector<int> season_bins;

  double length_s() const { return static_cast<double>(bins.size()) * bin_s; }
  std::vector<double> season_s() const;
};

// Traces with no origin but a formula. The last four are kinds of load: a week with days in it, a crowd that comes
// for the first time, a steady stream, and quiet with spikes beyond what the database can do.
std::vector<Trace> synthetic_traces();
// The traces that manifest.csv in a folder lists: name,file,native_bin_s,replay_bin_s,season_bins,pattern,peak_erl.
std::vector<Trace> traces_in(const std::string& folder);

struct Request {
  double at_s;
  double work_s;  // how long a database without load holds it
};

// A sequence of requests in the order of time, which can be had again from its beginning.
class Requests {
 public:
  virtual ~Requests() = default;
  virtual bool next(Request& request) = 0;
  virtual void rewind() = 0;
  virtual double length_s() const = 0;
};

// Poisson batches (geometric, mean 1.3) at the trace's rate. Bins longer than a second are joined by straight lines and
// shaken by gamma noise (cv 0.15 each half second); shorter ones are taken as they are. Work is lognormal, mean 40 ms,
// cv 1.5, at most 2 s. Longer than the trace: it repeats. One seed, one sequence.
class DrawnRequests : public Requests {
 public:
  static constexpr double kWorkMean_s = 0.040;

  DrawnRequests(const Trace& trace, uint64_t seed, double length_s);
  bool next(Request& request) override;
  void rewind() override;
  double length_s() const override { return length_s_; }

 private:
  bool next_step();
  double rate(double at_s);
  double exponential();
  double normal();
  double gamma(double shape);

  std::vector<double> rates_;  // batches a second, each bin
  double bin_s_;
  double step_s_;
  double length_s_;
  uint64_t seed_;
  tide::Rng rng_{0};
  int64_t step_ = 0;
  double rate_now_ = 0;
  double step_end_s_ = 0;
  double batch_at_s_ = 0;
  int batch_left_ = 0;
  double spare_normal_ = 0;
  bool has_spare_ = false;
};

}  // namespace replay
