#include "driver/libpq/traces.hpp"

#include <gtest/gtest.h>

#include "base/rng.hpp"
#include "base/sql_scanner.hpp"

namespace tide::libpq {
namespace {

TEST(Traces, DataAndDefinitionTagsLeaveNoTraces) {
  for (const char* tag : {"SELECT 1", "INSERT 0 5", "UPDATE 2", "BEGIN", "COMMIT", "ROLLBACK", "CREATE TABLE", "SHOW",
                          "EXPLAIN", "", "FETCH 3", "LOCK TABLE"}) {
    EXPECT_EQ(trace_of_tag(tag), Trace::none) << tag;
  }
}

TEST(Traces, SessionTagsLeaveTraces) {
  for (const char* tag : {"SET", "RESET", "PREPARE", "DEALLOCATE", "LISTEN", "UNLISTEN", "DECLARE CURSOR", "DO", "CALL",
                          "DISCARD ALL", "SETTLE"}) {
    EXPECT_EQ(trace_of_tag(tag), Trace::resettable) << tag;
  }
  EXPECT_EQ(trace_of_tag("LOAD"), Trace::lasting);
}

TEST(Traces, TextIsScannedBeyondTheTag) {
  for (const char* sql : {"select set_config('work_mem', '1MB', false)",
                          "SELECT PG_ADVISORY_LOCK(1)",
                          "create temp table t (x int)",
                          "select 1 into temporary t",
                          "insert into pg_temp.t values (1)",
                          "select pg_try_advisory_lock_shared(1)",
                          "select nextval('s')",
                          "select lastval()",
                          "explain analyze select 1",
                          "EXPLAIN (ANALYZE, BUFFERS) DELETE FROM t",
                          "update pg_settings set setting = '1MB' where name = 'work_mem'",
                          "UPDATE ONLY pg_catalog.pg_settings AS s SET setting = 1",
                          "select my_function(1)",
                          "select upper(mine(x)) from t",
                          "select app.upper('x')",
                          "insert into t (a) values (mine())",
                          "select * from mine() as m (a, b)",
                          "select \"mine\" ('x')",
                          "select \"Upper\"('x')",
                          "select/* hidden */set_config/* from view */-- so\n('a', 'b', false)",
                          "select distinct on (a) mine(b) from t",
                          "select U&\"set!005fconfig\" UESCAPE '!' ('a.b', '1', false)",
                          "execute mine(1)"}) {
    EXPECT_EQ(trace_of_text(sql), Trace::resettable) << sql;
  }
}

TEST(Traces, LastingTraces) {
  for (const char* sql :
       {"select setseed(0.5)", "SELECT dblink_connect('c', 'dbname=x')", "select 1, public.setseed(1)",
        "select dblink_connect_u('x')", "select pg_create_physical_replication_slot('s', true, true)"}) {
    EXPECT_EQ(trace_of_text(sql), Trace::lasting) << sql;
  }
}

TEST(Traces, OrdinaryStatementsLeaveNoTraces) {
  for (const char* sql :
       {"select temperature from t",
        "select attempt",
        "update templates set x = 1",
        "",
        "s",
        "temp_",
        "select 1",
        "SELECT count(*), max(price) FROM sale WHERE at > now() - interval '1 day'",
        "insert into t (a, b) values ($1, $2) on conflict (a) do update set b = excluded.b returning (b)",
        "INSERT INTO app.t AS x (a) SELECT (a) FROM u WHERE a IN (1, 2) AND EXISTS (SELECT 1)",
        "update t set (a, b) = (1, 2) where id = any ($1)",
        "delete from t using u where (t.id = u.id)",
        "with recursive n (i) as (select 1 union all select i + 1 from n) select sum(i) over (partition by i) from n",
        "select pg_catalog.lower(x), cast(a as numeric(10, 2)), b::varchar(3) from generate_series(1, 3) as g (a)",
        "select 'set_config(1)', $$lastval()$$, $a$ $$ mine() $a$, e'\\'mine()', \"temp (\"\"x\" -- mine()\n/* /* "
        "mine() */ temp */",
        "create table if not exists t (x int primary key, y varchar(3) references u (y))",
        "explain select 1",
        "analyze t",
        "select array_agg(x order by (y)) filter (where (z)) from t",
        "select * from pg_settings",
        "begin; insert into t values (1); commit",
        "select date '2026-01-01', row(1, 2)"}) {
    EXPECT_EQ(trace_of_text(sql), Trace::none) << sql;
  }
}

TEST(Traces, AmbiguousTextCountsAsTrace) {
  // Without standard_conforming_strings the first literal goes on to the second backslash.
  EXPECT_EQ(trace_of_text("select 'a\\', mine(), 'b\\'"), Trace::resettable);
  EXPECT_EQ(trace_of_text("select 'a\\' || lower('x')"), Trace::resettable);
  EXPECT_EQ(trace_of_text("select 'C:\\temp'"), Trace::none);
}

TEST(Traces, ArbitraryTextIsScanned) {
  constexpr std::string_view kParts[] = {"'",  "\"", "$$", "$a$",      "/*",      "*/",
                                         "--", "\n", "\\", "E'",       "U&\"",    "(",
                                         ")",  ";",  " ",  "a",        "begin",   "create function",
                                         ".",  "1",  "$1", "\xc3\xa9", "rollback"};
  Rng rng(7);
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (uint64_t n = rng.below(12); n > 0; --n) text += kParts[rng.below(std::size(kParts))];
    SqlScanner scanner(text);
    size_t last = 0;
    for (auto token = scanner.next(); token.kind != SqlScanner::Kind::end; token = scanner.next()) {
      ASSERT_GT(scanner.position(), last) << text;
      last = scanner.position();
    }
    EXPECT_EQ(scanner.position(), text.size()) << text;
    (void)trace_of_text(text);
  }
}

}  // namespace
}  // namespace tide::libpq
