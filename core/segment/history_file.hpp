// HistoryFile: the file of the option history_file, which keeps the history of one pool over restarts of the host.
//
// It is replaced as a whole: written beside it, "<path>.new", synchronized with the disk, renamed, and the directory
// synchronized. Its user holds the lock of "<path>.lock", so that two pools cannot replace each other's history. What
// was there and could not be read is renamed to "<path>.unreadable" before the first replacement.
//
// Threads: one at a time; abandon() in a child of fork().
// Failure: every function tells why; the file is as before then.
#pragma once

#include <string>

#include "os/descriptor.hpp"
#include "segment/history_bytes.hpp"

namespace tide {

class HistoryFile {
 public:
  HistoryFile(std::string path, HistoryOwner owner) : path_(std::move(path)), owner_(std::move(owner)) {}
  // Releases the lock.
  ~HistoryFile();
  HistoryFile(const HistoryFile&) = delete;
  HistoryFile& operator=(const HistoryFile&) = delete;

  const HistoryOwner& owner() const { return owner_; }
  // Locks it and reads what it contains; nothing if there is no file. Refused while another pool uses it, or if it is not
  // a file of this user or the history of another pool.
  Result<History> open(int64_t wall_now_ns);
  // Replaces it. If open() did not succeed before, it is tried again, and what the file contains is kept.
  Status save(History history, int64_t wall_now_ns);
  void abandon() noexcept { lock_.close(); }

 private:
  Status hold();
  Status check() const;
  Status replace(const std::string& bytes) const;
  Status failure(const std::string& why) const;

  const std::string path_;
  const HistoryOwner owner_;
  Descriptor lock_;
  bool is_open_ = false;
  bool is_unreadable_ = false;
  History before_;  // read after the pool had begun its own
};

}  // namespace tide
