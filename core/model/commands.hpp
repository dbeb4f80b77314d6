// Commands: the commands that a pool accepts, a row for each verb: its arguments, how it is addressed, and what faces
// must know about it. Faces loop over these rows; no other code knows a verb by its name.
//
// Threads: any. Failure: none.
#pragma once

#include <cstddef>
#include <limits>

#include "base/instant.hpp"
#include "model/alert_metrics.hpp"
#include "model/words.hpp"

namespace tide {

enum class ArgumentType : uint8_t {
  whole,   // a whole number
  number,  // finite
  boolean,
  duration,
  text,
  any,  // a text, a number or a boolean: the value of an option
};
// What a text may contain.
enum class TextKind : uint8_t {
  word,       // not empty
  name,       // of a to z, 0 to 9 and _
  prose,      // for people; passwords in it are masked
  signature,  // prose, not empty
};

struct Range {
  double low = 0;
  double high = std::numeric_limits<double>::infinity();
  bool is_open_below = false;  // `low` itself is not accepted
};
inline constexpr double kSecond = 1e9;  // for ranges of durations, which are in nanoseconds
inline constexpr double kDay = 86'400 * kSecond;
inline constexpr double kSizeMax = std::numeric_limits<int32_t>::max();  // the pool checks its own limit

struct Argument {
  std::string_view name;
  ArgumentType type;
  bool is_required;
  std::string_view meaning;                      // one sentence
  Range range = {};                              // for numbers and durations
  std::string_view unit = {};                    // for whole numbers: "connections"
  std::string_view null_is = {};                 // the meaning of null, where it is not "not given"
  bool zero_is_at_once = false;                  // for durations
  TextKind rule = TextKind::word;                // for texts
  size_t bytes_max = 4096;                       // for texts
  std::span<const std::string_view> words = {};  // for texts: one of these
};

// The name of the type in PostgreSQL.
constexpr std::string_view sql_type(const Argument& argument) {
  switch (argument.type) {
    case ArgumentType::whole: return argument.range.high <= kSizeMax ? "integer" : "bigint";
    case ArgumentType::number: return "double precision";
    case ArgumentType::boolean: return "boolean";
    case ArgumentType::duration: return "interval";
    case ArgumentType::text:
    case ArgumentType::any: break;
  }
  return "text";
}

// Which pool a command is sent to.
enum class SentTo : uint8_t {
  pool,        // the named one
  every_pool,  // the named one or, without a name, every live pool
  connection,  // the named one or, without a name, the one that has this conn_id
  lease,       // the named one or, without a name, the one that has this lease_id
  alert,       // the one that has this alert, identified by its number
};
// What the sender waits for: always for a refusal, to report it immediately; not for the result of commands that take
// long.
enum class Wait : uint8_t { answer, refusal };
inline constexpr int64_t kAnswerWaitMs = 5000;
constexpr Span time_for_answer(Wait wait) { return Span::millis(wait == Wait::answer ? kAnswerWaitMs : 500); }

struct CommandInfo {
  SentTo sent_to;
  Wait wait;
  bool while_draining;  // accepted by a draining pool
  std::span<const Argument> arguments;
  std::string_view meaning;  // one sentence
};

inline constexpr double kIdArgumentMax = 9.3e18;  // any
inline constexpr Span kBurstMax = Span::seconds(24 * 60 * 60);
inline constexpr Span kAlertHoldMax = Span::seconds(24 * 60 * 60);
// Thresholds range from 0, as all metrics do, to below this limit, up to which readers trust a number.
inline constexpr double kAlertFigureMax = 1e18;
// In bytes: what fits into the segment.
inline constexpr size_t kRuleNameBytesMax = 46;
inline constexpr size_t kAlertTextBytesMax = 190;
inline constexpr size_t kAckedByBytesMax = 62;
inline constexpr size_t kReasonBytesMax = 120;
inline constexpr size_t kArgumentsBytesMax = 894;  // of all arguments together, as JSON

// clang-format off
inline constexpr Argument kScaleArguments[] = {
    {"target_size", ArgumentType::whole, true, "Desired number of connections.", {0, kSizeMax}, "connections",
     "automatic"},
    {"reason", ArgumentType::text, false, "Reason, shown in scaling_events.", {}, {}, {}, false, TextKind::prose, kReasonBytesMax}};
inline constexpr Argument kBurstArguments[] = {
    {"duration", ArgumentType::duration, false, "Maximum duration; default: the option burst_duration.",
     {0, kDay, true}}};
inline constexpr Argument kSetArguments[] = {
    {"option", ArgumentType::text, true, "Name of the option."},
    {"value", ArgumentType::any, true, "New value."}};
inline constexpr Argument kRecycleArguments[] = {
    {"spread", ArgumentType::duration, false, "Period over which the connections are replaced; default: immediately.", {}, {}, {},
     true}};
inline constexpr Argument kCloseConnectionArguments[] = {
    {"conn_id", ArgumentType::whole, true, "Identifier of the connection, as in connections.", {1, kIdArgumentMax}}};
inline constexpr Argument kRevokeArguments[] = {
    {"lease_id", ArgumentType::whole, true, "Identifier of the lease, as in leases.", {1, kIdArgumentMax}}};
inline constexpr Argument kAckArguments[] = {
    {"alert_id", ArgumentType::whole, true, "Identifier of the alert, as in alerts.", {1, kIdArgumentMax}},
    {"by", ArgumentType::text, false, "Who acknowledges; default: the user issuing the command.", {}, {}, {}, false, TextKind::signature,
     kAckedByBytesMax}};
inline constexpr Argument kSetAlertArguments[] = {
    {"rule", ArgumentType::text, true, "Name of the rule.", {}, {}, {}, false, TextKind::name, kRuleNameBytesMax},
    {"metric", ArgumentType::text, false, "Metric of the rule.", {}, {}, {}, false, TextKind::word, 64, kWords<Metric>},
    {"comparison", ArgumentType::text, false, "Comparison of the metric with the threshold.", {}, {}, {}, false, TextKind::word,
     2, kWords<Comparison>},
    {"threshold", ArgumentType::number, false, "Value at which the condition begins.", {0, kAlertFigureMax}},
    {"hold", ArgumentType::duration, false, "How long the condition must hold before the alert fires.", {0, kDay}, {}, {}, true},
    {"severity", ArgumentType::text, false, "Severity of the alert.", {}, {}, {}, false, TextKind::word, 8, kWords<Severity>},
    {"enabled", ArgumentType::boolean, false, "Whether the rule is evaluated."},
    {"message", ArgumentType::text, false, "Message of the alert.", {}, {}, {}, false, TextKind::prose, kAlertTextBytesMax},
    {"advice", ArgumentType::text, false, "Recommended action.", {}, {}, {}, false, TextKind::prose, kAlertTextBytesMax},
    {"clear_at", ArgumentType::number, false, "Value at which the condition ends.", {0, kAlertFigureMax}}};
inline constexpr Argument kDropAlertArguments[] = {
    {"rule", ArgumentType::text, true, "Name of the rule.", {}, {}, {}, false, TextKind::name, kRuleNameBytesMax}};
inline constexpr Argument kAnnotateArguments[] = {
    {"message", ArgumentType::text, true, "The remark.", {}, {}, {}, false, TextKind::signature, kReasonBytesMax}};
inline constexpr size_t kCacheKeyBytesMax = 512;
inline constexpr size_t kCacheTagBytesMax = 62;
inline constexpr Argument kClearCacheArguments[] = {
    {"key", ArgumentType::text, false, "Only the result with this key.", {}, {}, {}, false, TextKind::prose, kCacheKeyBytesMax},
    {"tag", ArgumentType::text, false, "Only results with this tag.", {}, {}, {}, false, TextKind::word, kCacheTagBytesMax}};
inline constexpr std::span<const Argument> kNoArguments = {};

// X(name, sent_to, wait, while_draining, arguments, meaning)
#define TIDE_COMMANDS(X) \
  X(scale, pool, answer, false, kScaleArguments, "Sets the desired number of connections.") \
  X(burst, pool, answer, false, kBurstArguments, "Temporarily allows more connections than max_size.") \
  X(end_burst, pool, answer, true, kNoArguments, "Ends a burst early.") \
  X(set, pool, answer, false, kSetArguments, "Changes an option of a running pool; see the relation settings.") \
  X(pause, pool, answer, false, kNoArguments, "Stops granting leases; callers wait until resume.") \
  X(resume, pool, answer, true, kNoArguments, "Ends a pause or a drain.") \
  X(recycle, pool, refusal, false, kRecycleArguments, "Replaces all connections; leased ones when they are released.") \
  X(drain, pool, refusal, true, kNoArguments, "Stops granting leases and closes each connection when it is released.") \
  X(close_connection, connection, refusal, true, kCloseConnectionArguments, "Closes a connection when it is not leased.") \
  X(revoke, lease, answer, true, kRevokeArguments, "Revokes a lease and closes its connection.") \
  X(reset_stats, pool, answer, false, kNoArguments, "Resets the counters and peaks of pool_stats.") \
  X(check_health, pool, answer, false, kNoArguments, "Runs all health checks now; see health_checks.") \
  X(ack, alert, answer, false, kAckArguments, "Acknowledges an alert.") \
  X(set_alert, every_pool, answer, false, kSetAlertArguments, "Creates or changes an alert rule; arguments not given keep their values.") \
  X(drop_alert, every_pool, answer, false, kDropAlertArguments, "Drops an alert rule; set_alert restores a dropped built-in rule with its defaults.") \
  X(evaluate, pool, answer, false, kNoArguments, "Evaluates the size now instead of at the next scaling_interval; the result is in commands.") \
  X(annotate, pool, answer, true, kAnnotateArguments, "Writes a remark into events, for example about a deployment.") \
  X(clear_cache, pool, answer, true, kClearCacheArguments, "Removes results from the query cache; without arguments all.") \
  X(clear_logs, pool, answer, true, kNoArguments, "Empties slow_queries, failed_queries and queries.")

#define TIDE_VERB(name, sent_to, wait, while_draining, arguments, meaning) name,
#define TIDE_VERB_WORD(name, sent_to, wait, while_draining, arguments, meaning) #name,
#define TIDE_COMMAND_ROW(name, sent_to, wait, while_draining, arguments, meaning) \
  {SentTo::sent_to, Wait::wait, while_draining, arguments, meaning},
// clang-format on

enum class Verb : uint8_t { TIDE_COMMANDS(TIDE_VERB) };
inline constexpr std::string_view kVerbWords[] = {TIDE_COMMANDS(TIDE_VERB_WORD)};
template <>
inline constexpr std::span<const std::string_view> kWords<Verb> = kVerbWords;
inline constexpr CommandInfo kCommands[] = {TIDE_COMMANDS(TIDE_COMMAND_ROW)};
inline constexpr size_t kArgumentsMax = std::size(kSetAlertArguments);

constexpr const CommandInfo& about(Verb verb) { return kCommands[static_cast<size_t>(verb)]; }

}  // namespace tide
