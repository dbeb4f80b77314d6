// sim: pools in virtual time. See README.md.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "fleet.hpp"
#include "normal.hpp"
#include "shrink.hpp"
#include "storms.hpp"
#include "worlds.hpp"

namespace tide::sim {
namespace {

constexpr char kHelp[] =
    "usage: sim [--worlds K] [--steps M] [--first SEED]   K worlds (240) of about M steps (5000), seeds from SEED (1)\n"
    "       sim --seed N [--steps M] [--trace]            one world; --trace prints every line\n"
    "       sim --seeds FILE                              the seeds of a file: \"SEED STEPS # why\" lines\n"
    "       sim --storms N [--first SEED]                 N short lives, with a storm or an outage each\n"
    "       sim --pools N [--first SEED]                  N pools at once, one server\n"
    "       sim --alerts-normal [--runs K] [--first SEED] hours of normal load: no built-in alert may fire\n"
    "       sim --alerts-normal --trace FILE.csv --bin S  the same with counts of requests each S seconds (2nd "
    "column)\n"
    "--twice runs every world twice and compares the hashes of their traces.\n"
    "--only a,b or --without a,b: enable or disable faults (kinds.hpp); a failing world is reduced that way "
    "automatically.\n";

struct Options {
  uint64_t worlds = 240;
  uint64_t steps = 5000;
  uint64_t first = 1;
  Kinds kinds;
  std::string broken;
  bool is_self_test = false;
  bool is_normal = false;
  NormalSpec normal;
  uint64_t storms = 0;
  uint64_t pools = 0;
  WorldsSpec spec;
};

bool read_seeds(const char* path, Options& options) {
  std::ifstream file(path);
  if (!file) return false;
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line.substr(0, line.find('#')));
    Task task;
    if (words >> task.seed >> task.steps) options.spec.tasks.push_back(task);
  }
  return true;
}

bool read_kinds(const char* list, bool is_without, Options& options) {
  const std::optional<Kinds> named = parse_kinds(list);
  if (!named) return false;
  for (size_t i = 0; i < kKinds; ++i) {
    const Kind kind = static_cast<Kind>(i);
    if (named->has(kind) == is_without) options.kinds.put(kind, false);
  }
  return true;
}

bool read_number(const char* text, uint64_t& value) {
  char* end = nullptr;
  value = std::strtoull(text, &end, 10);
  return *text != '\0' && *end == '\0';
}

bool parse(int argc, char** argv, Options& options) {
  bool is_single = false;
  for (int i = 1; i < argc; ++i) {
    const auto is = [&](const char* name) { return std::strcmp(argv[i], name) == 0; };
    const auto is_with_value = [&](const char* name) { return is(name) && i + 1 < argc; };
    bool is_good = true;
    if (is("--alerts-normal")) {
      options.is_normal = true;
    } else if (is_with_value("--trace") && argv[i + 1][0] != '-') {
      options.normal.file = argv[++i];
    } else if (is_with_value("--bin")) {
      options.normal.bin_s = std::atof(argv[++i]);
      is_good = options.normal.bin_s > 0;
    } else if (is_with_value("--runs")) {
      is_good = read_number(argv[++i], options.normal.runs);
    } else if (is("--trace")) {
      options.spec.is_shown = true;
    } else if (is("--twice")) {
      options.spec.is_twice = true;
    } else if (is("--self-test")) {
      options.is_self_test = true;
    } else if (is_with_value("--storms")) {
      is_good = read_number(argv[++i], options.storms);
    } else if (is_with_value("--pools")) {
      is_good = read_number(argv[++i], options.pools);
    } else if (is_with_value("--seeds")) {
      is_good = read_seeds(argv[++i], options);
      options.worlds = 0;
    } else if (is_with_value("--break")) {
      options.broken = argv[++i];
    } else if (is_with_value("--only") || is_with_value("--without")) {
      const bool is_without = is("--without");
      is_good = read_kinds(argv[++i], is_without, options);
    } else if (is_with_value("--worlds")) {
      is_good = read_number(argv[++i], options.worlds);
    } else if (is_with_value("--steps")) {
      is_good = read_number(argv[++i], options.steps);
    } else if (is_with_value("--first")) {
      is_good = read_number(argv[++i], options.first);
    } else if (is_with_value("--seed")) {
      is_good = read_number(argv[++i], options.first);
      is_single = true;
    } else {
      is_good = false;
    }
    if (!is_good) return false;
  }
  if (is_single) options.worlds = 1;
  for (uint64_t n = 0; n < options.worlds; ++n) {
    options.spec.tasks.push_back({options.first + n, options.steps, options.kinds, options.broken});
  }
  return true;
}

}  // namespace
}  // namespace tide::sim

int main(int argc, char** argv) {
  tide::sim::Options options;
  if (!tide::sim::parse(argc, argv, options)) {
    const bool is_asked_for = argc > 1 && std::strcmp(argv[1], "--help") == 0;
    std::fputs(tide::sim::kHelp, is_asked_for ? stdout : stderr);
    return is_asked_for ? 0 : 2;
  }
  if (options.storms > 0) return tide::sim::run_storms(options.first, options.storms, options.spec.is_shown);
  if (options.pools > 0) return tide::sim::run_fleet(options.first, options.pools, options.spec.is_shown);
  if (options.is_normal) {
    options.normal.first = options.first;
    options.normal.is_shown = options.spec.is_shown;
    return tide::sim::run_normal(options.normal);
  }
  if (options.is_self_test) return tide::sim::test_shrinking(options.broken);
  return tide::sim::run_worlds(options.spec);
}
