// Options that several pools share: what they override, what overrides them, and what a contradiction says.
#include <gtest/gtest.h>

#include "unit/policy/policy_support.hpp"

namespace tide {
namespace {

using test::contains;
using test::whole_text;

constexpr std::string_view kOwnUrl = "sqlite:///tmp/app.db";

Result<ParsedOptions> parse_shared(std::string_view shared, std::optional<std::string_view> url = kOwnUrl,
                                   std::string_view options = {}, test::Variables variables = {}) {
  return parse_options(url, options, {}, test::reader_of(std::move(variables)), shared);
}

std::string refusal_of(std::string_view shared, std::string_view options = {}, std::string_view url = kOwnUrl) {
  const auto parsed = parse_shared(shared, url, options);
  return parsed.is_ok() ? "accepted" : whole_text(parsed.status());
}

TEST(SharedOptions, AreDefaultsAboveTheEnvironmentAndBelowTheUrl) {
  const auto max_size = [](std::string_view options, std::string_view url = kOwnUrl) {
    const auto parsed = parse_shared("max_size=5 preset=production", url, options, {{"TIDEPOOL_MAX_SIZE", "7"}});
    return parsed.is_ok() ? parsed->policy.max_size : -1;
  };
  EXPECT_EQ(max_size(""), 5);
  EXPECT_EQ(max_size("", "sqlite:/tmp/app.db?tidepool.max_size=6"), 6);
  EXPECT_EQ(max_size("max_size=8", "sqlite:/tmp/app.db?tidepool.max_size=6"), 8);
  EXPECT_EQ(max_size("maxConnections=9"), 9);
}

TEST(SharedOptions, ValuesAreMarkedUnlessThePoolHasItsOwn) {
  const auto parsed = parse_shared("max_size=5 idle_timeout=1min", kOwnUrl, "idle_timeout=2min");
  ASSERT_TRUE(parsed.is_ok());
  EXPECT_TRUE(parsed->is_shared[place_of(*find_setting("max_size"))]);
  EXPECT_FALSE(parsed->is_shared[place_of(*find_setting("idle_timeout"))]);
  EXPECT_FALSE(parsed->is_shared[place_of(*find_setting("min_size"))]);
}

TEST(SharedOptions, AContradictionNamesBothAndWhereEachComesFrom) {
  const std::string text = refusal_of("min_size=20", "max_size=5");
  EXPECT_TRUE(contains(text, "min_size 20 is above max_size 5")) << text;
  EXPECT_TRUE(contains(text, "(min_size is a default of the registry)")) << text;
  EXPECT_FALSE(contains(text, "max_size is a default")) << text;
  EXPECT_EQ(refusal_of("min_size=20", "max_size=5 min_size=1"), "accepted");
  EXPECT_EQ(refusal_of("max_size=20", "min_size=15"), "accepted");
}

TEST(SharedOptions, ABadOneIsRefusedWithItsPlace) {
  for (const std::string_view shared : {"max_sise=5", "max_size=many", "max_size=5 max_size=6", "{\"max_size\":"}) {
    const std::string text = refusal_of(shared);
    EXPECT_TRUE(contains(text, "default of the registry")) << shared << ": " << text;
  }
}

TEST(SharedOptions, PartsOfTheAddressCompleteThoseOfThePool) {
  const auto parsed = parse_shared("host=db1 user=app password=tide", "", "database=shop");
  ASSERT_TRUE(parsed.is_ok()) << whole_text(parsed.status());
  EXPECT_EQ(parsed->target.shown, "db1:5432/shop");
  EXPECT_EQ(parsed->target.user, "app");
  const auto other = parse_shared("host=db1 user=app", "", "host=db2 database=shop");
  ASSERT_TRUE(other.is_ok()) << whole_text(other.status());
  EXPECT_EQ(other->target.shown, "db2:5432/shop");
  const std::string text = refusal_of("host=db1 password=tide", "", "postgresql://db3/shop");
  EXPECT_TRUE(contains(text, "specified twice")) << text;
  EXPECT_TRUE(contains(text, "\"host\"")) << text;
  EXPECT_FALSE(contains(text, "tide")) << text;
}

TEST(SharedOptions, WithoutAUrlNoTargetIsLookedFor) {
  const auto parsed = parse_shared("host=db1", std::nullopt, "max_size=3", {{"DATABASE_URL", "postgresql://db9/x"}});
  ASSERT_TRUE(parsed.is_ok()) << whole_text(parsed.status());
  EXPECT_EQ(parsed->target.scheme, "");
  EXPECT_EQ(parsed->policy.max_size, 3);
}

}  // namespace
}  // namespace tide
