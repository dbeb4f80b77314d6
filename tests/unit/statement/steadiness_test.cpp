// Which statements may be answered from a cache.
#include <gtest/gtest.h>

#include "statement/steadiness.hpp"

namespace tide {
namespace {

constexpr Dialect kBoth[] = {Dialect::postgresql, Dialect::sqlite};

void expect_both(Steadiness expected, std::initializer_list<std::string_view> texts) {
  for (const Dialect dialect : kBoth) {
    for (const std::string_view sql : texts)
      EXPECT_EQ(static_cast<int>(steadiness_of(sql, dialect)), static_cast<int>(expected)) << sql;
  }
}

void expect_in(Dialect dialect, Steadiness expected, std::initializer_list<std::string_view> texts) {
  for (const std::string_view sql : texts)
    EXPECT_EQ(static_cast<int>(steadiness_of(sql, dialect)), static_cast<int>(expected)) << sql;
}

TEST(Steadiness, QueriesOfDataAreSteady) {
  expect_both(Steadiness::steady,
              {"select 1", "SELECT * FROM users WHERE id = $1", "select 1;", " -- comment\n select a from t ; ; ",
               "select count(*), max(price), coalesce(name, 'none') from t group by kind having count(*) > 2",
               "with recent (id, n) as (select id, n from t) select * from recent where id in (1, 2)",
               "with recursive r(n) as (select 1 union all select n + 1 from r where n < 5) select sum(n) from r",
               "values (1, 2), (3, 4)", "select replace(name, 'a', 'b') from t", "select t.update, t.into from t",
               "select cast(x as numeric(10, 2)), row_number() over (partition by a order by b) from t",
               "select * from (values (1)) as v(n) where exists (select 1 from t)", "select 'knowledge', 'nowhere'",
               "(select 1) union (select 2)", "select date('2024-01-01'), strftime('%Y', made) from t"});
  expect_in(Dialect::postgresql, Steadiness::steady,
            {"table users", "select pg_catalog.lower(name) from t", "select \"lower\"(name) from t",
             "select * from unnest($1::int[]) as u(id)", "select data ->> 'name' from t where tags @> array['a']",
             "select extract(epoch from made), substring(name from 1 for 2) from t", "select left(name, 3) from t"});
  expect_in(Dialect::sqlite, Steadiness::steady,
            {"select json_extract(data, '$.a') from t", "select value from json_each(?1)", "select [count] from t",
             "select name from sqlite_schema", "select iif(a, b, c), group_concat(name, ', ') from t"});
}

TEST(Steadiness, WhatDependsOnMoreThanTheDataIsVolatile) {
  expect_both(Steadiness::volatile_,
              {"select random()", "select RANDOM()", "select my_function(1)", "select current_timestamp",
               "select a from t where made > CURRENT_DATE", "select * from tidepool_pools", "select date('now')",
               "select datetime( 'now', '-1 day')", "select upper(name), other(name) from t",
               "select s.lower(name) from t", "select * from t where at > 'today'", "select date(), time()",
               "select strftime('%s')", "select \"random\"()", "select max(a, random()) from t"});
  expect_in(Dialect::postgresql, Steadiness::volatile_,
            {"select now()", "select clock_timestamp()", "select nextval('s')", "select gen_random_uuid()",
             "select * from pg_stat_activity", "select current_setting('x')", "select 'now'::timestamptz",
             "select a from t tablesample system (10)", "select localtime", "select pg_backend_pid()",
             "select E'no\\x77'::timestamptz", "select $$now$$::timestamptz", "select \"Lower\"(name) from t",
             "select pg_catalog.set_config('a', 'b', false)", "select age(born) from t", "select txid_current()",
             "select lastval()", "select * from dblink('x', 'select 1') as t(a int)"});
  expect_in(Dialect::sqlite, Steadiness::volatile_,
            {"select changes()", "select total_changes()", "select last_insert_rowid()", "select randomblob(4)",
             "select * from pragma_table_info('t')", "select * from pragma_database_list", "select julianday()",
             "select load_extension('x')", "select * from dbstat", "select \"last_insert_rowid\"()"});
}

TEST(Steadiness, WhatMayWriteIsUnfit) {
  expect_both(
      Steadiness::unfit,
      {"", ";", "insert into t values (1)", "update t set a = 1", "delete from t", "select 1; select 2",
       "select 1; delete from t", "begin", "create table t (a)", "with x as (select 1) insert into t select * from x",
       "with x as (select 1) update t set a = 2", "with x as (select 1) delete from t", "explain select 1",
       "with x as (select 1) insert into t(a) select * from x", "vacuum"});
  expect_in(
      Dialect::postgresql, Steadiness::unfit,
      {"select * from t for update", "select * from t FOR SHARE", "select * from t for no key update",
       "select * from t for key share of t", "select * into u from t", "show search_path",
       "with d as (delete from t returning *) select * from d", "with m as (merge into t using u on true) select 1",
       "call p()", "do $$ begin end $$", "copy t to stdout", "listen c", "select 'a\\'; delete from t --'"});
  expect_in(Dialect::sqlite, Steadiness::unfit,
            {"pragma user_version", "replace into t values (1)", "with x as (select 1) replace into t select * from x",
             "attach 'a' as b"});
}

TEST(Steadiness, TextsThatMeanTheCurrentTime) {
  for (const char* text : {"now", "NOW", " now", "today", "Tomorrow 10:00", "yesterday", "now "})
    EXPECT_TRUE(means_current_time(text)) << text;
  for (const char* text : {"", "nowhere", "2024-01-01", "to", "knows", "todays"})
    EXPECT_FALSE(means_current_time(text)) << text;
}

}  // namespace
}  // namespace tide
