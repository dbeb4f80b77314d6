// Pulse: what happened in the last second, 15 s, minute and hour, from the sums of the census.
//
// Ticks are irregular; a beat is taken once at least a second has passed since the last one, and includes its length.
// Windows are sums over beats, so a late tick makes a longer beat and loses nothing.
// Invariants: no beat is negative (sums that decrease count as unchanged); memory is fixed.
// Threads: the keeper only. Failure: none.
#pragma once

#include <array>
#include <cstdint>

#include "brain/census.hpp"

namespace tide::brain {

struct Beat {
  double seconds = 0;
  double requests = 0;
  double acquires = 0;
  double releases = 0;
  double slow = 0;             // waited longer than wait_objective, or without success
  double timeouts = 0;         // got no connection in time
  double paused_timeouts = 0;  // of those, the ones that waited because the pool was paused by a command
  double paused_slow = 0;      // the same part of slow
  double queries = 0;
  double query_errors = 0;
  double faults = 0;  // query errors that no healthy application causes
  double connects = 0;
  double connect_failures = 0;
  double validation_failures = 0;
  double use_s = 0;    // of leases, within this time
  double ended_s = 0;  // hold times of the leases that ended
  double wait_s = 0;   // of requests, within this time
  double query_s = 0;
  double reversals = 0;  // of the target: up after down, or down after up

  // Something happened that a health check should look at now.
  bool is_troubled() const {
    return unordered_timeouts() > 0 || faults > 0 || connect_failures > 0 || validation_failures > 0;
  }
  double unordered_timeouts() const { return timeouts - paused_timeouts; }
  double errors() const { return faults + connect_failures + validation_failures; }
  void add(const Beat& other, double sign);
};

class Pulse {
 public:
  static constexpr Span kBeat = Span::seconds(1);
  static constexpr double kFewStatements = 5;

  // True: a beat was taken.
  bool tick(Instant now, const Census& census);
  // Since the last beat callers had to wait because the pool is, or was, paused.
  void paused() { paused_beats_ = kPausedBeats; }
  // The target was raised (or lowered).
  void target_moved(bool is_up);

  uint64_t beats() const { return beats_; }
  Instant next_at() const { return taken_at_ + kBeat; }
  const Beat& last() const { return ring_[(next_ + kSeconds - 1) % kSeconds]; }
  const Beat& quarter() const { return quarter_; }  // the last 15 beats
  const Beat& minute() const { return minute_; }    // the last 60
  Beat recent(size_t beats) const;                  // the last few, up to 60
  // The quarter, or the minute if the quarter has too few statements for a rate. Empty if both have too few.
  const Beat* with_statements() const;
  double errors_of_hour() const;

 private:
  static constexpr size_t kSeconds = 60;
  static constexpr size_t kQuarter = 15;
  static constexpr size_t kMinutes = 60;

  void push(const Beat& beat);

  Instant taken_at_;
  Traffic before_;
  uint64_t acquires_before_ = 0;
  uint64_t timeouts_before_ = 0;
  std::array<Beat, kSeconds> ring_{};
  size_t next_ = 0;
  uint64_t beats_ = 0;
  Beat quarter_;
  Beat minute_;
  std::array<double, kMinutes> errors_by_minute_{};
  double errors_of_minute_ = 0;
  double seconds_of_minute_ = 0;
  size_t minute_next_ = 0;
  static constexpr int kPausedBeats = 2;  // the last callers of a pause may be counted a little later
  int paused_beats_ = 0;                  // of the coming beats, those in which waiting was due to a command
  double reversals_ = 0;                  // since the last beat
  int direction_ = 0;                     // of the last move of the target
};

}  // namespace tide::brain
