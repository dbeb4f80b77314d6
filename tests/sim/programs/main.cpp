// Random programs of a service. A failing one is made smaller while it fails in the same way, and printed.
#include <unistd.h>
#include <csignal>
#include <cstdio>
#include <string>

#include "sim/random_programs.hpp"
#include "world.hpp"

namespace {

using namespace tide::programs;
using tide::test::check_of;

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

// Removes steps, then faults, as long as the same check fails.
Program make_smaller(Program program, Break broken) {
  Counts unused;
  const std::string check = check_of(outcome_of(program, broken, unused));
  const auto still_fails = [&](const Program& smaller) {
    return check_of(outcome_of(smaller, broken, unused)) == check;
  };
  program = tide::test::with_fewer_steps(std::move(program), still_fails);
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
  const auto arguments = tide::test::program_arguments(argc, argv);
  if (!arguments) return 2;
  if (arguments->is_self_test) return test_self();
  std::signal(SIGABRT, tell_seed);
  Counts counts;
  for (uint64_t seed = arguments->first; seed < arguments->first + arguments->programs; ++seed) {
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
