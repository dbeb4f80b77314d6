// Random programs of a service. A failing one is made smaller while it fails in the same way, and printed.
#include <unistd.h>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "world.hpp"

namespace {

using namespace tide::programs;

volatile std::sig_atomic_t seed_now = 0;

// A broken invariant of the product ends the process.
void tell_seed(int) {
  char text[64];
  const int length =
      std::snprintf(text, sizeof text, "aborted in the program with --seed %ld\n", static_cast<long>(seed_now));
  if (write(2, text, static_cast<size_t>(length)) < 0) _exit(3);
}

std::string outcome_of(const Program& program, Break broken, Counts& counts) {
  World world(program, broken, counts);
  return world.run();
}

// The first word of a complaint is the check.
std::string check_of(const std::string& complaint) { return complaint.substr(0, complaint.find(':')); }

// Delta debugging: removes steps, half of them at first, then faults, as long as the same check fails.
Program make_smaller(Program program, Break broken) {
  Counts unused;
  const std::string check = check_of(outcome_of(program, broken, unused));
  const auto still_fails = [&](const Program& smaller) {
    return check_of(outcome_of(smaller, broken, unused)) == check;
  };
  for (size_t chunk = program.steps.size(); chunk > 0;) {
    bool has_shrunk = false;
    for (size_t at = 0; at < program.steps.size();) {
      Program smaller = program;
      const size_t end = std::min(at + chunk, smaller.steps.size());
      smaller.steps.erase(smaller.steps.begin() + static_cast<std::ptrdiff_t>(at),
                          smaller.steps.begin() + static_cast<std::ptrdiff_t>(end));
      if (still_fails(smaller)) {
        program = smaller;
        has_shrunk = true;
      } else {
        at += chunk;
      }
    }
    if (!has_shrunk || chunk > 1) chunk /= 2;
  }
  for (Step& step : program.steps) {
    for (FaultAt& fault : step.faults) {
      const FaultAt before = std::exchange(fault, {});
      if (!still_fails(program)) fault = before;
    }
  }
  return program;
}

void print(const Program& program, const std::string& complaint) {
  std::printf("%s\n  --seed %llu, smaller: commit_check %d, may end other sessions %d\n", complaint.c_str(),
              static_cast<unsigned long long>(program.seed), program.is_checked, program.may_end_others);
  for (const Step& step : program.steps) std::printf("  %s\n", text_of(step).c_str());
}

int fail(const Program& program, const std::string& complaint) {
  print(program, complaint);
  Counts unused;
  const Program smaller = make_smaller(program, Break::nothing);
  std::printf("\n");
  print(smaller, outcome_of(smaller, Break::nothing, unused));
  return 1;
}

// The checks notice what is done wrong on purpose, and the program becomes small.
int test_self() {
  Counts unused;
  for (uint64_t seed = 1; seed < 1000; ++seed) {
    const Program program = make_program(seed);
    const std::string complaint = outcome_of(program, Break::forget_commit, unused);
    if (complaint.empty() || program.steps.size() < 20) continue;
    const Program smaller = make_smaller(program, Break::forget_commit);
    print(smaller, outcome_of(smaller, Break::forget_commit, unused));
    return smaller.steps.size() <= 3 ? 0 : 1;
  }
  std::printf("nothing was noticed\n");
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t programs = 1000, first = 1;
  for (int i = 1; i < argc; ++i) {
    const bool has_value = i + 1 < argc;
    if (std::strcmp(argv[i], "--programs") == 0 && has_value) {
      programs = std::strtoull(argv[++i], nullptr, 10);
    } else if (std::strcmp(argv[i], "--seed") == 0 && has_value) {
      first = std::strtoull(argv[++i], nullptr, 10);
      programs = 1;
    } else if (std::strcmp(argv[i], "--self-test") == 0) {
      return test_self();
    } else {
      std::fprintf(stderr, "usage: service_programs [--programs N | --seed N | --self-test]\n");
      return 2;
    }
  }
  std::signal(SIGABRT, tell_seed);
  Counts counts;
  for (uint64_t seed = first; seed < first + programs; ++seed) {
    seed_now = static_cast<std::sig_atomic_t>(seed);
    const Program program = make_program(seed);
    ++counts.programs;
    const std::string complaint = outcome_of(program, Break::nothing, counts);
    if (!complaint.empty()) return fail(program, complaint);
  }
  std::printf("%llu programs: %llu calls committed, %llu failed, %llu unknown; %llu bodies repeated\n",
              static_cast<unsigned long long>(counts.programs), static_cast<unsigned long long>(counts.committed),
              static_cast<unsigned long long>(counts.failed), static_cast<unsigned long long>(counts.unknown),
              static_cast<unsigned long long>(counts.repeated));
  return 0;
}
