// The whole way from URL, options and environment to a policy: precedence, sources, refusals.
#include <gtest/gtest.h>

#include <set>

#include <algorithm>

#include "policy_support.hpp"

namespace tide {
namespace {

using test::contains;
using test::parse;
using test::source_of;
using test::Variables;

constexpr std::string_view kUrl = "sqlite::memory:";

TEST(Parse, NoOptionsMeansDefaults) {
  const auto parsed = parse(kUrl);
  ASSERT_TRUE(parsed);
  ASSERT_EQ(parsed->sources.size(), settings_catalogue().size());
  for (const Setting& setting : settings_catalogue()) {
    EXPECT_EQ(format_value(parsed->policy, setting), setting.default_text) << setting.name;
    EXPECT_EQ(source_of(*parsed, setting.name), SettingSource::default_) << setting.name;
  }
}

TEST(Parse, SourcesHavePrecedence) {
  const Variables environment = {{"TIDEPOOL_MAX_SIZE", "31"},
                                 {"TIDEPOOL_MIN_SIZE", "3"},
                                 {"TIDEPOOL_MAX_USES", "5"},
                                 {"TIDEPOOL_PRESET", "high_throughput"}};
  const auto parsed = parse("sqlite::memory:?tidepool.max_size=32&tidepool.min_size=4", "max_size=33", environment);
  ASSERT_TRUE(parsed) << parsed.status().message();
  EXPECT_EQ(parsed->policy.max_size, 33);
  EXPECT_EQ(source_of(*parsed, "max_size"), SettingSource::options);
  EXPECT_EQ(parsed->policy.min_size, 4);
  EXPECT_EQ(source_of(*parsed, "min_size"), SettingSource::url);
  EXPECT_EQ(parsed->policy.max_uses, 5);
  EXPECT_EQ(source_of(*parsed, "max_uses"), SettingSource::environment);
  EXPECT_EQ(parsed->policy.acquire_timeout, Span::seconds(2));
  EXPECT_EQ(source_of(*parsed, "acquire_timeout"), SettingSource::preset);
  EXPECT_EQ(source_of(*parsed, "preset"), SettingSource::environment);
  EXPECT_EQ(source_of(*parsed, "idle_timeout"), SettingSource::default_);
}

TEST(Parse, PresetWithHighestPrecedenceApplies) {
  const auto parsed =
      parse("sqlite::memory:?tidepool.preset=staging", "preset=batch", {{"TIDEPOOL_PRESET", "serverless"}});
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->policy.preset, Preset::batch);
  EXPECT_EQ(parsed->policy.max_size, 5);
  EXPECT_EQ(parsed->policy.max_uses, 0);
  EXPECT_EQ(parsed->policy.init_mode, InitMode::eager);
}

TEST(Parse, ThePositionOfThePresetDoesNotMatter) {
  for (const std::string_view options : {"max_size=7 preset=batch", "preset=batch max_size=7"}) {
    const auto parsed = parse(kUrl, options);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->policy.max_size, 7);
    EXPECT_EQ(parsed->policy.min_size, 1);
  }
}

TEST(Parse, OldNamesAreTheSameOptions) {
  const auto parsed = parse(kUrl,
                            "minConnections=3, maxConnections=20, acquireTimeoutMillis=15000, scaleUp.waitTime=250, "
                            "enableAutoScaling=false, environment=development");
  ASSERT_TRUE(parsed) << parsed.status().message();
  EXPECT_EQ(parsed->policy.min_size, 3);
  EXPECT_EQ(parsed->policy.max_size, 20);
  EXPECT_EQ(parsed->policy.acquire_timeout, Span::seconds(15));
  EXPECT_EQ(parsed->policy.scale_up_wait, Span::millis(250));
  EXPECT_FALSE(parsed->policy.scaling);
  EXPECT_EQ(parsed->policy.preset, Preset::development);
}

