#include "driver/libpq/errors.hpp"

#include <gtest/gtest.h>

namespace tide::libpq {
namespace {

TEST(PostgresqlErrors, WhichEndTheSession) {
  for (const char* s : {"08006", "08P01", "57P01", "57P02", "57P03", "57P05", "25P03", "25P04", "58030", "XX000"}) {
    EXPECT_TRUE(ends_session(s)) << s;
  }
  for (const char* s : {"", "57014", "40001", "23505", "53300", "25006", "57P06", "42601", "57P0"}) {
    EXPECT_FALSE(ends_session(s)) << s;
  }
}

TEST(PostgresqlErrors, WhichReportAShutdown) {
  EXPECT_TRUE(ends_generation("57P02"));
  EXPECT_TRUE(may_end_generation("57P01"));
  for (const char* s : {"57P01", "57P03", "57P05"}) EXPECT_FALSE(ends_generation(s)) << s;
  for (const char* s : {"57P02", "57P03", "57P05", "57014"}) EXPECT_FALSE(may_end_generation(s)) << s;
}

TEST(PostgresqlErrors, WhichAreRetryable) {
  for (const char* s : {"40001", "40P01", "08006", "57P01", "53300"}) EXPECT_TRUE(is_retryable(s)) << s;
  for (const char* s : {"23505", "42601", "57014", "28P01", ""}) EXPECT_FALSE(is_retryable(s)) << s;
}

TEST(PostgresqlErrors, FirstLine) {
  EXPECT_EQ(first_line("one \ntwo"), "one");
  EXPECT_EQ(first_line(""), "");
}

TEST(PostgresqlErrors, InvalidTargetGivesTheReason) {
  PGconn* const conn = PQconnectStart("host=/nowhere port=notanumber");
  const ConnectFailure failure = connect_failure(conn);
  PQfinish(conn);
  EXPECT_NE(failure.status.message().find("notanumber"), std::string::npos) << failure.status.message();
  EXPECT_EQ(failure.status.sqlstate(), "08001");
}

}  // namespace
}  // namespace tide::libpq
