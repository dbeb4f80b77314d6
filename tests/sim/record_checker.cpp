#include "record_checker.hpp"

#include <numeric>

#include "brain/action.hpp"
#include "policy/settings.hpp"
#include "pool/keeper.hpp"
#include "segment/rings.hpp"

namespace tide::sim {
namespace {

constexpr uint64_t kAlertsEvery = 16;  // turns without changes of alerts

unsigned long long shown(uint64_t n) { return n; }

// Calls `take` for every new record of the ring; false if some were overwritten before they could be seen.
template <typename Record, typename Take>
bool take_new(const Record* records, uint32_t count, uint64_t& next, const Take& take) {
  bool is_whole = true;
  while (true) {
    const Record& record = records[next % count];
    const uint64_t stamp = read(record.stamp);
    if (stamp == next + 1) {
      take(record);
      ++next;
    } else if (stamp > next + 1) {
      next = stamp - 1;
      is_whole = false;
    } else {
      return is_whole;
    }
  }
}

std::string rule_of(std::string_view message) { return std::string(message.substr(0, message.find(':'))); }

bool is_option(std::string_view word) { return find_setting(word) != nullptr; }

// "min_size 8 is above max_size 4 ...": the option before the relation and the one after it.
bool names_both(std::string_view message) {
  for (const std::string_view relation : {" is above ", " is not below "}) {
    const size_t at = message.find(relation);
    if (at == std::string_view::npos) continue;
    const std::string_view behind = message.substr(at + relation.size());
    return is_option(message.substr(0, message.find(' '))) && is_option(behind.substr(0, behind.find(' ')));
  }
  return false;
}

}  // namespace

void RecordChecker::turned(Pool& pool) {
  Segment& segment = pool.segment();
  const format::Header& header = segment.header();
  const uint64_t journal_before = journal_next_;
  const bool is_whole = take_new(segment.journal(), header.journal.count, journal_next_,
                                 [this](const format::JournalRecord& r) { take(r); });
  has_journal_gap_ = has_journal_gap_ || !is_whole;
  if (!take_new(segment.scaling(), header.scaling.count, scaling_next_,
                [this](const format::ScalingRecord& r) { take(r); })) {
    last_to_.reset();
  }
  take_new(segment.commands(), header.commands.count, commands_next_,
           [&](const format::CommandRecord& r) { take(pool, r); });
  const format::Vitals& vitals = segment.vitals();
  const auto state = static_cast<PoolState>(read(vitals.state));
  const bool is_leaving = state == PoolState::draining || state == PoolState::closed;
  if (!is_leaving && last_to_ && *last_to_ != read(vitals.target_size)) {
    trace_.complain("scaling", "the target is %llu, the last record says %u", shown(read(vitals.target_size)),
                    *last_to_);
  }
  if (!is_leaving && !last_to_) last_to_ = static_cast<uint32_t>(read(vitals.target_size));
  const auto breaker = static_cast<BreakerState>(read(vitals.breaker));
  const bool is_tripped = breaker == BreakerState::open || breaker == BreakerState::half_open;
  if (!has_journal_gap_ && breaker != BreakerState::off && is_tripped != is_breaker_open_) {
    trace_.complain("pairs", "the breaker is %s, the journal says otherwise", is_tripped ? "open" : "closed");
  }
  const bool is_other = state == PoolState::running || state == PoolState::starting || state == PoolState::degraded;
  if (!has_journal_gap_ && ((state == PoolState::emergency && !is_emergency_) || (is_other && is_emergency_))) {
    trace_.complain("pairs", "state %u, the journal says otherwise", static_cast<unsigned>(state));
  }
  if (journal_before != journal_next_ || ++turns_ % kAlertsEvery == 0) check_alerts(pool);
}

void RecordChecker::turn_over(bool& is_on, bool now_on, const char* what) {
  if (is_on == now_on && !has_journal_gap_) trace_.complain("pairs", "%s twice in a row", what);
  is_on = now_on;
}

void RecordChecker::take(const format::JournalRecord& record) {
  switch (static_cast<EventKind>(record.kind)) {
    case EventKind::breaker_open: return turn_over(is_breaker_open_, true, "breaker_open");
    case EventKind::breaker_closed: return turn_over(is_breaker_open_, false, "breaker_closed");
    case EventKind::emergency_on: return turn_over(is_emergency_, true, "emergency_on");
    case EventKind::emergency_off: return turn_over(is_emergency_, false, "emergency_off");
    case EventKind::alert_firing: ++fired_[rule_of(record.message.view())]; break;
    case EventKind::alert_resolved: ++resolved_[rule_of(record.message.view())]; break;
    default: return;
  }
  trace_.say("%s", std::string(record.message.view()).c_str());
}

void RecordChecker::take(const format::ScalingRecord& record) {
  trace_.say("target %u -> %u: %s", record.from_size, record.to_size, record.reason.str().c_str());
  if (record.reason.view().empty()) {
    trace_.complain("scaling", "target %u -> %u without a reason", record.from_size, record.to_size);
  }
  if (last_to_ && *last_to_ != record.from_size) {
    trace_.complain("scaling", "target %u -> %u, but it was %u", record.from_size, record.to_size, *last_to_);
  }
  last_to_ = record.to_size;
}

void RecordChecker::expect_contradiction(uint64_t command_id, std::string_view one, std::string_view other) {
  contradictions_[command_id] = {std::string(one), std::string(other)};
}

void RecordChecker::take(Pool& pool, const format::CommandRecord& record) {
  const std::string message(record.message.view());
  const auto status = static_cast<CommandStatus>(record.status);
  if (const auto found = contradictions_.find(record.command_id); found != contradictions_.end()) {
    const auto& [one, other] = found->second;
    const bool has_both = message.find(one) != std::string::npos && message.find(other) != std::string::npos;
    if (status == CommandStatus::applied || (status == CommandStatus::refused && !has_both)) {
      trace_.complain("orders", "%s against %s was answered with: %s", one.c_str(), other.c_str(), message.c_str());
    }
    contradictions_.erase(found);
  }
  if (record.verb.view() != "set") return;
  const bool is_contradiction =
      message.find(" is above ") != std::string::npos || message.find(" is not below ") != std::string::npos;
  if (status == CommandStatus::refused && is_contradiction && !names_both(message)) {
    trace_.complain("orders", "a contradiction that does not name both: %s", message.c_str());
  }
  if (const Status checked = check_policy(pool.keeper().policy()); !checked) {
    trace_.complain("orders", "the policy in force is contradictory: %s", checked.message().c_str());
  }
}

void RecordChecker::check_alerts(Pool& pool) {
  const format::AlertRecord* const alerts = pool.segment().alerts();
  std::map<std::string_view, uint64_t> unresolved;
  std::map<std::string, uint64_t> firing;
  for (uint32_t place = 0; place < pool.segment().header().alerts.count; ++place) {
    const format::AlertRecord& alert = alerts[place];
    if (alert.alert_id == 0) continue;
    const auto state = static_cast<AlertState>(alert.state);
    if (state == AlertState::resolved) {
      if (alert.resolved_wall_ns == 0) trace_.complain("alerts", "alert %u is resolved without a time", place);
      continue;
    }
    if (state == AlertState::firing) ++firing[std::string(alert.rule.view())];
    if (++unresolved[alert.rule.view()] > 1) {
      trace_.complain("alerts", "rule %s has two unresolved alerts", std::string(alert.rule.view()).c_str());
    }
  }
  for (const auto& [rule, fired] : fired_) {
    const uint64_t over = resolved_[rule];
    if (!has_journal_gap_ && fired - over != firing[rule]) {
      trace_.complain("alerts", "rule %s fired %llu times and was resolved %llu times, %llu are firing", rule.c_str(),
                      shown(fired), shown(over), shown(firing[rule]));
    }
  }
  const uint64_t counted = read(pool.segment().totals().alerts_fired_total);
  if (!has_journal_gap_ && counted != fired_total()) {
    trace_.complain("alerts", "alerts_fired_total is %llu, %llu were announced", shown(counted), shown(fired_total()));
  }
}

uint64_t RecordChecker::fired_total() const {
  return std::accumulate(fired_.begin(), fired_.end(), uint64_t{0},
                         [](uint64_t n, const auto& rule) { return n + rule.second; });
}

std::vector<std::string> RecordChecker::firing() const {
  std::vector<std::string> rules;
  for (const auto& [rule, fired] : fired_) {
    const auto over = resolved_.find(rule);
    if (fired > (over == resolved_.end() ? 0 : over->second)) rules.push_back(rule);
  }
  return rules;
}

}  // namespace tide::sim
