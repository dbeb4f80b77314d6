// Assign: which command an UPDATE means, and in which order those of a transaction are given.
//
// S2  Of several assignments on one subject of one instance only the last is given.
// S3  What is given is valid at every step between: resume first, limits before sizes, pause and drain last; and of the two
//     limits first the one that keeps min_size <= max_size.
// Threads: any; nothing is kept. Failure: bad_argument, naming the column, its value and what is accepted.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.hpp"
#include "model/command.hpp"

namespace tide {

// The row an UPDATE is about, as it was shown. Borrowed.
struct ShownRow {
  std::string_view relation;
  std::string_view instance_id;
  std::string_view pool;
  std::string_view key;             // settings: the option; alerts: the alert_id
  std::optional<int64_t> min_size;  // as far as the row shows it
  std::optional<int64_t> max_size;
};

enum class Bound : uint8_t { none, min_size, max_size, target_size };

struct Assignment {
  Verb verb = Verb::set;
  Given given;          // its arguments, by their names
  std::string subject;  // "target_size", "state", an option's name or an alert (S2)
  Bound bound = Bound::none;
  std::optional<int64_t> number;  // of a bound
};

Result<Assignment> assign(const ShownRow& row, std::string_view column, const ArgumentValue& value);

struct StagedAssignment {
  const ShownRow* row;
  const Assignment* what;
};

// The places of those that are to be given, in the order in which they are (S2, S3); or why they contradict each other: all
// carried out, they would leave min_size above max_size, or target_size outside of both. `assumes_rows`: a limit that is
// not assigned stays as the row showed it; else nothing is known of it.
Result<std::vector<size_t>> settle(std::span<const StagedAssignment> staged, bool assumes_rows);

}  // namespace tide
