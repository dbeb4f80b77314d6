// The words of the closed sets: every value has one, all differ, and they are those of the relations.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "brain/brain.hpp"

namespace tide {
namespace {

// Walks an enum up to its last value; past it the name is "unknown".
template <typename E>
void expect_distinct(const char* (*name)(E), E last) {
  std::set<std::string> seen;
  for (int i = 0; i <= static_cast<int>(last); ++i) {
    const std::string word = name(static_cast<E>(i));
    EXPECT_NE(word, "unknown") << i;
    EXPECT_TRUE(seen.insert(word).second) << word;
    EXPECT_EQ(word.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string::npos) << word;
  }
  EXPECT_STREQ(name(static_cast<E>(static_cast<int>(last) + 1)), "unknown");
}

TEST(Names, AreCompleteAndDistinct) {
  expect_distinct(size_source_name, SizeSource::budget);
  expect_distinct(pool_state_name, PoolState::closed);
  expect_distinct(severity_name, Severity::critical);
  expect_distinct(event_kind_name, EventKind::server_full_off);
  expect_distinct(close_reason_name, CloseReason::shutdown);
  expect_distinct(verb_name, Verb::evaluate);
}

TEST(Names, AreThoseOfTheRelations) {
  EXPECT_STREQ(size_source_name(SizeSource::autoscale), "autoscale");
  EXPECT_STREQ(pool_state_name(PoolState::draining), "draining");
  EXPECT_STREQ(verb_name(Verb::close_connection), "close_connection");
}

}  // namespace
}  // namespace tide