struct RefusedText {
  std::string_view url;
  std::string_view options;
  Variables environment;
  std::string_view said;
};
const RefusedText kRefusedTexts[] = {
    {kUrl, "max_conections=5", {}, "unknown option \"max_conections\""},
    {kUrl, "max_size=5 max_size=6", {}, "option \"max_size\" is specified more than once"},
    {kUrl, "max_size=5 maxConnections=6", {}, "\"max_size\" and \"maxConnections\" are the same option"},
    {kUrl, "max=5 maxConnections=6", {}, "Both set max_size"},
    {"sqlite::memory:?tidepool.max_size=5&tidepool.max=6",
     "",
     {},
     "are the same option and have different values (in the URL)"},
    {"sqlite::memory:?tidepool.max_sice=5", "", {}, "unknown option \"max_sice\" (in the URL)"},
    {"sqlite::memory:?tidepool.max_size=x", "", {}, "(in the URL)"},
    {kUrl, "", {{"TIDEPOOL_MAX_SIZE", "many"}}, "(environment variable TIDEPOOL_MAX_SIZE)"},
    {kUrl, "max_size=5", {{"TIDEPOOL_MAX_SIZE", "many"}}, "(environment variable TIDEPOOL_MAX_SIZE)"},
    {kUrl,
     "maxConnections=many",
     {},
     "invalid value for option \"max_size\": \"many\" is not a whole number (given as \"maxConnections\")"},
    {kUrl, "min_size=8 max_size=4", {}, "min_size 8 is above max_size 4"},
    {kUrl, "min_size=20", {}, "min_size 20 is above max_size 10"},
    {kUrl, "min_size=8", {{"TIDEPOOL_MAX_SIZE", "4"}}, "min_size 8 is above max_size 4"},
    {kUrl, "acquire_timeout='30 parsecs'", {}, "\"30 parsecs\""},
    {kUrl, "acquire_timeout=30sec", {}, "\"30sec\""},
    {kUrl, "acquire_timeout=-1s", {}, "negative"},
    {kUrl, "burst_max_size=5", {}, "burst_max_size 5"},
    {kUrl, "preset=fast", {}, "\"preset\": \"fast\""},
    {kUrl, "retryAttempt=3", {}, "unknown option"},
    {kUrl, "enableMetrics=false", {}, "publish=off"},
    {kUrl, "enableHealthChecks=often", {}, "not a boolean"},
    {kUrl, "password=hunter2", {}, "specified twice: by the URL, and by option \"password\""},
    {"", "password=hunter2", {}, "\"password\" does not specify a database"},
    {"", "host=h dbPath=/a.db password=hunter2", {}, "an SQLite file and a database server"},
};

TEST(Parse, InvalidInputIsRejected) {
  for (const RefusedText& row : kRefusedTexts) {
    const auto parsed = parse(row.url, row.options, row.environment);
    ASSERT_FALSE(parsed) << row.url << " " << row.options;
    EXPECT_EQ(parsed.status().code, Code::bad_option);
    const std::string text = test::whole_text(parsed.status());
    EXPECT_TRUE(contains(text, row.said)) << row.options << ": " << text;
    EXPECT_FALSE(contains(text, "hunter2")) << text;
  }
}

TEST(Parse, DefaultMinimumIsLoweredToMaximum) {
  const auto lone = parse(kUrl, "max_size=1");
  ASSERT_TRUE(lone) << lone.status().message();
  EXPECT_EQ(lone->policy.min_size, 1);
  EXPECT_EQ(source_of(*lone, "min_size"), SettingSource::default_);
  const auto with_preset = parse(kUrl, "preset=high_throughput max_size=3");
  ASSERT_TRUE(with_preset) << with_preset.status().message();
  EXPECT_EQ(with_preset->policy.min_size, 3);
  EXPECT_FALSE(parse(kUrl, "min_size=2 max_size=1"));
}

TEST(Parse, OptionsAreBounded) {
  EXPECT_FALSE(parse(kUrl, std::string(64 * 1024 + 1, ' ')));
  EXPECT_TRUE(parse(kUrl, std::string(64 * 1024, ' ')));
}

TEST(Environment, AnEmptyVariableCountsAsUnset) {
  const auto parsed = parse(kUrl, "", {{"TIDEPOOL_MAX_SIZE", ""}, {"TIDEPOOL_PRESET", ""}});
  ASSERT_TRUE(parsed);
  EXPECT_EQ(source_of(*parsed, "max_size"), SettingSource::default_);
}

