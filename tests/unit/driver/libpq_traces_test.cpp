#include "driver/libpq/traces.hpp"

#include <gtest/gtest.h>

namespace tide::libpq {
namespace {

TEST(Traces, TagsOfDataAndDefinitionsLeaveNothing) {
  for (const char* tag : {"SELECT 1", "INSERT 0 5", "UPDATE 2", "BEGIN", "COMMIT", "ROLLBACK", "CREATE TABLE", "SHOW",
                          "EXPLAIN", "", "FETCH 3", "LOCK TABLE"}) {
    EXPECT_FALSE(tag_leaves_traces(tag)) << tag;
  }
}

TEST(Traces, TagsThatChangeTheSessionDo) {
  for (const char* tag : {"SET", "RESET", "PREPARE", "DEALLOCATE", "LISTEN", "UNLISTEN", "DECLARE CURSOR", "DO", "CALL",
                          "LOAD", "DISCARD ALL", "SETTLE"}) {
    EXPECT_TRUE(tag_leaves_traces(tag)) << tag;
  }
}

TEST(Traces, WhatATagDoesNotTellIsInTheText) {
  for (const char* sql :
       {"select set_config('work_mem', '1MB', false)", "SELECT PG_ADVISORY_LOCK(1)", "create temp table t (x int)",
        "select 1 into temporary t", "insert into pg_temp.t values (1)", "select pg_try_advisory_lock_shared(1)"}) {
    EXPECT_TRUE(text_leaves_traces(sql)) << sql;
  }
}

TEST(Traces, LongerWordsAreOtherWords) {
  for (const char* sql : {"select temperature from t", "select attempt", "update templates set x = 1", "", "s", "temp_"}) {
    EXPECT_FALSE(text_leaves_traces(sql)) << sql;
  }
}

TEST(Traces, RollbackOfTheWholeTransaction) {
  for (const char* sql : {"ROLLBACK", "rollback;", " -- so be it\n abort ; ", "ROLLBACK WORK", "rollback transaction"}) {
    EXPECT_TRUE(is_rollback(sql)) << sql;
  }
  for (const char* sql : {"ROLLBACK TO a", "rollback to savepoint a", "COMMIT", "", "-- rollback", "rollbacks",
                          "ROLLBACK; DROP TABLE t", "ROLLBACK AND CHAIN", "ROLLBACK PREPARED 'x'"}) {
    EXPECT_FALSE(is_rollback(sql)) << sql;
  }
}

}  // namespace
}  // namespace tide::libpq
