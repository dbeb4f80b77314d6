// Placeholders compared with PostgreSQL's own lexer, on the server that TIDE_TEST_POSTGRESQL names (with_server.py).
#include <gtest/gtest.h>
#include <libpq-fe.h>
#include <stdlib.h>

#include <memory>

#include "statement/placeholders.hpp"
#include "unit/statement/random_statement.hpp"

namespace tide {
namespace {

using PgResult = std::unique_ptr<PGresult, decltype(&PQclear)>;

class PostgresqlLexer : public testing::Test {
 public:
  PostgresqlLexer() : conn_(PQconnectdb(::getenv("TIDE_TEST_POSTGRESQL")), PQfinish) {
    EXPECT_EQ(PQstatus(conn_.get()), CONNECTION_OK) << PQerrorMessage(conn_.get());
  }

  struct Prepared {
    bool is_accepted = false;
    int parameters = 0;
    int32_t position = 0;
    std::string error;
  };
  Prepared prepare(const std::string& sql) {
    Prepared out;
    const PgResult prepared(PQprepare(conn_.get(), "", sql.c_str(), 0, nullptr), PQclear);
    out.is_accepted = PQresultStatus(prepared.get()) == PGRES_COMMAND_OK;
    if (!out.is_accepted) {
      out.error = PQresultErrorMessage(prepared.get());
      const char* const position = PQresultErrorField(prepared.get(), PG_DIAG_STATEMENT_POSITION);
      if (position != nullptr) out.position = std::stoi(position);
      return out;
    }
    const PgResult described(PQdescribePrepared(conn_.get(), ""), PQclear);
    out.parameters = PQnparams(described.get());
    return out;
  }

 private:
  std::unique_ptr<PGconn, decltype(&PQfinish)> conn_;
};

int32_t character_of(std::string_view whole, std::string_view part) {
  int32_t character = 1;
  for (const char c : whole.substr(0, whole.find(part))) character += (c & 0xc0) != 0x80 ? 1 : 0;
  return character;
}

TEST_F(PostgresqlLexer, AcceptsTranslatedStatementsWithTheirParameters) {
  for (uint64_t seed = 0; seed < 6'000; ++seed) {
    Rng rng(seed);
    const test::RandomStatement statement = test::random_statement(rng);
    Result<StatementText> text = translate(statement.given, Dialect::postgresql, Placeholders::numbered);
    ASSERT_TRUE(text) << seed << ": " << statement.given << ": " << text.status().message();
    const Prepared prepared = prepare(text->sql);
    EXPECT_TRUE(prepared.is_accepted) << seed << ": " << statement.given << " -> " << text->sql << ": "
                                      << prepared.error;
    EXPECT_EQ(prepared.parameters, text->parameters) << seed << ": " << text->sql;
    EXPECT_EQ(text->parameters, statement.parameters) << seed << ": " << statement.given;
  }
}

TEST_F(PostgresqlLexer, ErrorsArePlacedInTheGivenText) {
  for (uint64_t seed = 0; seed < 2'000; ++seed) {
    Rng rng(seed);
    const std::string given = test::random_statement(rng).given;
    const std::string wrong = "select * from (" + given.substr(0, given.find_first_of(";")) + "\n) q(a), nosuch";
    Result<StatementText> text = translate(wrong, Dialect::postgresql, Placeholders::numbered);
    ASSERT_TRUE(text) << seed << ": " << wrong;
    const Prepared prepared = prepare(text->sql);
    ASSERT_NE(prepared.error.find("\"nosuch\""), std::string::npos)
        << seed << ": " << text->sql << ": " << prepared.error;
    EXPECT_EQ(text->position_in(wrong, prepared.position), character_of(wrong, "nosuch")) << seed << ": " << wrong;
  }
}

// Pieces with $1 and beginnings of literals and comments: what the server accepts has the parameters that were counted,
// and nothing in it was changed.
TEST_F(PostgresqlLexer, AgreesOnParametersInAnything) {
  constexpr std::string_view kItems[] = {
      "$1::text",     "$2::text",      "$3::text",  "'$1'",          "E'\\'$2'", "E'\\\\'",     "'\\'",
      "$$ $1 $$",     "$a$ $2 $$ $a$", "1 a$1",     "/*$1*/1",       "1--$2\n",  "/*/**/$1*/2", "1 \"$1\"",
      "U&'$1'",       "B'1'",          "'a'\n'$3'", "1 \"a\"\"$1\"", "N'$2'",    "-1",          "$1::text||$2::text",
      "'\xc3\xa9$1'", "$b$1$b$"};
  int accepted = 0;
  for (uint64_t seed = 0; seed < 6'000; ++seed) {
    Rng rng(seed);
    // Every number up to the highest has to be used: the server refuses gaps.
    std::string given = "select $1::text";
    for (uint64_t n = rng.below(6); n > 0; --n) {
      given += rng.below(8) == 0 ? " " : ",";
      given += rng.below(8) == 0 ? test::random_garbage(rng, 3) : kItems[rng.below(std::size(kItems))];
    }
    const Prepared native = prepare(given);
    if (!native.is_accepted) continue;
    ++accepted;
    Result<StatementText> text = translate(given, Dialect::postgresql, Placeholders::numbered);
    ASSERT_TRUE(text) << seed << ": " << given << ": " << text.status().message();
    EXPECT_EQ(text->parameters, native.parameters) << seed << ": " << given;
    EXPECT_FALSE(text->has_several) << seed << ": " << given;
    if (given.find("??") == given.npos) EXPECT_EQ(text->sql, given) << seed;
    // The statement without comments is the same to the server.
    const Prepared stripped = prepare(statement_key(given, Dialect::postgresql));
    EXPECT_TRUE(stripped.is_accepted) << seed << ": " << given << ": " << stripped.error;
    EXPECT_EQ(stripped.parameters, native.parameters) << seed << ": " << given;
  }
  EXPECT_GT(accepted, 1'000);
}

}  // namespace
}  // namespace tide
