#include "reading/vocabulary.hpp"

#include "plane/vocabulary.hpp"
#include "policy/settings.hpp"

namespace tide {

std::string_view backend_word(uint64_t backend) { return vocabulary::word(vocabulary::backends(), backend); }
std::string_view pool_state_word(uint64_t state) { return vocabulary::word(vocabulary::pool_states(), state); }
std::string_view size_source_word(uint64_t source) { return vocabulary::word(vocabulary::size_sources(), source); }
std::string_view severity_word(uint64_t severity) { return vocabulary::word(vocabulary::severities(), severity); }
std::string_view event_kind_word(uint64_t kind) { return vocabulary::word(vocabulary::event_kinds(), kind); }
std::string_view command_status_word(uint64_t status) {
  return vocabulary::word(vocabulary::command_statuses(), status);
}
std::string_view breaker_word(uint64_t state) { return vocabulary::word(vocabulary::breaker_states(), state); }
std::string_view pooler_word(uint64_t pooler) { return vocabulary::word(vocabulary::poolers(), pooler); }
std::string_view alert_state_word(uint64_t state) { return vocabulary::word(vocabulary::alert_states(), state); }
std::string_view comparison_word(uint64_t comparison) {
  return vocabulary::word(vocabulary::comparisons(), comparison);
}
std::string_view health_check_word(uint64_t check) { return vocabulary::word(vocabulary::health_checks(), check); }
std::string_view health_status_word(uint64_t status) { return vocabulary::word(vocabulary::health_statuses(), status); }

std::string_view setting_source_word(uint64_t source) {
  // Checked before the cast, which would fold large numbers onto known ones.
  if (source > static_cast<uint64_t>(SettingSource::manual)) return "unknown";
  return source_name(static_cast<SettingSource>(source));
}

std::string_view connection_state_word(SlotState state) {
  switch (state) {
    case SlotState::empty: return "";
    case SlotState::opening: return "connecting";
    case SlotState::idle: return "idle";
    case SlotState::leased:
    case SlotState::returning: return "in_use";
    case SlotState::soiled: return "validating";
    case SlotState::held: return "validating";
    case SlotState::closing: return "closing";
    case SlotState::revoked: return "closing";
  }
  return "unknown";
}

}  // namespace tide
