// The commands that UPDATEs of columns mean.
#include "control/assign.hpp"

#include <gtest/gtest.h>

#include "reading/relation.hpp"

namespace tide {
namespace {

const Column& column_of(std::string_view relation, std::string_view name) {
  for (const Column& column : find_relation(relation)->columns) {
    if (column.name == name) return column;
  }
  throw std::runtime_error("there is no such column");
}

std::string text_of(const Result<Assignment>& meant) {
  if (!meant) return meant.status().message();
  const Setter& setter = *meant->setter;
  Given given;
  if (!setter.which.empty()) given.emplace_back(setter.which, meant->which);
  if (!setter.value.empty()) given.emplace_back(setter.value, meant->value);
  return std::string(word(setter.verb)) + " " + make_command(word(setter.verb), given)->arguments_json();
}

std::string pools(std::string_view column, ArgumentValue value) {
  return text_of(assign(column_of("pools", column), "", value));
}
std::string setting(std::string_view name, ArgumentValue value) {
  return text_of(assign(column_of("settings", "value"), name, value));
}
std::string acked_by(ArgumentValue value) { return text_of(assign(column_of("alerts", "acked_by"), "77", value)); }

TEST(Assign, MapsColumnsToCommands) {
  EXPECT_EQ(pools("target_size", int64_t{5}), R"(scale {"target_size":5})");
  EXPECT_EQ(pools("target_size", std::string("5")), R"(scale {"target_size":5})");
  EXPECT_EQ(pools("target_size", Null()), R"(scale {"target_size":null})");
  EXPECT_EQ(pools("min_size", int64_t{3}), R"(set {"option":"min_size","value":"3"})");
  EXPECT_EQ(pools("state", std::string("paused")), "pause {}");
  EXPECT_EQ(pools("state", std::string("running")), "resume {}");
  EXPECT_EQ(pools("state", std::string("draining")), "drain {}");
  EXPECT_EQ(setting("burst", std::string("off")), R"(set {"option":"burst","value":"off"})");
  EXPECT_EQ(acked_by(std::string("ada")), R"(ack {"alert_id":77,"by":"ada"})");
}

TEST(Assign, RefusesInvalidValues) {
  EXPECT_EQ(pools("target_size", std::string("five")), "target_size cannot be \"five\"");
  EXPECT_EQ(pools("min_size", Null()), "min_size cannot be NULL");
  EXPECT_EQ(pools("state", std::string("degraded")), "state cannot be \"degraded\"");
  EXPECT_EQ(assign(column_of("pools", "state"), "", std::string("degraded")).status().detail(),
            R"(accepted: "paused" to pause, "running" to resume, "draining" to drain)");
  EXPECT_EQ(pools("state", int64_t{1}), "state cannot be 1");
  EXPECT_EQ(setting("burst", Null()), "value cannot be NULL");
  EXPECT_EQ(acked_by(Null()), "acked_by cannot be NULL");
  EXPECT_EQ(acked_by(std::string()), "acked_by cannot be \"\"");
  EXPECT_EQ(pools("size", int64_t{1}), "size cannot be assigned");
}

}  // namespace
}  // namespace tide
