// TargetProbe: asks one server of a group for its role and position, on a session of its own, so that a full pool does not
// blind it.
//
// Threads: ask() from one thread at a time, and it may block; the rest from any.
// Failure: Status without credentials.
#pragma once

#include <cstdint>
#include <string>

#include "base/instant.hpp"
#include "base/status.hpp"

namespace tide {

struct TargetReport {
  bool is_in_recovery = false;
  uint64_t position = 0;    // replayed (a standby), or durable (a primary)
  uint64_t end = 0;         // of all that was written, durable or not: what is committed is before it
  std::string incarnation;  // the same for two targets only if they are the same server
  std::string cluster;      // the same for a primary and its standbys; empty: unknown
};

class TargetProbe {
 public:
  virtual ~TargetProbe() = default;
  // Connects if necessary. After a failure the next call connects again.
  virtual Status ask(Span timeout, TargetReport& out) = 0;
  // What ask() waits for is given up, now and later.
  virtual void end() noexcept = 0;
  // Before and after a fork(), as Connector.
  virtual bool hold_for_fork(Span timeout) noexcept = 0;
  virtual void release_after_fork() noexcept = 0;
  virtual void abandon() noexcept = 0;
};

}  // namespace tide
