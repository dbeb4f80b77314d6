#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <numbers>
#include <sstream>
#include <stdexcept>

#include "base/rng.hpp"
#include "replay/requests.hpp"

namespace replay {
namespace {

constexpr double kTurn = 2 * std::numbers::pi;

double wave(double cycles) { return std::sin(kTurn * cycles); }

double bump(double x, double centre, double width) { return std::exp(-std::pow((x - centre) / width, 2)); }

// Near enough to normal for noise: the sum of twelve uniform numbers.
double noise(tide::Rng& rng) {
  double sum = -6;
  for (int i = 0; i < 12; ++i) sum += rng.unit();
  return sum;
}

Trace of_seconds(const char* name, double peak, std::vector<int> seasons, double (*erlangs)(int)) {
  Trace trace{name, {}, 1, 1, peak, std::move(seasons)};
  for (int k = 0; k < 3600; ++k) trace.bins.push_back(erlangs(k));
  return trace;
}

// Half hours of ten weeks, 3 s each: evenings and mornings of working days, late evenings of the others.
Trace week() {
  Trace trace{"week", {}, 3, 1800, 15, {48, 336}};
  tide::Rng rng(101);
  for (int i = 0; i < 10 * 336; ++i) {
    const double hour = (i % 48) / 2.0;
    const bool is_free = i / 48 % 7 >= 5;
    const double day =
        is_free ? 0.5 + 0.5 * wave((hour - 10.5) / 24) + 0.3 * bump(hour, 0.5, 2.5)
                : 0.55 + 0.45 * wave((hour - 9) / 24) + 0.25 * bump(hour, 19, 2.5) + 0.2 * bump(hour, 8.5, 1.2);
    trace.bins.push_back(std::max(0.12, day) * (1 + 0.05 * noise(rng)));
  }
  return trace;
}

// Five minutes of two weeks, 2 s each: a mild day, and twice a crowd that nothing announced.
Trace flash_crowd() {
  Trace trace{"crowd", {}, 2, 300, 15, {288, 2016}};
  tide::Rng rng(102);
  for (int i = 0; i < 4032; ++i) {
    double load = (1 + 0.3 * wave((i % 288) / 288.0 - 0.4)) * (1 + 0.12 * noise(rng));
    if (i >= 1700) load += 14 * (1 - std::exp(-(i - 1699) / 4.0)) * std::exp(-(i - 1700) / 60.0);
    if (i >= 3100) load += 4 * (1 - std::exp(-(i - 3099) / 2.0)) * std::exp(-(i - 3100) / 25.0);
    trace.bins.push_back(std::max(0.0, load));
  }
  return trace;
}

// An hour of counts a second around a level that wanders slowly.
Trace steady() {
  Trace trace{"steady", {}, 1, 1, 15, {}};
  tide::Rng rng(103);
  double level = 0;
  for (int i = 0; i < 3600; ++i) {
    level = 0.995 * level + 0.02 * noise(rng);
    const double mean = 180 * std::exp(level);
    trace.bins.push_back(std::max(0.0, std::round(mean + 1.5 * std::sqrt(mean) * noise(rng))));
  }
  return trace;
}

// Five minutes of two weeks, 2 s each: quiet, with spikes, a few of them beyond what the database can do.
Trace spiky() {
  Trace trace{"spiky", {}, 2, 300, 15, {288, 2016}};
  tide::Rng rng(104);
  for (int i = 0; i < 4032; ++i)
    trace.bins.push_back((1 + 0.3 * wave(i / 288.0)) * std::max(0.1, 1 + 0.2 * noise(rng)));
  for (size_t i = 40; i < 4028; i += 3 + rng.below(90)) {
    const double height = rng.chance(0.12) ? 5 + 11 * rng.unit() : std::array{0.5, 1.0, 1.5, 2.0, 3.0}[rng.below(5)];
    for (size_t j = 0; j < 1 + rng.below(3); ++j) trace.bins[i + j] += height * (0.7 + 0.5 * rng.unit());
  }
  return trace;
}

std::vector<std::string> fields(const std::string& line) {
  std::vector<std::string> out;
  std::istringstream words(line);
  for (std::string word; std::getline(words, word, ',');) out.push_back(word);
  return out;
}

double number(const std::string& word) { return std::strtod(word.c_str(), nullptr); }

std::vector<double> counts_in(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  std::vector<double> out;
  while (std::getline(file, line)) {
    const std::vector<std::string> words = fields(line);
    if (words.size() >= 2) out.push_back(number(words[1]));
  }
  return out;
}

}  // namespace

std::vector<double> Trace::season_s() const {
  std::vector<double> out;
  for (const int bins_long : season_bins) out.push_back(bins_long * bin_s);
  return out;
}

std::vector<Trace> synthetic_traces() {
  return {
      of_seconds("cron", 14, {60},
                 [](int k) { return k % 60 >= 10 && k % 60 < 15 ? 14 + k % 7 : 2 + 0.3 * std::sin(k / 97.0); }),
      of_seconds("step", 14, {}, [](int k) { return k / 600 % 2 == 1 ? 14.0 : 2.0; }),
      of_seconds("flat", 7, {}, [](int) { return 7.0; }),
      week(),
      flash_crowd(),
      steady(),
      spiky(),
  };
}

std::vector<Trace> traces_in(const std::string& folder) {
  std::ifstream file(folder + "/manifest.csv");
  if (!file) throw std::runtime_error("cannot read " + folder + "/manifest.csv");
  std::string line;
  std::getline(file, line);
  std::vector<Trace> out;
  while (std::getline(file, line)) {
    const std::vector<std::string> words = fields(line);
    if (words.size() < 7) continue;
    Trace trace{words[0], counts_in(folder + "/" + words[1]), number(words[3]), number(words[2]), number(words[6]), {}};
    std::istringstream seasons(words[4]);
    for (std::string bins_long; std::getline(seasons, bins_long, ';');) {
      if (number(bins_long) > 0) trace.season_bins.push_back(static_cast<int>(number(bins_long)));
    }
    if (trace.bins.size() < 2) throw std::runtime_error("no trace in " + folder + "/" + words[1]);
    out.push_back(std::move(trace));
  }
  return out;
}

}  // namespace replay
