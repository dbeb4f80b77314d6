#include "statement/transactions.hpp"

#include <gtest/gtest.h>

#include "base/rng.hpp"

namespace tide {
namespace {

TEST(Transactions, RollbackOfTheWholeTransaction) {
  for (const char* sql : {"ROLLBACK", "rollback;", " -- so be it\n abort ; ", "ROLLBACK WORK", "rollback transaction",
                          "/* a /* b */ c */ROLLBACK", "rollback/* over */", "ROLLBACK AND NO CHAIN",
                          "abort work and/**/no chain -- done", ";; rollback"}) {
    const Statement first = first_statement(sql);
    EXPECT_EQ(first.word, TransactionWord::rollback) << sql;
    EXPECT_FALSE(has_statement(first.rest)) << sql;
  }
  for (const char* sql : {"ROLLBACK AND CHAIN", "/**/abort/**/transaction and chain;"}) {
    EXPECT_EQ(first_statement(sql).word, TransactionWord::rollback_and_chain) << sql;
  }
  for (const char* sql :
       {"ROLLBACK TO a", "rollback to savepoint a", "", "-- rollback", "rollbacks", "/* rollback",
        "ROLLBACK PREPARED 'x'", "\"rollback\"", "ROLLBACK WORK TO a", "'rollback'", "rollback and"}) {
    EXPECT_EQ(first_statement(sql).word, TransactionWord::other) << sql;
  }
}

TEST(Transactions, CommitInItsForms) {
  for (const char* sql : {"commit", "END", "/* x */ COMMIT WORK", "end transaction and no chain;"}) {
    EXPECT_EQ(first_statement(sql).word, TransactionWord::commit) << sql;
  }
  EXPECT_EQ(first_statement("commit and chain").word, TransactionWord::commit_and_chain);
  EXPECT_EQ(first_statement("prepare transaction 'x'").word, TransactionWord::prepare);
  for (const char* sql :
       {"COMMIT PREPARED 'x'", "prepare transaction as select 1", "prepare x as select 'y'", "endless"}) {
    EXPECT_EQ(first_statement(sql).word, TransactionWord::other) << sql;
  }
}

TEST(Transactions, StatementsAreCountedLikeResults) {
  const char* const text =
      "begin; insert into t values (';', $$;$$, \";\"); -- ;\n;"
      "create rule r as on insert to t do also (delete from u; delete from v);"
      "create function f() returns int begin atomic select case when true then 1 end; select 2; end;"
      "/*;*/commit; select 1";
  EXPECT_EQ(statement_at(text, 4).word, TransactionWord::commit);
  EXPECT_EQ(statement_at(text, 3).word, TransactionWord::other);
  EXPECT_TRUE(has_statement(statement_at(text, 4).rest));
  EXPECT_FALSE(has_statement(statement_at(text, 5).rest));
  EXPECT_EQ(statement_at(text, 6).word, TransactionWord::other);
}

TEST(Transactions, ControlIsFoundInAnyStatementOfAText) {
  for (const char* sql :
       {"BEGIN", "start transaction isolation level serializable", "Commit", "END", "rollback", "abort", "SAVEPOINT a",
        "release a", "rollback to a", "prepare transaction 'x'", "commit prepared 'x'", "rollback prepared 'x'",
        "/* x */ -- y\n ;; begin", "select 1; commit", "select ';'; /*;*/ end;", "select 1;;rollback to a; select 2"}) {
    EXPECT_TRUE(is_transaction_control(sql, Dialect::postgresql)) << sql;
  }
  for (const char* sql : {"BEGIN IMMEDIATE", "\xef\xbb\xbf commit", "savepoint a", "release a", "select 1; end",
                          "select [;]; commit", "select e'\\'; commit; --'", "/* /* */ commit",
                          "create trigger t after insert on a begin select case 1 when 1 then 2 end; end; commit"}) {
    EXPECT_TRUE(is_transaction_control(sql, Dialect::sqlite)) << sql;
  }
}

TEST(Transactions, OtherStatementsAreNoControl) {
  for (const char* sql :
       {"", ";", "select 1", "beginning", "\"commit\"", "'commit'", "start", "prepare x as select 1",
        "select 'x; commit'", "select $$; commit$$", "select e'\\'; commit; --'", "select 1 -- ; commit",
        "/* /* */; commit */ select 1", "create rule r as on insert to t do (select 1; select 2)",
        "set transaction read only", "create function f() returns int begin atomic select 1; end; select 2",
        "do $$begin commit; end$$"}) {
    EXPECT_FALSE(is_transaction_control(sql, Dialect::postgresql)) << sql;
  }
  for (const char* sql : {"select `; commit`", "select [; commit]", "select '; commit'",
                          "create temp trigger t after insert on a begin select 1; delete from b; end"}) {
    EXPECT_FALSE(is_transaction_control(sql, Dialect::sqlite)) << sql;
  }
}

TEST(Transactions, ControlIsFoundWhereASettingDecidesWhereALiteralEnds) {
  // Without standard_conforming_strings the literal ends at the third quote.
  EXPECT_TRUE(is_transaction_control("select 'a\\'; commit; --'; commit", Dialect::postgresql));
  EXPECT_TRUE(is_transaction_control("select 'a\\' || '; commit; --'", Dialect::postgresql));
}

TEST(Transactions, ArbitraryTextIsRead) {
  constexpr std::string_view kParts[] = {"'",
                                         "\"",
                                         "$$",
                                         "$a$",
                                         "/*",
                                         "*/",
                                         "--",
                                         "\n",
                                         "\\",
                                         "E'",
                                         "(",
                                         ")",
                                         ";",
                                         " ",
                                         "a",
                                         "begin",
                                         "end",
                                         "create function",
                                         "create trigger",
                                         "$1",
                                         "\xc3\xa9",
                                         "[",
                                         "`"};
  Rng rng(11);
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (uint64_t n = rng.below(12); n > 0; --n) text += kParts[rng.below(std::size(kParts))];
    for (const Dialect dialect : {Dialect::postgresql, Dialect::sqlite}) {
      const bool is_control = is_transaction_control(text, dialect);
      if (first_statement(text, dialect).word != TransactionWord::other) EXPECT_TRUE(is_control) << text;
      EXPECT_LE(first_statement(text, dialect).rest.size(), text.size());
    }
    EXPECT_LE(statement_at(text, 2).rest.size(), text.size());
  }
}

}  // namespace
}  // namespace tide
