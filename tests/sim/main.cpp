// sim: worlds of a pool in virtual time, one after the other, each from its seed. See README.md.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "pool/system_clock.hpp"
#include "world.hpp"

// There when a sanitizer is; it ends the process without a signal.
extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

namespace tide::sim {
namespace {

constexpr unsigned kWorldSecondsMax = 240;  // of real time; more means that it hangs

constexpr char kHelp[] =
    "usage: sim [--worlds K] [--steps M] [--first SEED]   K worlds (240) of about M steps (5000), seeds from SEED (1)\n"
    "       sim --seed N [--steps M] [--trace]            one world; --trace prints every line\n"
    "       sim --seeds FILE                              the seeds of a file: \"SEED STEPS # why\" lines\n"
    "--twice runs every world twice and compares the hashes of their traces.\n";

struct Task {
  uint64_t seed;
  uint64_t steps;
};

struct Options {
  uint64_t worlds = 240;
  uint64_t steps = 5000;
  uint64_t first = 1;
  bool is_shown = false;
  bool is_twice = false;
  std::vector<Task> tasks;
};

// The world that runs now, for a death that comes by surprise.
World* running = nullptr;
Task running_task{};

void say_replay(const char* what) {
  std::fflush(stdout);
  if (running != nullptr) running->trace().report();
  std::fprintf(stderr, "seed %llu: %s\nreplay: sim --seed %llu --steps %llu --trace\n",
               static_cast<unsigned long long>(running_task.seed), what,
               static_cast<unsigned long long>(running_task.seed), static_cast<unsigned long long>(running_task.steps));
}

void die_on_signal(int signal) {
  say_replay(signal == SIGALRM ? "hangs" : "an assertion failed");
  std::_Exit(1);
}

void watch_for_death() {
  std::signal(SIGABRT, die_on_signal);
  std::signal(SIGALRM, die_on_signal);
  if (__sanitizer_set_death_callback != nullptr) {
    __sanitizer_set_death_callback([] {
      if (running != nullptr) say_replay("a sanitizer stopped it");
    });
  }
}

struct Outcome {
  uint64_t hash = 0;
  uint64_t steps = 0;
};

Outcome run(const Task& task, bool is_shown) {
  World world({task.seed, is_shown, {}, {}});
  running = &world;
  running_task = task;
  alarm(kWorldSecondsMax);
  world.live(task.steps);
  if (world.trace().is_broken()) {
    say_replay("failed");
    std::_Exit(1);  // a world in the middle of its life cannot be taken down in order
  }
  running = nullptr;
  return {world.trace().hash(), world.steps()};
}

bool read_seeds(const char* path, Options& options) {
  std::ifstream file(path);
  if (!file) return false;
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line.substr(0, line.find('#')));
    Task task{};
    if (words >> task.seed >> task.steps) options.tasks.push_back(task);
  }
  return true;
}

bool parse(int argc, char** argv, Options& options) {
  bool is_single = false;
  for (int i = 1; i < argc; ++i) {
    const auto is = [&](const char* name) { return std::strcmp(argv[i], name) == 0; };
    if (is("--trace")) {
      options.is_shown = true;
    } else if (is("--twice")) {
      options.is_twice = true;
    } else if (is("--seeds") && i + 1 < argc) {
      if (!read_seeds(argv[++i], options)) return false;
      options.worlds = 0;
    } else if ((is("--worlds") || is("--steps") || is("--first") || is("--seed")) && i + 1 < argc) {
      uint64_t& value = is("--worlds") ? options.worlds : is("--steps") ? options.steps : options.first;
      is_single = is_single || is("--seed");
      char* end = nullptr;
      value = std::strtoull(argv[++i], &end, 10);
      if (*end != '\0') return false;
    } else {
      return false;
    }
  }
  if (is_single) options.worlds = 1;
  for (uint64_t n = 0; n < options.worlds; ++n) options.tasks.push_back({options.first + n, options.steps});
  return true;
}

int run_all(const Options& options) {
  const Clock& clock = SystemClock::instance();
  const Instant start = clock.now();
  const bool shows_progress = isatty(STDERR_FILENO) != 0 && !options.is_shown;
  uint64_t steps = 0;
  for (size_t n = 0; n < options.tasks.size(); ++n) {
    const Outcome outcome = run(options.tasks[n], options.is_shown);
    steps += outcome.steps;
    if (options.is_twice && run(options.tasks[n], false).hash != outcome.hash) {
      say_replay("the second run differs from the first");
      return 1;
    }
    if (shows_progress && clock.now() - start > Span::seconds(2)) {
      std::fprintf(stderr, "\r%zu of %zu worlds, %llu steps", n + 1, options.tasks.size(),
                   static_cast<unsigned long long>(steps));
    }
    if (options.tasks.size() == 1) {
      std::printf("seed %llu: trace %016llx\n", static_cast<unsigned long long>(options.tasks[n].seed),
                  static_cast<unsigned long long>(outcome.hash));
    }
  }
  if (shows_progress) std::fprintf(stderr, "\r\033[K");
  std::printf("%zu worlds, %llu steps, %.1f s\n", options.tasks.size(), static_cast<unsigned long long>(steps),
              (clock.now() - start).seconds_exact());
  return 0;
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
  tide::sim::watch_for_death();
  return tide::sim::run_all(options);
}
