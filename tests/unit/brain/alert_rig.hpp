// An AlertMonitor with readings set by the test. Time moves only when a test says so.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "actions.hpp"
#include "brain/alerts/alert_monitor.hpp"

namespace tide::test {

using brain::Alert;
using brain::AlertMonitor;
using brain::AlertRule;

inline constexpr Span kSecond = Span::seconds(1);

// The arguments of set_alert.
struct AlertWish {
  std::string rule;
  std::optional<std::string> metric;
  std::optional<std::string> comparison;
  std::optional<double> threshold;
  std::optional<Span> hold;
  std::optional<std::string> severity;
  std::optional<bool> is_enabled;
  std::optional<std::string> message;
  std::optional<std::string> advice;
  std::optional<double> clear_at;
};

class AlertRig {
 public:
  explicit AlertRig(const Policy& wanted = Policy()) : policy(wanted), alert_monitor(wanted), ledger(wanted, 8, 7) {}

  // One tick, after `span`.
  void tick(Span span = Span()) {
    now += span;
    actions.clear();
    brain::Desk desk(ledger, census, now, actions);
    alert_monitor.tick(desk, readings);
    wakeup = desk.next_wakeup();
    for (const action::Note& note : all<action::Note>(actions)) notes.push_back(note);
  }
  // Ticks every `step` for `span`.
  void run(Span span, Span step = Span::seconds(1)) {
    for (const Instant end = now + span; now < end;) tick(std::min(step, end - now));
  }
  void put(Metric metric, double value) { readings[metric] = value; }

  // The latest alert of a rule, or nullptr.
  const Alert* alert(const std::string& rule) const {
    const Alert* found = nullptr;
    for (size_t place = 0; place < alert_monitor.places(); ++place) {
      const Alert& alert = alert_monitor.alert(place);
      if (alert.number != 0 && alert.rule == rule && (!found || alert.number > found->number)) found = &alert;
    }
    return found;
  }
  bool is_firing(const std::string& rule) const {
    const Alert* found = alert(rule);
    return found != nullptr && found->state == AlertState::firing;
  }
  const AlertRule* rule(const std::string& name) const {
    const auto rules = alert_monitor.rules();
    const auto it = std::find_if(rules.begin(), rules.end(), [&](const AlertRule& r) { return r.name == name; });
    return it == rules.end() ? nullptr : &*it;
  }
  // Notes so far of one kind about one rule.
  int count(EventKind event, const std::string& rule) const {
    return static_cast<int>(std::count_if(notes.begin(), notes.end(), [&](const action::Note& note) {
      return note.event == event && note.text.rfind(rule + ":", 0) == 0;
    }));
  }
  int puts() const { return static_cast<int>(all<action::PutAlert>(actions).size()); }

  Verdict set(const AlertWish& wish) {
    Given given{{"rule", wish.rule}};
    const auto put = [&](const char* name, const auto& value) {
      if (value) given.emplace_back(name, *value);
    };
    put("metric", wish.metric);
    put("comparison", wish.comparison);
    put("threshold", wish.threshold);
    put("hold", wish.hold);
    put("severity", wish.severity);
    put("enabled", wish.is_enabled);
    put("message", wish.message);
    put("advice", wish.advice);
    put("clear_at", wish.clear_at);
    return obeyed("set_alert", given, [&](const Command& command) { return alert_monitor.set_alert(command, now); });
  }
  Verdict drop(const std::string& rule) {
    return obeyed("drop_alert", {{"rule", rule}},
                  [&](const Command& command) { return alert_monitor.drop_alert(command, now); });
  }
  Verdict ack(uint64_t number, const std::string& actor = "ada") {
    return obeyed(
        "ack", {{"alert_id", static_cast<int64_t>(number)}},
        [&](const Command& command) { return alert_monitor.ack(command, now); }, actor);
  }
  template <typename Obey>
  static Verdict obeyed(std::string_view verb, const Given& given, const Obey& obey,
                        const std::string& actor = "psql") {
    Result<Command> made = make_command(verb, given);
    if (!made) return {Verdict::Kind::refused, made.take_status(), {}};
    made->actor = actor;
    return obey(*made);
  }

  Instant now = Instant::at_ns(1'000'000'000'000);
  Policy policy;
  AlertMonitor alert_monitor;
  brain::Ledger ledger;
  Census census;
  brain::Readings readings;
  std::vector<Action> actions;
  std::vector<action::Note> notes;  // of all ticks
  Instant wakeup;
};

inline AlertWish wish(const std::string& rule) {
  AlertWish made;
  made.rule = rule;
  return made;
}

inline AlertWish wish(const std::string& rule, const std::string& metric, double threshold) {
  AlertWish made = wish(rule);
  made.metric = metric;
  made.threshold = threshold;
  return made;
}

inline bool is_applied(const Verdict& verdict) { return verdict.kind == Verdict::Kind::applied; }
inline bool is_refused(const Verdict& verdict, Code code) {
  return verdict.kind == Verdict::Kind::refused && verdict.why.code == code;
}

}  // namespace tide::test
