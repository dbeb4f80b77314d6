// Segment maker: a valid segment with fixed numbers and a fixed clock, made without the owner's code, so that readers
// are tested against the documented format and not against a writer with the same mistakes.
//
// The made pool: "app" with room for 8 slots or more, 6 of them used (idle, leased, leased and overdue, opening, held,
// closing), two waiters, records in every ring, three settings, two alerts of two rules, two health checks,
// two forecasts.
#pragma once

#include <unistd.h>

#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "base/owned_id.hpp"
#include "segment/format.hpp"
#include "segment/slot_word.hpp"
#include "unit/support/segment_file.hpp"

namespace tide::test {

inline constexpr int64_t kMadeWallNs = 1'769'903'999'123'000'000;  // 2026-01-31 23:59:59.123Z, the last heartbeat
inline constexpr int64_t kMadeMonoNs = 5'000'000'000'000;          // the same moment on the owner's axis
inline constexpr uint64_t kSecondNs = 1'000'000'000;

class SegmentMaker {
 public:
  static constexpr uint32_t kSlots = 8, kUsed = 6, kWaiters = 4, kRing = 8, kCap = 6, kAlerts = 4, kStripes = 2,
                            kDigests = 4, kTags = 4;

  explicit SegmentMaker(std::string_view pool = "app", uint8_t instance = 1, uint32_t slots = kSlots) {
    format::Header layout{};
    const uint64_t bytes = lay_out(layout, slots);
    words_.assign(bytes / 8, 0);
    format::Header& h = header();
    h = layout;
    std::memcpy(h.magic, format::kMagic, sizeof h.magic);
    h.layout_version = format::kLayoutVersion;
    h.header_bytes = sizeof h;
    h.total_bytes = bytes;
    for (size_t i = 0; i < sizeof h.instance_id; ++i)
      h.instance_id[i] = static_cast<uint8_t>(i == 0 ? instance : i * 16 + i);
    h.started_wall_ns = kMadeWallNs - 3600 * static_cast<int64_t>(kSecondNs);
    h.pid = 4242;
    h.uid = getuid();
    h.backend = 1;
    h.pool.assign(pool);
    h.app.assign("shop");
    h.host.assign("host-1");
    h.db_user.assign("");
    h.version.assign("0.1.0");
    h.target.assign("sqlite:///srv/app.db");
    fill();
  }

  format::Header& header() { return *at<format::Header>(0); }
  format::Vitals& vitals() { return *at<format::Vitals>(header().vitals.offset); }
  format::QueueStats& queue() { return *at<format::QueueStats>(header().queue.offset); }
  format::KeeperStats& totals() { return *at<format::KeeperStats>(header().totals.offset); }
  format::Baseline& baseline() { return *at<format::Baseline>(header().baseline.offset); }
  format::Slot& slot(uint32_t i) { return at<format::Slot>(header().slots.offset)[i]; }
  format::SlotStats& stats(uint32_t i) { return at<format::SlotStats>(header().slot_stats.offset)[i]; }
  format::Waiter& waiter(uint32_t i) { return at<format::Waiter>(header().waiters.offset)[i]; }
  format::SettingsBlock& settings() { return *at<format::SettingsBlock>(header().settings.offset); }
  format::AlertRecord& alert(uint32_t i) { return at<format::AlertRecord>(header().alerts.offset)[i]; }
  format::AlertRulesBlock& alert_rules() { return *at<format::AlertRulesBlock>(header().alert_rules.offset); }
  format::HealthBlock& health() { return *at<format::HealthBlock>(header().health.offset); }
  format::ForecastsBlock& forecasts() { return *at<format::ForecastsBlock>(header().forecasts.offset); }
  format::Tallies& tallies() { return *at<format::Tallies>(header().tallies.offset); }
  format::CacheStats& cache(uint32_t i) { return at<format::CacheStats>(header().cache.offset)[i]; }
  format::DigestRecord& digest(uint32_t i) { return at<format::DigestRecord>(header().digests.offset)[i]; }
  format::TargetVitals& routing() { return *at<format::TargetVitals>(header().routing.offset); }
  format::WalVitals& wal() { return *at<format::WalVitals>(header().wal.offset); }
  format::ListenerVitals& listener() { return *at<format::ListenerVitals>(header().listener.offset); }
  uint64_t instance_bits() { return owned_id(owner_bits(header().instance_id), 0); }
  template <typename Record>
  Record& record(const format::Region& region, uint64_t number) {
    return at<Record>(region.offset)[number % region.count];
  }

