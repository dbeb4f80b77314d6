#include "worlds.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/assert.hpp"
#include "os/clock.hpp"
#include "shrink.hpp"
#include "world.hpp"

// Defined if there is a sanitizer; it ends the process without a signal.
extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

namespace tide::sim {
namespace {

constexpr unsigned kWorldSecondsMax = 240;  // of real time; more means that it hangs

// The current world, for the report of a crash.
World* running = nullptr;

void report_death(const char* what) {
  std::fflush(stdout);
  if (running != nullptr) running->trace().report();
  std::fprintf(stderr, "%s\n", what);
}

void die_on_signal(int signal) {
  report_death(signal == SIGALRM ? "hangs" : "an assertion failed");
  std::_Exit(1);
}

void watch_for_death() {
  std::signal(SIGABRT, die_on_signal);
  std::signal(SIGALRM, die_on_signal);
  if (__sanitizer_set_death_callback != nullptr) {
    __sanitizer_set_death_callback([] {
      if (running != nullptr) report_death("a sanitizer stopped it");
    });
  }
}

unsigned long long shown(uint64_t n) { return n; }

struct Outcome {
  uint64_t hash = 0;
  uint64_t steps = 0;
  std::string broken;  // the invariant; "" if the world succeeded
  uint64_t trips = 0, emergencies = 0, degradations = 0, alerts = 0;
};

Outcome live(const Task& task, bool is_shown) {
  World* const world = new World({task.seed, is_shown, task.kinds, task.broken});
  running = world;
  alarm(kWorldSecondsMax);
  world->live(task.steps);
  const HealthChecker& health_monitor = world->health_monitor();
  Outcome outcome{world->trace().hash(),         world->steps(),
                  world->trace().broken(),       health_monitor.trips(),
                  health_monitor.emergencies(),  health_monitor.degradations(),
                  world->records().fired_total()};
  if (!outcome.broken.empty()) return outcome;  // it is not destroyed
  running = nullptr;
  delete world;
  return outcome;
}

// ---- shared by the processes: the progress of the child -------------------------------------------------------------

struct Word {
  uint64_t number;  // of the task
  std::array<char, 24> broken;
};

void tell(int fd, uint64_t number, const std::string& broken) {
  Word word{number, {}};
  std::strncpy(word.broken.data(), broken.c_str(), word.broken.size() - 1);
  TIDE_ASSERT(::write(fd, &word, sizeof word) == static_cast<ssize_t>(sizeof word));
}

// Runs `work` in a child, which reports by descriptor; returns its exit status, and its last report.
template <typename Work>
int in_child(const Work& work, Word& last) {
  int ends[2];
  TIDE_ASSERT(pipe(ends) == 0);
  std::fflush(nullptr);
  const pid_t child = fork();
  TIDE_ASSERT(child >= 0);
  if (child == 0) {
    close(ends[0]);
    watch_for_death();
    std::exit(work(ends[1]));
  }
  close(ends[1]);
  for (Word word{}; ::read(ends[0], &word, sizeof word) == static_cast<ssize_t>(sizeof word);) last = word;
  close(ends[0]);
  int status = 0;
  TIDE_ASSERT(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int live_all(const WorldsSpec& spec, int fd) {
  const Clock& clock = SystemClock::instance();
  const Instant start = clock.now();
  const bool shows_progress = isatty(STDERR_FILENO) != 0 && !spec.is_shown;
  uint64_t steps = 0, trips = 0, emergencies = 0, degradations = 0, alerts = 0;
  for (size_t n = 0; n < spec.tasks.size(); ++n) {
    tell(fd, n, "death");
    const Outcome outcome = live(spec.tasks[n], spec.is_shown);
    steps += outcome.steps;
    trips += outcome.trips;
    emergencies += outcome.emergencies;
    degradations += outcome.degradations;
    alerts += outcome.alerts;
    if (!outcome.broken.empty()) {
      tell(fd, n, outcome.broken);
      std::fflush(stdout);
      running->trace().report();
      std::_Exit(1);
    }
    if (spec.is_twice && live(spec.tasks[n], false).hash != outcome.hash) {
      tell(fd, n, "determinism");
      std::fprintf(stderr, "the second run differs from the first\n");
      return 1;
    }
    if (shows_progress && clock.now() - start > Span::seconds(2)) {
      std::fprintf(stderr, "\r%zu of %zu worlds, %llu steps", n + 1, spec.tasks.size(), shown(steps));
    }
    if (spec.tasks.size() == 1)
      std::printf("seed %llu: trace %016llx\n", shown(spec.tasks[n].seed), shown(outcome.hash));
  }
  if (shows_progress) std::fprintf(stderr, "\r\033[K");
  std::printf(
      "%zu worlds, %llu steps: degraded %llu times, breaker open %llu times, %llu emergencies, %llu alerts; %.1f s\n",
      spec.tasks.size(), shown(steps), shown(degradations), shown(trips), shown(emergencies), shown(alerts),
      (clock.now() - start).seconds_exact());
  tell(fd, spec.tasks.size(), "");
  return 0;
}

}  // namespace

std::string failure_of(const Task& task) {
  Word last{};
  const int status = in_child(
      [&task](int fd) {
        tell(fd, 0, "death");
        if (std::freopen("/dev/null", "w", stderr) == nullptr) return 1;
        const Outcome outcome = live(task, false);
        tell(fd, 0, outcome.broken);
        std::_Exit(outcome.broken.empty() ? 0 : 1);
        return 1;
      },
      last);
  return status == 0 ? "" : last.broken.data();
}

std::string replay_of(const Task& task) {
  std::string text = "sim --seed " + std::to_string(task.seed) + " --steps " + std::to_string(task.steps);
  if (!task.broken.empty()) text += " --break " + task.broken;
  if (!task.kinds.is_all()) {
    const bool has_few = task.kinds.count() <= kKinds / 2;
    Kinds others;
    for (size_t i = 0; i < kKinds; ++i) others.put(static_cast<Kind>(i), !task.kinds.has(static_cast<Kind>(i)));
    const std::string few = task.kinds.count() == 0 ? "nothing" : task.kinds.names();
    text += has_few ? " --only " + few : " --without " + others.names();
  }
  return text + " --trace";
}

int run_worlds(const WorldsSpec& spec) {
  Word last{};
  const int status = in_child([&spec](int fd) { return live_all(spec, fd); }, last);
  if (status == 0 || last.number >= spec.tasks.size()) return status;
  Task task = spec.tasks[last.number];
  const std::string broken = last.broken.data();
  std::fprintf(stderr, "seed %llu: failed\nreplay: %s\n", shown(task.seed), replay_of(task).c_str());
  if (spec.is_shown || broken == "determinism") return 1;
  const Task smallest = shrink(task, broken);
  std::fprintf(stderr, "smaller: %s\n", replay_of(smallest).c_str());
  return 1;
}

}  // namespace tide::sim
