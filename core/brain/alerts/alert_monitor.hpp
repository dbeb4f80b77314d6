// AlertMonitor: evaluates the alert rules against the measured values, and reports alerts.
//
// An alert is pending while its rule's `hold` runs, fires if the condition was true at every evaluation during it, and
// is resolved when the condition has been false for kClearFor (a metric that is a fact: at once). A condition that
// becomes true again later makes a new alert. While pending the threshold itself must hold; hysteresis applies to
// firing alerts only.
// Not measured (NaN): nothing begins, pending alerts end, and firing alerts continue for kUnmeasuredMax at most.
// Changing, dropping or disabling a rule ends its alert.
//
// Invariants: at most one alert of a rule is unresolved; a firing alert was announced once and is resolved at most
// once; an alert that was only pending is removed without an event; numbers are never reused within a pool.
// Threads: the keeper only. Memory: the table is created once; a tick that changes nothing allocates nothing.
// Failure: commands that cannot be executed are refused with the reason.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "brain/action.hpp"
#include "brain/alerts/alert.hpp"
#include "brain/alerts/metric.hpp"
#include "brain/alerts/rule_book.hpp"
#include "brain/desk.hpp"

namespace tide::brain {

class AlertMonitor {
 public:
  static constexpr size_t kPlaces = 128;                     // alerts, old ones included
  static constexpr Span kClearFor = Span::seconds(5);        // so that an alert does not flap
  static constexpr Span kUnmeasuredMax = Span::seconds(60);  // how long an alert keeps firing without a measurement
  static constexpr Span kLookInterval = Span::seconds(1);    // how often a lasting alert is reported again

  explicit AlertMonitor(const Policy& policy);

  // Thresholds of built-in rules that were not set follow the policy.
  void set_policy(const Policy& policy);

  // Effects on alerts are visible at once, and in the actions of the next tick.
  Verdict set_alert(const Command& command, Instant now);
  Verdict drop_alert(const Command& command, Instant now);
  Verdict ack(const Command& command, Instant now);

  void tick(Desk& desk, const Readings& readings);

  std::span<const AlertRule> rules() const { return book_.rules(); }
  uint64_t rules_generation() const { return book_.generation(); }  // from 1; raised when rules change
  const Alert& alert(size_t place) const { return alerts_[place]; }
  size_t places() const { return alerts_.size(); }
  int64_t firing(Severity at_least) const;
  uint64_t fired_total() const { return fired_total_; }

 private:
  static constexpr size_t kNowhere = kPlaces;

  // State of a rule between evaluations.
  struct Watch {
    size_t place = kNowhere;  // of its unresolved alert
    Instant counted_at;       // the last evaluation that was counted
    Instant told_at;          // the last time the alert's entry was published
    Instant measured_at;
    Instant clear_since;  // unset: the condition holds
  };

  void look(Desk& desk, const AlertRule& rule, Watch& watch, double value);
  void begin(Desk& desk, const AlertRule& rule, Watch& watch, double value);
  void see(Watch& watch, double value, Instant now);
  void wait_out_hold(Desk& desk, const AlertRule& rule, Watch& watch, double value);
  void wait_for_end(Desk& desk, const AlertRule& rule, Watch& watch, double value);
  void fire(Desk& desk, Watch& watch);
  // `out` are the actions of this tick, or of the next.
  template <typename Out>
  void end(Watch& watch, Instant now, const std::string& why, Out&& out);
  void end_because(size_t rule, Instant now, const std::string& why);
  void tell(Desk& desk, Watch& watch);
  size_t room() const;
  void note(const Command& command, EventKind event, std::string text);

  bool is_on_;  // the option alerts
  RuleBook book_;
  std::vector<Watch> watches_;   // one per rule
  std::vector<Alert> alerts_;    // kPlaces
  std::vector<Action> backlog_;  // for the next tick
  uint64_t last_number_ = 0;
  uint64_t fired_total_ = 0;
  Instant seen_at_;
};

}  // namespace tide::brain
