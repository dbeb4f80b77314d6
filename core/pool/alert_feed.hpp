// AlertFeed: tells a receiver outside of the pool when an alert fires, is acknowledged and is resolved.
//
// The brain publishes an alert once a second while it lasts; a receiver wants to know only what has changed.
// Invariant: each of the three is told at most once for an alert, and in this order. Pending alerts are not told.
// Threads: the keeper only; the sink must not block. Failure: none.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>

#include "brain/alerts/alert_monitor.hpp"

namespace tide {

enum class AlertStep : uint8_t { fired, acknowledged, resolved };

// An alert at the time of a change. Times are since 1970; 0: not yet.
struct AlertChange {
  AlertStep step = AlertStep::fired;
  uint64_t alert_id = 0;
  Severity severity = Severity::warning;
  std::string rule;
  std::string metric;
  double value = 0;
  double threshold = 0;
  int64_t since_wall_ns = 0;
  int64_t acked_wall_ns = 0;
  int64_t resolved_wall_ns = 0;
  std::string acked_by;
  std::string message;
  std::string advice;

  bool is_resolved() const { return step == AlertStep::resolved; }
};

using AlertSink = std::function<void(AlertChange)>;

class AlertFeed {
 public:
  explicit AlertFeed(AlertSink sink) : sink_(std::move(sink)) {}

  // The alert at this place of the brain's table was published. `wall_ahead_ns`: of the monotonic clock.
  void look(const brain::Alert& alert, size_t place, uint64_t alert_id, int64_t wall_ahead_ns);

 private:
  struct Told {
    uint64_t number = 0;
    bool has_fired = false, is_acked = false, is_resolved = false;
  };
  const AlertSink sink_;  // may be empty
  std::array<Told, brain::AlertMonitor::kPlaces> told_{};
};

}  // namespace tide
