#include "segment/history_leftovers.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "segment/directory.hpp"
#include "segment/owner_lock.hpp"

namespace tide {
namespace {

constexpr size_t kTakenMax = 256;

}  // namespace

HistoryLeftovers::HistoryLeftovers(const std::string& directory, std::string pool, int64_t wall_now_ns)
    : pool_(std::move(pool)), wall_now_ns_(wall_now_ns) {
  for (const std::string& path : list_segments(directory)) {
    if (is_home_of(path, pool_, instance_hex_of(path))) take_segment(path);
  }
  for (const std::string& path : list_histories(directory)) {
    if (path == history_path_of(segment_path(directory, pool_, instance_hex_of(path)))) take_file(path);
  }
}

// False: somebody else has it, or it cannot be used.
bool HistoryLeftovers::claim(const std::string& path, Descriptor& file) {
  if (claims_.size() == kTakenMax) return false;
  Result<Descriptor> opened = open_own_file(path);
  if (!opened) {
    if (opened.status().code != Code::not_found) refuse(path, opened.status());
    return false;
  }
  file = opened.take();
  return hold_owner_lock(file.get()) && is_named(file.get());
}

void HistoryLeftovers::take_segment(const std::string& path) {
  Descriptor file;
  if (!claim(path, file)) return;
  const auto segment = Attachment::from_fd(file.get());
  if (!segment) return refuse(path, segment.status());
  if (segment->header().pool == pool_) take(path, std::move(file), History::of(*segment, wall_now_ns_));
}

void HistoryLeftovers::take_file(const std::string& path) {
  Descriptor file;
  if (!claim(path, file)) return;
  const Result<std::string> bytes = read_whole(file.get(), kHistoryBytesMax);
  if (!bytes) return refuse(path, bytes.status());
  take(path, std::move(file), history_of(*bytes, pool_, wall_now_ns_));
}

void HistoryLeftovers::take(const std::string& path, Descriptor file, Result<History> found) {
  if (!found) return refuse(path, found.status());
  history_.merge(found.take());
  claims_.push_back({std::move(file), path});
}

void HistoryLeftovers::refuse(const std::string& path, const Status& why) {
  refusals_.push_back("the history in " + path.substr(path.rfind('/') + 1) + " is not taken over: " + why.message());
}

void HistoryLeftovers::remove() {
  for (const Claim& claim : claims_) {
    ::unlink(claim.path.c_str());
    ::unlink(mailbox_path_of(claim.path).c_str());
  }
  claims_.clear();
}

bool leave_history(const std::string& segment_path, const History& history, const HistoryOwner& owner,
                   int64_t wall_now_ns) {
  if (history.empty()) return true;
  const std::string path = unfinished_path(directory_of(segment_path), instance_hex_of(segment_path));
  const Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!file.is_open()) return false;
  // With the lock, so that nobody who cleans up takes it for a dead owner's.
  const bool is_left = gain_owner_lock(file.get()) && write_whole(file.get(), bytes_of(history, owner, wall_now_ns)) &&
                       ::rename(path.c_str(), history_path_of(segment_path).c_str()) == 0;
  if (!is_left) ::unlink(path.c_str());
  return is_left;
}

}  // namespace tide
