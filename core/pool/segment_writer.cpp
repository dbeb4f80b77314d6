#include "pool/segment_writer.hpp"

#include <algorithm>
#include <limits>
#include <span>
#include <utility>

#include "pool/in_use_peak.hpp"
#include "pool/listeners.hpp"
#include "pool/wait_queue.hpp"
#include "segment/short_json.hpp"

namespace tide {

namespace {
constexpr double kNotMeasured = std::numeric_limits<double>::quiet_NaN();

void put_ms(std::atomic<double>& cell, double ms) { cell.store(ms < 0 ? kNotMeasured : ms, std::memory_order_relaxed); }

uint64_t bits_of(Instant at) { return static_cast<uint64_t>(at.ns()); }
}  // namespace

SegmentWriter::Topology::Topology(SegmentWriter& segment_writer) : seq_(segment_writer.segment_.vitals().topology_seq) {
  seq_.store(seq_.load(std::memory_order_relaxed) + 1, std::memory_order_seq_cst);
}

SegmentWriter::Topology::~Topology() {
  seq_.store(seq_.load(std::memory_order_relaxed) + 1, std::memory_order_seq_cst);
}

SegmentWriter::SegmentWriter(Segment& segment, Board& board, InUsePeak& in_use_peak, WaitQueue& wait_queue,
                             const Listeners& listeners, const Clock& clock)
    : segment_(segment),
      board_(board),
      in_use_peak_(in_use_peak),
      wait_queue_(wait_queue),
      listeners_(listeners),
      clock_(clock),
      journal_(segment.ring(segment.header().journal)),
      scaling_(segment.ring(segment.header().scaling)),
      history_(segment),
      window_(kWindowSeconds) {
  predictions_.fill(kNotMeasured);
  publish_percentiles(last_);
}

void SegmentWriter::note(EventKind kind, Severity severity, std::string_view message, std::string_view detail) {
  const int64_t wall_ns = clock_.wall_ns();
  const std::string kept = shortened_object(detail, decltype(format::JournalRecord::detail)::kBytesMax);
  journal_.append([&](format::JournalRecord& record) {
    record.at_wall_ns = wall_ns;
    record.kind = static_cast<uint32_t>(kind);
    record.severity = static_cast<uint32_t>(severity);
    record.message.assign_shortened(message);
    record.detail.assign(kept);
  });
  const LogLevel level = is_about_alert(kind) ? LogLevel::alerts : LogLevel::events;
  listeners_.log({.level = level, .severity = severity, .event = word(kind), .message = message, .detail = detail});
  if (is_about_alert(kind) || severity != Severity::info)
    listeners_.tell(PoolEvent::alert, 0, 0, std::string(message).c_str());
  if (kind == EventKind::alert_firing) count(&format::KeeperStats::alerts_fired_total);
  if (kind == EventKind::recovery && severity == Severity::info) count(&format::KeeperStats::recoveries_total);
}

void SegmentWriter::scaling(const action::Scale& action, uint32_t in_use, uint32_t waiting) {
  const int64_t wall_ns = clock_.wall_ns();
  const double wait_ms = recent_wait_p95_.ms_exact();
  scaling_.append([&](format::ScalingRecord& record) {
    record.at_wall_ns = wall_ns;
    record.from_size = static_cast<uint32_t>(std::max<int64_t>(0, action.from_size));
    record.to_size = static_cast<uint32_t>(std::max<int64_t>(0, action.to_size));
    record.cause = static_cast<uint32_t>(action.cause);
    record.in_use = in_use;
    record.waiting = waiting;
    record.wait_p95_ms = wait_ms > 0 ? wait_ms : kNotMeasured;
    record.predicted_in_use = action.predicted_in_use;
    record.reason.assign_shortened(action.reason);
    record.actor.assign(action.actor);
  });
  if (action.to_size > action.from_size) count(&format::KeeperStats::scale_up_total);
  if (action.to_size < action.from_size) count(&format::KeeperStats::scale_down_total);
}

void SegmentWriter::count(format::Cell format::KeeperStats::*counter, uint64_t n) {
  format::KeeperStats& totals = segment_.totals();
  const std::lock_guard lock(totals_mutex_);
  SeqWrite guard(totals.seq);
  add_to(totals.*counter, n);
}

void SegmentWriter::connected(Span took) {
  const uint64_t ns = static_cast<uint64_t>(std::max<int64_t>(0, took.ns()));
  format::KeeperStats& totals = segment_.totals();
  const std::lock_guard lock(totals_mutex_);
  SeqWrite guard(totals.seq);
  add_to(totals.connects_total);
  add_to(totals.connect_ns_total, ns);
  totals.connect.add_us(ns / 1000);
}

void SegmentWriter::closed(CloseReason reason, Span lived) {
  {
    format::Tallies& tallies = segment_.tallies();
    SeqWrite guard(tallies.seq);
    add_to(tallies.lived_ns_total, static_cast<uint64_t>(std::max<int64_t>(0, lived.ns())));
  }
  using S = format::KeeperStats;
  switch (reason) {
    case CloseReason::idle: return count(&S::closed_idle_total);
    case CloseReason::lifetime: return count(&S::closed_lifetime_total);
    case CloseReason::uses: return count(&S::closed_uses_total);
    case CloseReason::scale: return count(&S::closed_scale_total);
    case CloseReason::control: return count(&S::closed_control_total);
    case CloseReason::shutdown: return count(&S::closed_shutdown_total);
    case CloseReason::error:
    case CloseReason::none: return count(&S::closed_error_total);
  }
}

void SegmentWriter::error(std::string_view text) {
  format::KeeperStats& totals = segment_.totals();
  const std::lock_guard lock(totals_mutex_);
  SeqWrite guard(totals.seq);
  totals.last_error.assign_shortened(text);
  put(totals.last_error_wall, static_cast<uint64_t>(clock_.wall_ns()));
}

void SegmentWriter::grew() {
  put(segment_.vitals().slots_used, board_.used());  // separately: readers count from this moment on
  format::KeeperStats& totals = segment_.totals();
  if (const uint32_t now = board_.counts().size(); now > read(totals.size_peak)) {
    const std::lock_guard lock(totals_mutex_);
    SeqWrite guard(totals.seq);
    put(totals.size_peak, now);
  }
}

void SegmentWriter::vitals(const Outlook& outlook, const Policy& policy, const Census& census, PoolState state,
                           int64_t health, Pooler pooler, Instant now) {
  format::Vitals& v = segment_.vitals();
  SeqWrite guard(v.seq);
  put(v.heartbeat_mono, bits_of(now));
  put(v.anchor_mono, bits_of(now));
  put(v.anchor_wall, static_cast<uint64_t>(clock_.wall_ns()));
  put(v.state, static_cast<uint64_t>(state));
  put(v.min_size, static_cast<uint64_t>(policy.min_size));
  put(v.max_size, static_cast<uint64_t>(policy.max_size));
  put(v.target_size, static_cast<uint64_t>(std::max<int64_t>(0, outlook.target_size)));
  put(v.limit_size, static_cast<uint64_t>(std::max<int64_t>(0, outlook.limit_size)));
  put(v.size_source, static_cast<uint64_t>(outlook.size_source));
  put(v.burst_until_mono, bits_of(outlook.burst_until));
  put(v.generation, outlook.generation);
  put(v.health, health < 0 ? ~uint64_t{0} : static_cast<uint64_t>(health));
  put(v.lease_timeout_ns, static_cast<uint64_t>(policy.lease_timeout.ns()));
  const double memory = census.resources.driver_bytes;
  put(v.memory_bytes, memory >= 0 && memory < 1e18 ? static_cast<uint64_t>(memory) : ~uint64_t{0});
  const double wal = census.resources.wal_bytes;
  put(v.wal_bytes, wal >= 0 && wal < 1e18 ? static_cast<uint64_t>(wal) + 1 : 0);
  const auto one_more = [](double number) {
    return number >= 0 && number < 1e9 ? static_cast<uint64_t>(number) + 1 : 0;
  };
  put(v.server_sessions, one_more(census.resources.server_sessions));
  put(v.server_sessions_max, one_more(census.resources.server_sessions_max));
  put(v.breaker, static_cast<uint64_t>(outlook.breaker));
  put(v.breaker_probe_mono, bits_of(outlook.breaker_probe_at));
  put(v.pooler, static_cast<uint64_t>(pooler));
}

void SegmentWriter::wal(const WalFacts& facts, const WalReader& reader, Instant now) {
  {
    format::WalVitals& out = segment_.wal();
    SeqWrite guard(out.seq);
    put(out.frames, static_cast<uint64_t>(facts.frames));
    put(out.frames_done, static_cast<uint64_t>(facts.frames_done));
    put(out.last_wall_ns, static_cast<uint64_t>(wall_of(facts.last_at, now)));
    put(out.last_kind, static_cast<uint64_t>(facts.last_kind));
    put(out.blocked_mono, bits_of(facts.blocked_since));
    put(out.reader_mono, bits_of(reader.since));
    put(out.reader_lease, reader.lease_id);
    put(out.reader_conn_id, reader.conn_id);
    out.reader_tag.assign_shortened(reader.tag);
    out.last_error.assign_shortened(facts.last_error);
  }
  format::KeeperStats& totals = segment_.totals();
  const std::lock_guard lock(totals_mutex_);
  SeqWrite guard(totals.seq);
  put(totals.checkpoints_total, facts.checkpoints_total);
  put(totals.checkpoint_failures_total, facts.failures_total);
}

void SegmentWriter::settings(const Policy& policy, const std::vector<SettingSource>& sources,
                             const std::vector<SettingNote>& notes) {
  const auto catalogue = settings_catalogue();
  format::SettingsBlock& block = segment_.settings();
  SeqWrite guard(block.seq);
  uint64_t next = 0;
  const auto put_record = [&](std::string_view name, std::string_view value, SettingSource source, uint32_t is_note) {
    if (next == format::kSettingsMax) return;
    format::SettingRecord& record = block.record[next++];
    record.name.assign(name);
    record.value.assign(value);
    record.source = static_cast<uint32_t>(source);
    record.is_note = is_note;
  };
  for (size_t i = 0; i < catalogue.size(); ++i) {
    put_record(catalogue[i].name, format_value(policy, catalogue[i]), sources[i], 0);
  }
  for (const SettingNote& note : notes) {
    // The reason for an option's value is shown until the option is set again.
    const Setting* const about = find_setting(note.name);
    if (about != nullptr && sources[place_of(*about)] == SettingSource::manual) continue;
    put_record(note.name, note.value, SettingSource::options, 1);
  }
  block.count = next;
}

SegmentWriter::Totals SegmentWriter::totals_of(const Census& census) {
  Totals totals;
  for (uint32_t slot = 0; slot < board_.used(); ++slot) {
    const format::SlotStats& stats = board_.stats(slot);
    stats.wait.add_to(totals.waits);
    stats.use.add_to(totals.uses);
    stats.query.add_to(totals.durations);
    totals.use_ns += read(stats.use_ns_total);
    totals.query_ns += read(stats.query_ns_total);
    totals.wait_ns += read(stats.wait_ns_total);
    totals.result_bytes += read(stats.result_bytes_total);
  }
  totals.wait_ns += read(segment_.queue().failed_wait_ns_total);
  for (const format::CacheStats& stripe : std::span(segment_.cache(), segment_.header().cache.count)) {
    totals.query_cache_hits += read(stripe.query_cache_hits_total);
    totals.query_cache_misses += read(stripe.query_cache_misses_total);
  }
  const Traffic& traffic = census.traffic;
  totals.acquires = census.acquires_total;
  totals.waited = census.acquires_waited_total;
  totals.timeouts = census.acquire_timeouts_total;
  totals.queries = traffic.queries_total;
  totals.query_errors = traffic.query_errors_total;
  totals.faults = traffic.query_faults_total;
  totals.connects = traffic.connects_total;
  totals.connect_failures = traffic.connect_failures_total;
  totals.errors = totals.query_errors + totals.connect_failures;
  totals.use_seconds = traffic.use_seconds;
  // A lease without a wait counts as a wait of zero.
  totals.waits[0] += census.acquires_total - std::min(census.acquires_total, census.acquires_waited_total);
  return totals;
}

namespace {
double highest_ms(const HistogramCounts& counts) {
  for (size_t i = counts.size(); i > 0; --i) {
    if (counts[i - 1] != 0) return static_cast<double>(histogram_bound_ns(std::min(i - 1, counts.size() - 2))) / 1e6;
  }
  return -1;
}
}  // namespace

void SegmentWriter::publish_percentiles(const Totals& totals) {
  const HistorySums minute = totals.since(window_[window_next_]);
  const HistogramCounts &wait = minute.waits, &use = minute.uses, &query = minute.durations;
  format::Vitals& v = segment_.vitals();
  SeqWrite guard(v.seq);
  put_ms(v.wait_p50_ms, histogram_quantile_ms(wait, 0.50));
  put_ms(v.wait_p95_ms, histogram_quantile_ms(wait, 0.95));
  put_ms(v.wait_p99_ms, histogram_quantile_ms(wait, 0.99));
  put_ms(v.wait_max_ms, highest_ms(wait));
  put_ms(v.use_p50_ms, histogram_quantile_ms(use, 0.50));
  put_ms(v.use_p99_ms, histogram_quantile_ms(use, 0.99));
  put_ms(v.query_p50_ms, histogram_quantile_ms(query, 0.50));
  put_ms(v.query_p99_ms, histogram_quantile_ms(query, 0.99));
}

void SegmentWriter::sample(const Census& census, const Outlook& outlook, int64_t health, Instant now) {
  if (!sampled_at_.is_set()) {  // the first call sets the zero
    sampled_at_ = now;
    next_second_ = now + Span::seconds(1);
    return;
  }
  if (now < next_second_) return;
  const Totals totals = totals_of(census);
  HistoryInterval second;
  second.sums = totals.since(last_);
  second.covers = now - sampled_at_;
  second.in_use_seconds = std::max(0.0, totals.use_seconds - last_.use_seconds);
  second.in_use_max = in_use_peak_.take_second();
  second.waiting_max = wait_queue_.take_waiting_most();
  second.replica_lag_ms = replica_lag_ms();
  if (const double predicted = std::exchange(predictions_[predictions_next_], outlook.predicted_in_use);
      predicted >= 0) {
    second.predicted_sum = predicted;
    second.predicted_count = 1;
  }
  predictions_next_ = (predictions_next_ + 1) % predictions_.size();
  history_.add(second, end_of(outlook, health));
  if (const uint64_t timeouts = second.sums.timeouts; timeouts != 0) {
    note(EventKind::acquire_timeout, Severity::warning,
         std::to_string(timeouts) + (timeouts == 1 ? " request" : " requests") + " timed out; at most " +
             std::to_string(second.waiting_max) + " waited, " + std::to_string(second.in_use_max) + " in use");
  }
  const double p95_ms = histogram_quantile_ms(second.sums.waits, 0.95);
  recent_wait_p95_ = p95_ms > 0 ? Span::nanos(static_cast<int64_t>(p95_ms * 1e6)) : Span{};
  recent_in_use_ = second.in_use_seconds / std::max(0.001, second.covers.seconds_exact());
  publish_percentiles(totals);
  window_[window_next_] = totals;
  window_next_ = (window_next_ + 1) % kWindowSeconds;
  last_ = totals;
  sampled_at_ = now;
  next_second_ = now + Span::seconds(1);
  has_sampled_ = true;
}

void SegmentWriter::finish_history(const Census& census, const Outlook& outlook, int64_t health, Instant now) {
  if (std::exchange(is_history_finished_, true) || !has_sampled_) return;
  if (now > sampled_at_) {
    next_second_ = std::min(next_second_, now);
    sample(census, outlook, health, now);
  }
  history_.finish(end_of(outlook, health));
}

HistoryEnd SegmentWriter::end_of(const Outlook& outlook, int64_t health) const {
  return {clock_.wall_ns(), board_.counts().size(), static_cast<uint32_t>(std::max<int64_t>(0, outlook.limit_size)),
          static_cast<int32_t>(health)};
}

// Negative: unknown, or not a replica.
double SegmentWriter::replica_lag_ms() {
  const format::TargetVitals& routing = segment_.routing();
  const uint64_t lag_ns = read(routing.lag_ns);
  const bool is_known = read(routing.role) == static_cast<uint64_t>(TargetRole::replica) && lag_ns != ~uint64_t{0};
  return is_known ? static_cast<double>(lag_ns) / 1e6 : -1;
}

void SegmentWriter::reset_stats() {
  format::KeeperStats& totals = segment_.totals();
  format::CounterSums sums{};
  HistogramCounts wait{}, use{}, query{}, connect{};
  format::add_counters(sums, segment_.queue());
  format::add_counters(sums, totals);
  format::add_counters(sums, segment_.tallies());
  format::add_counters(sums, segment_.notify());
  for (const format::CacheStats& stripe : std::span(segment_.cache(), segment_.header().cache.count))
    format::add_counters(sums, stripe);
  totals.connect.add_to(connect);
  for (uint32_t slot = 0; slot < board_.used(); ++slot) {
    const format::SlotStats& stats = board_.stats(slot);
    format::add_counters(sums, board_.slot(slot));
    format::add_counters(sums, stats);
    stats.wait.add_to(wait);
    stats.use.add_to(use);
    stats.query.add_to(query);
  }
  {
    format::Baseline& base = segment_.baseline();
    SeqWrite guard(base.seq);
    for (size_t i = 0; i < kCounters; ++i) put(base.counter[i], sums[i]);
    for (size_t i = 0; i < kHistogramBuckets; ++i) {
      put(base.wait.count[i], wait[i]);
      put(base.use.count[i], use[i]);
      put(base.query.count[i], query[i]);
      put(base.connect.count[i], connect[i]);
    }
  }
  wait_queue_.reset_peak();
  in_use_peak_.reset();
  const std::lock_guard lock(totals_mutex_);
  SeqWrite guard(totals.seq);
  put(totals.size_peak, board_.counts().size());
  put(totals.stats_reset_wall, static_cast<uint64_t>(clock_.wall_ns()));
}

}  // namespace tide
