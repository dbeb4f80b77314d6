// Routing: which server of a group a read goes to. Pure decisions on what probes have seen.
//
// R1  A replica gets reads only while it answers, is in recovery, and is at most lag_max behind the primary.
// R2  A read that must see a position goes only to a replica that has replayed it.
// R3  While the primary is gone, replicas keep the lag that they had at its last answer, and go on serving. If it only does
//     not tell its position, their lag grows.
// R4  A replica that failed in use gets no reads until a backoff has passed and a probe has succeeded after it.
// Threads: none of its own; the caller serializes. Time is an argument.
// Failure: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.hpp"
#include "base/status.hpp"
#include "pool/target_probe.hpp"

namespace tide {

// Positions of the primary and when it was there.
class LagBook {
 public:
  // `resolution`: how far the remembered positions are apart; a lag is overestimated by at most that.
  explicit LagBook(Span resolution = Span::millis(10)) : resolution_(resolution) {}

  void set_resolution(Span resolution) { resolution_ = resolution; }
  // A position that goes back is that of another history: the earlier ones are forgotten.
  void note(Instant at, uint64_t position);
  // How long before `as_of` the primary was where `replayed` says. Zero: nothing newer is known. nullopt: nothing is known
  // of the primary, or it was there before anything that is remembered.
  std::optional<Span> lag(uint64_t replayed, Instant as_of) const;
  Instant newest_at() const { return newest_.at; }
  uint64_t newest_position() const { return newest_.position; }

 private:
  static constexpr size_t kSamples = 256;
  struct Sample {
    Instant at;
    uint64_t position = 0;
  };
  Span resolution_;
  Sample newest_;
  std::vector<Sample> samples_;  // a ring, when it is full
  size_t oldest_ = 0;
};

// How busy a target is.
struct TargetLoad {
  uint32_t in_use = 0;
  uint32_t waiting = 0;
  uint32_t limit = 1;
};

struct TargetView {
  bool is_serving = false;
  std::optional<Span> lag;  // nullopt: unknown, or the primary
  uint64_t position = 0;    // 0: unknown
  Instant checked_at;
  Instant left_out_since;  // unset: it serves
  std::string why;         // it does not serve
};

class Routing {
 public:
  static constexpr size_t kPrimary = 0;
  enum class Change : uint8_t { none, left_out, back };

  // Targets are numbered; 0 is the primary. None serves before it was seen, and `now` is when that began.
  Routing(size_t targets, Instant now);

  // Zero: any lag is accepted.
  void set_lag_max(Span lag_max, Instant now);
  // What a probe has seen, or why it has not. What this changes for the target, and for replicas whose lag became known to be
  // too long, is told by changes().
  void saw(size_t target, const TargetReport& report, Instant now);
  void missed(size_t target, std::string_view why, Instant now);
  // The primary does not answer, and no session with it is open: nothing can be written.
  void set_primary_gone(bool is_gone, Instant now);
  // A lease or a statement on it failed for a reason that lies with the server.
  void failed(size_t target, std::string_view why, Instant now);

  // The least loaded replica that serves, has replayed `position` (0: any), and is not in `tried` (a bit for each target);
  // kPrimary if there is none. `turn` decides between replicas that are equally loaded.
  size_t choose(std::span<const TargetLoad> loads, uint64_t tried, uint64_t position, size_t turn) const;
  // Whether there is a replica to wait for: it serves, but has not replayed the position yet.
  bool is_any_serving(uint64_t tried) const;

  const TargetView& view(size_t target) const { return targets_[target].view; }
  size_t size() const { return targets_.size(); }
  bool is_primary_silent() const { return !targets_[kPrimary].is_reachable; }
  // Changes since the last call.
  struct Told {
    size_t target;
    Change change;
  };
  std::vector<Told> take_changes();

 private:
  struct State {
    TargetView view;
    bool is_reachable = false;
    bool is_in_recovery = false;
    std::string missed_why = "it was not checked yet";
    std::string failed_why;  // empty: not since the last success
    int failures = 0;
    Instant held_until;  // after a failure in use
    Instant back_at;     // since when it serves
    bool was_told = false;
  };
  void judge(size_t target, Instant now);
  void judge_all(Instant now);
  std::string objection(const State& state, size_t target, Instant now) const;  // empty: it may serve
  void update_lag(State& state, Instant now) const;

  std::vector<State> targets_;
  LagBook book_;
  Span lag_max_;
  bool is_primary_gone_ = false;
  std::vector<Told> changes_;
};

// What was seen of a group before it is opened, with how its targets are shown; the primary is first. The error names what
// cannot be right: a replica that is a primary, two targets that are one server, a replica of another primary. Targets that
// did not answer are not judged.
Status check_group(std::span<const std::optional<TargetReport>> reports, std::span<const std::string> shown);
// If the first target is a standby and exactly one other is not: the number of that; else 0.
size_t actual_primary(std::span<const std::optional<TargetReport>> reports);

// As PostgreSQL prints positions in the WAL: "16/B374D848".
std::string position_text(uint64_t position);
// A position at which the next record can only begin after the header of its page: the end of the record before it, which is
// what a standby reports. `position` itself if there is no such header.
uint64_t end_of_record(uint64_t position);

}  // namespace tide
