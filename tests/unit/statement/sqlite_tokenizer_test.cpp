// Placeholders compared with SQLite's own tokenizer.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "statement/placeholders.hpp"
#include "unit/statement/random_statement.hpp"
#include "unit/support/rounds.hpp"

namespace tide {
namespace {

class SqliteTokenizer : public testing::Test {
 public:
  SqliteTokenizer() { sqlite3_open(":memory:", &database_); }
  ~SqliteTokenizer() override { sqlite3_close(database_); }

  struct Prepared {
    bool is_accepted = false;
    bool has_only_numbers = true;  // ?, ?1 and $1
    int parameters = 0;            // as the pool counts them
    int native_parameters = 0;     // as SQLite does
    bool has_more = false;         // statements
    int error_offset = -1;
    std::string message;
  };
  Prepared prepare(const std::string& sql) {
    Prepared out;
    sqlite3_stmt* statement = nullptr;
    const char* tail = nullptr;
    const int code = sqlite3_prepare_v2(database_, sql.c_str(), -1, &statement, &tail);
    out.is_accepted = code == SQLITE_OK && statement != nullptr;
    if (code != SQLITE_OK) out.message = sqlite3_errmsg(database_);
#if SQLITE_VERSION_NUMBER >= 3038000
    out.error_offset = sqlite3_error_offset(database_);
#endif
    out.native_parameters = sqlite3_bind_parameter_count(statement);
    for (int i = 1; i <= out.native_parameters; ++i) {
      const char* name = sqlite3_bind_parameter_name(statement, i);
      if (name == nullptr) {
        out.parameters = std::max(out.parameters, i);
        continue;
      }
      int number = 0;
      const char* const end = name + std::strlen(name);
      const auto [stop, error] = std::from_chars(name + 1, end, number);
      const bool is_number = (name[0] == '?' || name[0] == '$') && error == std::errc() && stop == end;
      out.has_only_numbers = out.has_only_numbers && is_number;
      out.parameters = std::max(out.parameters, number);
    }
    sqlite3_finalize(statement);
    if (out.is_accepted && tail != nullptr && *tail != '\0') {
      // More than blanks and comments?
      sqlite3_stmt* next = nullptr;
      const int more = sqlite3_prepare_v2(database_, tail, -1, &next, nullptr);
      out.has_more = more != SQLITE_OK || next != nullptr;
      sqlite3_finalize(next);
    }
    return out;
  }

 private:
  sqlite3* database_ = nullptr;
};

// An expression of SQLite, or something that resembles one.
std::string random_select(Rng& rng, bool is_native) {
  constexpr std::string_view kItems[] = {
      "?",          "?1",         "?2",     "$1",     "$2",        "'?'",      "'it''s ?'",
      "\"?\"",      "[?]",        "`?`",    "`a``?`", "x'3f'",     "e'\\'",    "1",
      "1.5e3",      "0x1f",       "/*?*/1", "1--?\n", "(?)",       "-?",       "a$1",
      "?||?",       "1=?and 2",   "null",   "?/**/",  "/*/*?*/ 3", "\xc3\xa9", "'\xf0\x9f\x90\x98'",
      "\"a\"\"?\"", "--?\r'\n ?", "[?]||?", "a.[?]",  "?->>'$.a'", "'$1'"};
  constexpr std::string_view kNativeItems[] = {":a", "@a", "$a", "$a::b", ":1", "@1", "$1a", "#1"};
  std::string text = "select ";
  const uint64_t items = 1 + rng.below(4);
  for (uint64_t i = 0; i < items; ++i) {
    if (i > 0) text += rng.below(8) == 0 ? " " : ",";
    if (is_native && rng.below(4) == 0) {
      text += kNativeItems[rng.below(std::size(kNativeItems))];
    } else {
      text += kItems[rng.below(std::size(kItems))];
    }
  }
  // Any name in it is a column.
  text += rng.below(2) == 0 ? " from (select 1 a, 2 [?], 3 a$1, 4 \"\xc3\xa9\", 5 \"a\"\"?\", 6 [a`?]) a" : "";
  if (rng.below(4) == 0) text += " limit?";
  if (rng.below(4) == 0) text += rng.below(2) == 0 ? "; -- ?" : ";;select ?";
  return text;
}

TEST_F(SqliteTokenizer, AgreesOnParametersAndStatements) {
  int accepted = 0;
  for (int seed = 0; seed < test::rounds(40'000); ++seed) {
    Rng rng(static_cast<uint64_t>(seed));
    const std::string given =
        rng.below(4) == 0 ? "select " + test::random_garbage(rng, 8) : random_select(rng, rng.below(4) == 0);
    const Prepared native = prepare(given);
    Result<StatementText> text = translate(given, Dialect::sqlite, Placeholders::numbered);
    if (!text) {
      EXPECT_TRUE(native.parameters > 0 || native.native_parameters > 0 || !native.is_accepted || native.has_more)
          << seed << ": " << given << ": " << text.status().message();
      continue;
    }
    const Prepared sent = prepare(text->sql);
    EXPECT_EQ(sent.is_accepted, native.is_accepted)
        << seed << ": " << given << " -> " << text->sql << ": " << sent.message;
    if (!native.is_accepted) continue;
    ++accepted;
    EXPECT_TRUE(native.has_only_numbers) << seed << ": " << given;
    EXPECT_EQ(text->has_several, native.has_more) << seed << ": " << given;
    if (native.has_more) continue;  // the parameters are counted in all statements
    EXPECT_EQ(text->parameters, native.parameters) << seed << ": " << given;
    EXPECT_EQ(sent.native_parameters, text->parameters) << seed << ": " << given << " -> " << text->sql;
  }
  EXPECT_GT(accepted, test::rounds(4'000));
}

TEST_F(SqliteTokenizer, AgreesOnThePlaceOfAnError) {
  int compared = 0;
  for (int seed = 0; seed < test::rounds(20'000); ++seed) {
    Rng rng(static_cast<uint64_t>(seed));
    const std::string given = random_select(rng, false);
    const Prepared native = prepare(given);
    Result<StatementText> text = translate(given, Dialect::sqlite, Placeholders::numbered);
    if (!text || text->has_several || native.error_offset < 0) continue;
    const Prepared sent = prepare(text->sql);
    const auto character = [](std::string_view whole, int byte) {
      const std::string_view before = whole.substr(0, static_cast<size_t>(byte));
      return 1 + static_cast<int32_t>(
                     std::count_if(before.begin(), before.end(), [](char c) { return (c & 0xc0) != 0x80; }));
    };
    EXPECT_EQ(text->position_in(given, character(text->sql, sent.error_offset)), character(given, native.error_offset))
        << seed << ": " << given << " -> " << text->sql << ": " << native.message;
    ++compared;
  }
  EXPECT_GT(compared, 0);
}

}  // namespace
}  // namespace tide
