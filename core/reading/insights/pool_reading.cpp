#include "reading/insights/pool_reading.hpp"

#include <algorithm>

#include "reading/cell.hpp"
#include "reading/counts.hpp"
#include "reading/policy_of.hpp"
#include "reading/stats.hpp"

namespace tide {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kSecondsKept = 60, kMinutesKept = 60, kHoursKept = 7 * 24;
constexpr size_t kRepeatedKept = 8;

// Not NaN, not negative, not too large to calculate with.
double bounded(double number) { return number > 0 ? std::min(number, PoolReading::kMost) : 0; }
double bounded(uint64_t number) { return bounded(static_cast<double>(number)); }
double seconds_of(int64_t ns) { return bounded(static_cast<double>(ns) / 1e9); }
int64_t whole(int64_t number) { return std::clamp<int64_t>(number, 0, static_cast<int64_t>(PoolReading::kMost)); }

std::string one_line(std::string_view foreign) { return clean_text(foreign, ""); }

void take_slots(const Attachment& segment, const cell::Moments& moments, PoolReading& out) {
  for (const SlotCopy& slot : segment.read_slots()) {
    const SlotState state = slot.word.state();
    if (state == SlotState::idle) ++out.idle;
    if (state == SlotState::leased) ++out.in_use;
    if (state == SlotState::idle || state == SlotState::leased || state == SlotState::returning) ++out.open;
    if (state != SlotState::leased || !slot.is_whole) continue;
    out.leases.push_back({one_line(slot.tag), seconds_of(moments.ns_since(slot.acquired_mono)),
                          seconds_of(moments.ns_since(slot.last_used_mono)), slot.is_in_transaction,
                          (slot.flags & format::kFlagSuspect) != 0});
  }
}

void take_queue(const Attachment& segment, const cell::Moments& moments, PoolReading& out) {
  const auto queue = segment.read_queue();
  if (!queue || queue->waiting == 0) return;
  out.waiting = whole(cell::signed_of(queue->waiting));
  out.oldest_wait_s = seconds_of(moments.ns_since(cell::signed_of(queue->head_since_mono)));
}

void take_counters(const Attachment& segment, int64_t wall_now_ns, PoolReading& out) {
  const Stats stats = read_stats(segment);
  for (size_t i = 0; i < kCounters; ++i) {
    const auto counter = static_cast<Counter>(i);
    if (!stats.has(counter)) continue;
    out.counters[i] = bounded(about(counter).is_time() ? static_cast<double>(stats.of(counter)) / 1e9
                                                       : static_cast<double>(stats.of(counter)));
  }
  const int64_t reset = stats.keeper ? cell::signed_of(stats.keeper->stats_reset_wall) : 0;
  out.counted_s = seconds_of(cell::ns_between(std::max(reset, segment.header().started_wall_ns), wall_now_ns));
}

std::vector<PoolReading::Interval> history_of(const Attachment& segment, int64_t resolution_ms, int64_t kept,
                                              int64_t wall_now_ns) {
  std::vector<PoolReading::Interval> out;
  const int64_t begin = cell::plus(wall_now_ns, -kept * resolution_ms * 1'000'000);
  for (const format::HistoryRecord& record : segment.read_history(resolution_ms)) {
    if (record.at_wall_ns <= begin || record.at_wall_ns > wall_now_ns) continue;
    out.push_back({bounded(uint64_t{record.limit_size}), bounded(record.in_use_avg),
                   bounded(uint64_t{record.in_use_max}), bounded(uint64_t{record.waiting_max}),
                   bounded(record.acquires), bounded(record.timeouts), bounded(record.wait_p99_ms) / 1e3,
                   static_cast<double>(resolution_ms) / 1e3});
  }
  return out;
}

void take_tags(const Attachment& segment, int64_t wall_now_ns, PoolReading& out) {
  for (const format::TagRecord& record : segment.read_tags()) {
    out.tags.push_back({one_line(record.tag.view()), bounded(record.samples), bounded(record.held_ns_total) / 1e9,
                        bounded(record.waiting_ns_total) / 1e9, bounded(record.longest_ns) / 1e9,
                        bounded(record.in_use),
                        seconds_of(cell::ns_between(cell::signed_of(record.last_wall_ns), wall_now_ns))});
  }
}

void take_statements(const Attachment& segment, PoolReading& out) {
  const auto digests = segment.read_digests();
  out.statements = bounded(uint64_t{digests.size()});
  for (const format::DigestRecord& digest : digests) {
    if (digest.repeated_leases == 0) continue;
    out.repeated.push_back({one_line(digest.query.view()), cell::fingerprint(digest.fingerprint), bounded(digest.calls),
                            bounded(digest.total_ns) / 1e9, bounded(digest.repeats_max),
                            bounded(digest.repeated_leases)});
  }
  std::sort(out.repeated.begin(), out.repeated.end(),
            [](const auto& a, const auto& b) { return a.total_s > b.total_s; });
  out.repeated.resize(std::min(out.repeated.size(), kRepeatedKept));
}

// The selected one that looks furthest ahead.
void take_forecast(const Attachment& segment, PoolReading& out) {
  const auto block = segment.read_forecasts();
  if (!block) return;
  for (const format::ForecastRecord& record : records_of(*block)) {
    const double horizon_s = seconds_of(record.horizon_ns);
    if (record.is_selected == 0 || (out.forecast && out.forecast->horizon_s >= horizon_s)) continue;
    out.forecast =
        PoolReading::Forecast{bounded(record.predicted_in_use), horizon_s,
                              cell::is_measured(record.error_wape) ? bounded(record.error_wape) : PoolReading::kMost};
  }
}

bool is_serving(std::string_view state) {
  return state == word(PoolState::running) || state == word(PoolState::degraded) ||
         state == word(PoolState::starting) || state == word(PoolState::emergency);
}

}  // namespace

