// What the driver knows of poolers without meeting one; tests/pg/test_pgbouncer.py meets one.
#include <gtest/gtest.h>

#include "driver/libpq/conninfo.hpp"
#include "driver/libpq/errors.hpp"
#include "driver/libpq/greeting.hpp"
#include "driver/libpq/session_settings.hpp"
#include "driver/libpq/shared_session.hpp"

namespace tide::libpq {
namespace {

ConnectFailure refusal(const char* message) {
  ConnectFailure failure;
  failure.status = own_error("08P01", message);
  return failure;
}

Policy with(Pooler pooler) {
  Policy policy;
  policy.pooler = pooler;
  return policy;
}

TEST(Greeting, RejectedOptionsAreNotSentAgain) {
  for (const char* message :
       {"unsupported startup parameter: options", "unsupported startup parameter in options: statement_timeout"}) {
    PoolerMemory memory;
    Greeting greeting(memory, with(Pooler::auto_));
    ConnectFailure failure = refusal(message);
    EXPECT_EQ(greeting.options(), StartupOptions::all);
    EXPECT_TRUE(greeting.take_refusal(failure, true));
    EXPECT_EQ(greeting.options(), StartupOptions::targets) << "a pooler may know those";
    EXPECT_TRUE(greeting.take_refusal(failure, true));
    EXPECT_EQ(greeting.options(), StartupOptions::none);
    EXPECT_FALSE(greeting.take_refusal(failure, true)) << "there is nothing left to leave out";
    EXPECT_TRUE(failure.is_permanent);
    EXPECT_FALSE(failure.status.is_retryable);
    EXPECT_NE(failure.status.hint().find("ignore_startup_parameters"), std::string::npos);
    EXPECT_EQ(Greeting(memory, with(Pooler::auto_)).options(), StartupOptions::none) << "the next connect knows";
  }
}

TEST(Greeting, OtherFailuresAreNotRejectedOptions) {
  PoolerMemory memory;
  Greeting greeting(memory, with(Pooler::auto_));
  ConnectFailure failure = refusal("no more connections allowed (max_client_conn)");
  EXPECT_FALSE(greeting.take_refusal(failure, false));
  EXPECT_FALSE(failure.is_permanent);
  failure.status = own_error("28P01", "startup parameter");
  EXPECT_FALSE(greeting.take_refusal(failure, false));
}

TEST(Greeting, OptionPoolerDecides) {
  PoolerMemory memory;
  EXPECT_EQ(Greeting(memory, with(Pooler::none)).options(), StartupOptions::all);
  EXPECT_EQ(Greeting(memory, with(Pooler::session)).options(), StartupOptions::none);
  EXPECT_EQ(Greeting(memory, with(Pooler::transaction)).options(), StartupOptions::targets);
  Greeting none(memory, with(Pooler::none));
  ConnectFailure failure = refusal("unsupported startup parameter: options");
  EXPECT_FALSE(none.take_refusal(failure, false));
  EXPECT_NE(failure.status.hint().find("option pooler"), std::string::npos);
}

TEST(SessionSettings, OptionsAreParsedAsByTheServer) {
  Result<SessionSettings> read = settings_in("-c a=1  -cb.c=x\\ y\t--work-mem=7MB -c d= --e=\\\\ ");
  ASSERT_TRUE(read.is_ok());
  const SessionSettings wanted = {{"a", "1"}, {"b.c", "x y"}, {"work_mem", "7MB"}, {"d", ""}, {"e", "\\"}};
  EXPECT_EQ(read.take(), wanted);
  EXPECT_EQ(settings_in("").take().size(), 0u);
  for (const char* text : {"-d 5", "-c", "-c a", "--a", "a=1", "-c =1"}) {
    Result<SessionSettings> refused = settings_in(text);
    ASSERT_FALSE(refused.is_ok()) << text;
    EXPECT_NE(refused.status().message().find("options"), std::string::npos);
  }
}

TEST(SessionSettings, NamesAndValuesAreQuoted) {
  EXPECT_EQ(set_config_calls({}), "");
  EXPECT_EQ(set_config_calls({{"a", "x, 'y'\\"}, {"b", ""}}),
            "pg_catalog.set_config(E'a', E'x, ''y''\\\\', false), pg_catalog.set_config(E'b', E'', false)");
}

TEST(SharedSession, StatementsThatChangeTheSessionAreRejected) {
  for (const char* sql : {"SET search_path = evil",
                          "set session work_mem to '1MB'",
                          "/* a */ SET ROLE joe",
                          "SET TIME ZONE 'UTC'",
                          "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
                          "SELECT 1; SET x.y = 'z'",
                          "BEGIN; SET a = 1; COMMIT",
                          "LISTEN ch",
                          "PREPARE s AS SELECT 1",
                          "LOAD 'auto_explain'",
                          "DISCARD ALL",
                          "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
                          "CREATE TEMP TABLE a (n int)",
                          "CREATE LOCAL TEMPORARY TABLE a (n int)",
                          "CREATE OR REPLACE TEMP VIEW v AS SELECT 1",
                          "CREATE TABLE pg_temp.a (n int)",
                          "SELECT 1 INTO TEMP a",
                          "SELECT pg_advisory_lock(7)",
                          "SELECT PG_TRY_ADVISORY_LOCK(7)",
                          "SELECT set_config('a.b', 'c', false)",
                          "SELECT set_config($1, $2, $3)",
                          "UPDATE pg_settings SET setting = 1",
                          "SELECT dblink_connect('x')"}) {
    const Status told = check_shared(sql);
    ASSERT_FALSE(told) << sql;
    EXPECT_EQ(told.sqlstate(), "0A000") << sql;
    EXPECT_NE(told.hint().find("pooler=session"), std::string::npos) << sql;
  }
  EXPECT_NE(check_shared("SET search_path = a").message().find("search_path"), std::string::npos);
}

TEST(SharedSession, StatementsLimitedToTheirTransactionAreAccepted) {
  for (const char* sql :
       {"", "SELECT 1", "SET LOCAL search_path = a", "SET TRANSACTION READ ONLY", "SET CONSTRAINTS ALL DEFERRED",
        "RESET ALL", "UPDATE t SET n = 1", "INSERT INTO t (\"set\") VALUES ('LISTEN a; SET b = 1')",
        "PREPARE TRANSACTION 'p'", "DECLARE c CURSOR FOR SELECT 1", "CREATE TEMP TABLE a (n int) ON COMMIT DROP",
        "CREATE TABLE temp (n int)", "SELECT temp FROM t", "SELECT pg_advisory_xact_lock(7)",
        "SELECT set_config('a.b', coalesce($1, ''), true)", "SELECT 'SET x = 1' -- SET y = 2", "COMMIT; BEGIN"}) {
    EXPECT_TRUE(check_shared(sql)) << sql << ": " << check_shared(sql).message();
  }
}

TEST(SharedSession, ReadLeaseRequiresSeparateTransactionStatements) {
  for (const char* sql : {"BEGIN", "START TRANSACTION; -- now", "COMMIT AND CHAIN;", "ROLLBACK", "SELECT 1; SELECT 2",
                          "ROLLBACK TO a; SELECT 1"}) {
    EXPECT_TRUE(check_shared_read(sql)) << sql;
  }
  for (const char* sql :
       {"BEGIN; DELETE FROM t", "SELECT 1; COMMIT; DELETE FROM t", "ROLLBACK; BEGIN", "SELECT 1; END"}) {
    EXPECT_EQ(check_shared_read(sql).sqlstate(), "0A000") << sql;
  }
}

TEST(ConnectWords, OptionsAreSentAsFarAsAccepted) {
  Result<ConnectWords> parsed = ConnectWords::parse("host=db options='-c a=b'");
  ASSERT_TRUE(parsed.is_ok());
  const auto options = [&](StartupOptions sent) {
    std::string out = "none";
    for (const auto& [key, value] : parsed->words({}, "app", 0, nullptr, sent)) {
      if (key == "options") out = value;
    }
    return out;
  };
  EXPECT_NE(options(StartupOptions::all).find("statement_timeout=30000"), std::string::npos);
  EXPECT_EQ(options(StartupOptions::targets), "-c a=b");
  EXPECT_EQ(options(StartupOptions::none), "none");
  EXPECT_EQ(parsed->target_options(), "-c a=b");
}

TEST(ConnectWords, OptionsOfTheEnvironmentAreWithheldToo) {
  ASSERT_EQ(setenv("PGOPTIONS", "-c a=b", 1), 0);
  Result<ConnectWords> parsed = ConnectWords::parse("host=db dbname=shop");
  ASSERT_TRUE(parsed.is_ok());
  EXPECT_EQ(parsed->target_options(), "-c a=b");
  EXPECT_EQ(parsed->words({}, "app", 0, nullptr, StartupOptions::none).front(), ConnectWords::no_options());
  unsetenv("PGOPTIONS");
  EXPECT_NE(parsed->words({}, "app", 0, nullptr, StartupOptions::none).front(), ConnectWords::no_options());
}

}  // namespace
}  // namespace tide::libpq
