// Copying: from raw bytes of a segment to the values of plane/copies.hpp. Private to attach.cpp and copying.cpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>

#include "base/text.hpp"
#include "plane/copies.hpp"
#include "plane/format.hpp"

namespace tide {

// How often a reader tries again what was written under its hands, and how it gives way meanwhile.
inline constexpr int kPassesMax = 50;
void pause_before_pass(int pass);

// Bytes as they came from pread(); looked at as a record, never written through.
template <typename Record>
struct Raw {
  alignas(Record) std::byte bytes[sizeof(Record)];
  const Record& get() const { return *reinterpret_cast<const Record*>(bytes); }
};

VitalsCopy copy_of(const format::Vitals& from, uint32_t slots);
QueueCopy copy_of(const format::QueueStats& from);
KeeperStatsCopy copy_of(const format::KeeperStats& from);
BaselineCopy copy_of(const format::Baseline& from);
SlotCopy copy_of(const format::Slot& from, uint32_t index);
SlotStatsCopy copy_of(const format::SlotStats& from);
WaiterCopy copy_of(const format::Waiter& from);
HistoryCopy copy_of(const format::HistoryRecord& from);
JournalCopy copy_of(const format::JournalRecord& from);
ScalingCopy copy_of(const format::ScalingRecord& from);
CommandCopy copy_of(const format::CommandRecord& from);
AlertCopy copy_of(const format::AlertRecord& from);
AlertRuleCopy copy_of(const format::AlertRuleRecord& from);
HealthCopy copy_of(const format::HealthRecord& from, uint32_t check);
ForecastsCopy copy_of(const format::ForecastsBlock& from);
TalliesCopy copy_of(const format::Tallies& from);
bool is_untouched(const format::Slot& first, const format::Slot& second, const format::Slot& third);

}  // namespace tide
