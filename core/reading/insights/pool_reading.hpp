// PoolReading: what the rules for insights need to know of a pool, read once and as plain numbers.
//
// Invariants: times are seconds and counts are numbers from 0 to kMost, whatever the segment contains, so that rules may
// calculate without checks. Texts are clean. What could not be read is missing, or 0: too little for any rule.
// Threads: any; a value.
// Failure: none; see is_running.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/counters.hpp"
#include "model/words.hpp"
#include "policy/settings.hpp"
#include "reading/insights/host_pools.hpp"
#include "segment/attach.hpp"

namespace tide {

struct PoolReading {
  static constexpr double kMost = 1e15;

  struct Lease {
    std::string tag;
    double held_s = 0;
    double idle_s = 0;  // since its last statement began or ended
    bool is_in_transaction = false;
    bool is_suspect = false;  // held longer than leak_threshold
  };
  struct Tag {
    std::string tag;
    double samples = 0, held_s = 0, waited_s = 0, longest_s = 0;
    double in_use = 0;
    double seen_ago_s = 0;
  };
  // A minute, an hour or a second of the history.
  struct Interval {
    double limit_size = 0, in_use_avg = 0, in_use_max = 0, waiting_max = 0;
    double acquires = 0, timeouts = 0;
    double wait_p99_s = 0;  // 0: nobody was served, or nobody waited
    double length_s = 60;
  };
  struct Statement {
    std::string query;  // "": not known yet
    std::string fingerprint;
    double calls = 0, total_s = 0;
    double repeats_max = 0, repeated_leases = 0;
  };
  struct Forecast {
    double predicted_in_use = 0;
    double horizon_s = 0;
    double error = kMost;  // sum of absolute errors / sum of actual values
  };

  std::string pool, instance_id, target;
  Backend backend = Backend::custom;
  // It serves or is about to, and its settings could be read. If not, no rule is asked.
  bool is_running = false;
  Policy policy;
  int64_t capacity = 0;  // slots; max_size cannot exceed it while the pool is open
  int64_t limit_size = 0;
  int64_t server_sessions = -1, server_sessions_max = -1;  // -1: not measured

  int64_t open = 0, in_use = 0, idle = 0, waiting = 0;
  double oldest_wait_s = 0;
  double use_p50_s = 0;  // of the last minute; 0: not measured

  double counted_s = 0;  // since the pool was opened, or its statistics were reset
  std::array<double, kCounters> counters{};
  double statements = 0;  // fingerprints that are known

  std::vector<Lease> leases;
  std::vector<Tag> tags;
  std::vector<Statement> repeated;  // statements that leases execute very often, those with the highest total_s first
  std::vector<Interval> seconds;    // the last minute
  std::vector<Interval> minutes;    // the last hour
  std::vector<Interval> hours;      // the last week
  std::optional<Forecast> forecast;
  std::vector<HostPool> others;  // running pools of this host with the same server or file, without this one

  double count(Counter counter) const { return counters[static_cast<size_t>(counter)]; }
  // Of something counted, in an hour.
  double per_hour(double counted) const { return counted_s > 0 ? counted / counted_s * 3600 : 0; }
};

PoolReading read_pool(const Attachment& segment, HostPools& host, int64_t wall_now_ns);

// The server of a target ("host:5432" of "host:5432/db"), or the whole target if it is a file.
std::string_view server_of(std::string_view target);

}  // namespace tide
