#include "pool/history_writer.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace tide {
namespace {

constexpr double kNoValue = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kMillisecondNs = 1'000'000;
constexpr int64_t kTimesBackMax = 1000;  // microseconds of a millisecond

double value_or_none(double number) { return number < 0 ? kNoValue : number; }

uint64_t difference(uint64_t later, uint64_t earlier) { return later > earlier ? later - earlier : 0; }

void put_in(format::HistoryRecord& record, const HistorySums& sums) {
#define TIDE_PUT(name) record.name = sums.name;
  TIDE_HISTORY_COUNTS(TIDE_PUT)
#undef TIDE_PUT
#define TIDE_PUT(name) record.name##_ms = static_cast<double>(sums.name##_ns) / 1e6;
  TIDE_HISTORY_TIMES(TIDE_PUT)
#undef TIDE_PUT
  record.wait_p99_ms = value_or_none(histogram_quantile_ms(sums.waits, 0.99));
  record.query_p99_ms = value_or_none(histogram_quantile_ms(sums.durations, 0.99));
}

}  // namespace

HistorySums HistorySums::since(const HistorySums& earlier) const {
  HistorySums out;
#define TIDE_SINCE(name) out.name = difference(name, earlier.name);
  TIDE_HISTORY_COUNTS(TIDE_SINCE)
#undef TIDE_SINCE
#define TIDE_SINCE(name) out.name##_ns = difference(name##_ns, earlier.name##_ns);
  TIDE_HISTORY_TIMES(TIDE_SINCE)
#undef TIDE_SINCE
  for (size_t i = 0; i < kHistogramBuckets; ++i) {
    out.waits[i] = difference(waits[i], earlier.waits[i]);
    out.uses[i] = difference(uses[i], earlier.uses[i]);
    out.durations[i] = difference(durations[i], earlier.durations[i]);
  }
  return out;
}

void HistorySums::add(const HistorySums& more) {
#define TIDE_ADD(name) name += more.name;
  TIDE_HISTORY_COUNTS(TIDE_ADD)
#undef TIDE_ADD
#define TIDE_ADD(name) name##_ns += more.name##_ns;
  TIDE_HISTORY_TIMES(TIDE_ADD)
#undef TIDE_ADD
  for (size_t i = 0; i < kHistogramBuckets; ++i) {
    waits[i] += more.waits[i];
    uses[i] += more.uses[i];
    durations[i] += more.durations[i];
  }
}

void HistoryInterval::add(const HistoryInterval& more) {
  sums.add(more.sums);
  covers = covers + more.covers;
  in_use_seconds += more.in_use_seconds;
  in_use_max = std::max(in_use_max, more.in_use_max);
  waiting_max = std::max(waiting_max, more.waiting_max);
  predicted_sum += more.predicted_sum;
  predicted_count += more.predicted_count;
  replica_lag_ms = std::max(replica_lag_ms, more.replica_lag_ms);
}

HistoryWriter::HistoryWriter(Segment& segment)
    : segment_(segment),
      seconds_(segment, segment.header().history_1s, kResolutionsMs[0]),
      minutes_(segment, segment.header().history_1m, kResolutionsMs[1]),
      hours_(segment, segment.header().history_1h, kResolutionsMs[2]) {}

void HistoryWriter::take_over(const History& history) {
  Series* const all[] = {&seconds_, &minutes_, &hours_};
  for (size_t i = 0; i < History::kSeries; ++i) {
    for (format::HistoryRecord record : history.series(i)) {
      put(record.stamp, format::kStampBusy);  // until it is complete, as in the ring
      if (!has_room(*all[i])) break;
      all[i]->ring.append([&](format::HistoryRecord& place) { place = record; });
    }
  }
}

// `wall_ns`, or a little later. Records of an instance are identified by their times. These have whole milliseconds; the
// microseconds below count how often the wall clock was set back, which makes times different that occur again.
int64_t HistoryWriter::Series::unused_time(int64_t wall_ns) {
  const int64_t ms = wall_ns / kMillisecondNs;
  if (ms <= last_ms) times_back = std::min(times_back + 1, kTimesBackMax - 1);
  last_ms = ms;
  return ms * kMillisecondNs + times_back * 1000;
}

void HistoryWriter::add(const HistoryInterval& second, const HistoryEnd& end) {
  write(seconds_, second, end.wall_ns, end);
  for (Series* const series : {&minutes_, &hours_}) roll(*series, second, end);
}

// The second that ends after the full minute is still of the minute before.
void HistoryWriter::roll(Series& series, const HistoryInterval& second, const HistoryEnd& end) {
  const int64_t number = series.number_of(end.wall_ns);
  if (series.number == 0) series.number = series.number_of(end.wall_ns - second.covers.ns());
  series.sum.add(second);
  if (number == series.number) return;
  write(series, std::exchange(series.sum, {}), number * series.resolution_ns, end);
  series.number = number;
}

void HistoryWriter::finish(const HistoryEnd& end) {
  for (Series* const series : {&minutes_, &hours_}) {
    if (series->sum.covers.is_zero()) continue;
    write(*series, std::exchange(series->sum, {}), end.wall_ns, end);
  }
}

// For the next record. The first round through a ring reserves its pages.
bool HistoryWriter::has_room(Series& series) {
  if (series.reserved == series.ring.count()) return true;
  if (!segment_.reserve(series.first[series.reserved])) return false;
  ++series.reserved;
  return true;
}

void HistoryWriter::write(Series& series, const HistoryInterval& interval, int64_t at_wall_ns, const HistoryEnd& end) {
  if (!has_room(series)) return;
  const int64_t at_ns = series.unused_time(at_wall_ns);
  const double seconds = std::max(0.001, interval.covers.seconds_exact());
  const format::Header& header = segment_.header();
  series.ring.append([&](format::HistoryRecord& record) {
    record.at_wall_ns = at_ns;
    record.size = end.size;
    record.limit_size = end.limit_size;
    record.health = end.health;
    std::copy(std::begin(header.instance_id), std::end(header.instance_id), record.instance_id);
    put_in(record, interval.sums);
    record.in_use_max = interval.in_use_max;
    record.waiting_max = interval.waiting_max;
    record.in_use_avg = interval.in_use_seconds / seconds;
    record.predicted_in_use =
        interval.predicted_count == 0 ? kNoValue : interval.predicted_sum / interval.predicted_count;
    record.replica_lag_ms = value_or_none(interval.replica_lag_ms);
    record.covers_ms = static_cast<uint32_t>(std::clamp<int64_t>(interval.covers.ms(), 1, UINT32_MAX));
  });
}

}  // namespace tide
