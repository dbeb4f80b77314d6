// Attachment: a reader's view of a segment.
//
// Nothing in the file is trusted: it may be truncated, foreign, older, partly written or hostile. It is never mapped
// (its owner can truncate it, and the reader would be killed by SIGBUS); every byte is copied with pread() into private
// memory and checked there. Data that may be written concurrently is protected by a sequence number, which is read
// before and after the data in separate calls, because a single read can be torn.
//
// Threads: one at a time. The owner is never stopped or slowed.
// Failure: open() reports why a file is not a segment; data that cannot be read consistently after several tries is
// omitted or marked, never guessed.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/status.hpp"
#include "base/text.hpp"
#include "segment/copies.hpp"
#include "segment/format.hpp"

namespace tide {

// Of pool_history, finest first.
inline constexpr int64_t kResolutionsMs[] = {1'000, 60'000, 3'600'000};

enum class Liveness : uint8_t { alive, stale, dead };  // stale: alive, but without a heartbeat for 5 s

class Attachment {
 public:
  static Result<Attachment> open(const std::string& path);
  // A segment of this process; the descriptor remains the caller's and must stay open while the Attachment exists.
  static Result<Attachment> from_fd(int fd);
  ~Attachment();
  Attachment(Attachment&& other) noexcept;
  Attachment& operator=(Attachment&&) = delete;

  const HeaderCopy& header() const { return header_; }
  const std::string& path() const { return path_; }  // "" for from_fd()
  Liveness liveness() const;
  // The owner's last heartbeat on the wall clock; 0 if there was none.
  int64_t last_heartbeat_wall_ns() const;

  // Records are returned as they are in the file, consistent but unchecked: a text may claim to be longer than its
  // buffer and contain any bytes, a number may have any value. reading/cell.hpp converts them to values that are safe
  // to show.
  std::optional<VitalsCopy> read_vitals() const;
  std::optional<format::QueueStats> read_queue() const { return read_block(layout_->queue); }
  std::optional<format::KeeperStats> read_totals() const { return read_block(layout_->totals); }
  std::optional<format::Baseline> read_baseline() const { return read_block(layout_->baseline); }
  std::optional<format::Tallies> read_tallies() const { return read_block(layout_->tallies); }
  std::optional<format::SettingsBlock> read_settings() const { return read_block(layout_->settings); }
  std::optional<format::AlertRulesBlock> read_alert_rules() const { return read_block(layout_->alert_rules); }
  std::optional<format::HealthBlock> read_health() const { return read_block(layout_->health); }
  std::optional<format::ForecastsBlock> read_forecasts() const;  // nothing if none was ever written
  std::optional<format::TargetVitals> read_target() const { return read_block(layout_->routing); }
  std::optional<format::WalVitals> read_wal() const { return read_block(layout_->wal); }
  std::optional<format::ListenerVitals> read_listener() const { return read_block(layout_->listener); }
  std::optional<format::NotifyStats> read_notify() const { return read_block(layout_->notify); }
  // Every cell is consistent by itself.
  std::vector<format::CacheStats> read_cache() const;
  // Every slot that was ever used, as one consistent set: no connection is missed or seen twice because of a concurrent
  // swap.
  std::vector<SlotCopy> read_slots() const;
  // The number of queries of each used slot. A single counter is always consistent, so one read is enough.
  std::vector<uint64_t> read_query_counts() const;
  // By index, all that were ever used. Each cell is consistent, so a record that keeps changing is still a usable
  // answer.
  std::vector<format::SlotStats> read_slot_stats() const { return read_rows(layout_->slot_stats, slots_used()); }
  // Those in use, sorted by ticket.
  std::vector<format::Waiter> read_waiters() const { return read_rows(layout_->waiters, &format::Waiter::ticket); }
  std::vector<format::AlertRecord> read_alerts() const {
    return read_rows(layout_->alerts, &format::AlertRecord::alert_id);
  }
  std::vector<format::DigestRecord> read_digests() const {
    return read_rows(layout_->digests, &format::DigestRecord::fingerprint);
  }
  std::vector<format::TagRecord> read_tags() const { return read_rows(layout_->tags, &format::TagRecord::samples); }
  // Oldest first.
  std::vector<format::QueryRecord> read_query_log() const { return read_ring(layout_->query_log); }
  std::vector<format::JournalRecord> read_journal() const { return read_ring(layout_->journal); }
  std::vector<format::ScalingRecord> read_scaling() const { return read_ring(layout_->scaling); }
  std::vector<format::CommandRecord> read_commands() const { return read_ring(layout_->commands); }
  std::vector<format::HistoryRecord> read_history(int64_t resolution_ms) const;  // of kResolutionsMs

