// One value at a time: what each kind accepts, what it refuses, and that nothing is rewritten.
#include <gtest/gtest.h>

#include "base/rng.hpp"
#include "base/units.hpp"
#include "policy_support.hpp"

namespace tide {
namespace {

using test::contains;

struct Accepted {
  std::string_view name;
  std::string_view text;
  std::string_view shown;
};
constexpr Accepted kAccepted[] = {
    {"max_size", "1", "1"},
    {"max_size", "10000", "10000"},
    {"max_size", " 20 ", "20"},
    {"min_size", "0", "0"},
    {"max_waiting", "1000000", "1000000"},
    {"burst", "ON", "on"},
    {"burst", "true", "on"},
    {"burst", "yes", "on"},
    {"burst", "1", "on"},
    {"burst", "off", "off"},
    {"burst", "False", "off"},
    {"burst", "no", "off"},
    {"burst", "0", "off"},
    {"acquire_timeout", "30s", "30s"},
    {"acquire_timeout", "500ms", "500ms"},
    {"acquire_timeout", "2500", "2500ms"},
    {"acquire_timeout", "0.5s", "500ms"},
    {"acquire_timeout", "30 s", "30s"},
    {"acquire_timeout", "86400000", "1d"},
    {"acquire_timeout", "24h", "1d"},
    {"idle_timeout", "0", "0"},
    {"idle_timeout", "5min", "5min"},
    {"fairness_window", "250us", "250us"},
    {"lifetime_jitter", "0", "0"},
    {"lifetime_jitter", ".25", "0.25"},
    {"lifetime_jitter", "0.9", "0.9"},
    {"scale_up_utilization", "1", "1"},
    {"scale_up_utilization", "1e-05", "1e-05"},
    {"init_mode", "fail_fast", "fail_fast"},
    {"sqlite_journal_mode", "WAL", "wal"},
    {"sqlite_journal_mode", "delete", "delete"},
    {"sqlite_temp_store", "default", "default"},
    {"preset", "high_throughput", "high_throughput"},
    {"validation_query", "select 1", "select 1"},
    {"validation_query", " padded ", " padded "},
    {"validation_query", "", ""},
    {"validation_query", "select '\xC3\xA4'", "select '\xC3\xA4'"},
    {"dir", "/run/tidepool", "/run/tidepool"},
};

TEST(Values, AreAcceptedAndShown) {
  for (const Accepted& row : kAccepted) {
    Policy policy;
    const Setting& setting = *find_setting(row.name);
    const Status status = assign_value(policy, setting, row.text);
    EXPECT_TRUE(status) << row.name << "=" << row.text << ": " << status.message();
    EXPECT_EQ(format_value(policy, setting), row.shown) << row.name << "=" << row.text;
  }
}

struct RefusedValue {
  std::string_view name;
  std::string_view text;
  std::string_view said;  // a piece of message or hint
};
constexpr RefusedValue kRefusedValues[] = {
    {"max_size", "", "whole number"},
    {"grow_step", "0", "below the minimum"},
    {"max_size", "10001", "above the maximum"},
    {"max_size", "99999999999999999999999999", "above the maximum"},
    {"max_size", "-1", "negative"},
    {"max_size", "-99999999999999999999999999", "negative"},
    {"max_size", "+5", "whole number"},
    {"max_size", "5.0", "whole number"},
    {"max_size", "1e3", "whole number"},
    {"max_size", "0x10", "whole number"},
    {"max_size", "5 connections", "whole number"},
    {"max_size", "ten", "whole number"},
    {"min_size", "-0", "negative"},
    {"max_waiting", "1000001", "above the maximum"},
    {"max_connecting", "0", "below the minimum"},
    {"burst", "", "not a boolean"},
    {"burst", "2", "not a boolean"},
    {"burst", "maybe", "not a boolean"},
    {"burst", "o n", "not a boolean"},
    {"acquire_timeout", "30 parsecs", "duration"},
    {"acquire_timeout", "30sec", "duration"},
    {"acquire_timeout", "30S", "duration"},
    {"acquire_timeout", "30m", "duration"},
    {"acquire_timeout", "s", "duration"},
    {"acquire_timeout", "", "duration"},
    {"acquire_timeout", "1h30min", "duration"},
    {"acquire_timeout", "-5s", "negative"},
    {"acquire_timeout", "0", "below the minimum"},
    {"acquire_timeout", "999us", "below the minimum"},
    {"acquire_timeout", "86400001", "above the maximum"},
    {"acquire_timeout", "2d", "above the maximum"},
    {"acquire_timeout", "99999999999999d", "duration"},
    {"acquire_timeout", "nan", "duration"},
    {"acquire_timeout", "inf", "duration"},
    {"connect_timeout", "0", "below the minimum"},
    {"idle_timeout", "31d", "above the maximum"},
    {"idle_timeout", "0.1us", "is not a valid duration"},
    {"statement_timeout", "25d", "above the maximum"},
    {"lifetime_jitter", "0.91", "above the maximum"},
    {"lifetime_jitter", "-0.1", "negative"},
    {"lifetime_jitter", "-0", "negative"},
    {"lifetime_jitter", "nan", "not a ratio"},
    {"lifetime_jitter", "inf", "not a ratio"},
    {"scale_up_utilization", "80", "0.8"},
    {"scale_up_utilization", "80%", "0.8"},
    {"scale_up_utilization", "1e999", "not a ratio"},
    {"scale_up_utilization", "", "not a ratio"},
    {"scale_up_utilization", "0,8", "not a ratio"},
    {"init_mode", "eagre", "Did you mean \"eager\""},
    {"init_mode", "", "not one of"},
    {"preset", "prod", "not one of"},
    {"reset_on_release", "everything", "not one of"},
    {"dir", "run/tidepool", "absolute path"},
    {"dir", " /run", "absolute path"},
    {"validation_query", "select \xFF", "UTF-8"},
    {"validation_query", "select \xC0\x80", "UTF-8"},
    {"validation_query", "\xED\xA0\x80", "UTF-8"},
    {"validation_query", "\xF4\x90\x80\x80", "UTF-8"},
    {"validation_query", std::string_view("a\0b", 3), "NUL"},
};

TEST(Values, InvalidOnesLeaveThePolicyUnchanged) {
  for (const RefusedValue& row : kRefusedValues) {
    SCOPED_TRACE(std::string(row.name) + "=" + std::string(row.text));
    const Setting& setting = *find_setting(row.name);
    Policy policy;
    const Status status = assign_value(policy, setting, row.text);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.code, Code::bad_option);
    EXPECT_FALSE(status.is_retryable);
    EXPECT_TRUE(status.message().starts_with("invalid value for option \"" + std::string(row.name) + "\": \""))
        << status.message();
    EXPECT_TRUE(contains(test::whole_text(status), row.said)) << test::whole_text(status);
    EXPECT_TRUE(status.detail().starts_with("The value must be ")) << status.detail();
    for (const Setting& any : settings_catalogue()) EXPECT_EQ(format_value(policy, any), any.default_text);
  }
}

TEST(Values, ErrorsGiveRangeAndUnit) {
  Policy policy;
  const Status size = assign_value(policy, *find_setting("grow_step"), "0");
  EXPECT_EQ(size.message(), "invalid value for option \"grow_step\": \"0\" is below the minimum");
  EXPECT_EQ(size.detail(), "The value must be a whole number from 1 to 1000 (connections).");
  EXPECT_EQ(size.hint(), "The minimum is 1.");
  const Status span = assign_value(policy, *find_setting("acquire_timeout"), "30sec");
  EXPECT_TRUE(contains(span.detail(), "from 1ms to 24h")) << span.detail();
  EXPECT_TRUE(contains(span.detail(), "30s")) << span.detail();
  const Status choice = assign_value(policy, *find_setting("init_mode"), "x");
  EXPECT_TRUE(contains(choice.detail(), "lazy, eager, fail_fast")) << choice.detail();
}

TEST(Values, TextIsBounded) {
  Policy policy;
  const Setting& query = *find_setting("validation_query");
  EXPECT_TRUE(assign_value(policy, query, std::string(1000, 'x')));
  const Status status = assign_value(policy, query, std::string(1001, 'y'));
  EXPECT_FALSE(status);
  EXPECT_LT(status.message().size(), 200U);
  EXPECT_EQ(policy.validation_query, std::string(1000, 'x'));
  EXPECT_FALSE(assign_value(policy, *find_setting("dir"), "/" + std::string(1000, 'd')));
}

TEST(Values, EveryTextIsBoundedAsDocumented) {
  for (const Setting& setting : settings_catalogue()) {
    if (setting.kind != SettingKind::text) continue;
    const size_t bytes_max = std::stoul(std::string(setting.max_text));
    Policy policy;
    const Status status = assign_value(policy, setting, "/" + std::string(bytes_max, 'x'));
    EXPECT_TRUE(contains(status.message(), "too long (" + std::to_string(bytes_max + 1) + " bytes)"))
        << setting.name << ": " << status.message();
    EXPECT_EQ(status.hint(), "The maximum is " + std::string(setting.max_text) + ".");
  }
}

TEST(Values, PasswordsAreNotQuoted) {
  Policy policy;
  const Status status = assign_value(policy, *find_setting("max_size"), "postgresql://u:hunter2@h/db?password=hunter2");
  EXPECT_FALSE(contains(test::whole_text(status), "hunter2")) << test::whole_text(status);
}

TEST(Values, BoundsOfRangesAreInclusive) {
  for (const Setting& setting : settings_catalogue()) {
    if (setting.min_text.empty()) continue;
    SCOPED_TRACE(setting.name);
    Policy policy;
    EXPECT_TRUE(assign_value(policy, setting, setting.min_text));
    EXPECT_TRUE(assign_value(policy, setting, setting.max_text));
    std::string above;
    if (setting.kind == SettingKind::duration) above = format_span(*parse_span(setting.max_text) + Span::micros(1));
    if (setting.kind == SettingKind::integer) above = std::to_string(std::stoll(std::string(setting.max_text)) + 1);
    if (setting.kind == SettingKind::ratio)
      above = std::string(setting.max_text) + (setting.max_text == "1" ? ".001" : "1");
    if (setting.kind == SettingKind::bytes) above = std::to_string(*parse_bytes(setting.max_text) + 1);
    EXPECT_FALSE(assign_value(policy, setting, above)) << above;
  }
}

// A random accepted value for the setting, as somebody might type it.
std::string random_text(const Setting& setting, Rng& rng) {
  switch (setting.kind) {
    case SettingKind::boolean: return rng.chance(0.5) ? "on" : "off";
    case SettingKind::choice: return std::string(setting.choices[rng.below(setting.choices.size())]);
    case SettingKind::text:
      if (setting.name == "recovery") return std::string(rng.chance(0.3) ? "" : kRecoveryStrategies[rng.below(3)]);
      if (setting.name == "notify_webhook_url") return "https://h" + std::to_string(rng.below(9));
      if (setting.name == "replica_url") return "postgresql://h" + std::to_string(rng.below(9)) + "/db";
      return "/" + std::string(rng.below(50), 't');
    case SettingKind::bytes: {
      const int64_t low = *parse_bytes(setting.min_text), high = *parse_bytes(setting.max_text);
      return format_bytes(low + static_cast<int64_t>(rng.below(static_cast<uint64_t>(high - low))));
    }
    case SettingKind::ratio: {
      const double low = std::stod(std::string(setting.min_text));
      return std::to_string(low + rng.unit() * (std::stod(std::string(setting.max_text)) - low) * 0.9);
    }
    case SettingKind::integer: {
      const uint64_t low = std::stoull(std::string(setting.min_text));
      return std::to_string(low + rng.below(std::stoull(std::string(setting.max_text)) - low + 1));
    }
    case SettingKind::duration: {
      const int64_t low = parse_span(setting.min_text)->ns() / 1000;
      const int64_t high = parse_span(setting.max_text)->ns() / 1000;
      return std::to_string(low + static_cast<int64_t>(rng.below(static_cast<uint64_t>(high - low + 1)))) + "us";
    }
  }
  return {};
}

TEST(Values, FormatAndAssignAreInverse) {
  Rng rng(20240607);
  for (const Setting& setting : settings_catalogue()) {
    for (int round = 0; round < 200; ++round) {
      Policy first;
      const std::string typed = random_text(setting, rng);
      ASSERT_TRUE(assign_value(first, setting, typed)) << setting.name << "=" << typed;
      const std::string shown = format_value(first, setting);
      Policy second;
      ASSERT_TRUE(assign_value(second, setting, shown)) << setting.name << "=" << shown;
      ASSERT_EQ(format_value(second, setting), shown) << setting.name;
    }
  }
}

TEST(Values, EachSettingHasItsOwnMember) {
  Rng rng(7);
  for (const Setting& setting : settings_catalogue()) {
    Policy policy;
    std::string typed;
    do {
      typed = random_text(setting, rng);
      ASSERT_TRUE(assign_value(policy, setting, typed)) << setting.name;
    } while (format_value(policy, setting) == setting.default_text);
    for (const Setting& other : settings_catalogue()) {
      if (&other == &setting) continue;
      EXPECT_EQ(format_value(policy, other), other.default_text) << setting.name << " wrote " << other.name;
    }
  }
}

}  // namespace
}  // namespace tide
