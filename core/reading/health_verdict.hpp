// HealthVerdict: whether a pool is well, in one word, with the reasons and what to do about them.
//
//   unhealthy  it cannot serve as it should: closed, dead or stale; no connection can be made (the breaker is open); all
//              connections are in use while callers wait; more than kWaitingMany wait; the check of connectivity or of
//              performance failed
//   degraded   it serves, but not as it should: starting, paused or draining by command, in an emergency; the check of
//              resources or of scaling failed, or any check warns
//   healthy    neither
// Threads: any. Failure: none; of what cannot be read nothing is said.
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
  std::vector<std::string> issues;                                   // sentences; what is worst comes first
  std::vector<std::string> recommendations;                          // as many, in the same order
  std::vector<std::pair<HealthCheck, format::HealthRecord>> checks;  // the evidence: the latest check of each kind
  bool is_healthy() const { return health == Health::healthy; }
};

HealthVerdict health_verdict(const Attachment& segment);

// {"connectivity":{"status":"ok","score":100,"message":"...","checked_at":"..."},...}, and the whole of it:
// {"healthy":true,"status":"healthy","issues":[],"recommendations":[],"checks":{...}}
std::string checks_json(const HealthVerdict& verdict);
std::string verdict_json(const HealthVerdict& verdict);
std::string list_json(const std::vector<std::string>& texts);

}  // namespace tide