 private:
  Attachment(int fd, bool is_owned, std::string path) : fd_(fd), is_owned_(is_owned), path_(std::move(path)) {}
  Status check();
  void reread_slot(SlotCopy& copy) const;
  uint32_t slots_used() const;
  uint64_t topology() const;
  bool read_bytes(uint64_t offset, void* into, size_t bytes) const;
  // Reads `bytes` bytes that begin with a sequence number; false: they changed during every try.
  bool read_behind_seq(uint64_t offset, void* into, size_t bytes) const;
  template <typename Record>
  std::optional<Record> read_block(const format::RegionOf<Record>& region) const {
    std::optional<Record> block(std::in_place);
    if (!read_behind_seq(region.offset, &*block, sizeof *block)) block.reset();
    return block;
  }
  // The first `count` records, each with a sequence number. Three system calls for all, more only for records that are
  // being written; the number of a record that keeps changing is left odd.
  template <typename Record>
  std::vector<Record> read_rows(const format::RegionOf<Record>& region, uint32_t count) const {
    std::vector<Record> before(count), rows(count), after(count);
    for (std::vector<Record>* all : {&before, &rows, &after}) {
      if (!read_bytes(region.offset, all->data(), count * sizeof(Record))) return {};
    }
    for (uint32_t i = 0; i < count; ++i) {
      if (before[i].seq % 2 == 0 && before[i].seq == after[i].seq) continue;
      if (!read_behind_seq(region.offset + i * sizeof(Record), &rows[i], sizeof(Record))) rows[i].seq = 1;
    }
    return rows;
  }
  template <typename Record, typename Id>
  std::vector<Record> read_rows(const format::RegionOf<Record>& region, Id Record::*id) const {
    std::vector<Record> rows = read_rows(region, region.count);
    std::erase_if(rows, [&](const Record& row) { return row.seq % 2 != 0 || row.*id == 0; });
    std::sort(rows.begin(), rows.end(), [&](const Record& a, const Record& b) { return a.*id < b.*id; });
    return rows;
  }
  // Records whose stamp matches their place before and after the copy.
  template <typename Record>
  std::vector<Record> read_ring(const format::RegionOf<Record>& region) const {
    std::vector<Record> all(region.count), again(region.count), kept;
    for (std::vector<Record>* each : {&all, &again}) {
      if (!read_bytes(region.offset, each->data(), region.count * sizeof(Record))) return {};
    }
    for (uint32_t i = 0; i < region.count; ++i) {
      const uint64_t stamp = all[i].stamp;
      if (stamp == 0 || stamp == format::kStampBusy || (stamp - 1) % region.count != i) continue;
      if (std::memcmp(static_cast<const void*>(&all[i]), static_cast<const void*>(&again[i]), sizeof(Record)) == 0)
        kept.push_back(all[i]);
    }
    std::sort(kept.begin(), kept.end(), [](const Record& a, const Record& b) { return a.stamp < b.stamp; });
    return kept;
  }

  int fd_;
  bool is_owned_;
  std::string path_;
  HeaderCopy header_;
  std::unique_ptr<format::Header> layout_;  // defines its regions
};

// The records of a block that are in use, limited to the size of the block.
template <typename Block>
auto records_of(const Block& block) {
  return std::span(block.record, std::min<uint64_t>(block.count, std::size(block.record)));
}

// Converts a moment of the owner's monotonic axis to the wall clock. Safe with any numbers.
int64_t wall_of_mono(const VitalsCopy& vitals, int64_t mono_ns);

}  // namespace tide
