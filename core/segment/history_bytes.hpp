// History: the records of pool_history outside of a segment, and as bytes for a file (format::HistoryFileHeader).
//
// Bytes are hostile until they are checked: what is accepted has this layout, a right checksum, the right pool, and
// records that an owner can have written.
//
// Threads: a value.
// Failure: a Status whose message is the reason alone; its user names the file.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.hpp"
#include "segment/attach.hpp"
#include "segment/format.hpp"
#include "segment/instance_id.hpp"

namespace tide {

class History {
 public:
  using Records = std::vector<format::HistoryRecord>;
  static constexpr size_t kSeries = std::size(kResolutionsMs);

  History() = default;
  // What a segment contains.
  static History of(const Attachment& segment, int64_t wall_now_ns);

  // Of kResolutionsMs[i]; oldest first.
  const Records& series(size_t i) const { return series_[i]; }
  Records& series(size_t i) { return series_[i]; }
  size_t size() const;
  bool empty() const { return size() == 0; }
  // By time; of records that both have only one, and of too many the newest.
  void merge(History&& other);

 private:
  std::array<Records, kSeries> series_;
};

struct HistoryOwner {
  InstanceId instance_id{};
  std::string pool;
};

std::string bytes_of(const History& history, const HistoryOwner& owner, int64_t wall_now_ns);
// More bytes than any owner writes are not worth to be read.
extern const uint64_t kHistoryBytesMax;
// Code::bad_argument: it is another pool's, and to be left alone.
Result<History> history_of(std::string_view bytes, std::string_view pool, int64_t wall_now_ns);

}  // namespace tide
