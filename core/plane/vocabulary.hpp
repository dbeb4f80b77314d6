// Vocabulary: the words for the numbers that segments carry.
//
// The numbers are those of the brain's and the policy's enums; the plane may not know those rooms, so they stand here
// again, and a test holds the two together. A number this version does not know is "unknown", never an error: the
// segment may be a newer owner's, or a hostile one.
// Threads: any. Failure: none.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace tide {

// As brain/action.hpp's Verb.
enum class OrderVerb : uint8_t {
  scale,
  burst,
  end_burst,
  set,
  pause,
  resume,
  recycle,
  drain,
  close_connection,
  revoke,
  reset_stats,
  check_health,
  ack,
  set_alert,
  drop_alert,
  evaluate,
};

// As brain/action.hpp's PoolState, the ones a reader decides upon.
inline constexpr uint32_t kPoolStateClosed = 6;
// As brain/action.hpp's SizeSource.
inline constexpr uint32_t kSizeSourceBurst = 4;

namespace vocabulary {

// Every word, in the order of the numbers.
std::span<const std::string_view> backends();
std::span<const std::string_view> pool_states();
std::span<const std::string_view> size_sources();
std::span<const std::string_view> severities();
std::span<const std::string_view> event_kinds();
std::span<const std::string_view> verbs();
std::span<const std::string_view> command_statuses();
std::span<const std::string_view> breaker_states();
std::span<const std::string_view> poolers();  // what stands between the pool and the server; "": not known
std::span<const std::string_view> alert_states();
std::span<const std::string_view> comparisons();      // as format::Comparison
std::span<const std::string_view> alert_metrics();    // as brain/sentinel/metric.hpp's Metric
std::span<const std::string_view> health_checks();    // as format::HealthCheck
std::span<const std::string_view> health_statuses();  // as format::HealthStatus

// The word for a number, or "unknown".
std::string_view word(std::span<const std::string_view> words, uint64_t number);

}  // namespace vocabulary

}  // namespace tide
