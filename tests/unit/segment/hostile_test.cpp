// Hostile segments: a reader may refuse or return less, but it neither crashes nor hangs nor returns impossible values.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>

#include "segment/attach.hpp"
#include "unit/support/hostile.hpp"

namespace tide {
namespace {

using test::SegmentFile;
using test::SegmentMaker;
using test::TemporaryFolder;

using test::kMutants;

bool is_clean(const std::string& text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 && c != '\n' && c != '\t';
  });
}

// Reads everything; returns the number of records.
size_t read_all(const Attachment& segment) {
  size_t n = 0;
  EXPECT_TRUE(is_clean(segment.header().pool) && is_clean(segment.header().target));
  (void)segment.liveness();
  EXPECT_GE(segment.last_heartbeat_wall_ns(), 0);
  if (const auto vitals = segment.read_vitals()) {
    EXPECT_LE(vitals->slots_used, segment.header().slots);
    (void)wall_of_mono(*vitals, std::numeric_limits<int64_t>::max());
    (void)wall_of_mono(*vitals, std::numeric_limits<int64_t>::min());
    ++n;
  }
  n += segment.read_queue() ? 1 : 0;
  n += segment.read_totals() ? 1 : 0;
  n += segment.read_baseline() ? 1 : 0;
  for (const SlotCopy& slot : segment.read_slots()) {
    EXPECT_TRUE(slot.word.is_sane());
    EXPECT_TRUE(is_clean(slot.tag) && is_clean(slot.last_error));
    ++n;
  }
  n += segment.read_slot_stats().size();
  // Records are returned as they are in the file; their texts are cleaned before they are shown, whatever they claim to
  // be.
  const auto see = [&n](const auto&... texts) { n += (is_clean(clean_text(texts)) && ...) ? 1 : 0; };
  for (const format::Waiter& waiter : segment.read_waiters()) see(waiter.tag);
  for (const int64_t resolution_ms : {1'000, 60'000, 3'600'000}) n += segment.read_history(resolution_ms).size();
  for (const format::JournalRecord& event : segment.read_journal()) see(event.message, event.detail);
  for (const format::ScalingRecord& scaling : segment.read_scaling()) see(scaling.reason, scaling.actor);
  for (const format::CommandRecord& command : segment.read_commands()) see(command.message, command.arguments);
  const auto settings = segment.read_settings();
  if (settings) EXPECT_LE(records_of(*settings).size(), format::kSettingsMax);
  for (size_t i = 0; settings && i < records_of(*settings).size(); ++i) see(records_of(*settings)[i].value);
  uint64_t last_id = 0;
  for (const format::AlertRecord& alert : segment.read_alerts()) {
    EXPECT_LE(last_id, alert.alert_id);
    last_id = alert.alert_id;
    see(alert.message, alert.advice, alert.rule, alert.metric, alert.acked_by);
  }
  const auto rules = segment.read_alert_rules();
  if (rules) EXPECT_LE(records_of(*rules).size(), format::kAlertRulesMax);
  for (size_t i = 0; rules && i < records_of(*rules).size(); ++i) see(rules->record[i].rule, rules->record[i].message);
  const auto health = segment.read_health();
  for (size_t i = 0; health && i < format::kHealthChecks; ++i) see(health->record[i].message);
  const auto forecasts = segment.read_forecasts();
  if (forecasts) EXPECT_LE(records_of(*forecasts).size(), format::kForecastsMax);
  for (size_t i = 0; forecasts && i < records_of(*forecasts).size(); ++i) see(forecasts->record[i].model);
  return n;
}

TEST(HostileTest, MutantsAreHandledSafely) {
  const TemporaryFolder folder;
  SegmentFile file(folder.path() + "/mutant", "", true);
  uint64_t opened = 0;
  uint64_t read = 0;
  for (uint64_t seed = 1; seed <= kMutants; ++seed) {
    SCOPED_TRACE(seed);
    file.rewrite(test::spoilt_segment(seed));
    const auto segment = Attachment::open(file.path());
    if (!segment) {
      EXPECT_FALSE(segment.status().message().empty());
      continue;
    }
    ++opened;
    read += read_all(*segment);
  }
  // The mutants are useless if all of them are refused when they are opened.
  EXPECT_GT(opened, kMutants / 3);
  EXPECT_LT(opened, kMutants);
  EXPECT_GT(read, opened);
}

TEST(HostileTest, ResizingFileIsHandledSafely) {
  const TemporaryFolder folder;
  SegmentMaker made;
  SegmentFile file(folder.path() + "/restless", made.bytes(), true);
  std::atomic<bool> is_over{false};
  std::thread vandal([&] {
    Rng random(1);
    while (!is_over) {
      file.cut(random.below(made.bytes().size() * 2));
      file.rewrite(made.bytes());
    }
  });
  uint64_t opened = 0;
  for (int i = 0; i < 100'000 && opened < 500; ++i) {
    const auto segment = Attachment::open(file.path());
    if (!segment) continue;
    ++opened;
    read_all(*segment);
  }
  is_over = true;
  vandal.join();
  EXPECT_GT(opened, 0U);
}

TEST(HostileTest, WorstCaseFileIsReadInBoundedSteps) {
  // The maximum number of slots, with every sequence number odd permanently.
  const TemporaryFolder folder;
  constexpr uint32_t kSlots = kSlotsMax;
  SegmentMaker made;
  format::Header h = made.header();
  const uint64_t slots = made.bytes().size() / 64 * 64 + 64;
  const uint64_t stats = slots + (kSlots * sizeof(format::Slot) + 63) / 64 * 64;
  h.slots = {slots, kSlots, sizeof(format::Slot)};
  h.slot_stats = {stats, kSlots, sizeof(format::SlotStats)};
  h.total_bytes = stats + kSlots * sizeof(format::SlotStats);
  made.vitals().slots_used = kSlots;
  made.vitals().topology_seq = 1;
  std::string bytes(made.bytes());
  bytes.resize(h.total_bytes, '\0');
  std::memcpy(bytes.data(), &h, sizeof h);
  for (uint32_t i = 0; i < kSlots; ++i) {
    bytes[slots + i * sizeof(format::Slot)] = static_cast<char>(SlotState::leased);
    bytes[slots + i * sizeof(format::Slot) + offsetof(format::Slot, seq)] = 1;
    bytes[stats + i * sizeof(format::SlotStats)] = 1;
  }
  const SegmentFile file(folder.path() + "/worst", bytes, true);
  const auto segment = Attachment::open(file.path());
  ASSERT_TRUE(segment.is_ok()) << segment.status().message();
  const std::vector<SlotCopy> read = segment->read_slots();
  ASSERT_EQ(read.size(), kSlots);
  for (const SlotCopy& slot : read) {
    EXPECT_FALSE(slot.is_whole);
    EXPECT_EQ(slot.word.state(), SlotState::leased);
  }
  EXPECT_EQ(segment->read_slot_stats().size(), kSlots);
}

}  // namespace
}  // namespace tide
