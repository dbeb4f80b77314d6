// Room: how many connections a full server has had room for, learnt from its refusals.
//
// A refused connect (53300: the server's, a role's or a database's limit; no descriptors) while connections live shows
// that there is room for those and no more. From then on that number is the limit, also for min_size and a manual size,
// so that the target does not go up with every caller and down with every refusal. Beyond it one connect is tried from
// time to time if more are needed: retry_base after the first refusal, doubled with each further one, at most retry_max
// (the second half of that at random). When it succeeds, the room is the number of connections then open, and 2, 4, 8
// ... more are tried at once. The room is forgotten when it no longer limits, kKept after the last refusal, and by a
// drain.
// Invariants: the room is at least 1; connections exceed it only by Caps::probe, which the rule allows in addition.
// Threads: the keeper only. Failure: none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "brain/desk.hpp"

namespace tide::brain {

class Room {
 public:
  static constexpr Span kKept = Span::seconds(60);

  // A connect was refused because the server is full. `why`: the server's message.
  void refused(std::string why);

  // Before the rule of a tick is computed: sets its part of the caps.
  void tick(Desk& desk);
  void forget(Desk& desk);

  bool is_full() const { return room_.has_value(); }
  Instant try_at() const { return try_at_; }

 private:
  void learn(Desk& desk, int64_t there, int64_t limit);
  void grow(Desk& desk, int64_t there);
  void end(Desk& desk, const std::string& why);

  std::optional<std::string> refusal_;  // not evaluated yet
  Instant refused_at_;
  std::optional<int64_t> room_;
  int64_t step_ = 1;      // how many more are tried at once
  int64_t refusals_ = 0;  // in a row
  Instant try_at_;
  Instant kept_until_;
};

}  // namespace tide::brain
