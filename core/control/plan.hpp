// Plan: which of several commands are sent, and in which order.
//
// S2  Of several commands for one subject of one pool only the last is sent.
// S3  The settings are valid after every step: resume first, limits before sizes, pause and drain last; of the two
//     limits, first the one that keeps min_size <= max_size.
// Threads: any; nothing is kept. Failure: bad_argument for commands that contradict each other: if all were applied,
// min_size would be above max_size, or target_size outside of both.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/status.hpp"
#include "model/command.hpp"

namespace tide {

enum class Bound : uint8_t { none, min_size, max_size, target_size };

struct PlannedCommand {
  size_t place = 0;  // index in its batch
  Verb verb = Verb::set;
  std::string instance_id;  // of the only pool it is for; "": not known, or several
  std::string pool;         // for error texts
  std::string subject;  // "target_size", "state", the name of an option, or an alert; "" is distinct from every other
  Bound bound = Bound::none;
  std::optional<int64_t> number;            // the value of a limit
  std::optional<int64_t> minimum, maximum;  // of the pool, if known
};

// What can be determined from the command alone.
PlannedCommand planned(size_t place, const Command& command);
Result<std::vector<PlannedCommand>> settle(std::vector<PlannedCommand> commands);

}  // namespace tide
