// Trace: the events, line by line, and the first violation.
//
// Every line is hashed, so that two runs can be compared byte by byte without keeping either; the last lines are kept
// for the report. A line contains nothing that differs between runs: no address, thread, process or random id.
// Threads: one. Failure: none.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/instant.hpp"

namespace tide::sim {

class Trace {
 public:
  explicit Trace(bool is_shown) : is_shown_(is_shown) {}

  void set_place(uint64_t step, Instant now) {
    step_ = step;
    now_ = now;
  }
  void say(const char* format, ...) __attribute__((format(printf, 2, 3)));
  // An invariant is broken. The first complaint counts; the world stops at the end of the step.
  void complain(const char* invariant, const char* format, ...) __attribute__((format(printf, 3, 4)));

  bool is_broken() const { return !complaint_.empty(); }
  // The invariant of the first complaint.
  const std::string& broken() const { return broken_; }
  uint64_t hash() const { return hash_; }
  // To standard error: the position, the broken invariant, and the last lines.
  void report() const;

 private:
  static constexpr size_t kKept = 32;
  static constexpr size_t kLineBytesMax = 240;
  void keep(const char* text);

  const bool is_shown_;
  uint64_t step_ = 0;
  Instant now_;
  uint64_t hash_ = 14695981039346656037ULL;
  std::array<std::array<char, kLineBytesMax>, kKept> last_{};
  uint64_t lines_ = 0;
  std::string complaint_;
  std::string broken_;
};

}  // namespace tide::sim
