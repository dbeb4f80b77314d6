// Plan: which of several commands are given, and in which order.
//
// S2  Of several commands on one subject of one pool only the last is given.
// S3  What is given is valid at every step between: resume first, limits before sizes, pause and drain last; and of the two
//     limits first the one that keeps min_size <= max_size.
// Threads: any; nothing is kept. Failure: bad_argument, where commands contradict each other: all carried out, they would
// leave min_size above max_size, or target_size outside of both.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/status.hpp"
#include "model/command.hpp"

namespace tide {

enum class Bound : uint8_t { none, min_size, max_size, target_size };

struct PlannedCommand {
  size_t place = 0;  // in its batch
  Verb verb = Verb::set;
  std::string instance_id;  // of the one pool it is for; "": not known, or several
  std::string pool;         // in error texts
  std::string subject;      // "target_size", "state", an option's name or an alert; "" is like no other
  Bound bound = Bound::none;
  std::optional<int64_t> number;            // of a bound
  std::optional<int64_t> minimum, maximum;  // of the pool, as far as they are known
};

// What the command alone says.
PlannedCommand planned(size_t place, const Command& command);
Result<std::vector<PlannedCommand>> settle(std::vector<PlannedCommand> commands);

}  // namespace tide