  std::string_view bytes() const { return {reinterpret_cast<const char*>(words_.data()), words_.size() * 8}; }
  std::string instance_hex() {
    std::string out;
    for (const uint8_t byte : header().instance_id) {
      out.push_back("0123456789abcdef"[byte >> 4]);
      out.push_back("0123456789abcdef"[byte & 15]);
    }
    return out;
  }
  std::string file_name() { return header().pool.str() + "." + instance_hex() + ".segment"; }

 private:
  template <typename T>
  T* at(uint64_t offset) {
    return reinterpret_cast<T*>(reinterpret_cast<char*>(words_.data()) + offset);
  }
  static uint64_t mono_before(double seconds) {
    return static_cast<uint64_t>(kMadeMonoNs) - static_cast<uint64_t>(seconds * 1e9);
  }
  static uint64_t lay_out(format::Header& h, uint32_t slots) {
    uint64_t end = sizeof(format::Header);
    const auto place = [&](format::Region& region, uint32_t count, size_t stride) {
      region = {end, count, static_cast<uint32_t>(stride)};
      end = (end + uint64_t{count} * stride + 63) / 64 * 64;
    };
    place(h.vitals, 1, sizeof(format::Vitals));
    place(h.queue, 1, sizeof(format::QueueStats));
    place(h.totals, 1, sizeof(format::KeeperStats));
    place(h.baseline, 1, sizeof(format::Baseline));
    place(h.slots, slots, sizeof(format::Slot));
    place(h.slot_stats, slots, sizeof(format::SlotStats));
    place(h.waiters, kWaiters, sizeof(format::Waiter));
    place(h.history_1s, kRing, sizeof(format::HistoryRecord));
    place(h.history_1m, kRing, sizeof(format::HistoryRecord));
    place(h.history_1h, kRing, sizeof(format::HistoryRecord));
    place(h.journal, kRing, sizeof(format::JournalRecord));
    place(h.scaling, kRing, sizeof(format::ScalingRecord));
    place(h.commands, kRing, sizeof(format::CommandRecord));
    place(h.settings, 1, sizeof(format::SettingsBlock));
    place(h.alerts, kAlerts, sizeof(format::AlertRecord));
    place(h.alert_rules, 1, sizeof(format::AlertRulesBlock));
    place(h.health, 1, sizeof(format::HealthBlock));
    place(h.forecasts, 1, sizeof(format::ForecastsBlock));
    place(h.tallies, 1, sizeof(format::Tallies));
    place(h.cache, kStripes, sizeof(format::CacheStats));
    place(h.query_log, kRing, sizeof(format::QueryRecord));
    place(h.digests, kDigests, sizeof(format::DigestRecord));
    place(h.routing, 1, sizeof(format::TargetVitals));
    place(h.wal, 1, sizeof(format::WalVitals));
    place(h.listener, 1, sizeof(format::ListenerVitals));
    place(h.notify, 1, sizeof(format::NotifyStats));
    place(h.tags, kTags, sizeof(format::TagRecord));
    return end;
  }
  void fill() {
    fill_vitals();
    fill_totals();
    constexpr SlotState kStates[kUsed] = {SlotState::idle,    SlotState::leased, SlotState::leased,
                                          SlotState::opening, SlotState::held,   SlotState::closing};
    for (uint32_t i = 0; i < kUsed; ++i) fill_slot(i, kStates[i]);
    slot(2).flags = format::kFlagOverdue | format::kFlagSuspect;
    for (uint32_t i = 0; i < 2; ++i) {
      format::Waiter& w = waiter(i);
      w.seq = 2;
      w.ticket = 12 - i;  // not in the order of rows
      w.queued_mono = mono_before(0.5 - 0.25 * i);
      w.deadline_mono = static_cast<uint64_t>(kMadeMonoNs) + kSecondNs;
      w.tag.assign(i == 0 ? "second" : "first");
    }
    fill_rings();
    fill_queries();
    fill_watch();
    constexpr const char* kSettings[][2] = {{"min_size", "2"}, {"max_size", "6"}, {"acquire_timeout", "10s"}};
    settings().seq = 2;
    settings().count = std::size(kSettings);
    for (size_t i = 0; i < std::size(kSettings); ++i) {
      settings().record[i].name.assign(kSettings[i][0]);
      settings().record[i].value.assign(kSettings[i][1]);
      settings().record[i].source = static_cast<uint32_t>(i * 2);
    }
  }
  void fill_vitals() {
    format::Vitals& v = vitals();
    v.seq = 40;
    v.topology_seq = 8;
    v.heartbeat_mono = static_cast<uint64_t>(kMadeMonoNs);
    v.anchor_mono = static_cast<uint64_t>(kMadeMonoNs);
    v.anchor_wall = static_cast<uint64_t>(kMadeWallNs);
    v.state = 1;
    v.min_size = 2;
    v.max_size = kCap;
    v.target_size = 5;
    v.limit_size = kCap;
    v.size_source = 1;
    v.generation = 3;
    v.health = ~uint64_t{0};
    v.slots_used = kUsed;
    v.lease_timeout_ns = 30 * kSecondNs;
    v.memory_bytes = ~uint64_t{0};
    v.wait_p50_ms = 0.5;
    v.wait_p95_ms = 1.5;
    v.wait_p99_ms = 2.5;
    v.wait_max_ms = 3.5;
    v.use_p50_ms = 4.5;
    v.use_p99_ms = 5.5;
    v.query_p50_ms = v.query_p99_ms = std::numeric_limits<double>::quiet_NaN();
    v.breaker = 2;
    v.breaker_probe_mono = static_cast<uint64_t>(kMadeMonoNs) + kSecondNs;
    v.pooler = 3;
  }
  void fill_totals() {
    format::QueueStats& q = queue();
    q.seq = 4;
    q.waiting = 2;
    q.head_since_mono = mono_before(0.5);
    q.timeouts_total = 7;
    q.rejected_total = 3;
    q.waiting_peak = 9;
    q.failed_wait_ns_total = 70 * kSecondNs;
    format::KeeperStats& k = totals();
    k.seq = 6;
    k.connects_total = 100;
    k.closed_error_total = 105;
    k.connect_ns_total = 115;
    k.size_peak = 6;
    k.in_use_peak = 5;
    k.stats_reset_wall = static_cast<uint64_t>(header().started_wall_ns);
    k.last_error_wall = static_cast<uint64_t>(kMadeWallNs) - kSecondNs;
    k.recoveries_total = 11;
    k.alerts_fired_total = 13;
    k.last_error.assign("the server said no");
    k.connect.count[10] = 100;
    format::Baseline& b = baseline();
    b.seq = 2;
    for (uint64_t i = 0; i < kCounters; ++i) b.counter[i] = i;
    b.use.count[5] = 1;
  }
  void fill_slot(uint32_t i, SlotState state) {
    format::Slot& s = slot(i);
    s.word = SlotWord(state, 20 + i).bits;
    s.holder_generation = 20 + i;
    s.seq = 2 * i;
    s.acquired_mono = mono_before(i == 2 ? 40 : 1);
    s.last_used_mono = mono_before(0.25);
    s.acquires_total = 20 + i;
    s.expires_mono = i == 0 ? static_cast<uint64_t>(std::numeric_limits<int64_t>::max() / 2)
                            : static_cast<uint64_t>(kMadeMonoNs) + 600 * kSecondNs;
    s.thread_id = 1000 + i;
    s.acquires_before = 10;
    s.tag.assign("tag " + std::to_string(i));
    s.conn_id = 500 + i;
    s.born_mono = mono_before(100);
    s.since_mono = mono_before(2);
    s.validated_mono = mono_before(3);
    s.queries_before = 5;
    s.server_pid = i == 0 ? 0 : 9000 + i;
    s.is_in_transaction = i == 1 ? 1 : 0;
    s.statements = 10 + i;
    format::SlotStats& t = stats(i);
    t.seq = 2;
    t.waited_total = 5;
    t.releases_total = 19 + i;
    t.use_ns_total = 2 * kSecondNs;
    t.wait_ns_total = kSecondNs;
    t.queries_total = 50;
    t.query_errors_total = 1;
    t.query_ns_total = kSecondNs / 2;
    t.wait.count[20] = 5;
    t.use.count[5] = 19 + i;
    t.query.count[8] = 50;
    t.slow_total = 2;
    t.faults_total = 1;
    t.transactions_total = 6;
    t.retries_total = 2;
    t.statement_cache_hits_total = 30;
    t.statement_cache_misses_total = 20;
    t.statement_cache_evictions_total = 4;
    t.statement_bytes = 4096;
  }
  void fill_queries() {
    for (uint64_t n = 0; n < 3; ++n) {
      auto& q = record<format::QueryRecord>(header().query_log, n);
      q.at_wall_ns = kMadeWallNs - static_cast<int64_t>(kSecondNs);
      q.fingerprint = 77 + n;
      q.conn_id = 501;
      q.duration_ns = 2 * static_cast<int64_t>(kSecondNs);
      q.wait_ns = q.rows = q.bytes = n == 2 ? -1 : 5;
      q.is_slow = n == 2 ? 0 : 1;
      q.is_failed = n == 0 ? 0 : 1;
      q.tag.assign("report");
      q.query.assign("select ?");
      q.stamp = n + 1;
      format::DigestRecord& d = digest(static_cast<uint32_t>(n));
      d.seq = 2;
      d.fingerprint = 77 + n;
      d.calls = 2;
      d.total_ns = 2 * kSecondNs;
      d.min_ns = d.max_ns = kSecondNs;
      d.first_wall_ns = d.last_wall_ns = static_cast<uint64_t>(kMadeWallNs);
      d.duration.count[40] = 2;
      d.query.assign("select ?");
    }
  }
  void fill_rings() {
    for (const format::Region* region : {&header().history_1s, &header().history_1m, &header().history_1h}) {
      for (uint64_t n = 0; n < 3; ++n) {
        auto& r = record<format::HistoryRecord>(*region, n);
        r.at_wall_ns = kMadeWallNs - (3 - static_cast<int64_t>(n)) * static_cast<int64_t>(kSecondNs);
        r.size = 4;
        r.limit_size = kCap;
        r.in_use_max = 3;
        r.waiting_max = 2;
        r.in_use_avg = 1.5;
        r.acquires = 10 + n;
        r.use_ms = 1500;
        r.wait_p99_ms = r.predicted_in_use = std::numeric_limits<double>::quiet_NaN();
        r.health = -1;
        r.stamp = n + 1;
      }
    }
    for (uint64_t n = 0; n < kRing + 3; ++n) {  // the first three are overwritten
      auto& j = record<format::JournalRecord>(header().journal, n);
      j.at_wall_ns = kMadeWallNs - static_cast<int64_t>(kSecondNs);
      j.kind = static_cast<uint32_t>(n);
      j.severity = static_cast<uint32_t>(n % 3);
      j.message.assign("event " + std::to_string(n));
      j.detail.assign(n % 2 == 0 ? "{\"n\":" + std::to_string(n) + "}" : "");
      j.stamp = n + 1;
    }
    auto& s = record<format::ScalingRecord>(header().scaling, 0);
    s.at_wall_ns = kMadeWallNs - static_cast<int64_t>(kSecondNs);
    s.from_size = 2;
    s.to_size = 5;
    s.cause = 1;
    s.in_use = 2;
    s.waiting = 3;
    s.wait_p95_ms = 12.5;
    s.predicted_in_use = std::numeric_limits<double>::quiet_NaN();
    s.reason.assign("callers wait");
    s.stamp = 1;
    for (uint64_t n = 0; n < 2; ++n) {
      auto& c = record<format::CommandRecord>(header().commands, n);
      c.command_id = instance_bits() | (n + 1);
      c.issued_wall_ns = kMadeWallNs - 2 * static_cast<int64_t>(kSecondNs);
      c.applied_wall_ns = kMadeWallNs - static_cast<int64_t>(kSecondNs);
      c.verb.assign(n == 0 ? "pause" : "scale");
      c.status = n == 0 ? 1 : 2;
      c.generation = 2 + n;
      c.actor.assign("alice");
      c.arguments.assign(n == 0 ? "{}" : "{\"target_size\":99}");
      c.message.assign(n == 0 ? "paused" : "99 is above max_size 6");
      c.stamp = n + 1;
    }
  }
  void fill_watch() {
    constexpr auto kSecondSigned = static_cast<int64_t>(kSecondNs);
    for (uint32_t i = 0; i < 2; ++i) {
      format::AlertRecord& a = alert(i);
      a.seq = 2;
      a.alert_id = instance_bits() | (2 - i);  // not in the order of rows
      a.since_wall_ns = kMadeWallNs - 60 * kSecondSigned;
      a.last_seen_wall_ns = kMadeWallNs - (i == 0 ? 1 : 30) * kSecondSigned;
      a.resolved_wall_ns = i == 0 ? 0 : kMadeWallNs - 20 * kSecondSigned;
      a.acked_wall_ns = i == 0 ? 0 : kMadeWallNs - 25 * kSecondSigned;
      a.occurrences = 40 + i;
      a.value = i == 0 ? 0.95 : 7;
      a.threshold = i == 0 ? 0.9 : 5;
      a.severity = i == 0 ? 1 : 2;
      a.state = i == 0 ? 1 : 2;
      a.rule.assign(i == 0 ? "high_utilization" : "long_queue");
      a.metric.assign(i == 0 ? "utilization" : "waiting");
      a.acked_by.assign(i == 0 ? "" : "alice");
      a.message.assign(i == 0 ? "95 % of the connections are in use" : "7 callers wait");
      a.advice.assign(i == 0 ? "raise max_size" : "");
      format::AlertRuleRecord& r = alert_rules().record[i];
      r.rule = a.rule;
      r.metric = a.metric;
      r.threshold = a.threshold;
      r.clear_at = i == 0 ? 0.8 : 4;
      r.hold_ns = i == 0 ? 30 * kSecondSigned : 0;
      r.comparison = i == 0 ? 1 : 0;
      r.severity = a.severity;
      r.is_enabled = 1 - i;
      r.is_built_in = 1 - i;
      r.message.assign(i == 0 ? "the pool is nearly used up" : "");
      r.advice = a.advice;
      format::HealthRecord& c = health().record[i * 2];  // connectivity and resources
      c.status = i;
      c.score = i == 0 ? 100 : 61.5;
      c.value = i == 0 ? 3.5 : std::numeric_limits<double>::quiet_NaN();
      c.threshold = i == 0 ? 5000 : 0.8;
      c.checked_wall_ns = kMadeWallNs - (5 + i) * kSecondSigned;
      c.message.assign(i == 0 ? "" : "memory is short");
      format::ForecastRecord& f = forecasts().record[i];
      f.at_wall_ns = kMadeWallNs - kSecondSigned;
      f.horizon_ns = (i == 0 ? 10 : 60) * kSecondSigned;
      f.predicted_in_use = 4.5 + i;
      f.low = 3;
      f.high = 7;
      f.error_mape = i == 0 ? 0.125 : std::numeric_limits<double>::quiet_NaN();
      f.error_wape = i == 0 ? 0.25 : std::numeric_limits<double>::quiet_NaN();
      f.is_selected = 1 - i;
      f.model.assign(i == 0 ? "linear" : "seasonal");
    }
    alert_rules().seq = health().seq = forecasts().seq = 2;
    alert_rules().count = forecasts().count = 2;
    forecasts().efficiency = 0.75;
    forecasts().slow_share = 0.004;
    forecasts().prediction_accuracy = std::numeric_limits<double>::quiet_NaN();
    forecasts().demand = 4.25;
    tallies().seq = 2;
    tallies().bursts_total = 200;
    tallies().lived_ns_total = 206;
  }

  std::vector<uint64_t> words_;  // zeroed, and aligned for every cell
};

}  // namespace tide::test
