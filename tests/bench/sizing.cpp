// How well does the adaptive sizer size? The real one, in virtual time, on traces of load, beside fixed sizes, the
// threshold rule and an oracle that knows the load beforehand. The same requests for all of them.
//
//   sizing [--traces DIR] [--scenario std|slowconn|brownout|heavy|heavy3] [--seed N] [--only TRACE] [--week]
//
// --week: a week of each trace at its own pace (bins as long as when they were recorded, seasons of an hour, a day and
// a week), without the oracle, which would have to see the week many times.
#include <ctime>
#include <exception>
#include <limits>
#include <memory>

#include "bench.hpp"
#include "replay/sizings.hpp"

namespace {

constexpr double kWeek_s = 604'800;

struct Options {
  std::string folder;
  std::string scenario = "std";
  std::string only;
  uint64_t seed = 1;
  bool is_week = false;
};

// Tells on stderr what is going on, once it has taken two seconds.
class Progress {
 public:
  void at(const std::string& what) {
    const int64_t now_ns = bench::now_ns();
    if (now_ns - said_ns_ < 2'000'000'000) return;
    said_ns_ = now_ns;
    std::fprintf(stderr, "%.0f s: replaying %s\n", static_cast<double>(now_ns - began_ns_) / 1e9, what.c_str());
  }

 private:
  int64_t began_ns_ = bench::now_ns();
  int64_t said_ns_ = began_ns_;
};

// Remembers what the sizer is asked, to measure afterwards what the answers cost.
class Recorded : public replay::Adaptive {
 public:
  using Adaptive::Adaptive;
  int64_t tick(const tide::brain::Observation& seen) override {
    if (ticks_.size() < kKept) ticks_.push_back(seen);
    return Adaptive::tick(seen);
  }
  int64_t demand(const Queue& queue) override {
    if (queues_.size() < kKept) queues_.push_back(queue);
    return Adaptive::demand(queue);
  }
  // Nanoseconds of one tick, and of one call of demand(), asked again: the ticks in their order, then the queues.
  struct Cost {
    double tick_ns = 0, demand_ns = 0;
  };
  Cost cost(const replay::Server& server, const std::vector<double>& season_s) const {
    std::vector<double> ticks_ns, demands_ns;
    int64_t sum = 0;
    for (int round = 0; round < 5; ++round) {
      const replay::Adaptive again(server, season_s);
      tide::brain::AdaptiveSizer sizer = again.sizer();
      const int64_t began_ns = bench::now_ns();
      for (const tide::brain::Observation& seen : ticks_) sum += sizer.tick(seen);
      const int64_t ticked_ns = bench::now_ns();
      for (const Queue& q : queues_) sum += sizer.demand(q.now_s, q.waiting, q.in_use, q.open, q.connecting, q.target);
      const int64_t ended_ns = bench::now_ns();
      ticks_ns.push_back(static_cast<double>(ticked_ns - began_ns) / static_cast<double>(ticks_.size()));
      demands_ns.push_back(static_cast<double>(ended_ns - ticked_ns) /
                           static_cast<double>(std::max<size_t>(queues_.size(), 1)));
    }
    if (sum < 0) std::abort();  // the answers are wanted
    return {bench::median(ticks_ns), bench::median(demands_ns)};
  }

 private:
  static constexpr size_t kKept = 20'000;

