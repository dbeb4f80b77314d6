// Words: every closed set that users see, defined once: its members, and the word for each.
//
// The numbers are stored in segments, so members are only appended. A number that is not known to this version is
// "unknown", never an error: the segment may be of a newer owner, or hostile.
// Threads: any. Failure: none.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace tide {

// The words of an enum, in the order of its members.
template <typename Enum>
inline constexpr std::span<const std::string_view> kWords = {};

#define TIDE_MEMBER(name) name,
#define TIDE_WORD(name) #name,
#define TIDE_WORDS(Enum, LIST)                                            \
  enum class Enum : uint8_t { LIST(TIDE_MEMBER) };                        \
  inline constexpr std::string_view k##Enum##Words[] = {LIST(TIDE_WORD)}; \
  template <>                                                             \
  inline constexpr std::span<const std::string_view> kWords<Enum> = k##Enum##Words;

constexpr std::string_view word_at(std::span<const std::string_view> words, uint64_t number) {
  return number < words.size() ? words[number] : std::string_view("unknown");
}
// The word for a number read from a segment.
template <typename Enum>
constexpr std::string_view word_of(uint64_t number) {
  return word_at(kWords<Enum>, number);
}
template <typename Enum>
constexpr std::string_view word(Enum member) {
  return word_of<Enum>(static_cast<uint64_t>(member));
}
template <typename Enum>
constexpr std::optional<Enum> member_of(std::string_view text) {
  const auto found = std::find(kWords<Enum>.begin(), kWords<Enum>.end(), text);
  if (found == kWords<Enum>.end()) return std::nullopt;
  return static_cast<Enum>(found - kWords<Enum>.begin());
}

#define TIDE_BACKENDS(X) X(postgresql) X(sqlite) X(custom)
TIDE_WORDS(Backend, TIDE_BACKENDS)

#define TIDE_POOL_STATES(X) X(starting) X(running) X(paused) X(draining) X(degraded) X(emergency) X(closed)
TIDE_WORDS(PoolState, TIDE_POOL_STATES)

// The rule that set the effective size, in the order of precedence: strongest last, except for config.
#define TIDE_SIZE_SOURCES(X) X(config) X(autoscale) X(predicted) X(manual) X(burst) X(emergency) X(budget)
TIDE_WORDS(SizeSource, TIDE_SIZE_SOURCES)

#define TIDE_SEVERITIES(X) X(info) X(warning) X(critical)
TIDE_WORDS(Severity, TIDE_SEVERITIES)

#define TIDE_BREAKER_STATES(X) X(off) X(closed) X(open) X(half_open)
TIDE_WORDS(BreakerState, TIDE_BREAKER_STATES)

// Why a connection is closed; one counter for each (closed_*_total). `lost` and `failed` count as errors.
#define TIDE_CLOSE_REASONS(X) X(none) X(idle) X(lifetime) X(uses) X(error) X(scale) X(control) X(shutdown)
TIDE_WORDS(CloseReason, TIDE_CLOSE_REASONS)

#define TIDE_COMMAND_STATUSES(X) X(queued) X(applied) X(refused) X(expired)
TIDE_WORDS(CommandStatus, TIDE_COMMAND_STATUSES)

#define TIDE_ALERT_STATES(X) X(pending) X(firing) X(resolved)
TIDE_WORDS(AlertState, TIDE_ALERT_STATES)

#define TIDE_HEALTH_CHECKS(X) X(connectivity) X(performance) X(resources) X(scaling)
TIDE_WORDS(HealthCheck, TIDE_HEALTH_CHECKS)

#define TIDE_HEALTH_STATUSES(X) X(ok) X(warning) X(failed)
TIDE_WORDS(HealthStatus, TIDE_HEALTH_STATUSES)

// clang-format off
#define TIDE_EVENT_KINDS(X) \
  X(pool_open) X(pool_closed) X(connect_error) X(connection_lost) X(validation_failed) X(lease_overdue) \
  X(lease_cancelled) X(lease_revoked) X(leak_suspected) X(transaction_ended) X(scale_up) X(scale_down) X(burst_on) \
  X(burst_off) X(pause) X(resume) X(drain) X(recycle) X(setting_changed) X(command_refused) X(acquire_timeout) X(init) \
  X(stats_reset) X(server_notice) X(breaker_open) X(breaker_probe) X(breaker_closed) X(emergency_on) X(emergency_off) \
  X(health_failed) X(health_ok) X(recovery) X(alert_firing) X(alert_resolved) X(alert_acked) X(alert_rule_changed) \
  X(warming) X(overload_on) X(overload_off) X(memory_pressure) X(clock_jump) X(events_dropped) X(server_full_on) \
  X(server_full_off) X(annotation) X(cache_cleared) X(logs_cleared) X(target_left_out) X(target_back) X(listen_lost) \
  X(listen_ready) X(checkpoint_blocked) X(webhook_failed) X(webhook_ok) X(history)
// clang-format on
TIDE_WORDS(EventKind, TIDE_EVENT_KINDS)

#define TIDE_TARGET_ROLES(X) X(single) X(primary) X(replica)
TIDE_WORDS(TargetRole, TIDE_TARGET_ROLES)

#define TIDE_LISTENER_STATES(X) X(off) X(connecting) X(listening) X(closed)
TIDE_WORDS(ListenerState, TIDE_LISTENER_STATES)

#define TIDE_CHECKPOINT_KINDS(X) X(none) X(passive) X(full) X(restart) X(truncate)
TIDE_WORDS(CheckpointKind, TIDE_CHECKPOINT_KINDS)

// The comparison of an alert rule: signs, which cannot be generated from a list of names.
enum class Comparison : uint8_t { above, at_least, below, at_most };
inline constexpr std::string_view kComparisonWords[] = {">", ">=", "<", "<="};
template <>
inline constexpr std::span<const std::string_view> kWords<Comparison> = kComparisonWords;

// The pooler between a pool and its server, as stored in segments; "" if it is not known.
inline constexpr std::string_view kPoolerWords[] = {"", "none", "session", "transaction"};

}  // namespace tide
