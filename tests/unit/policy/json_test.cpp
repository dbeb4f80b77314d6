// Options as JSON: nesting, what is refused, and where.
#include "policy/json.hpp"

#include <gtest/gtest.h>

#include "policy_support.hpp"

namespace tide {
namespace {

using test::contains;

TEST(Json, ReadsScalars) {
  const auto parsed = test::parse("sqlite::memory:", R"({"max_size": 20, "burst": false, "scale_up_utilization": 0.75,
      "idle_timeout": "5min", "acquire_timeout": 2500, "retry_max": 100000.0, "validation_query": "select 1"})");
  ASSERT_TRUE(parsed) << parsed.status().message();
  EXPECT_EQ(parsed->policy.max_size, 20);
  EXPECT_FALSE(parsed->policy.burst);
  EXPECT_DOUBLE_EQ(parsed->policy.scale_up_utilization, 0.75);
  EXPECT_EQ(parsed->policy.idle_timeout, Span::seconds(300));
  EXPECT_EQ(parsed->policy.acquire_timeout, Span::millis(2500));
  EXPECT_EQ(parsed->policy.retry_max, Span::seconds(100));
  EXPECT_EQ(parsed->policy.validation_query, "select 1");
  EXPECT_EQ(test::source_of(*parsed, "max_size"), SettingSource::options);
}

TEST(Json, NestedConfigurations) {
  const auto parsed = test::parse("sqlite::memory:", R"(
    {"poolConfig": {"minConnections": 3, "maxConnections": 20, "connectionIncrement": 2, "enableAutoScaling": true,
                    "scaleUpThreshold": 0.8, "connectionTimeoutMs": 30000, "idleTimeoutMs": 600000,
                    "maxLifetimeMs": 3600000, "environment": "staging"},
     "lifecycleConfig": {"validationIntervalMs": 30000, "validationQuery": "SELECT 1", "maxValidationFailures": 3},
     "healthCheckConfig": {"timeoutMs": 10000},
     "adaptiveSizingConfig": {"evaluationIntervalMs": 30000,
        "thresholds": {"scaleUp": {"waitTime": 1500, "consecutivePeriods": 4},
                       "scaleDown": {"utilization": 0.25, "consecutivePeriods": 5}},
        "optimization": {"enableBurstMode": true}}})");
  ASSERT_TRUE(parsed) << test::whole_text(parsed.status());
  const Policy& policy = parsed->policy;
  EXPECT_EQ(policy.preset, Preset::staging);
  EXPECT_EQ(policy.min_size, 3);
  EXPECT_EQ(policy.max_size, 20);
  EXPECT_EQ(policy.connect_timeout, Span::seconds(30));
  EXPECT_EQ(policy.max_lifetime, Span::seconds(3600));
  EXPECT_EQ(policy.validation_query, "SELECT 1");
  EXPECT_EQ(policy.validation_timeout, Span::seconds(10));
  EXPECT_EQ(policy.scaling_interval, Span::seconds(30));
  EXPECT_EQ(policy.scale_up_wait, Span::millis(1500));
  EXPECT_EQ(policy.scale_up_periods, 4);
  EXPECT_DOUBLE_EQ(policy.scale_down_utilization, 0.25);
  EXPECT_EQ(policy.scale_down_periods, 5);
}

TEST(Json, AnEmptyObjectGivesNothing) {
  for (const std::string_view text : {"{}", " {\n} ", R"({"poolConfig": {}})"}) {
    const auto given = parse_json(text);
    ASSERT_TRUE(given);
    EXPECT_TRUE(given->empty());
  }
}

struct Broken {
  std::string_view text;
  std::string_view said;
};
constexpr Broken kBroken[] = {
    {"{", "not valid JSON at line 1, column 2"},
    {"{\"max_size\": 20,}", "line 1, column 17"},
    {"{\n  \"max_size\": twenty\n}", "line 2, column 16"},
    {"{\"max_size\": 20} x", "not valid JSON"},
    {"{\"max_size\": 20", "not valid JSON"},
    {"{max_size: 20}", "line 1, column 2"},
    {"{\"a\": \"\xFF\"}", "not valid JSON"},
    {"{\"max_size\": null}", "\"max_size\" is null"},
    {"{\"max_size\": [1]}", "\"max_size\" does not accept an array"},
    {"{\"poolConfig\": {\"maxConnections\": []}}", "JSON key \"poolConfig.maxConnections\""},
    {"{\"recovery\": [[\"scale_pool\"]]}", "is an array in an array"},
    {"{\"recovery\": [{}]}", "is an object in an array"},
    {"{\"recovery\": [\"scale_pool,restart_connections\"]}", "contains a comma"},
    {"{\"enableMetrics\": [true]}", "does not accept an array"},
    {"{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}}}}", "nested too deeply"},
    {"{\"max_size\": 1e400}", "not valid JSON"},
    {"{\"max_size\": 20, \"max_size\": 30}", "\"max_size\" is specified more than once"},
    {"{\"poolConfig\": {\"max\": 20}, \"max_size\": 30}", "\"max\" and \"max_size\" are the same option"},
    {"{\"healthCheckConfig\": {\"enabled\": 3}}", "\"3\" is not a boolean"},
    {"{\"max_size\": true}", "\"true\" is not a whole number"},
    {"{\"max_size\": 20.5}", "\"20.5\" is not a whole number"},
    {"{\"max_size\": -3}", "\"-3\" is negative"},
    {"{\"max_size\": 99999999999999999999999}", "whole number"},
    {"{\"validation_query\": \"a\\u0000b\"}", "NUL"},
    {"{\"poolConfig\": {\"maxConections\": 1}}", "JSON key \"poolConfig.maxConections\""},
};

TEST(Json, ErrorsGiveThePosition) {
  for (const Broken& row : kBroken) {
    const auto parsed = test::parse("sqlite::memory:", row.text);
    ASSERT_FALSE(parsed) << row.text;
    EXPECT_EQ(parsed.status().code, Code::bad_option);
    EXPECT_TRUE(contains(parsed.status().message(), row.said)) << row.text << ": " << parsed.status().message();
  }
}

// The size a pool may have in an emergency is not its size.
TEST(Json, NamesOfOtherObjectsArePrefixes) {
  for (const std::string_view text : {R"({"healthCheckConfig": {"emergencyMode": {"maxConnections": 5}}})",
                                      R"({"emergencyMode": {"maxConnections": 5}})"}) {
    const auto parsed = test::parse("sqlite::memory:", text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(parsed->policy.emergency_max_size, 5);
    EXPECT_EQ(parsed->policy.max_size, Policy().max_size);
  }
  const auto parsed = test::parse("sqlite::memory:", R"({"anything": {"max_size": 5}})");
  ASSERT_FALSE(parsed);
  EXPECT_TRUE(contains(parsed.status().message(), "unknown option")) << parsed.status().message();
}

TEST(Json, MalformedTextIsNotQuoted) {
  for (const std::string_view text :
       {"{\"password\": \"hunter2", "{\"password\": hunter2}", "{\"x\": \"hunter2\" \"hunter2\"}",
        "{\"password\": \"hunter2\"}", "{\"password\": [\"hunter2\"]}",
        "{\"host\": \"db\", \"port\": \"x\", \"password\": \"hunter2\"}", "{hunter2}"}) {
    const auto parsed = test::parse("sqlite::memory:", text);
    ASSERT_FALSE(parsed);
    EXPECT_FALSE(contains(test::whole_text(parsed.status()), "hunter2")) << test::whole_text(parsed.status());
  }
}

TEST(Json, SizeAndDepthAreBounded) {
  const auto too_long = test::parse("sqlite::memory:", "{\"max_size\": 3" + std::string(70'000, ' ') + "}");
  ASSERT_FALSE(too_long);
  EXPECT_TRUE(contains(too_long.status().detail(), "65536"));
  std::string deep;
  for (int i = 0; i < 10'000; ++i) deep += "{\"a\":";
  EXPECT_FALSE(parse_json(deep));
  EXPECT_FALSE(parse_json("{\"a\": " + std::string(10'000, '[')));
}

}  // namespace
}  // namespace tide