  std::vector<tide::brain::Observation> ticks_;
  std::vector<Queue> queues_;
};

struct Sums {
  double ratio = 0, ratio_max = 0, excess_max = -100, open = 0, open_of_max = 0;
  int traces = 0;
};

void print_row(const char* name, const replay::Outcome& outcome, double oracle_open) {
  std::printf("  %-12s %8.2f %10.3f %8.1f %7.2f ", name, 100 * outcome.slow_share, 100 * outcome.timeout_share,
              1000 * outcome.wait_p99_s, outcome.open_avg);
  if (oracle_open > 0) {
    std::printf("%9.2f ", outcome.open_avg / oracle_open);
  } else {
    std::printf("%9s ", "-");
  }
  std::printf("%10.0f %8.0f %10.2f\n", outcome.resizes_per_h, outcome.opens_per_h, 100 * outcome.above_knee_share);
}

void compare(const replay::Trace& recorded, const Options& options, Progress& progress, Sums& sums) {
  replay::Trace trace = recorded;
  std::vector<double> season_s = trace.season_s();
  if (options.is_week) {
    trace.bin_s = trace.native_bin_s;
    season_s.assign(tide::brain::kSeasons_s.begin(), tide::brain::kSeasons_s.end());
  }
  const double length_s = options.is_week ? kWeek_s : trace.length_s();
  replay::DrawnRequests requests(trace, options.seed, length_s);
  const replay::Server server = *replay::scenario(options.scenario, length_s);
  const auto run = [&](const char* name, replay::Sizing& sizing, int64_t fixed, replay::Found* found) {
    progress.at(trace.name + ", " + name);
    replay::Server with = server;
    if (fixed > 0) with.min_size = with.max_size = fixed;
    return replay::PoolModel(requests, sizing, with).run(found);
  };
  const std::clock_t began = std::clock();
  replay::Found found;
  replay::FixedSize all(server.max_size), ten(10);
  replay::Threshold threshold(server.min_size);
  Recorded adaptive(server, season_s);
  const replay::Outcome most = run("fixed-max", all, server.max_size, options.is_week ? nullptr : &found);
  const replay::Outcome ours = run("adaptive", adaptive, 0, nullptr);
  const replay::Outcome fixed = run("fixed-10", ten, 10, nullptr);
  const replay::Outcome ruled = run("threshold", threshold, 0, nullptr);
  replay::Outcome best;
  if (!options.is_week) {
    progress.at(trace.name + ", oracle");
    best = replay::oracle(requests, server, found, most.slow_share + 0.01);
  }
  std::printf("\n%s: %llu requests in %.0f s, bins of %g s%s, %s, seed %llu\n", trace.name.c_str(),
              static_cast<unsigned long long>(ours.requests), ours.length_s, trace.bin_s,
              length_s > trace.length_s() + 1 ? " (repeated)" : "", options.scenario.c_str(),
              static_cast<unsigned long long>(options.seed));
  std::printf("  %-12s %8s %10s %8s %7s %9s %10s %8s %10s\n", "", "slow %", "timeouts %", "p99 ms", "open", "/ oracle",
              "resizes/h", "opens/h", "> knee %");
  print_row("adaptive", ours, best.open_avg);
  print_row("fixed 10", fixed, best.open_avg);
  print_row("fixed 64", most, best.open_avg);
  print_row("threshold", ruled, best.open_avg);
  if (!options.is_week) print_row("oracle 30 s", best, best.open_avg);
  const auto near = adaptive.accuracy(10), far = adaptive.accuracy(60);
  const Recorded::Cost cost = adaptive.cost(server, season_s);
  std::printf(
      "  forecast WAPE %.1f %% (persistence %.1f %%) 10 s ahead, %.1f %% (%.1f %%) 60 s ahead; tick %.0f ns, demand() "
      "%.0f ns\n",
      100 * near.wape, 100 * near.persistence, 100 * far.wape, 100 * far.persistence, cost.tick_ns, cost.demand_ns);
  if (options.is_week)
    std::printf("  %.1f s of the processor\n", static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC);
  std::fflush(stdout);
  if (best.open_avg > 0) {
    sums.ratio += ours.open_avg / best.open_avg;
    sums.ratio_max = std::max(sums.ratio_max, ours.open_avg / best.open_avg);
  }
  sums.excess_max = std::max(sums.excess_max, 100 * (ours.slow_share - most.slow_share));
  sums.open += ours.open_avg;
  ++sums.traces;
}

int usage() {
  std::fprintf(stderr,
               "usage: sizing [--traces DIR] [--scenario std|slowconn|brownout|heavy|heavy3] [--seed N] [--only TRACE] "
               "[--week]\n");
  return 2;
}

bool parsed(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--week") {
      options.is_week = true;
      continue;
    }
    if (i + 1 >= argc) return false;
    const std::string value = argv[++i];
    if (word == "--traces")
      options.folder = value;
    else if (word == "--scenario")
      options.scenario = value;
    else if (word == "--only")
      options.only = value;
    else if (word == "--seed")
      options.seed = std::strtoull(value.c_str(), nullptr, 10);
    else
      return false;
  }
  return replay::scenario(options.scenario, 1).has_value();
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parsed(argc, argv, options)) return usage();
  std::vector<replay::Trace> traces = replay::synthetic_traces();
  try {
    if (!options.folder.empty()) {
      for (replay::Trace& trace : replay::traces_in(options.folder)) traces.push_back(std::move(trace));
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "sizing: %s\n", error.what());
    return 1;
  }
  Progress progress;
  Sums sums;
  for (const replay::Trace& trace : traces) {
    if (options.only.empty() || options.only == trace.name) compare(trace, options, progress, sums);
  }
  if (sums.traces == 0) {
    std::fprintf(stderr, "sizing: no trace %s\n", options.only.c_str());
    return 1;
  }
  std::printf("\n%d traces: ", sums.traces);
  if (!options.is_week) std::printf("open / oracle mean %.3f, max %.3f; ", sums.ratio / sums.traces, sums.ratio_max);
  std::printf("worst excess of slow requests over fixed 64: %+.2f points\n", sums.excess_max);
  return 0;
}
