// Contradictions between options, and the presets, which must have none.
#include <gtest/gtest.h>

#include "policy/preset.hpp"
#include "policy_support.hpp"

namespace tide {
namespace {

using test::contains;

struct Contradiction {
  std::string_view first;
  std::string_view first_value;
  std::string_view second;
  std::string_view second_value;
  bool is_fine;
};
constexpr Contradiction kContradictions[] = {
    {"min_size", "8", "max_size", "4", false},
    {"min_size", "4", "max_size", "4", true},
    {"min_idle", "11", "max_size", "10", false},
    {"min_idle", "10", "max_size", "10", true},
    {"reserve_size", "10", "max_size", "10", false},
    {"reserve_size", "9", "max_size", "10", true},
    {"burst_max_size", "9", "max_size", "10", false},
    {"burst_max_size", "10", "max_size", "10", true},
    {"burst_max_size", "0", "max_size", "10", true},
    {"retry_base", "11s", "retry_max", "10s", false},
    {"retry_base", "10s", "retry_max", "10s", true},
    {"scale_down_utilization", "0.8", "scale_up_utilization", "0.8", false},
    {"scale_down_utilization", "0.79", "scale_up_utilization", "0.8", true},
    {"connect_timeout", "1h", "acquire_timeout", "1s", true},
};

TEST(Checks, ContradictionsNameBothOptionsAndValues) {
  for (const Contradiction& row : kContradictions) {
    SCOPED_TRACE(std::string(row.first) + "=" + std::string(row.first_value));
    Policy policy;
    ASSERT_TRUE(assign_value(policy, *find_setting(row.first), row.first_value));
    ASSERT_TRUE(assign_value(policy, *find_setting(row.second), row.second_value));
    const Status status = check_policy(policy);
    EXPECT_EQ(status.is_ok(), row.is_fine) << status.message();
    if (row.is_fine) continue;
    EXPECT_EQ(status.code, Code::bad_option);
    for (const std::string_view piece : {row.first, row.first_value, row.second, row.second_value}) {
      EXPECT_TRUE(contains(status.message(), piece)) << status.message();
    }
    EXPECT_FALSE(status.hint().empty());
  }
}

TEST(Checks, MessageAndHint) {
  Policy policy;
  policy.min_size = 8;
  policy.max_size = 4;
  EXPECT_EQ(check_policy(policy).message(), "min_size 8 is above max_size 4");
  EXPECT_EQ(check_policy(policy).hint(), "Lower min_size or raise max_size.");
}

TEST(Presets, AreAcceptedAndFreeOfContradictions) {
  for (const std::string_view name : find_setting("preset")->choices) {
    SCOPED_TRACE(name);
    Policy policy;
    ASSERT_TRUE(assign_value(policy, *find_setting("preset"), name));
    for (const PresetValue& value : preset_values(policy.preset)) {
      const Setting* const setting = find_setting(value.option);
      ASSERT_NE(setting, nullptr) << value.option;
      EXPECT_EQ(setting->name, value.option) << "presets speak current names";
      EXPECT_TRUE(assign_value(policy, *setting, value.value)) << value.option;
    }
    EXPECT_TRUE(check_policy(policy));
  }
}

TEST(Presets, NoneIsTheDefaults) { EXPECT_TRUE(preset_values(Preset::none).empty()); }

struct PresetRow {
  std::string_view preset;
  int64_t min_size;
  int64_t max_size;
  Span acquire_timeout;
  Span statement_timeout;
};
const PresetRow kPresets[] = {
    {"", 2, 10, Span::seconds(10), Span::seconds(30)},
    {"development", 2, 10, Span::seconds(10), Span::seconds(30)},
    {"staging", 5, 20, Span::seconds(10), Span::seconds(30)},
    {"production", 10, 50, Span::seconds(10), Span::seconds(30)},
    {"test", 2, 10, Span::seconds(10), Span::seconds(30)},
    {"local", 1, 5, Span::seconds(10), Span::seconds(30)},
    {"serverless", 1, 2, Span::seconds(5), Span::seconds(30)},
    {"web", 2, 10, Span::seconds(5), Span::seconds(30)},
    {"high_throughput", 5, 25, Span::seconds(2), Span::seconds(30)},
    {"batch", 1, 5, Span::seconds(30), Span::seconds(30)},
};

TEST(Presets, ValuesHaveThePresetAsTheirSource) {
  for (const PresetRow& row : kPresets) {
    SCOPED_TRACE(row.preset);
    const auto parsed = test::parse("sqlite::memory:", "preset='" + std::string(row.preset) + "'");
    ASSERT_TRUE(parsed) << parsed.status().message();
    EXPECT_EQ(parsed->policy.min_size, row.min_size);
    EXPECT_EQ(parsed->policy.max_size, row.max_size);
    EXPECT_EQ(parsed->policy.acquire_timeout, row.acquire_timeout);
    EXPECT_EQ(parsed->policy.statement_timeout, row.statement_timeout);
    EXPECT_EQ(test::source_of(*parsed, "preset"), SettingSource::options);
    for (const PresetValue& value : preset_values(parsed->policy.preset)) {
      EXPECT_EQ(test::source_of(*parsed, value.option), SettingSource::preset) << value.option;
    }
  }
}

}  // namespace
}  // namespace tide
