// PostgreSQL targets: what is shown, who connects, what libpq is given, and what is refused to keep secrets secret.
#include <gtest/gtest.h>

#include "policy/conninfo.hpp"
#include "policy_support.hpp"

namespace tide {
namespace {

using test::contains;

struct PostgresRow {
  std::string_view url;
  std::string_view shown;
  std::string_view user;
  std::string_view connect_text;  // "" where it is the URL itself
};
constexpr PostgresRow kPostgresRows[] = {
    {"postgresql://", "[local]:5432", "", ""},
    {"postgresql://db.example/app", "db.example:5432/app", "", ""},
    {"postgres://db.example:6432/app", "db.example:6432/app", "", ""},
    {"postgresql://me:hunter2@db.example/app", "db.example:5432/app", "me", ""},
    {"postgresql://me@db.example", "db.example:5432/me", "me", ""},
    {"postgresql://me:hun%40ter2@h/app", "h:5432/app", "me", ""},
    {"postgresql://m%40e:hunter2@h/my%20app", "h:5432/my app", "m@e", ""},
    {"postgresql://a:1,b:2/app", "a:1,b:2/app", "", ""},
    {"postgresql://a,b:2/app", "a:5432,b:2/app", "", ""},
    {"postgresql://[::1]:5433/app", "[::1]:5433/app", "", ""},
    {"postgresql://[::1]/app", "[::1]:5432/app", "", ""},
    {"postgresql://%2Fvar%2Frun/app", "/var/run:5432/app", "", ""},
    {"postgresql:///app?host=/tmp&port=5433&user=me", "/tmp:5433/app", "me", ""},
    {"postgresql:///app?user=me@corp", "[local]:5432/app", "me@corp", ""},
    {"postgresql://h/app?sslmode=require&connect_timeout=3", "h:5432/app", "", ""},
    {"postgresql://h/app?dbname=other", "h:5432/other", "", ""},
    {"postgresql://h/app?password=hunter2", "h:5432/app", "", ""},
    {"postgresql:///?service=prod", "service=prod", "", ""},
    {"postgresql://h/app?tidepool.max_size=20", "h:5432/app", "", "postgresql://h/app"},
    {"postgresql://h/app?sslmode=require&tidepool.max_size=20&options=-c%20x%3D1", "h:5432/app", "",
     "postgresql://h/app?sslmode=require&options=-c%20x%3D1"},
    {"postgres://me:hunter2@h/app?tidepool.max%5Fsize=20", "h:5432/app", "me", "postgres://me:hunter2@h/app"},
    {"host=h dbname=app user=me password='hun ter2'", "h:5432/app", "me", ""},
    {"host = h port = 6432 dbname = app", "h:6432/app", "", ""},
    {"hostaddr=::1 dbname=app", "[::1]:5432/app", "", ""},
    {"dbname=app", "[local]:5432/app", "", ""},
    {"service=prod", "service=prod", "", ""},
    {"host=a,b port=1,2 dbname='it\\'s'", "a:1,b:2/it's", "", ""},
    {"host=h dbname=app\\ two", "h:5432/app two", "", ""},
    {"host=h dbname=app connect_timeout=3", "h:5432/app", "", ""},
    {"host=h tidepool.max_size=20 dbname=app", "h:5432/app", "", "host=h dbname=app"},
    {"host=h dbname='postgresql://u:hunter2@other/x'", "h:5432/postgresql://u:***@other/x", "", ""},
    {"dbname=a.db", "[local]:5432/a.db", "", ""},
};

TEST(PostgresqlTarget, IsShownWithoutSecrets) {
  for (const PostgresRow& row : kPostgresRows) {
    const auto parsed = test::parse(row.url);
    ASSERT_TRUE(parsed) << row.url << ": " << parsed.status().message();
    EXPECT_EQ(parsed->target.backend, Backend::postgresql);
    EXPECT_EQ(parsed->target.scheme, "postgresql");
    EXPECT_EQ(parsed->target.shown, row.shown) << row.url;
    EXPECT_EQ(parsed->target.user, row.user) << row.url;
    EXPECT_EQ(parsed->target.connect_text, row.connect_text.empty() ? row.url : row.connect_text);
    EXPECT_FALSE(contains(parsed->target.shown, "hunter2"));
    EXPECT_EQ(parsed->policy.max_size, contains(row.url, "tidepool.") ? 20 : 10) << row.url;
  }
}

struct RefusedServer {
  std::string_view url;
  std::string_view said;
};
// libpq would take a piece of these passwords for a host, a port or a database, and so would everyone who is shown it.
constexpr RefusedServer kRefusedServers[] = {
    {"postgresql://me:hun@hunter2@h/app", "more than one \"@\""},
    {"postgresql://me:hunter2/x@h/app", "after the host"},
    {"postgresql://me:12/hunter2@h/app", "after the host"},
    {"postgresql://me:p@hunter2/x@h/app", "after the host"},
    {"postgresql://me:hunter2?x@h/app", "before the host"},
    {"postgresql://me:12?hunter2=1@h/app", "before the host"},
    {"postgresql://me:hunter2#x@h/app?a=b", ""},
    {"postgresql://me:hunter2", "not a number"},
    {"postgresql://me:hunter2%@h/app", "percent-encoded"},
    {"postgresql://me:p%zzhunter2@h/app", "percent-encoded"},
    {"postgresql://h:0/app", "not a number"},
    {"postgresql://h:65536/app", "not a number"},
    {"postgresql://h:5x/app", "not a number"},
    {"postgresql://h:1:hunter2/app", "not a number"},
    {"postgresql://[::1/app", "bracket"},
    {"postgresql://[::1]hunter2/app", "IPv6"},
    {"postgresql:h/app", "lacks \"//\""},
    {"postgresql:/h/app", "lacks \"//\""},
    {"postgresql://h/app?hunter2", "parameter 1 has no"},
    {"postgresql://h/app?a=1&b=%hunter2", "parameter 2"},
    {"postgresql://h/app?max_size=5", "tidepool.max_size"},
    {"postgresql://h/app?poolSize=5", "tidepool.poolSize"},
    {"postgresql://a,b/app?port=1,2,3", "2 hosts and 3 ports"},
    {"postgresql://h/app?port=hunter2", "not a number"},
    {"host=h password='hunter2", "not terminated at position 17"},
    {"host=h password hunter2", "expected \"=\" after the word at position 8"},
    {"host=h 'hunter2'", "expected a keyword at position 8"},
    {"host=h max_size=5", "tidepool.max_size"},
    {"host=h port=hunter2", "not a number"},
    {"tidepool.max_size=5", "does not specify a database"},
};

TEST(PostgresqlTarget, ErrorsDoNotQuoteIt) {
  for (const RefusedServer& row : kRefusedServers) {
    const auto parsed = test::parse(row.url);
    if (row.said.empty() && parsed) {
      EXPECT_FALSE(contains(parsed->target.shown, "hunter2")) << row.url;
      continue;
    }
    ASSERT_FALSE(parsed) << row.url;
    EXPECT_EQ(parsed.status().code, Code::bad_argument) << row.url;
    const std::string text = test::whole_text(parsed.status());
    EXPECT_TRUE(contains(text, row.said)) << row.url << ": " << text;
    EXPECT_FALSE(contains(text, "hunter2")) << text;
  }
}

TEST(Conninfo, QuotedValuesAreParsedBack) {
  for (const std::string value : {"", "plain", "it's", "back\\slash", "a b", "'", "\\", "\\'", "x=y"}) {
    const std::string text = "k=" + conninfo_quoted(value) + " next=1";
    const auto words = split_conninfo(text);
    ASSERT_TRUE(words) << text;
    ASSERT_EQ(words->size(), 2U) << text;
    EXPECT_EQ(words->front().value, value);
  }
}

}  // namespace
}  // namespace tide
