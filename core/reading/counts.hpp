// What several relations make of the same reading.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "plane/attach.hpp"

namespace tide {

SlotCounts count_slots(const std::vector<SlotCopy>& slots);

// The pool's own word, "dead" or "stale"; "" where it cannot be read. An owner that closed its pool is neither dead nor
// stale, whatever became of it.
std::string_view state_word(Liveness liveness, const std::optional<VitalsCopy>& vitals);

}  // namespace tide
