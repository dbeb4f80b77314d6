// Rule book: the alert rules in force, built-in ones and those set by commands.
//
// A set_alert changes only what it names. Everything that was not set continues to follow the policy (the threshold of
// a built-in rule) and the threshold (clear_at), so a rule is "built in" as long as it is what the policy alone makes.
// Invariants: at most kAlertRulesMax rules, names differ; clear_at is never more severe than the threshold; a refused
// set_alert changes nothing; the generation is incremented once by every change.
// A command has been checked on arrival (model/command: names, words, ranges); what depends on the rules is checked
// here.
// Threads: the keeper only. Failure: invalid changes are refused with the reason.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/status.hpp"
#include "brain/action.hpp"
#include "brain/alerts/rule.hpp"

namespace tide::brain {

class RuleBook {
 public:
  explicit RuleBook(const Policy& policy);

  enum class Change : uint8_t { none, changed, added };
  struct Entry {
    size_t place = 0;  // of the rule
    Change change = Change::none;
  };

  Result<Entry> set(const Command& set_alert);
  // Returns the index the rule had; later ones move up.
  Result<size_t> drop(std::string_view name);
  // Calls `is_changed(place)` for every rule whose condition has changed.
  template <typename F>
  void set_policy(const Policy& policy, const F& is_changed) {
    std::vector<AlertRule> built_in = built_in_rules(policy);
    if (built_in == built_in_) return;
    built_in_ = std::move(built_in);
    for (size_t i = 0; i < rules_.size(); ++i) {
      if (follow(i)) is_changed(i);
    }
  }

  std::span<const AlertRule> rules() const { return rules_; }
  std::optional<size_t> find(std::string_view name) const;
  uint64_t generation() const { return generation_; }

 private:
  // The parts of a rule that were set by a command and that the policy must not change.
  struct Own {
    bool threshold = false;
    bool clear_at = false;
    bool message = false;
    bool advice = false;
  };

  const AlertRule* built_in(std::string_view name) const;
  bool follow(size_t place);
  Status fill_in(const Command& set_alert, AlertRule& rule, Own& own) const;
  void settle(AlertRule& rule, Own& own) const;
  Status unknown(std::string_view name) const;

  std::vector<AlertRule> rules_;
  std::vector<Own> owns_;            // one per rule
  std::vector<AlertRule> built_in_;  // as the current policy makes them
  uint64_t generation_ = 1;
};

}  // namespace tide::brain
