#include "plane/copying.hpp"

#include <sched.h>

#include <limits>

#include "base/owned_id.hpp"
#include "plane/attach.hpp"

namespace tide {
namespace {

uint64_t get(const format::Cell& cell) { return cell.load(std::memory_order_relaxed); }
int64_t get_signed(const format::Cell& cell) { return static_cast<int64_t>(get(cell)); }
// Sizes and counts people read: never absurd, whatever stands there.
int64_t get_count(const format::Cell& cell) {
  return static_cast<int64_t>(std::min<uint64_t>(get(cell), 1'000'000'000));
}
// A double that is a number, or "not measured".
double real(double value) {
  return value == value && value > -1e18 && value < 1e18 ? value : std::numeric_limits<double>::quiet_NaN();
}
HistogramCounts counts_of(const HistogramCells& cells) {
  HistogramCounts out{};
  cells.add_to(out);
  return out;
}

}  // namespace

void pause_before_pass(int pass) {
  // The writer may be waiting for this processor. Now and then only: on a busy host each yield can cost milliseconds,
  // and a writer that died in the middle will never come.
  if (pass % 8 == 3) sched_yield();
}

VitalsCopy copy_of(const format::Vitals& from, uint32_t slots) {
  VitalsCopy to;
  to.heartbeat_mono = get_signed(from.heartbeat_mono);
  to.anchor_mono = get_signed(from.anchor_mono);
  to.anchor_wall = get_signed(from.anchor_wall);
  to.state = static_cast<uint32_t>(std::min<uint64_t>(get(from.state), 255));
  to.size_source = static_cast<uint32_t>(std::min<uint64_t>(get(from.size_source), 255));
  to.min_size = get_count(from.min_size);
  to.max_size = get_count(from.max_size);
  to.target_size = get_count(from.target_size);
  to.limit_size = get_count(from.limit_size);
  to.burst_until_mono = get_signed(from.burst_until_mono);
  to.generation = get(from.generation) & std::numeric_limits<int64_t>::max();
  to.health = get(from.health) <= 100 ? get_signed(from.health) : -1;
  to.slots_used = static_cast<uint32_t>(std::min<uint64_t>(get(from.slots_used), slots));
  to.lease_timeout_ns = std::max<int64_t>(0, get_signed(from.lease_timeout_ns));
  to.memory_bytes = get_signed(from.memory_bytes) < 0 ? -1 : get_signed(from.memory_bytes);
  to.wal_bytes = std::max<int64_t>(0, get_signed(from.wal_bytes)) - 1;
  to.wait_p50_ms = real(from.wait_p50_ms.load(std::memory_order_relaxed));
  to.wait_p95_ms = real(from.wait_p95_ms.load(std::memory_order_relaxed));
  to.wait_p99_ms = real(from.wait_p99_ms.load(std::memory_order_relaxed));
  to.wait_max_ms = real(from.wait_max_ms.load(std::memory_order_relaxed));
  to.use_p50_ms = real(from.use_p50_ms.load(std::memory_order_relaxed));
  to.use_p99_ms = real(from.use_p99_ms.load(std::memory_order_relaxed));
  to.query_p50_ms = real(from.query_p50_ms.load(std::memory_order_relaxed));
  to.query_p99_ms = real(from.query_p99_ms.load(std::memory_order_relaxed));
  to.breaker = static_cast<uint32_t>(std::min<uint64_t>(get(from.breaker), 255));
  to.breaker_probe_mono = get_signed(from.breaker_probe_mono);
  to.pooler = static_cast<uint32_t>(std::min<uint64_t>(get(from.pooler), 255));
  return to;
}

QueueCopy copy_of(const format::QueueStats& from) {
  return {get(from.waiting) & 0xFFFF'FFFF, get_signed(from.head_since_mono),     get(from.timeouts_total),
          get(from.rejected_total),        get(from.waiting_peak) & 0xFFFF'FFFF, get(from.failed_wait_ns_total)};
}

KeeperStatsCopy copy_of(const format::KeeperStats& from) {
  KeeperStatsCopy to;
  const format::Cell* first = &from.connects_total;
  for (size_t i = 0; i < to.counters.size(); ++i) to.counters[i] = get(first[i]);
  to.size_peak = get(from.size_peak) & 0xFFFF'FFFF;
  to.in_use_peak = get(from.in_use_peak) & 0xFFFF'FFFF;
  to.stats_reset_wall = get_signed(from.stats_reset_wall);
  to.last_error_wall = get_signed(from.last_error_wall);
  to.recoveries_total = get(from.recoveries_total);
  to.alerts_fired_total = get(from.alerts_fired_total);
  to.last_error = clean_text(from.last_error);
  to.connect = counts_of(from.connect);
  return to;
}

BaselineCopy copy_of(const format::Baseline& from) {
  BaselineCopy to;
  for (size_t i = 0; i < to.queue.size(); ++i) to.queue[i] = get(from.queue[i]);
  for (size_t i = 0; i < to.keeper.size(); ++i) to.keeper[i] = get(from.keeper[i]);
  for (size_t i = 0; i < to.slots.size(); ++i) to.slots[i] = get(from.slots[i]);
  to.wait = counts_of(from.wait);
  to.use = counts_of(from.use);
  to.query = counts_of(from.query);
  to.connect = counts_of(from.connect);
  to.slow = get(from.slow);
  to.recoveries = get(from.recoveries);
  to.alerts_fired = get(from.alerts_fired);
  return to;
}

SlotCopy copy_of(const format::Slot& from, uint32_t index) {
  SlotCopy to;
  to.index = index;
  to.word = SlotWord(get(from.word));
  if (!to.word.is_sane()) to.word = SlotWord();
  to.acquired_mono = get_signed(from.acquired_mono);
  to.last_used_mono = get_signed(from.last_used_mono);
  to.expires_mono = get_signed(from.expires_mono);
  to.born_mono = get_signed(from.born_mono);
  to.since_mono = get_signed(from.since_mono);
  to.validated_mono = get_signed(from.validated_mono);
  to.acquires_total = get(from.acquires_total);
  to.acquires_before = get(from.acquires_before);
  to.queries_before = get(from.queries_before);
  to.thread_id = from.thread_id.load(std::memory_order_relaxed);
  to.flags = from.flags.load(std::memory_order_relaxed);
  to.server_pid = from.server_pid.load(std::memory_order_relaxed);
  to.is_in_transaction = from.is_in_transaction.load(std::memory_order_relaxed) != 0;
  to.conn_id = get(from.conn_id) & std::numeric_limits<int64_t>::max();
  to.tag = clean_text(from.tag);
  to.last_error = clean_text(from.last_error);
  return to;
}

SlotStatsCopy copy_of(const format::SlotStats& from) {
  SlotStatsCopy to;
  const format::Cell* first = &from.waited_total;
  for (size_t i = 0; i < to.counters.size(); ++i) to.counters[i] = get(first[i]);
  to.wait_ns_max = get(from.wait_ns_max);
  to.wait = counts_of(from.wait);
  to.use = counts_of(from.use);
  to.query = counts_of(from.query);
  to.slow_total = get(from.slow_total);
  to.faults_total = get(from.faults_total);
  return to;
}

WaiterCopy copy_of(const format::Waiter& from) {
  return {get(from.ticket) & std::numeric_limits<int64_t>::max(), get_signed(from.queued_mono),
          get_signed(from.deadline_mono), clean_text(from.tag)};
}

HistoryCopy copy_of(const format::HistoryRecord& from) {
  HistoryCopy to;
  to.at_wall_ns = from.at_wall_ns;
  to.size = from.size;
  to.limit_size = from.limit_size;
  to.in_use_max = from.in_use_max;
  to.waiting_max = from.waiting_max;
  to.in_use_avg = real(from.in_use_avg);
  to.acquires = from.acquires;
  to.timeouts = from.timeouts;
  to.errors = from.errors;
  to.wait_p99_ms = real(from.wait_p99_ms);
  to.use_ms = real(from.use_ms);
  to.predicted_in_use = real(from.predicted_in_use);
  to.health = from.health >= 0 && from.health <= 100 ? from.health : -1;
  return to;
}

JournalCopy copy_of(const format::JournalRecord& from) {
  return {get(from.stamp) - 1, from.at_wall_ns,          from.kind,
          from.severity,       clean_text(from.message), clean_text(from.detail)};
}

ScalingCopy copy_of(const format::ScalingRecord& from) {
  ScalingCopy to;
  to.number = get(from.stamp) - 1;
  to.at_wall_ns = from.at_wall_ns;
  to.from_size = from.from_size;
  to.to_size = from.to_size;
  to.cause = from.cause;
  to.in_use = from.in_use;
  to.waiting = from.waiting;
  to.wait_p95_ms = real(from.wait_p95_ms);
  to.predicted_in_use = real(from.predicted_in_use);
  to.reason = clean_text(from.reason);
  to.actor = clean_text(from.actor);
  return to;
}

CommandCopy copy_of(const format::CommandRecord& from) {
  CommandCopy to;
  to.command_id = from.command_id & kIdMax;
  to.issued_wall_ns = from.issued_wall_ns;
  to.applied_wall_ns = from.applied_wall_ns;
  to.status = from.status;
  to.generation = from.generation & std::numeric_limits<int64_t>::max();
  to.actor = clean_text(from.actor);
  to.verb = clean_text(from.verb);
  to.arguments = clean_text(from.arguments);
  to.message = clean_text(from.message);
  return to;
}

AlertCopy copy_of(const format::AlertRecord& from) {
  AlertCopy to;
  to.alert_id = from.alert_id & kIdMax;
  to.since_wall_ns = from.since_wall_ns;
  to.last_seen_wall_ns = from.last_seen_wall_ns;
  to.resolved_wall_ns = from.resolved_wall_ns;
  to.acked_wall_ns = from.acked_wall_ns;
  to.occurrences = from.occurrences;
  to.value = real(from.value);
  to.threshold = real(from.threshold);
  to.severity = from.severity;
  to.state = from.state;
  to.rule = clean_text(from.rule);
  to.metric = clean_text(from.metric);
  to.acked_by = clean_text(from.acked_by);
  to.message = clean_text(from.message);
  to.advice = clean_text(from.advice);
  return to;
}

AlertRuleCopy copy_of(const format::AlertRuleRecord& from) {
  AlertRuleCopy to;
  to.rule = clean_text(from.rule);
  to.metric = clean_text(from.metric);
  to.threshold = real(from.threshold);
  to.clear_at = real(from.clear_at);
  to.hold_ns = std::max<int64_t>(0, from.hold_ns);
  to.comparison = from.comparison;
  to.severity = from.severity;
  to.is_enabled = from.is_enabled != 0;
  to.is_built_in = from.is_built_in != 0;
  to.message = clean_text(from.message);
  to.advice = clean_text(from.advice);
  return to;
}

HealthCopy copy_of(const format::HealthRecord& from, uint32_t check) {
  HealthCopy to;
  to.check = check;
  to.status = from.status;
  to.score = real(from.score);
  to.value = real(from.value);
  to.threshold = real(from.threshold);
  to.checked_wall_ns = from.checked_wall_ns;
  to.message = clean_text(from.message);
  return to;
}

ForecastsCopy copy_of(const format::ForecastsBlock& from) {
  ForecastsCopy to;
  to.efficiency = real(from.efficiency);
  to.slow_share = real(from.slow_share);
  to.prediction_accuracy = real(from.prediction_accuracy);
  to.demand = real(from.demand);
  to.overloads_total = from.overloads_total;
  to.bursts_total = from.bursts_total;
  for (uint64_t i = 0; i < from.count && i < format::kForecastsMax; ++i) {
    const format::ForecastRecord& record = from.record[i];
    to.forecasts.push_back({record.at_wall_ns, std::max<int64_t>(0, record.horizon_ns), real(record.predicted_in_use),
                            real(record.low), real(record.high), real(record.error_mape), real(record.error_wape),
                            record.is_selected != 0, clean_text(record.model)});
  }
  return to;
}

bool is_untouched(const format::Slot& first, const format::Slot& second, const format::Slot& third) {
  const uint64_t seq = get(first.seq);
  // A lease whose holder has not written its facts yet still shows those of the one before.
  const SlotWord word(get(first.word));
  if (word.state() == SlotState::leased && get(first.holder_generation) != word.generation()) return false;
  return seq % 2 == 0 && seq == get(second.seq) && seq == get(third.seq) && get(first.word) == get(second.word) &&
         get(second.word) == get(third.word);
}

int64_t wall_of_mono(const VitalsCopy& vitals, int64_t mono_ns) {
  int64_t distance = 0;
  int64_t wall = 0;
  if (__builtin_sub_overflow(mono_ns, vitals.anchor_mono, &distance)) return 0;
  if (__builtin_add_overflow(vitals.anchor_wall, distance, &wall)) return 0;
  return wall;
}

TalliesCopy copy_of(const format::Tallies& from) {
  static_assert(format::kTallies == std::tuple_size_v<decltype(TalliesCopy::counters)>);
  TalliesCopy to;
  const format::Cell* first = &from.bursts_total;
  for (size_t i = 0; i < to.counters.size(); ++i) {
    to.counters[i] = get(first[i]);
    to.baseline[i] = get(from.baseline[i]);
  }
  to.baseline_faults = get(from.baseline_faults);
  return to;
}

}  // namespace tide
