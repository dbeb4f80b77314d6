// Timeline: a recording as a sequence of snapshots.
//
// Before the first frame come the seconds of the history that it contains: of these only sizes and loads are known.
//
// Threads: one. Failure: none.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "record/recording.hpp"
#include "snapshot.hpp"

namespace tide::cli::top {

using record::Recording;

class Timeline {
 public:
  // `place`: the name of the recording, for the screen.
  Timeline(Recording recording, std::string place);

  size_t size() const { return moments_.size(); }  // at least 1
  int64_t wall_us(size_t i) const { return moments_[i].wall_us; }
  // How long moment i is shown when the recording is played at its own speed; never long, and never negative.
  int64_t duration_ns(size_t i) const;
  // The last moment at or before a time; the first one if there is none.
  size_t find(int64_t wall_us) const;
  const Snapshot& at(size_t i);
  // Of the first complete state: before it only the history is known.
  size_t first_frame() const { return history_.size(); }

 private:
  struct Moment {
    int64_t wall_us;
    int64_t mono_ns;
  };
  struct Point {
    size_t moment;
    Sample sample;
  };
  void take_history(const Frame& first);
  void take_points(const Snapshot& snapshot, size_t moment);
  Snapshot of_history(size_t i) const;
  void fill(Snapshot& snapshot, size_t moment) const;

  Recording recording_;
  const std::string place_;
  std::vector<Moment> moments_;  // those of history_, then those of the frames
  std::vector<std::vector<PoolRow>> history_;
  std::map<std::string, std::vector<Point>> points_;
  std::map<std::string, int64_t> last_point_ns_;
  std::vector<EventRow> events_;  // by time
  Snapshot current_;
  size_t current_number_ = SIZE_MAX;
};

}  // namespace tide::cli::top
