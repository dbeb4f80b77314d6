#include "statement/placeholders.hpp"

#include <gtest/gtest.h>

#include "unit/statement/random_statement.hpp"
#include "unit/support/rounds.hpp"

namespace tide {
namespace {

using Names = std::vector<std::string_view>;

std::string sent(std::string_view given, Dialect dialect, Placeholders style = Placeholders::numbered,
                 const Names& names = {}) {
  Result<StatementText> text = translate(given, dialect, style, names);
  return text ? text->sql : "refused: " + text.status().message();
}
std::string to_postgresql(std::string_view given) { return sent(given, Dialect::postgresql); }
std::string to_sqlite(std::string_view given) { return sent(given, Dialect::sqlite); }
int parameters(std::string_view given, Dialect dialect) {
  return translate(given, dialect, Placeholders::numbered)->parameters;
}

Status refusal(std::string_view given, Dialect dialect, Placeholders style = Placeholders::numbered,
               const Names& names = {}) {
  Result<StatementText> text = translate(given, dialect, style, names);
  return text ? Status::ok() : text.take_status();
}

TEST(Placeholders, EveryStyleIsTranslatedForBothDatabases) {
  for (const char* given : {"select a from t where b = $1 and c = $2", "select a from t where b = ?1 and c = ?2",
                            "select a from t where b = ? and c = ?"}) {
    EXPECT_EQ(to_postgresql(given), "select a from t where b = $1 and c = $2") << given;
    EXPECT_EQ(to_sqlite(given), "select a from t where b = ?1 and c = ?2") << given;
    EXPECT_EQ(parameters(given, Dialect::postgresql), 2);
    EXPECT_EQ(parameters(given, Dialect::sqlite), 2);
  }
  for (const Dialect dialect : {Dialect::postgresql, Dialect::sqlite}) {
    EXPECT_EQ(sent("b = :b and c = :a or d = :b", dialect, Placeholders::named, {"a", "b"}),
              dialect == Dialect::sqlite ? "b = ?2 and c = ?1 or d = ?2" : "b = $2 and c = $1 or d = $2");
    EXPECT_EQ(translate("select ?, :a, $1", dialect, Placeholders::native)->sql, "select ?, :a, $1");
    EXPECT_EQ(translate("select ?", dialect, Placeholders::native)->parameters, -1);
  }
}

TEST(Placeholders, NumbersMayRepeatAndHaveGaps) {
  EXPECT_EQ(parameters("$3 $1 $3", Dialect::postgresql), 3);
  EXPECT_EQ(parameters("?32766", Dialect::sqlite), 32'766);
}

TEST(Placeholders, LiteralsNamesAndCommentsAreLeftAlone) {
  const char* const postgresql =
      "select '?', 'it''s ?', E'\\'?', $$?$$, $a$?$$?$a$, \"a?\"\"?\", U&'?' /* ? /* ? */ ? */ -- ?\n, a$1";
  EXPECT_EQ(to_postgresql(postgresql), postgresql);
  EXPECT_EQ(parameters(postgresql, Dialect::postgresql), 0);
  const char* const sqlite =
      "select '?', 'it''s ?', \"a?\"\"?\", [?], `?``?`, x'00' /* ? /* ? */ -- ?\r?\n, a$1, e'\\', '?'";
  EXPECT_EQ(to_sqlite(sqlite), sqlite);
  EXPECT_EQ(parameters(sqlite, Dialect::sqlite), 0);
}

TEST(Placeholders, OperatorsOfPostgresqlRemain) {
  for (const char* given :
       {"select data ? 'k'", "select data ?| array['k']", "select data ?& array['k']", "select data @? '$.a'",
        "select (data)?'k'", "select (a)[1] ? 'k'", "select t.limit ? 'k'", "select \"in\" ? 'k'", "select data ? $1",
        "select $1 ? 'k' and ? ?", "select a ?- b, a ?# b, a ?|| b, a ?-| b", "select case 1 when 1 then a end ? 'k'",
        "select data operator(pg_catalog.?) 'k'"}) {
    EXPECT_EQ(to_postgresql(given), given);
  }
  EXPECT_EQ(to_postgresql("select data ?? 'k', data ??| ?, data @?? '$', ?"
                          "?- a"),
            "select data ? 'k', data ?| $1, data @? '$', ?- a");
}

TEST(Placeholders, ParametersStandBesideOperatorsWithoutBlanks) {
  EXPECT_EQ(to_postgresql("a=?and b||?||c>=?-1 or d ? ?or x@?? limit?"),
            "a=$1 and b||$2||c>=$3-1 or d ? $4 or x@? limit $5");
  EXPECT_EQ(to_postgresql("data ?| ? and data ? ?"), "data ?| $1 and data ? $2");
  EXPECT_EQ(to_postgresql("f(x=>?,y:=?,z[?:?])"), "f(x=>$1,y:=$2,z[$3:$4])");
}

TEST(Placeholders, ColonsOfPostgresqlRemain) {
  const Names names = {"n"};
  for (const auto& [given, expected] : {std::pair{"a::n, :n", "a::n, $1"},
                                        {"a[1:n], a[:n], :n", "a[1:n], a[:n], $1"},
                                        {"a[(:n):2]", "a[($1):2]"},
                                        {"array[:n, b[:n]]", "array[$1, b[:n]]"},
                                        {"f(a := :n)", "f(a := $1)"},
                                        {"json_object('k':n, 'l' : :n)", "json_object('k':n, 'l' : $1)"},
                                        {":n::text||:n", "$1::text||$1"},
                                        {"data ? 'k' and data ?? :n", "data ? 'k' and data ? $1"},
                                        {"':n' \":n\" $$:n$$ /*:n*/ limit:n", "':n' \":n\" $$:n$$ /*:n*/ limit $1"}}) {
    EXPECT_EQ(sent(given, Dialect::postgresql, Placeholders::named, names), expected);
  }
}

TEST(Placeholders, MixedStylesAreRefusedByName) {
  for (const Dialect dialect : {Dialect::postgresql, Dialect::sqlite}) {
    const Status why = refusal("select ?, ?2", dialect);
    EXPECT_EQ(why.code, Code::bad_argument);
    EXPECT_EQ(why.message(), "parameters ? and \"?2\" in one text");
  }
  EXPECT_EQ(refusal("select ?, $1", Dialect::sqlite).message(), "parameters ? and \"$1\" in one text");
  EXPECT_EQ(refusal("select :a", Dialect::sqlite).message(), "parameter \":a\" in a text with numbered parameters");
  EXPECT_EQ(refusal("select @a", Dialect::sqlite).code, Code::bad_argument);
  EXPECT_EQ(refusal("select $a", Dialect::sqlite).code, Code::bad_argument);
  for (const Dialect dialect : {Dialect::postgresql, Dialect::sqlite}) {
    EXPECT_EQ(refusal("select :a, $1", dialect, Placeholders::named, {"a"}).message(),
              "parameter \"$1\" in a text with named parameters");
  }
}

TEST(Placeholders, NumbersOutOfRangeAreRefused) {
  for (const Dialect dialect : {Dialect::postgresql, Dialect::sqlite}) {
    for (const char* given : {"select $0", "select ?0", "select $32767", "select ?99999999999999999999"}) {
      const Status why = refusal(given, dialect);
      EXPECT_EQ(why.code, Code::bad_argument) << given;
      EXPECT_NE(why.message().find("out of range"), why.message().npos) << given;
      EXPECT_EQ(why.detail(), "Accepted are 1 to 32766.");
    }
  }
  std::string many = "select ?";
  for (int i = 1; i < 32'766; ++i) many += ",?";
  EXPECT_EQ(parameters(many, Dialect::postgresql), 32'766);
  EXPECT_EQ(refusal(many + ",?", Dialect::postgresql).message(), "too many parameters ?");
}

TEST(Placeholders, MissingNamesAreTold) {
  for (const Dialect dialect : {Dialect::postgresql, Dialect::sqlite}) {
    Status why = refusal("select :custmer", dialect, Placeholders::named, {"id", "customer"});
    EXPECT_EQ(why.code, Code::bad_argument);
    EXPECT_EQ(why.message(), "no value for parameter \":custmer\"");
    EXPECT_EQ(why.detail(), "Names given: id, customer.");
    EXPECT_EQ(why.hint(), "Did you mean \"customer\"?");
    why = refusal("select :id", dialect, Placeholders::named, {"id", "customer"});
    EXPECT_EQ(why.message(), "the statement has no parameter \":customer\"");
    EXPECT_EQ(refusal("select 1", dialect, Placeholders::named, {"id"}).code, Code::bad_argument);
    EXPECT_EQ(refusal("select :a", dialect, Placeholders::named, {"a", "a"}).message(),
              "parameter name \"a\" specified more than once");
    EXPECT_EQ(refusal("select :a", dialect, Placeholders::named, {":a"}).message(), "invalid parameter name \":a\"");
    EXPECT_EQ(refusal("select 1", dialect, Placeholders::named, {""}).code, Code::bad_argument);
  }
}

TEST(Placeholders, ATextWithANulByteIsRefusedInEveryStyle) {
  for (const Placeholders style : {Placeholders::numbered, Placeholders::named, Placeholders::native}) {
    EXPECT_EQ(refusal(std::string_view("select 1\0; drop table t", 23), Dialect::postgresql, style).code,
              Code::bad_argument);
  }
}

TEST(Placeholders, SeveralStatementsAreNoticed) {
  const auto has_several = [](std::string_view given, Dialect dialect) {
    return translate(given, dialect, Placeholders::numbered)->has_several;
  };
  for (const Dialect dialect : {Dialect::postgresql, Dialect::sqlite}) {
    EXPECT_TRUE(has_several("select 1; select 2", dialect));
    EXPECT_TRUE(has_several("select $1;;select 2;", dialect));
    EXPECT_FALSE(has_several("select 1;", dialect));
    EXPECT_FALSE(has_several(";; select $1; ; -- select 2", dialect));
    EXPECT_FALSE(has_several("select ';' /*;*/", dialect));
    EXPECT_FALSE(has_several("", dialect));
    EXPECT_TRUE(translate("select 1; select 2", dialect, Placeholders::native)->has_several);
  }
  EXPECT_FALSE(has_several("create trigger t after insert on a begin select 1; select 2; end;", Dialect::sqlite));
  EXPECT_FALSE(has_several("create rule r as on insert to t do (select 1; select 2)", Dialect::postgresql));
}

TEST(Placeholders, PositionsAreThoseOfTheGivenText) {
  const std::string_view given = "select '\xc3\xa9', ?, ?, data ?? 'x', ?and nosuch";
  Result<StatementText> text = translate(given, Dialect::postgresql, Placeholders::numbered);
  ASSERT_TRUE(text);
  ASSERT_EQ(text->sql, "select '\xc3\xa9', $1, $2, data ? 'x', $3 and nosuch");
  const auto character = [](std::string_view whole, std::string_view part) {
    const std::string_view before = whole.substr(0, whole.find(part));
    return static_cast<int32_t>(before.size() - (before.find('\xc3') == before.npos ? 0 : 1)) + 1;
  };
  EXPECT_EQ(text->position_in(given, character(text->sql, "nosuch")), character(given, "nosuch"));
  EXPECT_EQ(text->position_in(given, character(text->sql, "'x'")), character(given, "'x'"));
  EXPECT_EQ(text->position_in(given, character(text->sql, "$2")), character(given, "?, data"));
  EXPECT_EQ(text->position_in(given, character(text->sql, "$2") + 1), character(given, "?, data"));
  EXPECT_EQ(text->position_in(given, 1), 1);
  EXPECT_EQ(text->position_in(given, 0), 0);
  EXPECT_EQ(text->position_in(given, 1'000'000), static_cast<int32_t>(given.size()));  // one character of two bytes
}

TEST(Placeholders, PositionsAreFoundInATextWithOtherComments) {
  const std::string_view from = "select /* trace 1 */ a, nosuch from t",
                         to = "/* trace 22 */ select a,  nosuch from t -- x";
  const auto place = [](std::string_view text, std::string_view part) {
    return static_cast<int32_t>(text.find(part)) + 1;
  };
  EXPECT_EQ(same_position(from, to, place(from, "nosuch"), Dialect::postgresql), place(to, "nosuch"));
  EXPECT_EQ(same_position(from, to, place(from, "such"), Dialect::postgresql), place(to, "such"));
  EXPECT_EQ(same_position(from, to, 0, Dialect::postgresql), 0);
}

TEST(Placeholders, KeysIgnoreCommentsAndOuterBlanksOnly) {
  const auto key = [](std::string_view sql) { return statement_key(sql, Dialect::postgresql); };
  EXPECT_EQ(key("select 1"), "select 1");
  for (const char* same :
       {" select 1 ", "/* a */select 1", "select/**/1", "select /* a /* b */ */ 1 -- c", "-- a\nselect 1"}) {
    EXPECT_EQ(key(same), "select 1") << same;
  }
  EXPECT_EQ(key("/*+ SeqScan(t) */ /* trace */ select 1 /* x */"), "/*+ SeqScan(t) */ select 1");
  for (const auto& [a, b] : {std::pair{"select '/* a */'", "select ''"},
                             {"select $$-- a$$", "select $$$$"},
                             {"select 'a' 'b'", "select 'a' -- x\n 'b'"},       // one literal
                             {"select 'a'\n/**/'b'", "select 'a' -- x\n 'b'"},  // a syntax error
                             {"select a", "select A"},
                             {"select 1  ,2", "select 1 ,2"},
                             {"select 'a\\' /* b */ '", "select 'a\\'  '"}}) {  // with backslashes a comment, or not
    EXPECT_NE(key(a), key(b));
  }
  EXPECT_EQ(statement_key("select 1 /* a /* b */", Dialect::sqlite), "select 1");
  EXPECT_EQ(statement_key("select 1 -- a\r + 1\n", Dialect::sqlite), "select 1");
}

TEST(Placeholders, RandomStatementsBecomeWhatTheyShould) {
  for (int seed = 0; seed < test::rounds(20'000); ++seed) {
    Rng rng(static_cast<uint64_t>(seed));
    const test::RandomStatement statement = test::random_statement(rng);
    Result<StatementText> text = translate(statement.given, Dialect::postgresql, Placeholders::numbered);
    ASSERT_TRUE(text) << seed << ": " << statement.given << ": " << text.status().message();
    EXPECT_EQ(test::without_blanks(text->sql), test::without_blanks(statement.expected))
        << seed << ": " << statement.given;
    EXPECT_EQ(text->parameters, statement.parameters) << seed << ": " << statement.given;
  }
}

TEST(Placeholders, TranslatingATranslationChangesNothing) {
  for (int seed = 0; seed < test::rounds(40'000); ++seed) {
    Rng rng(static_cast<uint64_t>(seed));
    const std::string given = test::random_garbage(rng, 16);
    for (const Dialect dialect : {Dialect::postgresql, Dialect::sqlite}) {
      for (const Placeholders style : {Placeholders::numbered, Placeholders::named}) {
        const Names names = style == Placeholders::named ? Names{"a"} : Names{};
        Result<StatementText> text = translate(given, dialect, style, names);
        if (!text) {
          EXPECT_EQ(text.status().code, Code::bad_argument) << given;
          continue;
        }
        // An escaped operator may have come to be one that a second translation understands otherwise.
        if (given.find('?') != given.npos && dialect == Dialect::postgresql) continue;
        Result<StatementText> again = translate(text->sql, dialect, Placeholders::numbered);
        ASSERT_TRUE(again) << seed << ": " << given << " -> " << text->sql << ": " << again.status().message();
        EXPECT_EQ(again->sql, text->sql) << seed << ": " << given;
        EXPECT_EQ(again->parameters, text->parameters) << seed << ": " << given;
      }
    }
  }
}

TEST(Placeholders, PositionsAscendAndStayInTheText) {
  for (int seed = 0; seed < test::rounds(5'000); ++seed) {
    Rng rng(static_cast<uint64_t>(seed));
    const std::string given = test::random_garbage(rng, 12);
    Result<StatementText> text = translate(given, Dialect::postgresql, Placeholders::numbered);
    if (!text) continue;
    int32_t last = 0;
    for (int32_t position = 1; position <= static_cast<int32_t>(text->sql.size()) + 2; ++position) {
      const int32_t found = text->position_in(given, position);
      EXPECT_GE(found, last) << seed << ": " << given;
      EXPECT_LE(found, static_cast<int32_t>(given.size()) + 1) << seed << ": " << given;
      last = found;
    }
  }
}

TEST(Placeholders, TextsWithOneKeyHaveTheSameTokens) {
  for (int seed = 0; seed < test::rounds(20'000); ++seed) {
    Rng rng(static_cast<uint64_t>(seed));
    const std::string given = test::random_garbage(rng, 12);
    for (const Dialect dialect : {Dialect::postgresql, Dialect::sqlite}) {
      const std::string key = statement_key(given, dialect);
      SqlScanner a(given, dialect), b(key, dialect);
      for (;;) {
        const SqlScanner::Token left = a.next(), right = b.next();
        ASSERT_EQ(left.kind, right.kind) << seed << ": " << given << " -> " << key;
        if (left.kind == SqlScanner::Kind::end) break;
        ASSERT_EQ(left.text, right.text) << seed << ": " << given << " -> " << key;
      }
      EXPECT_EQ(statement_key(key, dialect), key) << seed << ": " << given;
    }
  }
}

}  // namespace
}  // namespace tide
