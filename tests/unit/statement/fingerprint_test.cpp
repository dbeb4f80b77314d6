// Normal forms: what is the same statement, and that no literal is ever in one.
#include "statement/fingerprint.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/rng.hpp"
#include "base/text.hpp"

namespace tide {
namespace {

std::string pg(std::string_view sql) { return normal_form(sql, Dialect::postgresql, false).text; }
std::string lite(std::string_view sql) { return normal_form(sql, Dialect::sqlite, true).text; }

TEST(Fingerprint, EveryLiteralIsAQuestionMark) {
  EXPECT_EQ(pg("SELECT 1, 1.5, .5, 1e-5, -3, 0x1F, 'a', E'a\\'b', B'01', X'ff', N'n', U&'\\0041', $$d$$, $t$d$t$"),
            "select ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?");
  EXPECT_EQ(pg("select 'a''b' 'continued', interval '1 day', '1'::int"), "select ?, interval ?, ?::int");
  EXPECT_EQ(lite("select x'00ff', 'a''b', 7, -1.5e+3"), "select ?, ?, ?, ?");
  EXPECT_EQ(pg("set search_path = mine, public"), "set search_path = ?, ?");
  EXPECT_EQ(pg("SET LOCAL app.customer TO bob"), "set local app.customer to ?");
  EXPECT_EQ(lite("pragma key = secret"), "pragma key = ?");
}

TEST(Fingerprint, ParametersLikeLiterals) {
  for (const char* sql :
       {"select a from t where b = $1", "select a from t where b = :name", "select a from t where b = ?",
        "select a from t where b = 'x'", "select a from t where b = -7"})
    EXPECT_EQ(pg(sql), "select a from t where b = ?") << sql;
  for (const char* sql : {"select ?1", "select :a", "select @a", "select $a", "select ?"})
    EXPECT_EQ(lite(sql), "select ?");
  EXPECT_EQ(pg("select data ? 'k', a[1:2], b::int, c-1"), "select data ? ?, a[? : ?], b::int, c - ?");
}

TEST(Fingerprint, ListsOfAnyLengthAreOne) {
  for (const char* sql : {"select a from t where b in (1)", "select a from t where b in ( 1,2 , -3)",
                          "select a from t where b in ($1, $2)", "SELECT a FROM t WHERE b IN ('x','y')"})
    EXPECT_EQ(pg(sql), "select a from t where b in (?)") << sql;
  EXPECT_EQ(pg("insert into t (a, b) values (1, now()), (2, now()), (3, now())"),
            "insert into t(a, b) values (?, now())");
  EXPECT_EQ(pg("values ('a'::text, 1), ('b'::text, 2)"), "values (?::text, ?)");
  EXPECT_EQ(pg("select array[1,2,3], f(a, a)"), "select array[?], f(a, a)");
}

TEST(Fingerprint, BlanksCommentsAndCaseDoNotMatter) {
  const std::string expected = "select a from t where b = ? order by a";
  EXPECT_EQ(pg("SELECT a /* trace 42 */ FROM t -- x\n WHERE\tb=1\r\nORDER  BY a;"), expected);
  EXPECT_EQ(pg("select a from t where b = 2 order by a"), expected);
  EXPECT_EQ(lite("select a from t where b = 2 order by a -- end"), expected);
  EXPECT_EQ(normal_form("select 1", Dialect::postgresql, false).fingerprint,
            normal_form("SELECT  2 ;", Dialect::sqlite, true).fingerprint);
  EXPECT_NE(normal_form("select a from t", Dialect::postgresql, false).fingerprint,
            normal_form("select a from u", Dialect::postgresql, false).fingerprint);
}

// The number of a statement is written into logs and dashboards: it is the same in every version.
TEST(Fingerprint, NumberIsStable) {
  EXPECT_EQ(normal_form("select * from users where id in (1) and name = 'x'", Dialect::postgresql, false).fingerprint,
            0x42b26085accfb202U);
  EXPECT_NE(normal_form("", Dialect::sqlite, true).fingerprint, 0U);
}

TEST(Fingerprint, NamesAreKept) {
  EXPECT_EQ(pg("select \"Name\", t.\"Other\" from s.\"T\""), "select \"Name\", t.\"Other\" from s.\"T\"");
  EXPECT_EQ(lite("select [a], `b` from \"t\" as \"x\""), "select [a], `b` from \"t\" as \"x\"");
  EXPECT_EQ(lite("insert into \"t\" (\"a\", \"b\") values (1, 2)"), "insert into \"t\"(\"a\", \"b\") values (?)");
}

// SQLite takes "x" as a string where it names no column.
TEST(Fingerprint, QuotedTextsOfSqliteThatMayBeStrings) {
  EXPECT_EQ(lite("select a from t where a = \"secret\" and t.\"b\" = 1"),
            "select a from t where a = ? and t.\"b\" = ?");
  EXPECT_EQ(lite("insert into t values (\"secret\")"), "insert into t values (?)");
}

TEST(Fingerprint, OnlyTheVerbWhereALiteralMayEndElsewhere) {
  for (const char* sql :
       {"select a from t where b = 'secret", "select 'it's secret'", "select 'a' from t where b = 'isn't secret'",
        "select 'C:\\' , 'secret'", "select \"secret", "select $$secret", "select E'\\'secret", "select a', 'secret'"})
    EXPECT_EQ(pg(sql), "select ...") << sql;
  EXPECT_EQ(pg("secret', 'x"), "...");
  EXPECT_EQ(pg(std::string_view("select 'a'\0 secret", 18)), "select ...");
  EXPECT_EQ(lite("update t set a = e'secret\\'"), "update ...");
  EXPECT_EQ(lite("select \"secret"), "select ...");
}

TEST(Fingerprint, LongTextsHaveTheFormOfTheirBeginning) {
  std::string a = "insert into t values (1, 'x')", b = a;
  for (int i = 0; i < 100'000; ++i) a += ", (" + std::to_string(i) + ", 'secret')";
  for (int i = 0; i < 5'000; ++i) b += ",(1,'')";
  EXPECT_EQ(pg(a), "insert into t values (?) ...");
  EXPECT_EQ(pg(a), pg(b));
  EXPECT_NE(hash_of_text(a), hash_of_text(b));
  EXPECT_LE(pg("select " + std::string(1 << 20, '(')).size(), 80U);
  EXPECT_LE(pg("select a" + std::string(1 << 20, ' ')).size(), 20U);
}

TEST(Fingerprint, TextsThatDifferHaveOtherHashes) {
  std::vector<uint64_t> seen;
  std::string text;
  for (int i = 0; i < 300; ++i) {
    seen.push_back(hash_of_text(text));
    for (size_t at = 0; at < text.size(); at += 7) {
      std::string other = text;
      other[at] = 'b';
      seen.push_back(hash_of_text(other));
    }
    text += 'a';
  }
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(std::adjacent_find(seen.begin(), seen.end()), seen.end());
}

// ---- generated statements whose literals are marked

// Both are in no keyword and no name of the statements.
constexpr std::string_view kMark = "qzx";
constexpr std::string_view kDigits = "73";

class Marked {
 public:
  Marked(uint64_t seed, Dialect dialect) : rng_(seed), is_sqlite_(dialect == Dialect::sqlite) {}

  std::string statement() {
    switch (pick(5)) {
      case 0: return "INSERT INTO t" + gap() + "(a, b)" + gap() + "VALUES " + rows() + " RETURNING a";
      case 1: return "update t set a = " + value() + ", \"b\" = " + value() + " where " + condition();
      case 2: return "DELETE FROM s.t WHERE " + condition();
      case 3: return "with x as (select " + value() + ") select * from x where " + condition() + " limit " + number();
      default: return "select a, f(" + value() + "), " + value() + gap() + " from t join u on " + condition();
    }
  }
  std::string text() {
    std::string out;
    for (uint64_t i = pick(4); i > 0; --i) out += kPieces[pick(std::size(kPieces))];
    return out.append(kMark).append(kPieces[pick(std::size(kPieces))]);
  }
  uint64_t pick(uint64_t n) { return rng_.below(n); }
  // Not inside of what a scanner takes as one: the parts would be something else, also for the database.
  size_t place_in(const std::string& sql) {
    const auto continues = [](char c) {
      return is_letter(c) || is_digit(c) || std::string_view("\\-/*+.").find(c) != std::string_view::npos;
    };
    size_t place = pick(sql.size());
    while (place > 0 && continues(sql[place - 1])) --place;
    return place;
  }

 private:
  static constexpr std::string_view kPieces[] = {"a", " ",      "\n", "--", "/*", "*/",       ";",    ",",
                                                 "(", ")",      "$1", "?",  ":x", "\xc3\xa9", "\xff", "\"",
                                                 "%", "select", "$",  "[",  "`",  "@"};

  std::string gap() {
    constexpr std::string_view kGaps[] = {" ", "  ", "\n", " /* qzx 7373 */ ", " -- qzx 'qzx\n", "\t"};
    return std::string(kGaps[pick(std::size(kGaps))]);
  }
  std::string number() {
    const std::string digits = std::string(kDigits) + std::to_string(pick(1000)) + std::string(kDigits);
    constexpr std::string_view kForms[] = {"", "-", "+", "1.", ".", "1e", "1e-", "0x"};
    return std::string(kForms[pick(std::size(kForms))]) + digits;
  }
  std::string quoted(std::string text, bool has_backslashes = false) {
    std::string out = "'";
    for (const char c : text) out += c == '\'' ? "''" : std::string(1, c);
    if (has_backslashes) out += "\\'" + std::string(kMark) + "\\\\";
    return out + "'";
  }
  std::string value() {
    switch (pick(is_sqlite_ ? 6 : 9)) {
      case 0:
      case 1: return number();
      case 2: return quoted(text());
      case 3: return quoted(text() + "'" + text());
      case 4: return quoted(text()) + gap() + quoted(text());
      case 5: return is_sqlite_ ? "x'7373'" : "E" + quoted(text(), true);
      case 6: return "$q$" + text() + "'" + text() + "$q$";
      case 7: return "U&" + quoted(text());
      default: return "B'" + std::string(kDigits) + "'::bit";
    }
  }
  std::string list() {
    std::string out = value();
    for (uint64_t i = pick(4); i > 0; --i) out += gap() + "," + gap() + value();
    return out;
  }
  std::string rows() {
    std::string out = "(" + list() + ")";
    for (uint64_t i = pick(3); i > 0; --i) out += ", (" + list() + ")";
    return out;
  }
  std::string condition() {
    switch (pick(4)) {
      case 0: return "a in (" + list() + ")";
      case 1: return "a = " + value() + gap() + "and (b > " + value() + " or c like " + value() + ")";
      case 2: return "a between " + value() + " and " + value();
      default: return "a = f(g(" + list() + "), " + value() + ")";
    }
  }

  Rng rng_;
  const bool is_sqlite_;
};

bool is_free_of_literals(const std::string& form) {
  return lower_case(form).find(kMark) == form.npos && form.find(kDigits) == form.npos;
}

NormalForm form_in(Dialect dialect, std::string_view sql) {
  return normal_form(sql, dialect, dialect == Dialect::sqlite);
}

TEST(FingerprintFuzz, NoLiteralOfAStatement) {
  for (const Dialect dialect : {Dialect::postgresql, Dialect::sqlite}) {
    for (uint64_t seed = 1; seed <= 20'000; ++seed) {
      Marked marked(seed, dialect);
      const std::string sql = marked.statement();
      const std::string form = form_in(dialect, sql).text;
      ASSERT_TRUE(is_free_of_literals(form)) << "seed " << seed << "\n"
                                             << ::testing::PrintToString(sql) << "\n"
                                             << form;
      ASSERT_TRUE(is_plain_utf8(form)) << "seed " << seed;
    }
  }
}

// The text ends early, or bytes were put in.
TEST(FingerprintFuzz, NoLiteralOfASpoiltStatement) {
  for (const Dialect dialect : {Dialect::postgresql, Dialect::sqlite}) {
    for (uint64_t seed = 1; seed <= 20'000; ++seed) {
      Marked marked(seed, dialect);
      std::string sql = marked.statement();
      switch (marked.pick(3)) {
        case 0: sql.resize(marked.pick(sql.size())); break;
        case 1: sql.insert(marked.place_in(sql), 1, '\0'); break;
        default: sql.insert(marked.place_in(sql), "\xf0\x28"); break;
      }
      const std::string form = form_in(dialect, sql).text;
      ASSERT_TRUE(is_free_of_literals(form)) << "seed " << seed << "\n"
                                             << ::testing::PrintToString(sql) << "\n"
                                             << form;
      ASSERT_TRUE(is_plain_utf8(form)) << "seed " << seed;
    }
  }
}

// A person's name with an apostrophe that was not doubled.
TEST(FingerprintFuzz, NoLiteralBesideAQuoteThatWasNotDoubled) {
  for (uint64_t seed = 1; seed <= 5'000; ++seed) {
    Marked marked(seed, Dialect::postgresql);
    const std::string sql =
        "select a from t where b = 'O'" + std::string(kMark) + " " + std::to_string(seed) + "' and c = 'x'";
    for (const Dialect dialect : {Dialect::postgresql, Dialect::sqlite})
      ASSERT_EQ(form_in(dialect, sql).text, "select ...") << sql;
  }
}

TEST(FingerprintFuzz, RandomBytes) {
  Rng rng(5);
  for (int round = 0; round < 3'000; ++round) {
    std::string sql;
    for (uint64_t n = rng.below(200); n > 0; --n) {
      constexpr std::string_view kBytes = "'\"$`[]()/*-;,.:?@#\\ eExXuU&019\n\0\xff\x80";
      sql += rng.below(3) == 0 ? static_cast<char>(rng.below(256)) : kBytes[rng.below(kBytes.size())];
    }
    for (const Dialect dialect : {Dialect::postgresql, Dialect::sqlite}) {
      const NormalForm form = form_in(dialect, sql);
      ASSERT_TRUE(is_plain_utf8(form.text)) << round;
      ASSERT_LE(form.text.size(), 3 * sql.size() + 8) << round;
      ASSERT_EQ(form.fingerprint, form_in(dialect, sql).fingerprint);
    }
  }
}

}  // namespace
}  // namespace tide
