// Masking: every form a password takes, and texts that must stay readable.
#include <gtest/gtest.h>

#include "base/text.hpp"
#include "policy_support.hpp"

namespace tide {
namespace {

using test::contains;

struct Row {
  std::string_view text;
  std::string_view masked;
};
constexpr Row kRows[] = {
    {"", ""},
    {"postgresql://me:hunter2@h/db", "postgresql://me:***@h/db"},
    {"postgresql://me:hun%40ter2@h/db", "postgresql://me:***@h/db"},
    {"postgresql://me:p@hunter2@h/db", "postgresql://me:***@h/db"},
    {"postgresql://me:hunter2/x@h/db", "postgresql://me:***@h/db"},
    {"postgresql://me:hunter2?x#@h/db", "postgresql://me:***@h/db"},
    {"postgresql://me:hun ter2@h/db", "postgresql://me:***@h/db"},
    {"postgresql://:hunter2@h/db", "postgresql://:***@h/db"},
    {"postgresql://me:hunter2%40h/db", "postgresql://me:***/db"},
    {"postgresql://me:hunter2/db", "postgresql://me:***/db"},
    {"postgresql://me:hunter2", "postgresql://me:***"},
    {"postgresql:me:hunter2@h/db", "postgresql:***@h/db"},
    {"postgresql//me:hunter2@h/db", "postgresql//me:***@h/db"},
    {"me:hunter2@h/db", "me:***@h/db"},
    {"redis://x:hunter2@h,y:hunter2@i/db", "redis://x:***@i/db"},
    {"postgresql://h/db?password=hunter2", "postgresql://h/db?password=***"},
    {"postgresql://h/db?password=hunter2&sslmode=require", "postgresql://h/db?password=***&sslmode=require"},
    {"postgresql://h/db?sslpassword=hunter2", "postgresql://h/db?sslpassword=***"},
    {"postgresql://h/db?pass%77ord=hunter2", "postgresql://h/db?pass%77ord=***"},
    {"postgresql://h/db?password='hunter2", "postgresql://h/db?password='***'"},
    {"postgresql://h/db?options=-c%20my.password%3Dhunter2&a=b",
     "postgresql://h/db?options=-c%20my.password%3D***&a=b"},
    {"host=h password=hunter2 dbname=x", "host=h password=*** dbname=x"},
    {"host=h PASSWORD = hunter2 dbname=x", "host=h PASSWORD = *** dbname=x"},
    {"host=h password='hun ter2' dbname=x", "host=h password='***' dbname=x"},
    {"host=h password='hun\\' hunter2' dbname=x", "host=h password='***' dbname=x"},
    {"host=h password='hun'' hunter2' dbname=x", "host=h password='***' dbname=x"},
    {"host=h password='hun'hunter2 dbname=x", "host=h password='***' dbname=x"},
    {"host=h password=hun\\ hunter2 dbname=x", "host=h password=*** dbname=x"},
    {"host=h password='hunter2", "host=h password='***'"},
    {"host=h password=a&hunter2,hunter2 dbname=x", "host=h password=*** dbname=x"},
    {"host=h sslpassword=hunter2", "host=h sslpassword=***"},
    {"options='-c my.password=hunter2'", "options='-c my.password=***"},
    {"{\"password\": \"hunter2\", \"max\": 3}", "{\"password\": \"***\", \"max\": 3}"},
    {"{\"url\": \"host=h password=\\\"hun ter2\\\"\"}", "{\"url\": \"host=h password=***"},
    {"host=h pasword=hunter2 assword=hunter2", "host=h pasword=*** assword=***"},
    {"password: hunter2", "password: ***"},
    {"pwd=hunter2 secret=hunter2 access_token=hunter2 db_pass=hunter2",
     "pwd=*** secret=*** access_token=*** db_pass=***"},
    // what must stay
    {"max_size=20 validation_bypass=500ms", "max_size=20 validation_bypass=500ms"},
    {"host=h passfile=/home/me/.pgpass dbname=x", "host=h passfile=/home/me/.pgpass dbname=x"},
    {"postgresql://me@h:5432/db", "postgresql://me@h:5432/db"},
    {"postgresql://h:5432/db?sslmode=require", "postgresql://h:5432/db?sslmode=require"},
    {"postgresql://a:1,b:2/db", "postgresql://a:1,b:2/db"},
    {"postgresql://[::1]:5432/db", "postgresql://[::1]:5432/db"},
    {"sqlite:///home/me/app.db", "sqlite:///home/me/app.db"},
    {"sqlite:///home/me@work/app.db", "sqlite:///home/me@work/app.db"},
    {"30 parsecs", "30 parsecs"},
};

TEST(Password, IsMasked) {
  for (const Row& row : kRows) {
    const std::string masked = without_password(row.text);
    EXPECT_EQ(masked, row.masked) << row.text;
    EXPECT_FALSE(contains(masked, "hunter2")) << masked;
    EXPECT_FALSE(contains(masked, "ter2")) << masked;
  }
}

TEST(Password, MaskingIsIdempotent) {
  for (const Row& row : kRows) {
    const std::string once = without_password(row.text);
    EXPECT_EQ(without_password(once), once);
  }
}

TEST(InQuotes, TruncatesAtCharactersAndReplacesControls) {
  EXPECT_EQ(in_quotes("a\nb\x01\x7F\xFF"
                      "c"),
            "\"a?b???c\"");
  EXPECT_EQ(in_quotes(std::string_view("a\0b", 3)), "\"a?b\"");
  std::string wide;
  for (int i = 0; i < 60; ++i) wide += "\xC3\xA4";
  const std::string shown = in_quotes("x" + wide);
  EXPECT_TRUE(is_plain_utf8(shown));
  EXPECT_TRUE(shown.ends_with("...\""));
  EXPECT_LE(shown.size(), kQuotedBytesMax + 5);
}

// The cut must not come before the masking, or it could part a password from the mark that betrays it.
TEST(InQuotes, MasksBeforeTruncating) {
  const std::string text = "postgresql://me:" + std::string(75, 's') + "hunter2@h/db";
  EXPECT_EQ(in_quotes(text), "\"postgresql://me:***@h/db\"");
}

}  // namespace
}  // namespace tide
