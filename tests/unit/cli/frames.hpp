// Frames of invented pools, for the tests of the command's screen and its recordings.
#pragma once

#include <clocale>
#include <memory>
#include <string>
#include <vector>

#include "record/frame.hpp"
#include "top/painter.hpp"
#include "top/snapshot.hpp"

namespace tide::cli::test {

using record::Frame;
using record::Table;

inline constexpr int64_t kSecond_ns = 1'000'000'000;
inline constexpr int64_t kNoon_us = 1'800'000'000'000'000;

inline std::string instance_of(int number) {
  std::string digits = std::to_string(number);
  return std::string(32 - digits.size(), '0') + digits;
}

struct Invented {
  std::string name = "shop";
  std::string state = "running";
  int64_t in_use = 3;
  int64_t idle = 2;
  int64_t waiting = 0;
  int64_t limit = 10;
  int64_t acquires = 100;
  std::vector<std::string> tags = {"checkout", "report"};
};

// `second`: since noon, on both clocks.
inline Frame frame_of(const std::vector<Invented>& pools, int64_t second = 0) {
  Frame frame{kNoon_us + second * 1'000'000, (1000 + second) * kSecond_ns, "db1", {}};
  Table rows{"pools",
             {"instance_id", "pool", "app", "state", "size", "idle", "in_use", "connecting", "validating", "waiting",
              "min_size", "max_size", "target_size", "limit_size", "utilization", "health", "age_ms"},
             {}};
  Table stats{"pool_stats", {"instance_id", "acquires_total", "wait_p99_ms"}, {}};
  Table leases{"leases", {"instance_id", "pool", "lease_id", "conn_id", "tag", "age_ms", "idle_ms", "overdue"}, {}};
  Table alerts{
      "alerts", {"instance_id", "pool", "alert_id", "rule", "severity", "state", "acked_by", "message", "advice"}, {}};
  for (size_t i = 0; i < pools.size(); ++i) {
    const Invented& pool = pools[i];
    const std::string instance = instance_of(static_cast<int>(i));
    rows.rows.push_back({instance, pool.name, std::string("python"), pool.state, pool.in_use + pool.idle, pool.idle,
                         pool.in_use, int64_t{0}, int64_t{0}, pool.waiting, int64_t{1}, pool.limit,
                         pool.in_use + pool.idle, pool.limit,
                         static_cast<double>(pool.in_use) / static_cast<double>(pool.limit), int64_t{97}, 12.5});
    stats.rows.push_back({instance, pool.acquires, 12.0});
    int64_t number = 0;
    for (const std::string& tag : pool.tags) {
      ++number;
      leases.rows.push_back(
          {instance, pool.name, number, number, tag, 1500.0 * static_cast<double>(number), 2.0, int64_t{0}});
    }
  }
  frame.tables = {std::move(rows), std::move(stats), std::move(leases), std::move(alerts)};
  return frame;
}

inline std::shared_ptr<const top::Snapshot> snapshot_of(const Frame& frame, const Frame* before = nullptr) {
  auto snapshot = std::make_shared<top::Snapshot>(top::make_snapshot(frame, before));
  snapshot->place = "/run/tidepool";
  return snapshot;
}

// The painter needs the widths of characters.
inline void use_utf8() { std::setlocale(LC_CTYPE, "C.UTF-8"); }

inline std::string text_of(const top::Grid& grid) {
  std::string text;
  for (int y = 0; y < grid.size().height; ++y) text += grid.row(y) + "\n";
  return text;
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace tide::cli::test
