// What the tests by random programs of steps have in common: their command line, and making a program that fails smaller.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

namespace tide::test {

struct ProgramArguments {
  uint64_t first = 1;
  uint64_t programs = 1000;
  bool is_self_test = false;
};

inline std::optional<ProgramArguments> program_arguments(int argc, char** argv) {
  ProgramArguments found;
  for (int i = 1; i < argc; ++i) {
    const bool has_value = i + 1 < argc;
    if (std::strcmp(argv[i], "--programs") == 0 && has_value) {
      found.programs = std::strtoull(argv[++i], nullptr, 10);
    } else if (std::strcmp(argv[i], "--seed") == 0 && has_value) {
      found.first = std::strtoull(argv[++i], nullptr, 10);
      found.programs = 1;
    } else if (std::strcmp(argv[i], "--self-test") == 0) {
      found.is_self_test = true;
    } else {
      std::fprintf(stderr, "usage: %s [--programs N | --seed N | --self-test]\n", argv[0]);
      return std::nullopt;
    }
  }
  return found;
}

// The first word of a complaint is the check.
inline std::string check_of(const std::string& complaint) { return complaint.substr(0, complaint.find(':')); }

// Delta debugging: removes steps, half of them at first, as long as the program still fails.
template <typename Program, typename StillFails>
Program with_fewer_steps(Program program, const StillFails& still_fails) {
  for (size_t chunk = program.steps.size(); chunk > 0;) {
    bool has_shrunk = false;
    for (size_t at = 0; at < program.steps.size();) {
      Program smaller = program;
      const size_t end = std::min(at + chunk, smaller.steps.size());
      smaller.steps.erase(smaller.steps.begin() + static_cast<std::ptrdiff_t>(at),
                          smaller.steps.begin() + static_cast<std::ptrdiff_t>(end));
      if (still_fails(std::as_const(smaller))) {
        program = std::move(smaller);
        has_shrunk = true;
      } else {
        at += chunk;
      }
    }
    if (!has_shrunk || chunk > 1) chunk /= 2;
  }
  return program;
}

}  // namespace tide::test
