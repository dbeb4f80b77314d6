// Values that several relations compute from the same data.
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

// The latest health checks; checks that were never made are omitted.
std::vector<std::pair<HealthCheck, format::HealthRecord>> checks_made(const Attachment& segment);

// The state as published by the pool, or "dead" or "stale"; "" if it cannot be read. A pool that was closed is neither
// dead nor stale, even if its process has exited.
std::string_view state_word(Liveness liveness, const std::optional<VitalsCopy>& vitals);

}  // namespace tide
