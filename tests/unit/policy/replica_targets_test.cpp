// Lists of targets: replica_url, and a URL that names several servers.
#include "policy/replica_targets.hpp"

#include <gtest/gtest.h>

#include "unit/policy/policy_support.hpp"

namespace tide::test {
namespace {

using Texts = std::vector<std::string>;

TEST(ReplicaTargets, ACommaSeparatesTargetsOnlyBeforeATarget) {
  EXPECT_EQ(split_targets(""), Texts{});
  EXPECT_EQ(split_targets(" postgresql://a/db , postgres://b/db"), (Texts{"postgresql://a/db", "postgres://b/db"}));
  EXPECT_EQ(split_targets("postgresql://a,b/db"), Texts{"postgresql://a,b/db"});
  EXPECT_EQ(split_targets("host=a,b dbname=x"), Texts{"host=a,b dbname=x"});
  EXPECT_EQ(split_targets("host=a port=1,host=b port=2"), (Texts{"host=a port=1", "host=b port=2"}));
  EXPECT_EQ(split_targets("host=a options='-c a=1,b=2',host=b"), (Texts{"host=a options='-c a=1,b=2'", "host=b"}));
}

TEST(ReplicaTargets, EachIsATargetOfItsOwn) {
  const auto targets = parse_replicas("postgresql://u:secret@a/db,host=b port=6432 dbname=db password=secret");
  ASSERT_TRUE(targets) << targets.status().message();
  ASSERT_EQ(targets->size(), 2U);
  EXPECT_EQ((*targets)[0].shown, "a:5432/db");
  EXPECT_EQ((*targets)[1].shown, "b:6432/db");
  EXPECT_EQ(shown_replicas("postgresql://u:secret@a/db,host=b port=6432 dbname=db password=secret"),
            "postgresql://u:***@a/db,host=b port=6432 dbname=db password=***");
}

std::string refusal(std::string_view url, std::string_view options) {
  const auto parsed = parse(url, options);
  return parsed ? "" : parsed.status().message() + " | " + parsed.status().detail() + " | " + parsed.status().hint();
}

TEST(ReplicaTargets, BadOnesAreRefusedByNumberWithoutTheirPasswords) {
  const auto has = [](std::string_view url, std::string_view options, std::string_view part) {
    const std::string text = refusal(url, options);
    EXPECT_NE(text.find(part), std::string::npos) << text;
    EXPECT_EQ(text.find("secret"), std::string::npos) << text;
  };
  has("postgresql://a/db", "replica_url='postgresql://u:secret@b/db,postgresql://u:secret@b:5432/db'",
      "target 2 is the same server as target 1, \"b:5432/db\"");
  has("postgresql://a/db", "replica_url='postgresql://u:secret@a/other'",
      "replica \"a:5432/other\" is the same server as the primary");
  has("postgresql://a/db", "replica_url='file.db'", "target 1 is not a PostgreSQL server");
  has("postgresql://a/db", "replica_url='postgresql://u:secret@b/db?tidepool.max_size=3'",
      "contains the option \"max_size\"");
  has("postgresql://a/db", "replica_url='postgresql://u:secret@b:port/db'", "target 1 is not valid");
  has("postgresql://a/db,postgresql://a/db", "", "is the same server as the primary");
  has("postgresql://a/db,postgresql://b/db", "replica_url='postgresql://u:secret@c/db'",
      "the replicas are specified twice");
}

TEST(ReplicaTargets, AListOfUrlsNamesThePrimaryFirst) {
  const auto parsed = parse("postgresql://u:secret@a/db?tidepool.max_size=7,postgresql://u:secret@b/db");
  ASSERT_TRUE(parsed) << parsed.status().message();
  EXPECT_EQ(parsed->target.shown, "a:5432/db");
  EXPECT_EQ(parsed->policy.max_size, 7);
  EXPECT_EQ(parsed->policy.replica_url, "postgresql://u:secret@b/db");
  EXPECT_EQ(format_value(parsed->policy, *find_setting("replica_url")), "postgresql://u:***@b/db");
}

}  // namespace
}  // namespace tide::test
