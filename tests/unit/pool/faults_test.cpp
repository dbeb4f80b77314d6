// Which failures count as faults.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "driver/sqlite/errors.hpp"
#include "pool/faults.hpp"

namespace tide::test {
namespace {

Status failed(Code code, const char* sqlstate = "", int native_code = 0) {
  Status status = Status::error(code, "failed as requested");
  status.text().sqlstate = sqlstate;
  status.native_code = native_code;
  return status;
}

TEST(Faults, ByCode) {
  EXPECT_FALSE(is_fault(Status::ok()));
  const struct {
    Code code;
    bool is_fault;
  } kCases[] = {
      {Code::timeout, true},   {Code::unavailable, true},   {Code::database, true},     {Code::internal, true},
      {Code::no_memory, true}, {Code::bad_argument, false}, {Code::stale_lease, false},
  };
  for (const auto& c : kCases) EXPECT_EQ(is_fault(failed(c.code)), c.is_fault) << code_name(c.code);
}

TEST(Faults, BySqlstate) {
  const struct {
    const char* sqlstate;
    bool is_fault;
  } kCases[] = {
      {"23505", false}, {"23503", false}, {"23000", false}, {"40001", false}, {"40P01", false}, {"P0001", false},
      {"55P03", false}, {"57014", false}, {"08006", true},  {"57P01", true},  {"53200", true},  {"53300", true},
      {"XX000", true},  {"58030", true},  {"42601", true},  {"42P01", true},  {"42804", true},  {"25006", true},
      {"P0002", true},  {"55000", true},  {"57P03", true},  {"HY000", true},  {"", true},       {"2", true},
  };
  for (const auto& c : kCases) EXPECT_EQ(is_fault(failed(Code::database, c.sqlstate)), c.is_fault) << c.sqlstate;
}

TEST(Faults, DeadlineCountsButCancelDoesNot) {
  EXPECT_TRUE(is_fault(failed(Code::timeout, "57014")));
  EXPECT_FALSE(is_fault(failed(Code::database, "57014")));
  EXPECT_FALSE(is_fault(failed(Code::bad_argument, "08006")));
  EXPECT_FALSE(is_fault(failed(Code::stale_lease, "57P01")));
}

TEST(Faults, BySqliteCode) {
  const struct {
    int code;
    bool is_fault;
  } kCases[] = {
      {SQLITE_CONSTRAINT, false},
      {SQLITE_CONSTRAINT_UNIQUE, false},
      {SQLITE_CONSTRAINT_CHECK, false},
      {SQLITE_CONSTRAINT_TRIGGER, false},
      {SQLITE_CONSTRAINT_DATATYPE, false},
      {SQLITE_CONSTRAINT_VTAB, false},
      {SQLITE_BUSY_SNAPSHOT, false},
      {SQLITE_CORRUPT, true},
      {SQLITE_IOERR, true},
      {SQLITE_FULL, true},
      {SQLITE_NOMEM, true},
      {SQLITE_MISMATCH, true},
  };
  for (const auto& c : kCases) {
    const std::string sqlstate(sqlite::sqlstate_of(c.code, "failed as requested"));
    EXPECT_EQ(is_fault(failed(Code::database, sqlstate.c_str(), c.code)), c.is_fault) << c.code;
  }
}

}  // namespace
}  // namespace tide::test
