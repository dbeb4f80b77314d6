// SegmentWriter: everything the keeper writes into the segment: vitals, totals, percentiles, events, scaling, what the
// history records each second, and the findings of the brain.
//
// Threads: the keeper only, except error().
// Failure: none; rings overwrite their oldest records.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "brain/brain.hpp"
#include "policy/settings.hpp"
#include "pool/history_writer.hpp"
#include "pool/ports.hpp"
#include "segment/board.hpp"

namespace tide {

class InUsePeak;
class Listeners;
class WaitQueue;

// The lease whose snapshot is the oldest.
struct WalReader {
  Instant since;  // unset: none reads
  uint64_t lease_id = 0;
  uint64_t conn_id = 0;
  std::string tag;
};

class SegmentWriter {
 public:
  SegmentWriter(Segment& segment, Board& board, InUsePeak& in_use_peak, WaitQueue& wait_queue,
                const Listeners& listeners, const Clock& clock);

  // -- events, as they occur
  void note(EventKind kind, Severity severity, std::string_view message, std::string_view detail = {});
  void scaling(const action::Scale& action, uint32_t in_use, uint32_t waiting);
  void count(format::Cell format::KeeperStats::*counter, uint64_t n = 1);
  void connected(Span took);
  void closed(CloseReason reason, Span lived);
  void error(std::string_view text);  // [any]
  void grew();                        // a slot was filled; the only way the size grows

  // -- the state, at every step
  void vitals(const Outlook& outlook, const Policy& policy, const Census& census, PoolState state, int64_t health,
              Pooler pooler, Instant now);
  void settings(const Policy& policy, const std::vector<SettingSource>& sources, const std::vector<SettingNote>& notes);
  // Checkpoints, and the oldest reader.
  void wal(const WalFacts& facts, const WalReader& reader, Instant now);
  void reset_stats();
  // Once a second: history and the percentiles of the last minute. `next_second` is when it must be called again.
  void sample(const Census& census, const Outlook& outlook, int64_t health, Instant now);
  Instant next_second() const { return next_second_; }
  // Of earlier instances, before the first step.
  void take_over(const History& history) { history_.take_over(history); }
  // Once, when the pool is closed: the intervals that have not ended. A pool that was closed within its first second has
  // none.
  void finish_history(const Census& census, const Outlook& outlook, int64_t health, Instant now);

  // After a tick of the brain: health, forecasts and alert rules that have changed since the last call, and its
  // counters.
  void findings(const Brain& brain, Instant now);
  void tallies(const Brain& brain);
  // The alert at this index of the brain's table has changed.
  void alert(const Brain& brain, size_t place, Instant now);

  // What the census needs from the recent past.
  Span recent_wait_p95() const { return recent_wait_p95_; }
  double recent_in_use_average() const { return recent_in_use_; }

  // Held while the set of slots changes.
  class Topology {
   public:
    explicit Topology(SegmentWriter& segment_writer);
    ~Topology();

   private:
    format::Cell& seq_;
  };

 private:
  static constexpr size_t kWindowSeconds = 60;
  struct Totals : HistorySums {
    double use_seconds = 0;  // hold time of leases, including running ones, up to now
  };
  Totals totals_of(const Census& census);
  HistoryEnd end_of(const Outlook& outlook, int64_t health) const;
  double replica_lag_ms();
  void publish_percentiles(const Totals& now_totals);
  int64_t wall_of(Instant at, Instant now) const;
  void write_health(const brain::Health& health, Instant now);
  void write_forecasts(const brain::AdaptiveSizer& sizer);
  void write_rules(const brain::AlertMonitor& alert_monitor);

  Segment& segment_;
  Board& board_;
  InUsePeak& in_use_peak_;
  WaitQueue& wait_queue_;
  const Listeners& listeners_;
  const Clock& clock_;
  std::mutex totals_mutex_;  // held for the few stores of a change of KeeperStats
  Ring<format::JournalRecord> journal_;
  Ring<format::ScalingRecord> scaling_;
  HistoryWriter history_;
  bool has_sampled_ = false;
  bool is_history_finished_ = false;
  std::vector<Totals> window_;  // one a second, ring
  size_t window_next_ = 0;
  Totals last_;
  Instant next_second_;
  Instant sampled_at_;
  Span recent_wait_p95_;
  double recent_in_use_ = 0;
  // Forecasts are for the next 10 s: the expectation for a second was made about 5 s before it.
  std::array<double, 5> predictions_;
  size_t predictions_next_ = 0;
  // The findings written last.
  uint64_t rounds_seen_ = 0;
  uint64_t rules_seen_ = 0;
  Instant forecast_at_;
};

}  // namespace tide
