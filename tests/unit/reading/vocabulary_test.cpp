// The words readers print are the words the owner's side prints.
#include "reading/vocabulary.hpp"

#include <gtest/gtest.h>

#include <set>

#include "brain/brain.hpp"
#include "plane/format.hpp"
#include "policy/settings.hpp"

namespace tide {
namespace {

// Both sides have lists of their own, since neither room may know the other. As many words as there are numbers, each the
// same, no two alike, and "unknown" behind the last on both sides. The brain's are complete by the compiler's word.
template <typename Enum>
void expect_same(const char* (*name)(Enum), std::string_view (*word)(uint64_t)) {
  std::set<std::string_view> known;
  uint64_t number = 0;
  for (; number < 256; ++number) {
    EXPECT_EQ(word(number), name(static_cast<Enum>(number))) << number;
    if (word(number) != "unknown") EXPECT_TRUE(known.insert(word(number)).second) << word(number);
  }
  EXPECT_GE(known.size(), 2U);
  EXPECT_NE(word(known.size() - 1), "unknown") << "no number is left out";
  EXPECT_EQ(word(number), "unknown");
}

TEST(Vocabulary, WhatTheOwnerWritesIsReadAsTheSameWord) {
  expect_same(pool_state_name, pool_state_word);
  expect_same(size_source_name, size_source_word);
  expect_same(severity_name, severity_word);
  expect_same(event_kind_name, event_kind_word);
  expect_same(verb_name, verb_word);
}

TEST(Vocabulary, KnowsCommandStatusesAndBackends) {
  const auto word_of = [](format::CommandStatus status) { return command_status_word(static_cast<uint64_t>(status)); };
  EXPECT_EQ(word_of(format::CommandStatus::queued), "queued");
  EXPECT_EQ(word_of(format::CommandStatus::applied), "applied");
  EXPECT_EQ(word_of(format::CommandStatus::refused), "refused");
  EXPECT_EQ(word_of(format::CommandStatus::expired), "expired");
  EXPECT_EQ(command_status_word(4), "unknown");
  EXPECT_EQ(backend_word(0), "postgresql");
  EXPECT_EQ(backend_word(1), "sqlite");
  EXPECT_EQ(backend_word(2), "custom");
  EXPECT_EQ(backend_word(3), "unknown");
}

TEST(Vocabulary, KnowsTheWordsOfTheWatch) {
  const auto word_of = [](auto number) { return static_cast<uint64_t>(number); };
  EXPECT_EQ(breaker_word(word_of(BreakerState::off)), "off");
  EXPECT_EQ(breaker_word(word_of(BreakerState::closed)), "closed");
  EXPECT_EQ(breaker_word(word_of(BreakerState::open)), "open");
  EXPECT_EQ(breaker_word(word_of(BreakerState::half_open)), "half_open");
  EXPECT_EQ(alert_state_word(word_of(format::AlertState::pending)), "pending");
  EXPECT_EQ(alert_state_word(word_of(format::AlertState::resolved)), "resolved");
  EXPECT_EQ(comparison_word(word_of(format::Comparison::above)), ">");
  EXPECT_EQ(comparison_word(word_of(format::Comparison::at_least)), ">=");
  EXPECT_EQ(comparison_word(word_of(format::Comparison::below)), "<");
  EXPECT_EQ(comparison_word(word_of(format::Comparison::at_most)), "<=");
  EXPECT_EQ(health_check_word(word_of(format::HealthCheck::connectivity)), "connectivity");
  EXPECT_EQ(health_check_word(word_of(format::HealthCheck::scaling)), "scaling");
  EXPECT_EQ(health_status_word(word_of(format::HealthStatus::ok)), "ok");
  EXPECT_EQ(health_status_word(word_of(format::HealthStatus::failed)), "failed");
  for (const uint64_t number : {uint64_t{4}, uint64_t{1} << 32, ~uint64_t{0}}) {
    EXPECT_EQ(breaker_word(number), "unknown");
    EXPECT_EQ(alert_state_word(number), "unknown");
    EXPECT_EQ(comparison_word(number), "unknown");
    EXPECT_EQ(health_check_word(number), "unknown");
    EXPECT_EQ(health_status_word(number), "unknown");
  }
}

TEST(Vocabulary, TakesNumbersNobodyShouldWrite) {
  for (const uint64_t number : {uint64_t{256}, uint64_t{1} << 32, ~uint64_t{0}}) {
    EXPECT_EQ(pool_state_word(number), "unknown");
    EXPECT_EQ(setting_source_word(number), "unknown");
    EXPECT_EQ(event_kind_word(number), "unknown");
  }
}

TEST(Vocabulary, NamesSettingSourcesAsThePolicyDoes) {
  for (uint64_t source = 0; source <= static_cast<uint64_t>(SettingSource::manual); ++source) {
    EXPECT_EQ(setting_source_word(source), source_name(static_cast<SettingSource>(source)));
  }
  EXPECT_EQ(setting_source_word(static_cast<uint64_t>(SettingSource::manual) + 1), "unknown");
}

TEST(Vocabulary, NamesWhatConnectionsDo) {
  EXPECT_EQ(connection_state_word(SlotState::opening), "connecting");
  EXPECT_EQ(connection_state_word(SlotState::idle), "idle");
  EXPECT_EQ(connection_state_word(SlotState::leased), "in_use");
  EXPECT_EQ(connection_state_word(SlotState::soiled), "validating");
  EXPECT_EQ(connection_state_word(SlotState::held), "validating");
  EXPECT_EQ(connection_state_word(SlotState::closing), "closing");
  EXPECT_EQ(connection_state_word(SlotState::revoked), "closing");
}

}  // namespace
}  // namespace tide
