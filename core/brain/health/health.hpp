// Health: four checks over the state known to the brain, and one score from them.
//
//  connectivity  connections alive, against health_min_healthy; failed when there is none and connects fail, or when
//                the database file was deleted or replaced
//  performance   share of statements that failed (faults, see README.md) against health_max_error_rate, and their mean
//                duration against health_max_response; over the last 15 s, or the last minute if that has too few
//  resources     the highest utilization of: connections, memory, descriptors, server sessions
//  scaling       share of requests that got no connection in time, against health_max_error_rate; and whether the pool
//                is at its limit with callers waiting
//
// A check's score: 100 while it is ok, 99..50 in the range of a warning, 49..0 when failed; README.md has the formulas.
// health = min(0.35 C + 0.30 P + 0.15 R + 0.20 S, 10 + 0.9 min(C, P)): a pool whose database is gone or answers with
// errors is unhealthy, however much memory is free.
// Threads: the keeper only. Failure: none; what cannot be measured counts as ok.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "brain/desk.hpp"
#include "brain/pulse.hpp"

namespace tide::brain {

inline constexpr size_t kChecks = kWords<HealthCheck>.size();

struct Finding {
  HealthStatus status = HealthStatus::ok;
  double score = 100;
  double value = Resources::kUnknown;
  double threshold = Resources::kUnknown;
  Instant checked_at;  // unset: never
  std::string message;
};

struct Health {
  std::array<Finding, kChecks> findings;
  int64_t score = -1;  // 0..100; -1: never checked
  uint64_t rounds = 0;

  const Finding& of(HealthCheck check) const { return findings[static_cast<size_t>(check)]; }
  bool has(HealthStatus at_least) const;
};

// One round of checks. `failing_since` unset: the last connect succeeded. `had_connection`: one was alive at some time.
struct HealthFacts {
  Instant failing_since;
  bool is_tripped = false;
  bool is_wanted = true;  // connections are wanted at all: not an unused lazy pool
};
void check_health(const Desk& desk, const Pulse& pulse, const HealthFacts& facts, Health& out);

// For display: "health 87: connectivity ok, performance warning (...), ...".
std::string health_text(const Health& health);

}  // namespace tide::brain
