// Snapshot: a frame as typed rows, with what follows from the frames before it: rates, and what the sparklines show.
//
// Rates are differences of counters over monotonic time. They are never negative: after a reset of the counters, or where
// time did not advance, there is none.
//
// Threads: one. Failure: none; what a frame lacks is null or "".
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "record/frame.hpp"

namespace tide::cli::top {

using record::Frame;
using record::RowView;
using record::Table;

// One point of a sparkline.
struct Sample {
  double in_use = 0;
  double waiting = 0;
  double limit = 0;
  std::optional<double> acquires_per_s = {};
};

struct PoolRow {
  std::string instance_id, pool, app, host, backend, target, state, size_source, breaker;
  std::optional<int64_t> pid, size, idle, in_use, connecting, validating, waiting;
  std::optional<int64_t> min_size, max_size, target_size, limit_size, health;
  std::optional<double> oldest_wait_ms, utilization, age_ms, wait_p50_ms, wait_p99_ms, query_p99_ms;
  std::optional<double> acquires_per_s, queries_per_s, timeouts_per_s, errors_per_s;
  std::vector<Sample> track;  // oldest first

  bool is_alive() const { return state != "dead" && state != "closed"; }
};

struct LeaseRow {
  std::string instance_id, pool, tag;
  int64_t lease_id = 0, conn_id = 0;
  std::optional<int64_t> thread_id;
  std::optional<double> age_ms, idle_ms;
  bool is_overdue = false;
};

struct WaiterRow {
  std::string instance_id, pool, tag, priority;
  int64_t ticket = 0;
  std::optional<double> waited_ms;
  std::optional<double> left_ms;  // until its timeout
};

struct AlertRow {
  std::string instance_id, pool, rule, severity, state, metric, acked_by, message, advice;
  int64_t alert_id = 0;
  std::optional<double> value, threshold, age_ms;

  bool is_firing() const { return state == "firing"; }
};

struct InsightRow {
  std::string instance_id, pool, severity, subject, finding, evidence, advice, option_name, option_value;
};

struct TagRow {
  std::string instance_id, pool, tag;
  std::optional<int64_t> in_use, waiting;
  std::optional<double> held_ms, waited_ms, longest_ms, seen_ms_ago;
};

struct EventRow {
  std::string instance_id, pool, kind, severity, message;
  int64_t seq = 0;
  int64_t at_us = 0;
};

struct Snapshot {
  int64_t wall_us = 0;
  int64_t mono_ns = 0;
  std::string host;
  std::string place;  // where the pools come from: a directory or a file
  std::string asked;  // the names of the pools that are wanted; "": all
  std::vector<PoolRow> pools;
  std::vector<LeaseRow> leases;
  std::vector<WaiterRow> waiters;
  std::vector<AlertRow> alerts;
  std::vector<InsightRow> insights;
  std::vector<TagRow> tags;
  std::vector<EventRow> events;

  const PoolRow* find_pool(const std::string& instance_id) const;  // nullptr: it is gone
};

// `before`: the frame to which the counters are compared; nullptr for none.
Snapshot make_snapshot(const Frame& frame, const Frame* before);

std::vector<EventRow> events_of(const Table& events);

// The latest points of every pool.
class Tracks {
 public:
  static constexpr size_t kSamplesMax = 600;

  // A point for every pool of a snapshot, at most one a second.
  void add(const Snapshot& snapshot);
  // The seconds before the first point, from the pool_history of one instance.
  void seed(const std::string& instance_id, const Table& history);
  bool is_seeded(const std::string& instance_id) const { return seeded_.contains(instance_id); }
  void fill(Snapshot& snapshot) const;

 private:
  std::map<std::string, std::deque<Sample>> samples_;
  std::set<std::string> seeded_;
  std::optional<int64_t> last_ns_;
};

}  // namespace tide::cli::top
