#include "normal.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <vector>

#include "os/clock.hpp"
#include "pool/keeper.hpp"
#include "segment/rings.hpp"
#include "stage.hpp"

namespace tide::sim {
namespace {

constexpr Span kHold = Span::millis(40);
constexpr int64_t kSeconds = 3600;
constexpr double kPeakErlangs = 15;  // of a trace, at this share of its bins:
constexpr double kPeakAt = 0.995;
constexpr int64_t kStartSeconds = 5;
constexpr int64_t kMaxSizeOfPeak = 64;

// Erlangs in the second `s`.
using Shape = std::function<double(int64_t s, Dice& dice)>;

struct Named {
  const char* name;
  Shape shape;
};

// `peak`: approximately the highest demand of the shape.
std::vector<Named> shapes(double peak) {
  return {
      {"steady", [peak](int64_t, Dice&) { return 0.6 * peak; }},
      {"daily",
       [peak](int64_t s, Dice&) { return peak * (0.5 - 0.4 * std::cos(static_cast<double>(s) * 2 * M_PI / 600)); }},
      {"bursts",
       [peak, until = int64_t{0}](int64_t s, Dice& dice) mutable {
         if (s >= until && dice.chance(0.02)) until = s + dice.between(3, 20);
         return s < until ? peak : 0.3 * peak;
       }},
      {"on/off", [peak](int64_t s, Dice&) { return s % 60 < 30 ? 0 : 0.8 * peak; }},
      {"cron", [peak](int64_t s, Dice&) { return s % 60 < 2 ? peak : 0.1 * peak; }},
      {"quiet", [](int64_t, Dice&) { return 0.005; }},
  };
}

Policy usual_policy(int64_t max_size) {
  Policy policy;
  policy.max_size = max_size;
  policy.log = LogLevel::off;
  return policy;
}

// The statements of a healthy application: a few fail intentionally.
void make_usual(Stage& stage) {
  fake::Latencies latencies;
  latencies.open = {Span::millis(15), Span::millis(5)};
  stage.server().set_latencies(latencies);
  stage.server().set_handler([&stage](const QueryRequest&, ResultTable&) -> std::optional<Status> {
    if (!stage.dice().chance(0.02)) return std::nullopt;
    Status failed = Status::error(Code::database, "duplicate key value violates unique constraint");
    failed.text().sqlstate = stage.dice().chance(0.5) ? "23505" : "40001";
    return failed;
  });
}

struct Result {
  bool is_calm = true;
  uint64_t steps = 0;
};

Result live(const char* name, uint64_t seed, const Policy& policy, int64_t seconds, const Shape& shape, bool is_shown) {
  auto* const stage = new Stage(seed, is_shown);
  make_usual(*stage);
  Player& player = stage->add(policy);
  uint64_t ill_s = 0;  // health below 90, or not running
  for (int64_t s = 0; s < seconds; ++s) {
    player.set_load(shape(s, stage->dice()) / kHold.seconds_exact(), kHold);
    stage->run_for(Span::seconds(1));
    if (stage->trace().is_broken()) break;
    if (s >= kStartSeconds && !player.health_monitor().is_well()) ++ill_s;
  }
  Result result{stage->trace().is_broken() == false, stage->steps()};
  std::string alerts;
  for (const auto& [rule, fired] : player.records().fired()) {
    alerts += " " + rule + " x" + std::to_string(fired);
    result.is_calm = false;
  }
  const format::KeeperStats& totals = player.pool().segment().totals();
  std::printf(
      "%-8s max_size %-3lld seed %llu: %llu requests, %llu failed, %llu times up and %llu down, size at most %llu, "
      "below health 90 for %llu s;%s\n",
      name, static_cast<long long>(policy.max_size), static_cast<unsigned long long>(seed),
      static_cast<unsigned long long>(player.asked()), static_cast<unsigned long long>(player.refused()),
      static_cast<unsigned long long>(read(totals.scale_up_total)),
      static_cast<unsigned long long>(read(totals.scale_down_total)),
      static_cast<unsigned long long>(read(totals.size_peak)), static_cast<unsigned long long>(ill_s),
      alerts.empty() ? " no alert" : alerts.c_str());
  std::fflush(stdout);
  if (stage->trace().is_broken()) stage->trace().report();
  if (!result.is_calm) return result;  // a failed run cannot be destroyed cleanly
  stage->close_all();
  delete stage;
  return result;
}

// ---- recorded load --------------------------------------------------------------------------------------------------

std::vector<double> read_counts(const std::string& path) {
  std::vector<double> counts;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const size_t comma = line.find(',');
    char* end = nullptr;
    const char* const text = comma == std::string::npos ? "" : line.c_str() + comma + 1;
    const double count = std::strtod(text, &end);
    if (end != text) counts.push_back(count);  // a heading is not a number
  }
  return counts;
}

// The hour around the highest count, and the first one.
int run_trace(const NormalSpec& spec) {
  const std::vector<double> counts = read_counts(spec.file);
  if (counts.empty()) return std::fprintf(stderr, "%s: no counts in a second column\n", spec.file.c_str()), 2;
  std::vector<double> sorted = counts;
  std::sort(sorted.begin(), sorted.end());
  const double peak = sorted[static_cast<size_t>(kPeakAt * static_cast<double>(sorted.size() - 1))];
  const auto bins = static_cast<int64_t>(static_cast<double>(kSeconds) / spec.bin_s);
  const auto top = std::max_element(counts.begin(), counts.end()) - counts.begin();
  const int64_t last = std::max<int64_t>(0, static_cast<int64_t>(counts.size()) - bins);
  bool is_calm = true;
  for (const int64_t begin : {int64_t{0}, std::clamp<int64_t>(top - bins / 2, 0, last)}) {
    const auto seconds = std::min(kSeconds, static_cast<int64_t>(static_cast<double>(counts.size()) * spec.bin_s));
    const auto shape = [&](int64_t s, Dice&) {
      const auto bin = std::min(static_cast<size_t>(begin + static_cast<int64_t>(static_cast<double>(s) / spec.bin_s)),
                                counts.size() - 1);
      return counts[bin] / peak * kPeakErlangs;
    };
    const auto end = std::min(begin + bins, static_cast<int64_t>(counts.size()));
    const double most = *std::max_element(counts.begin() + begin, counts.begin() + end) / peak * kPeakErlangs;
    std::printf("from bin %lld of %zu, at most %.1f erlangs\n", static_cast<long long>(begin), counts.size(), most);
    is_calm = live("trace", spec.first, usual_policy(kMaxSizeOfPeak), seconds, shape, spec.is_shown).is_calm && is_calm;
  }
  return is_calm ? 0 : 1;
}

}  // namespace

int run_normal(const NormalSpec& spec) {
  if (!spec.file.empty()) return run_trace(spec);
  const Clock& clock = SystemClock::instance();
  const Instant start = clock.now();
  bool is_calm = true;
  uint64_t steps = 0;
  for (uint64_t seed = spec.first; seed < spec.first + spec.runs; ++seed) {
    // With default options, and with a large pool.
    const bool is_large = (seed / 6) % 2 == 1;
    const std::vector<Named> all = shapes(is_large ? kPeakErlangs : 4);
    const Named& named = all[seed % all.size()];
    const Result result =
        live(named.name, seed, is_large ? usual_policy(kMaxSizeOfPeak) : usual_policy(Policy().max_size), kSeconds,
             named.shape, spec.is_shown);
    is_calm = is_calm && result.is_calm;
    steps += result.steps;
  }
  std::printf("%llu runs, %llu steps, %.1f s\n", static_cast<unsigned long long>(spec.runs),
              static_cast<unsigned long long>(steps), (clock.now() - start).seconds_exact());
  if (!is_calm) std::fprintf(stderr, "normal load caused alerts\n");
  return is_calm ? 0 : 1;
}

}  // namespace tide::sim
