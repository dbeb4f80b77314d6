// Attachment: a segment as somebody else sees it.
//
// Nothing in the file is believed: it may be cut, foreign, older, half written or made to hurt. It is never mapped (its
// owner can truncate it, and the signal would kill the reader); every byte is copied with pread() into own memory and
// checked there. What is written while it is read stands behind a sequence number that is read before and after, in
// three separate reads, because a single one can be torn.
//
// Threads: one at a time. The owner is never stopped or slowed.
// Failure: open() says why a file is no segment; what cannot be had in one piece after some tries is missing from the
// answer or marked, never invented.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.hpp"
#include "plane/copies.hpp"
#include "plane/format.hpp"

namespace tide {

enum class Liveness : uint8_t { alive, stale, dead };  // stale: the owner lives but its heart has not beaten for 5 s

class Attachment {
 public:
  static Result<Attachment> open(const std::string& path);
  // A segment of this process; the descriptor stays the caller's and must stay open meanwhile.
  static Result<Attachment> from_fd(int fd);
  ~Attachment();
  Attachment(Attachment&& other) noexcept;
  Attachment& operator=(Attachment&&) = delete;

  const HeaderCopy& header() const { return header_; }
  const std::string& path() const { return path_; }  // "" of from_fd()
  Liveness liveness() const;
  // When the owner last beat its heart, on the wall clock; 0 if it never did.
  int64_t last_heartbeat_wall_ns() const;

  std::optional<VitalsCopy> read_vitals() const;
  std::optional<QueueCopy> read_queue() const;
  std::optional<KeeperStatsCopy> read_totals() const;
  std::optional<BaselineCopy> read_baseline() const;
  // Every slot that was ever used, as one set: no connection is missing or seen twice because of a swap meanwhile.
  std::vector<SlotCopy> read_slots() const;
  // Of each used slot: how many queries its connections ran. One counter is whole in any reading, so one is enough.
  std::vector<uint64_t> read_query_counts() const;
  std::vector<SlotStatsCopy> read_slot_stats() const;                  // by index, as many as were ever used
  std::vector<WaiterCopy> read_waiters() const;                        // oldest first
  std::vector<HistoryCopy> read_history(int64_t resolution_ms) const;  // 1000, 60000 or 3600000; oldest first
  std::vector<JournalCopy> read_journal() const;                       // oldest first, as are the next two
  std::vector<ScalingCopy> read_scaling() const;
  std::vector<CommandCopy> read_commands() const;
  std::vector<SettingCopy> read_settings() const;
  // What the pool makes of itself.
  std::vector<AlertCopy> read_alerts() const;  // in the order of alert_id
  std::vector<AlertRuleCopy> read_alert_rules() const;
  std::vector<HealthCopy> read_health() const;          // of the checks that were ever made
  std::optional<ForecastsCopy> read_forecasts() const;  // nothing also while nothing was ever written
  std::optional<TalliesCopy> read_tallies() const;

 private:
  Attachment(int fd, bool is_owned, std::string path) : fd_(fd), is_owned_(is_owned), path_(std::move(path)) {}
  Status check();
  void reread_slot(SlotCopy& copy) const;
  uint32_t slots_used() const;
  uint64_t topology() const;
  bool read_bytes(uint64_t offset, void* into, size_t bytes) const;
  // `bytes` bytes that begin with a sequence number; false: they never came to rest.
  bool read_behind_seq(uint64_t offset, void* into, size_t bytes) const;
  template <typename Block>
  bool read_block(const format::Region& region, Block& out) const;
  template <typename Record, typename Copy, typename Make>
  std::vector<Copy> read_ring(const format::Region& region, Make&& make) const;

  int fd_;
  bool is_owned_;
  std::string path_;
  HeaderCopy header_;
  std::unique_ptr<format::Header> layout_;  // for its regions
};

// On the wall clock, what a moment of the owner's monotonic axis is. Safe with any numbers.
int64_t wall_of_mono(const VitalsCopy& vitals, int64_t mono_ns);

}  // namespace tide
