// What several relations make of the same reading.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "model/words.hpp"
#include "segment/attach.hpp"

namespace tide {

SlotCounts count_slots(const std::vector<SlotCopy>& slots);

// The latest health checks, of those that were ever made.
std::vector<std::pair<HealthCheck, format::HealthRecord>> checks_made(const Attachment& segment);

// The pool's own word, "dead" or "stale"; "" where it cannot be read. An owner that closed its pool is neither dead nor
// stale, whatever became of it.
std::string_view state_word(Liveness liveness, const std::optional<VitalsCopy>& vitals);

}  // namespace tide
