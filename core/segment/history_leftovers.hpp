// HistoryLeftovers: the history that earlier owners of a pool have left in the segment directory.
//
// A pool that is closed leaves a file, "<pool>.<instance>.history"; of one whose process was killed the segment remains.
// The next owner of that name and user claims all of them by the lock of their owner, so that no two take the same one;
// reads them; and removes them once it has a segment that contains the records. If it is killed before that, they are
// still there, and if it is killed between, the records are in both, which History::merge() accepts.
//
// Threads: one.
// Failure: what cannot be read is left alone, and named in refusals(). Nothing here fails to open a pool.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "os/descriptor.hpp"
#include "segment/history_bytes.hpp"

namespace tide {

class HistoryLeftovers {
 public:
  HistoryLeftovers() = default;
  // Claims and reads those of pool `pool`.
  HistoryLeftovers(const std::string& directory, std::string pool, int64_t wall_now_ns);

  // Of all of them.
  History& history() { return history_; }
  // One sentence for each file that was not taken over.
  const std::vector<std::string>& refusals() const { return refusals_; }
  size_t taken() const { return claims_.size(); }
  // Removes the files that were taken over.
  void remove();

 private:
  struct Claim {
    Descriptor file;  // with the lock
    std::string path;
  };
  bool claim(const std::string& path, Descriptor& file);
  void take_segment(const std::string& path);
  void take_file(const std::string& path);
  void take(const std::string& path, Descriptor file, Result<History> found);
  void refuse(const std::string& path, const Status& why);

  std::string pool_;
  int64_t wall_now_ns_ = 0;
  std::vector<Claim> claims_;
  History history_;
  std::vector<std::string> refusals_;
};

// Leaves the history in place of the segment `segment_path`; the file gets its name only when it is complete. Does
// nothing if there are no records. False: it could not be written, and no file remains.
bool leave_history(const std::string& segment_path, const History& history, const HistoryOwner& owner,
                   int64_t wall_now_ns);

}  // namespace tide
