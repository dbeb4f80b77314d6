// LogFact: an event on its way into the log.
#pragma once

#include <cstdint>
#include <string_view>

#include "brain/action.hpp"
#include "policy/policy.hpp"

namespace tide {

// The texts are borrowed: copy them to keep a fact.
struct LogFact {
  int64_t at_wall_ns = 0;
  LogLevel level = LogLevel::events;  // the lowest level that includes it
  Severity severity = Severity::info;
  std::string_view event = {};    // "connect", "alert_firing", ...
  std::string_view message = {};  // "" where the event says everything
  std::string_view detail = {};   // a JSON object, or ""
  std::string_view tag = {};      // of a lease
  uint64_t conn_id = 0;           // 0: about no connection
  uint64_t lease_id = 0;          // 0: about no lease
};

}  // namespace tide
