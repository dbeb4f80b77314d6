// SQLite files, schemes of registered drivers, and what is no target at all.
#include "policy/target.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "policy_support.hpp"

namespace tide {
namespace {

using test::contains;

const std::string kCustom[] = {"fake", "my-db"};

std::string here(const std::string& name) { return (std::filesystem::current_path() / name).string(); }

struct SqliteRow {
  std::string_view url;
  std::string path;
};

TEST(SqliteTarget, IsAnAbsolutePathOrMemory) {
  const SqliteRow rows[] = {
      {"sqlite:///var/lib/app.db", "/var/lib/app.db"},
      {"sqlite:////var/lib/app.db", "/var/lib/app.db"},
      {"sqlite:/var/lib/app.db", "/var/lib/app.db"},
      {"sqlite:///var/lib/any name", "/var/lib/any name"},
      {"sqlite:///var/lib/../app.db", "/var/app.db"},
      {"sqlite:///var/a%20b%3F.db", "/var/a b?.db"},
      {"sqlite:///var/100%25.db", "/var/100%.db"},
      {"sqlite:///var/a.db?tidepool.max_size=3", "/var/a.db"},
      {"sqlite:///var/a.db?", "/var/a.db"},
      {"sqlite:app.db", here("app.db")},
      {"sqlite:./app.db", here("app.db")},
      {"sqlite:data/app", here("data/app")},
      {"sqlite:file::memory:", here("file::memory:")},
      {"/var/lib/app.db", "/var/lib/app.db"},
      {"/var/lib/app.sqlite", "/var/lib/app.sqlite"},
      {"/var/lib/app.sqlite3?tidepool.min_size=1", "/var/lib/app.sqlite3"},
      {"app.db", here("app.db")},
      {"./a:b.db", here("a:b.db")},
      {"100%25.db", here("100%25.db")},
      {"  /var/lib/app.db\n", "/var/lib/app.db"},
      {"/var/user:secret@home.db", "/var/user:secret@home.db"},
      {"sqlite::memory:", ":memory:"},
      {"sqlite::memory:?tidepool.max_size=3", ":memory:"},
  };
  for (const SqliteRow& row : rows) {
    const auto parsed = test::parse(row.url);
    ASSERT_TRUE(parsed) << row.url << ": " << parsed.status().message();
    EXPECT_EQ(parsed->target.backend, Backend::sqlite) << row.url;
    EXPECT_EQ(parsed->target.scheme, "sqlite");
    EXPECT_EQ(parsed->target.connect_text, row.path) << row.url;
    EXPECT_EQ(parsed->target.shown, row.path) << row.url;
    EXPECT_EQ(parsed->target.user, "");
  }
}

TEST(SqliteTarget, DeterminesTheAccess) {
  const struct {
    std::string_view url;
    SqliteAccess access;
  } rows[] = {
      {"sqlite:///var/a.db", SqliteAccess::read_write},
      {"sqlite:///var/a.db?mode=rwc&immutable=0", SqliteAccess::read_write},
      {"sqlite:///var/a.db?mode=ro", SqliteAccess::read_only},
      {"/var/a.db?mode=ro", SqliteAccess::read_only},
      {"sqlite:///var/a.db?immutable=1", SqliteAccess::immutable},
      {"sqlite:///var/a.db?mode=ro&immutable=1", SqliteAccess::immutable},
      {"sqlite:///var/a.db?immutable=1&mode=ro", SqliteAccess::immutable},
      {"sqlite:///var/a.db?tidepool.sqlite_access=read_only", SqliteAccess::read_only},
  };
  for (const auto& row : rows) {
    const auto parsed = test::parse(row.url);
    ASSERT_TRUE(parsed) << row.url << ": " << parsed.status().message();
    EXPECT_EQ(parsed->policy.sqlite_access, row.access) << row.url;
    EXPECT_EQ(parsed->target.connect_text, "/var/a.db") << row.url;
  }
}

struct RefusedUrl {
  std::string_view url;
  std::string_view said;
};
constexpr RefusedUrl kRefusedUrls[] = {
    {"sqlite://relative.db", "three slashes"},
    {"sqlite://", "slash"},
    {"sqlite:", "does not specify a file"},
    {"sqlite:///", "directory"},
    {"sqlite:///var/lib/", "directory"},
    {"sqlite:///:memory:", "sqlite::memory:"},
    {"sqlite://:memory:", "slash"},
    {":memory:", "sqlite::memory:"},
    {"sqlite:///a%zz.db", "percent-encoded"},
    {"sqlite:///a%00.db", "percent-encoded"},
    {"sqlite:///a%FF.db", "percent-encoded"},
    {"sqlite:///a%2", "percent-encoded"},
    {"sqlite:///a.db?cache=shared", "unknown parameter \"cache\""},
    {"sqlite:///a.db?mode=memory", "parameter \"mode\""},
    {"sqlite:///a.db?immutable=yes", "parameter \"immutable\""},
    {"sqlite:///a.db?max_size=5", "tidepool.max_size"},
    {"sqlite:///a.db?max=5", "tidepool.max"},
    {"sqlite:///a.db?tidepool.max_size", "URL parameter 1 has no \"=\""},
    {"sqlite:///a.db?tidepool.max_size=1&&tidepool.min_size=1", "URL parameter 2 has no \"=\""},
    {"sqlite:///a.db?=5", "has no name"},
    {"sqlite:///a.db?tidepool.max_size=%", "percent-encoded"},
    {"app.txt", "unknown format"},
    {"app", "unknown format"},
    {"what?.db", "unknown format"},
    {"mysql://u:hunter2@h/db", "unknown scheme \"mysql\""},
    {"postgressql://h/db", "Did you mean \"postgresql\"?"},
    {"SQLite:///a.db", "Did you mean \"sqlite\"?"},
    {"foo:bar.db", "unknown scheme \"foo\""},
    {"fake:/x", "unknown scheme"},
    {"://x", "unknown format"},
    {"sqlite:///a\xFF.db", "UTF-8"},
    {std::string_view("sqlite:///a\0.db", 14), "NUL"},
};

TEST(Target, ErrorsGiveAReasonWithoutTheText) {
  for (const RefusedUrl& row : kRefusedUrls) {
    const auto parsed = test::parse(row.url);
    ASSERT_FALSE(parsed) << row.url;
    const bool is_scheme_unknown = parsed.status().message().starts_with("unknown scheme");
    EXPECT_EQ(parsed.status().code, is_scheme_unknown ? Code::unsupported : Code::bad_argument) << row.url;
    const std::string text = test::whole_text(parsed.status());
    EXPECT_TRUE(contains(text, row.said)) << row.url << ": " << text;
    EXPECT_FALSE(contains(text, "hunter2")) << text;
  }
}

TEST(Target, IsBounded) {
  const auto parsed = test::parse("sqlite:///" + std::string(kUrlBytesMax, 'x'));
  ASSERT_FALSE(parsed);
  EXPECT_TRUE(contains(parsed.status().detail(), "8192"));
}

TEST(Target, UnknownSchemeListsTheKnownOnes) {
  const auto parsed = test::parse("fakr://x", "", {}, kCustom);
  ASSERT_FALSE(parsed);
  EXPECT_TRUE(contains(parsed.status().detail(), "sqlite, postgresql, postgres, fake, my-db"))
      << parsed.status().detail();
  EXPECT_EQ(parsed.status().hint(), "Did you mean \"fake\"?");
}

struct CustomRow {
  std::string_view url;
  std::string_view connect_text;
  std::string_view shown;
  std::string_view user;
};
constexpr CustomRow kCustomRows[] = {
    {"fake://", "fake://", "fake://", ""},
    {"fake://host:1/x?latency=5&seed=7", "fake://host:1/x?latency=5&seed=7", "fake://host:1/x", ""},
    {"fake://x?a=1&tidepool.max_size=3&b=2", "fake://x?a=1&b=2", "fake://x", ""},
    {"fake://x?tidepool.max_size=3", "fake://x", "fake://x", ""},
    {"fake://me:hunter2@host/x?key=hunter2", "fake://me:hunter2@host/x?key=hunter2", "fake://host/x", "me"},
    {"fake://me:hun@ter2@host/x", "fake://me:hun@ter2@host/x", "fake://host/x", "me"},
    {"my-db:anything", "my-db:anything", "my-db:anything", ""},
};

TEST(CustomTarget, UrlIsPassedWithoutOptions) {
  for (const CustomRow& row : kCustomRows) {
    const auto parsed = test::parse(row.url, "", {}, kCustom);
    ASSERT_TRUE(parsed) << row.url << ": " << parsed.status().message();
    EXPECT_EQ(parsed->target.backend, Backend::custom);
    EXPECT_EQ(parsed->target.scheme, row.url.substr(0, row.url.find(':')));
    EXPECT_EQ(parsed->target.connect_text, row.connect_text);
    EXPECT_EQ(parsed->target.shown, row.shown);
    EXPECT_EQ(parsed->target.user, row.user);
  }
  EXPECT_EQ(test::parse("fake://x?tidepool.max_size=3", "", {}, kCustom)->policy.max_size, 3);
}

}  // namespace
}  // namespace tide
