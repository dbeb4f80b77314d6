// HealthVerdict: the health of a pool in one word, with problems and recommendations.
//
//   unhealthy  it cannot serve requests properly: closed, dead or stale; no connection can be opened (the breaker is
//              open); all connections are in use while callers wait; more than kWaitingMany wait; the check of
//              connectivity or of performance failed
//   degraded   it serves requests, with problems: starting, paused or draining by command, in emergency mode; the check
//              of resources or of scaling failed, or any check has a warning
//   healthy    otherwise
// Threads: any. Failure: none; data that cannot be read is ignored.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/words.hpp"
#include "segment/attach.hpp"

namespace tide {

inline constexpr uint64_t kWaitingMany = 10;

enum class Health : uint8_t { healthy, degraded, unhealthy };
std::string_view health_word(Health health);

struct HealthVerdict {
  Health health = Health::healthy;
  std::vector<std::string> issues;                                   // sentences, most severe first
  std::vector<std::string> recommendations;                          // as many, in the same order
  std::vector<std::pair<HealthCheck, format::HealthRecord>> checks;  // the latest check of each kind
  bool is_healthy() const { return health == Health::healthy; }
};

HealthVerdict health_verdict(const Attachment& segment);

// {"connectivity":{"status":"ok","score":100,"message":"...","checked_at":"..."},...}, and the whole verdict:
// {"healthy":true,"status":"healthy","issues":[],"recommendations":[],"checks":{...}}
std::string checks_json(const HealthVerdict& verdict);
std::string verdict_json(const HealthVerdict& verdict);
std::string list_json(const std::vector<std::string>& texts);

}  // namespace tide
