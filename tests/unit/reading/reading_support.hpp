// A segment with fixed numbers in its own directory, and access to rows by column name.
//
// The time is 2100, so that no owner is stale unless the test makes it so, whatever the real clock says.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "reading/rows.hpp"
#include "segment/rings.hpp"
#include "segment/segment.hpp"
#include "segment/slot_word.hpp"

namespace tide::test {

inline constexpr int64_t kMs = 1'000'000;
inline constexpr int64_t kSecond = 1'000 * kMs;
inline constexpr int64_t kNowWall = 4'102'444'800 * kSecond;  // 2100-01-01 in UTC
inline constexpr int64_t kNowMono = 10'000 * kSecond;
inline constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
// A time as contained in a row: microseconds, this long after now.
constexpr int64_t us_after_now(int64_t ns) { return (kNowWall + ns) / 1000; }

class TempDirectory {
 public:
  TempDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "tidepool-reading-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TempDirectory() { std::filesystem::remove_all(path_); }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline uint64_t bits(int64_t number) { return static_cast<uint64_t>(number); }

inline std::unique_ptr<Segment> make_segment(const std::string& directory, const std::string& pool = "orders",
                                             uint8_t first_byte_of_id = 0x2B) {
  SegmentSpec spec;
  spec.instance_id.fill(0);
  spec.instance_id[0] = first_byte_of_id;
  spec.pool = pool;
  spec.app = "shop";
  spec.host = "tide1";
  spec.target = "sqlite:/tmp/orders.db";
  spec.version = "0.1";
  spec.directory = directory;
  spec.backend = 1;
  spec.capacity = 8;
  spec.started_wall_ns = kNowWall - 60 * kSecond;
  auto segment = Segment::create(spec);
  EXPECT_TRUE(segment.is_ok()) << segment.status().message();
  format::Vitals& vitals = (*segment)->vitals();
  put(vitals.anchor_mono, bits(kNowMono));
  put(vitals.anchor_wall, bits(kNowWall));
  put(vitals.heartbeat_mono, bits(kNowMono - 100 * kMs));
  put(vitals.state, 1);
  put(vitals.min_size, 2);
  put(vitals.max_size, 8);
  put(vitals.target_size, 4);
  put(vitals.limit_size, 5);
  put(vitals.size_source, 1);
  put(vitals.generation, 7);
  put(vitals.health, ~uint64_t{0});
  put(vitals.memory_bytes, ~uint64_t{0});
  constexpr double kNotMeasured = std::numeric_limits<double>::quiet_NaN();
  for (auto* percentile : {&vitals.wait_p50_ms, &vitals.wait_p95_ms, &vitals.wait_p99_ms, &vitals.wait_max_ms,
                           &vitals.use_p50_ms, &vitals.use_p99_ms, &vitals.query_p50_ms, &vitals.query_p99_ms}) {
    percentile->store(kNotMeasured);
  }
  return segment.take();
}

// A connection in slot `index`, opened 50 s ago, in its state for 20 s, last leased 3 s and last used 2 s ago.
inline format::Slot& fill_slot(Segment& segment, uint32_t index, SlotState state, uint64_t generation = 1) {
  format::Slot& slot = segment.slots()[index];
  put(slot.word, SlotWord(state, generation).bits);
  put(slot.conn_id, 100 + index);
  put(slot.holder_generation, generation);
  put(slot.born_mono, bits(kNowMono - 50 * kSecond));
  put(slot.since_mono, bits(kNowMono - 20 * kSecond));
  put(slot.acquired_mono, bits(kNowMono - 3 * kSecond));
  put(slot.last_used_mono, bits(kNowMono - 2 * kSecond));
  put(slot.expires_mono, bits(kNever));
  format::Vitals& vitals = segment.vitals();
  if (read(vitals.slots_used) <= index) put(vitals.slots_used, index + 1);
  return slot;
}

class Table {
 public:
  Table(const std::string& relation, const FleetFilter& filter) : relation_(find_relation(relation)) {
    if (relation_ == nullptr) {
      ADD_FAILURE() << "no relation " << relation;
      return;
    }
    const Status status = read_relation(*relation_, filter, kNowWall, rows_);
    EXPECT_TRUE(status.is_ok()) << status.message();
    for (const Row& row : rows_) EXPECT_EQ(row.size(), relation_->columns.size()) << relation;
  }

  size_t size() const { return rows_.size(); }
  const Value& at(size_t row, std::string_view column) const {
    static const Value kMissing = std::string("no such row or column");
    if (relation_ == nullptr || row >= rows_.size()) return kMissing;
    for (size_t i = 0; i < relation_->columns.size() && i < rows_[row].size(); ++i) {
      if (relation_->columns[i].name == column) return rows_[row][i];
    }
    return kMissing;
  }

 private:
  const Relation* relation_;
  std::vector<Row> rows_;
};

inline Value integer(int64_t number) { return number; }
inline Value real(double number) { return number; }
inline Value text(std::string_view text) { return std::string(text); }

}  // namespace tide::test