std::string_view server_of(std::string_view target) {
  if (target.empty() || target.front() == '/') return target;
  return target.substr(0, target.find('/'));
}

PoolReading read_pool(const Attachment& segment, HostPools& host, int64_t wall_now_ns) {
  PoolReading out;
  const HeaderCopy& header = segment.header();
  out.pool = header.pool;
  out.instance_id = header.instance_id;
  out.target = header.target;
  out.backend = header.backend < kWords<Backend>.size() ? static_cast<Backend>(header.backend) : Backend::custom;
  const auto vitals = segment.read_vitals();
  const auto settings = segment.read_settings();
  out.is_running = vitals && settings && settings->count != 0 && is_serving(state_word(segment.liveness(), vitals));
  if (!out.is_running) return out;
  out.policy = policy_of(records_of(*settings));
  out.capacity = header.slots;
  out.limit_size = whole(vitals->limit_size);
  out.server_sessions = vitals->server_sessions < 0 ? -1 : whole(vitals->server_sessions);
  out.server_sessions_max = vitals->server_sessions_max <= 0 ? -1 : whole(vitals->server_sessions_max);
  out.use_p50_s = bounded(vitals->use_p50_ms) / 1e3;
  const cell::Moments moments(vitals, wall_now_ns);
  take_slots(segment, moments, out);
  take_queue(segment, moments, out);
  take_counters(segment, wall_now_ns, out);
  take_tags(segment, wall_now_ns, out);
  take_statements(segment, out);
  take_forecast(segment, out);
  out.seconds = history_of(segment, 1000, kSecondsKept, wall_now_ns);
  out.minutes = history_of(segment, 60'000, kMinutesKept, wall_now_ns);
  out.hours = history_of(segment, 3'600'000, kHoursKept, wall_now_ns);
  for (const HostPool& other : host.all()) {
    if (other.instance_id != out.instance_id && other.backend == header.backend &&
        server_of(other.target) == server_of(out.target)) {
      out.others.push_back(other);
    }
  }
  return out;
}

}  // namespace tide