TEST(Environment, EveryOptionHasItsVariableAndNoOtherIsRead) {
  std::vector<std::string> asked;
  const auto parsed = parse_options(kUrl, "", {}, [&](const char* name) -> const char* {
    asked.emplace_back(name);
    return nullptr;
  });
  ASSERT_TRUE(parsed);
  const std::set<std::string> others = {"HEALTH_CHECK_INTERVAL", "DEBUG", "ENABLE_POOL_LOGGING"};
  EXPECT_EQ(asked.size(), settings_catalogue().size() + others.size());
  for (const std::string& name : asked) {
    EXPECT_TRUE(name.starts_with("TIDEPOOL_") || others.contains(name)) << name;
  }
  EXPECT_NE(std::find(asked.begin(), asked.end(), "TIDEPOOL_SCALE_UP_UTILIZATION"), asked.end());
}

TEST(Environment, SetsTheDirectoryOfSegments) {
  const auto parsed = parse(kUrl, "", {{"TIDEPOOL_DIR", "/tmp/pools"}});
  ASSERT_TRUE(parsed) << parsed.status().message();
  EXPECT_EQ(parsed->policy.dir, "/tmp/pools");
  EXPECT_EQ(source_of(*parsed, "dir"), SettingSource::environment);
}

TEST(Environment, IsUsedIfTheUrlIsEmpty) {
  const Variables both = {{"DATABASE_URL", "sqlite:///tmp/a.db?tidepool.max_size=4\n"}, {"DB_HOST", "h"}};
  const auto from_url = parse("", "", both);
  ASSERT_TRUE(from_url) << from_url.status().message();
  EXPECT_EQ(from_url->target.shown, "/tmp/a.db");
  EXPECT_EQ(source_of(*from_url, "max_size"), SettingSource::url);

  const auto from_parts = parse("  ", "",
                                {{"DB_HOST", "db.example"},
                                 {"DB_PORT", "6432"},
                                 {"DB_NAME", "my app"},
                                 {"DB_USERNAME", "me"},
                                 {"DB_PASSWORD", "hunter2' x=\\y"}});
  ASSERT_TRUE(from_parts) << from_parts.status().message();
  EXPECT_EQ(from_parts->target.backend, Backend::postgresql);
  EXPECT_EQ(from_parts->target.shown, "db.example:6432/my app");
  EXPECT_EQ(from_parts->target.user, "me");
  EXPECT_EQ(from_parts->target.connect_text,
            "host='db.example' port='6432' dbname='my app' user='me' password='hunter2\\' x=\\\\y'");

  const auto from_name = parse("", "", {{"DB_NAME", "app"}});
  ASSERT_TRUE(from_name);
  EXPECT_EQ(from_name->target.shown, "localhost:5432/app");

  const auto given = parse(kUrl, "", both);
  ASSERT_TRUE(given);
  EXPECT_EQ(given->target.shown, ":memory:");
}

TEST(Environment, ErrorsNameTheVariable) {
  const auto url = parse("", "", {{"DATABASE_URL", "mysql://me:hunter2@h/db"}});
  ASSERT_FALSE(url);
  EXPECT_TRUE(contains(url.status().message(), "DATABASE_URL")) << url.status().message();
  EXPECT_FALSE(contains(test::whole_text(url.status()), "hunter2"));
  const auto port = parse("", "", {{"DB_HOST", "h"}, {"DB_PORT", "none"}});
  ASSERT_FALSE(port);
  EXPECT_TRUE(contains(port.status().message(), "DB_PORT")) << port.status().message();
  for (const Variables& variables :
       {Variables{}, Variables{{"DB_PASSWORD", "hunter2"}}, Variables{{"NODE_ENV", "staging"}}}) {
    const auto nothing = parse("", "", variables);
    ASSERT_FALSE(nothing);
    EXPECT_EQ(nothing.status().code, Code::bad_argument);
    EXPECT_TRUE(contains(test::whole_text(nothing.status()), "DATABASE_URL"));
  }
}

TEST(Environment, NoReaderIsAnEmptyEnvironment) {
  EXPECT_TRUE(parse_options(kUrl, "", {}, EnvironmentReader{}));
  EXPECT_FALSE(parse_options("", "", {}, EnvironmentReader{}));
}

}  // namespace
}  // namespace tide
