// What options meet besides themselves: the environment, the preset auto, one another; and checking them all at once.
#include <gtest/gtest.h>

#include <algorithm>

#include "policy/preset.hpp"
#include "policy_support.hpp"

namespace tide {
namespace {

using test::contains;
using test::source_of;
using test::Variables;

constexpr std::string_view kUrl = "sqlite::memory:";

Environment environment_of(Variables variables, int64_t memory_limit = 0) {
  Environment environment(test::reader_of(variables));
  for (const auto& [name, value] : variables) environment.names.push_back(name);
  environment.memory_limit = [memory_limit] { return memory_limit; };
  return environment;
}

Result<ParsedOptions> parse_in(const Variables& variables, std::string_view options = {}, int64_t memory_limit = 0) {
  return parse_options(kUrl, options, {}, environment_of(variables, memory_limit));
}

TEST(Surroundings, MisspeltVariableIsRejectedWithSuggestion) {
  const auto parsed = parse_in({{"TIDEPOOL_MAX_SISE", "5"}});
  ASSERT_FALSE(parsed);
  EXPECT_TRUE(contains(parsed.status().message(), "TIDEPOOL_MAX_SISE")) << parsed.status().message();
  EXPECT_TRUE(contains(parsed.status().hint(), "TIDEPOOL_MAX_SIZE?")) << parsed.status().hint();
  const auto far_off = parse_in({{"TIDEPOOL_XYZZYPLUGH", "5"}});
  ASSERT_FALSE(far_off);
  EXPECT_FALSE(contains(far_off.status().hint(), "Did you mean"));
}

// A container beside a service called tidepool has these; and TIDEPOOL_DIR is read elsewhere.
TEST(Surroundings, OtherVariablesAreIgnored) {
  const auto parsed = parse_in({{"TIDEPOOL_DIR", "/run/x"},
                                {"TIDEPOOL_LIBRARY", "/opt/libtidepool.so"},
                                {"TIDEPOOL_PORT", "tcp://10.0.0.1:5432"},
                                {"TIDEPOOL_PORT_5432_TCP_ADDR", "10.0.0.1"},
                                {"TIDEPOOL_SERVICE_HOST", "10.0.0.1"},
                                {"TIDEPOOL_OLD_THING", ""}});
  EXPECT_TRUE(parsed) << parsed.status().message();
}

TEST(Surroundings, VariablesOfOtherPoolsAreFallbacks) {
  const auto theirs = parse_in({{"HEALTH_CHECK_INTERVAL", "300000"}, {"ENABLE_POOL_LOGGING", "true"}});
  ASSERT_TRUE(theirs) << theirs.status().message();
  EXPECT_EQ(theirs->policy.health_interval, Span::seconds(300));
  EXPECT_EQ(theirs->policy.log, LogLevel::events);
  EXPECT_EQ(source_of(*theirs, "health_interval"), SettingSource::environment);
  const auto ours = parse_in({{"HEALTH_CHECK_INTERVAL", "300000"},
                              {"TIDEPOOL_HEALTH_INTERVAL", "7s"},
                              {"ENABLE_POOL_LOGGING", "false"},
                              {"TIDEPOOL_LOG", "debug"}});
  ASSERT_TRUE(ours) << ours.status().message();
  EXPECT_EQ(ours->policy.health_interval, Span::seconds(7));
  EXPECT_EQ(ours->policy.log, LogLevel::debug);
  EXPECT_EQ(parse_in({{"DEBUG", "true"}})->policy.log, LogLevel::debug);
  EXPECT_EQ(parse_in({{"DEBUG", "express:*"}})->policy.log, LogLevel::alerts) << "that is another program's";
  const auto broken = parse_in({{"HEALTH_CHECK_INTERVAL", "often"}});
  ASSERT_FALSE(broken);
  EXPECT_TRUE(contains(broken.status().message(), "HEALTH_CHECK_INTERVAL")) << broken.status().message();
}

TEST(Surroundings, NodeEnvAloneSelectsNoPreset) {
  for (const Variables& variables : {Variables{{"NODE_ENV", "production"}}, Variables{{"VERCEL", "1"}}}) {
    const auto parsed = parse_in(variables);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->policy.preset, Preset::none);
    EXPECT_EQ(parsed->policy.max_size, Policy().max_size);
  }
}

struct AutoRow {
  Variables variables;
  int64_t memory_limit;
  Preset preset;
};
const AutoRow kAuto[] = {
    {{{"NODE_ENV", "production"}}, 0, Preset::production},
    {{{"NODE_ENV", "Staging"}}, 0, Preset::staging},
    {{{"APP_ENV", "test"}}, 0, Preset::test},
    {{{"NODE_ENV", "unheard_of"}, {"APP_ENV", "dev"}}, 0, Preset::development},
    {{{"NODE_ENV", "production"}, {"VERCEL", "1"}}, 0, Preset::serverless},
    {{{"AWS_LAMBDA_FUNCTION_NAME", "f"}}, 0, Preset::serverless},
    {{{"CF_PAGES", "1"}}, 0, Preset::serverless},
    {{{"NODE_ENV", "production"}}, 255 << 20, Preset::serverless},
    {{{"NODE_ENV", "production"}}, 256 << 20, Preset::production},
    {{}, 0, Preset::none},
};

TEST(Surroundings, AutoSelectsByEnvironmentAndGivesTheReason) {
  for (const AutoRow& row : kAuto) {
    Variables variables = row.variables;
    variables["TIDEPOOL_PRESET"] = "auto";
    const auto parsed = parse_in(variables, {}, row.memory_limit);
    ASSERT_TRUE(parsed) << parsed.status().message();
    EXPECT_EQ(parsed->policy.preset, row.preset);
    EXPECT_EQ(source_of(*parsed, "preset"), SettingSource::environment);
    ASSERT_EQ(parsed->notes.size(), 1U);
    EXPECT_EQ(parsed->notes.front().name, "preset");
    EXPECT_TRUE(contains(parsed->notes.front().value, "auto: "));
  }
}

TEST(Surroundings, OptionsOfTheThresholdSizerSelectIt) {
  for (const std::string_view options :
       {"scaleUpThreshold=0.7", "scaleDownCooldown=1000", "connectionIncrement=3", "scale_up_periods=2"}) {
    const auto parsed = test::parse(kUrl, options);
    ASSERT_TRUE(parsed) << options;
    EXPECT_EQ(parsed->policy.sizing, Sizing::threshold) << options;
    EXPECT_EQ(source_of(*parsed, "sizing"), SettingSource::options);
    EXPECT_TRUE(contains(parsed->notes.front().value, options.substr(0, options.find('=')))) << options;
  }
  const auto told = test::parse(kUrl, "scaleUpThreshold=0.7 sizing=adaptive");
  ASSERT_TRUE(told);
  EXPECT_EQ(told->policy.sizing, Sizing::adaptive);
  EXPECT_EQ(test::parse(kUrl, "max_size=20")->policy.sizing, Sizing::adaptive);
}

std::vector<Finding> check(std::string_view options) { return check_options(std::nullopt, options, {}, Environment()); }

bool finds(const std::vector<Finding>& findings, Finding::Kind kind, std::string_view text) {
  return std::any_of(findings.begin(), findings.end(), [&](const Finding& finding) {
    return finding.kind == kind && contains(finding.about.message(), text);
  });
}

TEST(CheckOptions, ReportsAllErrors) {
  const auto findings =
      check("max_sise=3 idle_timeout=forever min_size=8 max_size=4 log=loud enableMetrics=false preset=fast");
  EXPECT_EQ(findings.size(), 6U);
  for (const std::string_view text :
       {"max_sise", "forever", "min_size 8 is above max_size 4", "loud", "enableMetrics", "fast"}) {
    EXPECT_TRUE(finds(findings, Finding::Kind::error, text)) << text;
  }
}

TEST(CheckOptions, AdviceIsNoError) {
  const auto findings = check("max=1000 min=100 idleTimeoutMillis=1000 connectionTimeoutMillis=100");
  for (const std::string_view text : {"max_size 1000 is very high", "min_size 100 is very high",
                                      "idle_timeout 1s is very short", "connect_timeout 100ms is very short"}) {
    EXPECT_TRUE(finds(findings, Finding::Kind::advice, text)) << text;
  }
  EXPECT_TRUE(test::parse(kUrl, "max=1000 min=100 idleTimeoutMillis=1000 connectionTimeoutMillis=100"));
  EXPECT_TRUE(check("max=50 min=10 idleTimeoutMillis=30000 connectionTimeoutMillis=2000").empty());
  EXPECT_TRUE(check("").empty());
}

TEST(CheckOptions, NotesOptionsWithoutEffect) {
  EXPECT_TRUE(finds(check("sizing=adaptive scale_up_wait=2s"), Finding::Kind::note,
                    "scale_up_wait 2s: no effect while sizing is adaptive"));
  EXPECT_TRUE(finds(check("burst=on"), Finding::Kind::note, "burst on: bursts only on command"));
  EXPECT_FALSE(finds(check("burst=on burst_max_size=20"), Finding::Kind::note, "burst on"));
  EXPECT_TRUE(finds(check("reapInterval=3"), Finding::Kind::note, "reapInterval"));
  EXPECT_FALSE(finds(check("sqlite_cache_pages=200"), Finding::Kind::note, "sqlite")) << "no database specified";
}

TEST(CheckOptions, ChecksTheTargetIfGiven) {
  const auto sqlite = check_options(kUrl, "keepalive=off", {}, Environment());
  EXPECT_TRUE(finds(sqlite, Finding::Kind::note, "keepalive off: no effect on a pool of sqlite"));
  const auto nothing = check_options("", "max_size=3", {}, Environment());
  EXPECT_TRUE(finds(nothing, Finding::Kind::error, "no database specified"));
  EXPECT_TRUE(check_options(kUrl, "max_size=3", {}, Environment()).empty());
}

TEST(Presets, NameTheirSources) {
  for (const std::string_view name : find_setting("preset")->choices) {
    Policy policy;
    ASSERT_TRUE(assign_value(policy, *find_setting("preset"), name));
    for (const PresetValue& each : preset_values(policy.preset)) {
      EXPECT_FALSE(each.document.empty() && each.note.empty()) << name << " " << each.option;
    }
  }
}

}  // namespace
}  // namespace tide
