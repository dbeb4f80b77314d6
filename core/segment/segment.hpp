// Segment, the owner's side: the memory that contains a pool's live state.
//
// With a directory it is a mapped file that others may read, and its owner holds a lock on it for life; without one it
// is private memory (memfd) of the same layout. The file gets its name only when it is complete.
//
// Invariants: all pages are reserved before they are written, so that a full disk is an error and never a signal: at
// creation, those of the history by reserve(); the file is readable by others, writable by the owner alone.
// Threads: created and destroyed by one thread; the memory itself follows the rules of segment/format.hpp.
// Failure: create() reports what failed and leaves no files behind.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>

#include "base/owned_id.hpp"
#include "base/status.hpp"
#include "segment/format.hpp"
#include "segment/instance_id.hpp"
#include "segment/rings.hpp"

namespace tide {

// 128 bits from the kernel's generator.
InstanceId random_instance_id();

struct SegmentSpec {
  InstanceId instance_id{};
  std::string pool;
  std::string app;
  std::string host;
  std::string target;  // without credentials
  std::string db_user;
  std::string version;
  std::string directory;  // "": private memory
  uint32_t backend = 1;
  uint32_t capacity = 64;  // slots, at most kSlotsMax
  uint32_t query_log_size = 256;
  int64_t started_wall_ns = 0;
  bool is_hosted = false;          // see format::kHeaderHosted
  bool is_group_steerable = true;  // mailbox 0660 instead of 0600
};

class Segment {
 public:
  static Result<std::unique_ptr<Segment>> create(const SegmentSpec& spec);
  // Leaves its history for the next owner, unlinks segment and mailbox, releases the lock and the memory.
  ~Segment();
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  format::Header& header() { return *at<format::Header>(0); }
  template <uint32_t count, typename Record>
  using Records = std::conditional_t<count == 1, Record&, Record*>;
  // vitals(), slots() ...: each region by its name, as a reference to its record or a pointer to the first of several.
#define TIDE_ACCESSOR(name, Record, count, meaning) \
  Records<count, format::Record> name() { return first<count>(header().name); }
  TIDE_REGIONS(TIDE_ACCESSOR)
#undef TIDE_ACCESSOR
  template <typename Record>
  Record* first_of(const format::RegionOf<Record>& region) {
    return at<Record>(region.offset);
  }
  template <typename Record>
  Ring<Record> ring(const format::RegionOf<Record>& region) {
    return Ring<Record>(first_of(region), region.count);
  }

  // The pages of a record of the history. False: there is no space for them.
  bool reserve(const format::HistoryRecord& record) noexcept;

  uint32_t capacity() { return header().slots.count; }
  // Ids of commands and alerts: the first bits of the instance id, then a number, so that an id identifies its pool.
  uint64_t id_of(uint64_t number) { return owned_id(owner_bits(header().instance_id), number); }
  int fd() const { return fd_; }                     // for readers of this process; never written through
  const std::string& path() const { return path_; }  // "" for private memory
  const std::string& mailbox_path() const { return mailbox_path_; }

  // In a forked child: unmaps and closes without unlinking the file. The parent's mapping and descriptor are not
  // affected.
  void abandon() noexcept;

 private:
  Segment() = default;
  template <typename T>
  T* at(uint64_t offset) {
    return reinterpret_cast<T*>(memory_ + offset);
  }
  template <uint32_t count, typename Record>
  Records<count, Record> first(const format::RegionOf<Record>& region) {
    if constexpr (count == 1) {
      return *at<Record>(region.offset);
    } else {
      return at<Record>(region.offset);
    }
  }
  Status create_file(const SegmentSpec& spec, const format::Header& header, uint64_t bytes);
  Status create_mailbox(const SegmentSpec& spec);
  // False: it could not be written.
  bool leave_own_history() noexcept;

  std::byte* memory_ = nullptr;
  uint64_t bytes_ = 0;
  int fd_ = -1;
  std::string path_;
  std::string mailbox_path_;
};

// Removes segments and mailboxes in `directory` whose owner is dead and that this user owns: those of pool `name`
// immediately, others after a day, as histories that nobody has taken over; and immediately the files of owners that
// were killed while they opened or closed a pool. Reports no errors: what cannot be removed stays.
void remove_dead_segments(const std::string& directory, const std::string& name, int64_t wall_now_ns);

}  // namespace tide
