// A file database with sessions whose writer turn the test can look at, and a handle outside of the pool.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <thread>

#include "driver/sqlite/database_file.hpp"
#include "driver/sqlite/errors.hpp"
#include "driver/sqlite/session.hpp"
#include "driver/sqlite/target.hpp"
#include "unit/driver/support.hpp"

namespace tide::test {

using sqlite::DatabaseFile;
using sqlite::SqliteConnection;

// Timeouts off: a test that wants one says so.
inline Policy patient_policy() {
  Policy policy;
  policy.query_timeout = policy.statement_timeout = Span();
  policy.sqlite_max_read_transaction = Span();
  policy.sqlite_busy_timeout = Span::seconds(60);
  return policy;
}

class SqliteRoom : public ::testing::Test {
 protected:
  std::unique_ptr<SqliteConnection> make_session(const Policy& policy, const std::string& name = "test.db") {
    auto session = open_session_on(file(name), policy, clock_);
    EXPECT_OK(session->furnish(clock_.now() + Span::seconds(30)));
    EXPECT_OK(session->begin_lease(LeaseMode::read_write, clock_.now()));
    return session;
  }
  std::unique_ptr<SqliteConnection> make_session() { return make_session(patient_policy()); }
  // As its connector would know it: one for all sessions of a name.
  const std::shared_ptr<DatabaseFile>& file(const std::string& name = "test.db") {
    std::shared_ptr<DatabaseFile>& found = files_[name];
    if (found == nullptr) found = std::make_shared<DatabaseFile>(sqlite::make_target(dir_.file(name)), clock_);
    return found;
  }
  // Neither furnished nor leased.
  std::unique_ptr<SqliteConnection> open_session_on(const std::shared_ptr<DatabaseFile>& file, const Policy& policy,
                                                    const Clock& clock) {
    sqlite::Database database;
    EXPECT_OK(sqlite::open_database(file->target(), database).status);
    return std::make_unique<SqliteConnection>(std::move(database), ++sessions_, file, policy, clock);
  }
  // Half way through a read on native(): pins a snapshot.
  sqlite3_stmt* leave_half_read(Connection& session) {
    sqlite3_stmt* statement = nullptr;
    auto* database = static_cast<sqlite3*>(session.native());
    EXPECT_EQ(sqlite3_prepare_v2(database, "SELECT x FROM t", -1, &statement, nullptr), SQLITE_OK);
    EXPECT_EQ(sqlite3_step(statement), SQLITE_ROW);
    return statement;
  }
  void until_waiting(size_t waiters) {
    while (file()->turn().waiting() != waiters) std::this_thread::yield();
  }
  uint64_t turn_holder() { return file()->turn().holder().session; }
  Settled settle_and_lease(Connection& session, ResetMode mode, LeaseMode next = LeaseMode::read_write) {
    const Settled settled = session.settle(mode);
    if (settled == Settled::clean) EXPECT_OK(session.begin_lease(next, clock_.now()));
    return settled;
  }

  TempDir dir_;
  RealClock clock_;
  std::map<std::string, std::shared_ptr<DatabaseFile>> files_;
  uint64_t sessions_ = 0;
};

// Somebody who knows nothing of the pool.
class Stranger {
 public:
  explicit Stranger(const std::string& path) { EXPECT_EQ(sqlite3_open(path.c_str(), &database_), SQLITE_OK); }
  ~Stranger() { sqlite3_close(database_); }
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;
  int run(const char* sql) { return sqlite3_exec(database_, sql, nullptr, nullptr, nullptr); }

 private:
  sqlite3* database_ = nullptr;
};

inline int run_native(Connection& session, const char* sql) {
  return sqlite3_exec(static_cast<sqlite3*>(session.native()), sql, nullptr, nullptr, nullptr);
}

}  // namespace tide::test
