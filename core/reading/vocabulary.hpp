// Vocabulary: the words readers see for the numbers in segments. The words themselves stand in plane/vocabulary.cpp and
// policy/settings.cpp; this says which list a number belongs to.
//
// A number this version does not know is "unknown", never an error: the segment may be a newer owner's.
// Threads: any. Failure: none.
#pragma once

#include <cstdint>
#include <string_view>

#include "plane/slot_word.hpp"

namespace tide {

std::string_view backend_word(uint64_t backend);
std::string_view pool_state_word(uint64_t state);
std::string_view size_source_word(uint64_t source);
std::string_view severity_word(uint64_t severity);
std::string_view event_kind_word(uint64_t kind);
std::string_view command_status_word(uint64_t status);
std::string_view setting_source_word(uint64_t source);
std::string_view breaker_word(uint64_t state);
std::string_view pooler_word(uint64_t pooler);
std::string_view alert_state_word(uint64_t state);
std::string_view comparison_word(uint64_t comparison);
std::string_view health_check_word(uint64_t check);
std::string_view health_status_word(uint64_t status);

// What the connection in a slot of this state is doing; "" of an empty slot.
std::string_view connection_state_word(SlotState state);

}  // namespace tide
