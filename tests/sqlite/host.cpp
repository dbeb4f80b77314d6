// A host of the extension that can run under the sanitizers: SQLite, a pool and the extension in one process.
//
// What users see is tested from Python and the shell. This test is about memory, threads and unloading: whatever a
// connection leaves open when it is closed, and whichever allocation fails, there must be no leak, no use after free
// and no race.
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <tidepool/tidepool.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

std::string extension_path() {
  const char* path = std::getenv("TIDE_EXTENSION");
  return path != nullptr ? path : "tidepool";
}

struct Outcome {
  int code = SQLITE_OK;
  std::string message;
  std::vector<std::vector<std::string>> rows;

  std::string cell() const { return rows.empty() ? "" : rows[0][0]; }
};

class Connection {
 public:
  Connection() {
    EXPECT_EQ(sqlite3_open(":memory:", &db_), SQLITE_OK);
    sqlite3_db_config(db_, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, nullptr);
  }
  ~Connection() { sqlite3_close_v2(db_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  sqlite3* get() { return db_; }

  int load() {
    char* message = nullptr;
    const int code = sqlite3_load_extension(db_, extension_path().c_str(), nullptr, &message);
    if (message != nullptr) message_ = message;
    sqlite3_free(message);
    return code;
  }
  const std::string& message() const { return message_; }

  Outcome run(const std::string& sql) {
    Outcome outcome;
    const auto row = [](void* to, int count, char** values, char**) {
      std::vector<std::string> cells;
      for (int i = 0; i < count; ++i) cells.emplace_back(values[i] != nullptr ? values[i] : "NULL");
      static_cast<Outcome*>(to)->rows.push_back(std::move(cells));
      return 0;
    };
    char* message = nullptr;
    outcome.code = sqlite3_exec(db_, sql.c_str(), row, &outcome, &message);
    if (message != nullptr) outcome.message = message;
    sqlite3_free(message);
    return outcome;
  }

 private:
  sqlite3* db_ = nullptr;
  std::string message_;
};

class SqliteHost : public testing::Test {
 protected:
  void SetUp() override {
    std::string folder = "/dev/shm/tidepool-host-XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    setenv("TIDEPOOL_DIR", folder_.c_str(), 1);
    for (const char* name : {"app", "jobs"}) {
      tide_pool* pool = nullptr;
      tide_error error = TIDE_ERROR_INIT;
      const std::string url = "sqlite:///" + folder_ + "/" + name + ".db";
      ASSERT_EQ(tide_pool_open(name, url.c_str(), "min_size=2 max_size=10", &pool, &error), TIDE_OK) << error.message;
      pools_.push_back(pool);
    }
  }

  void TearDown() override {
    for (tide_pool* pool : pools_) EXPECT_EQ(tide_pool_close(pool, 1'000, nullptr), TIDE_OK);
    std::filesystem::remove_all(folder_);
  }

  std::string folder_;
  std::vector<tide_pool*> pools_;
};

TEST_F(SqliteHost, EveryRelationIsReadCompletely) {
  Connection db;
  ASSERT_EQ(db.load(), SQLITE_OK) << db.message();
  tide_lease lease{};
  ASSERT_EQ(tide_pool_acquire(pools_[0], "from the host", 1'000, &lease, nullptr), TIDE_OK);
  for (int i = 0; const tide_relation* relation = tide_relation_at(i); ++i) {
    const std::string table = std::string("tidepool_") + relation->name;
    for (const std::string& condition : {std::string(), std::string(" WHERE dir = '/nonexistent'")}) {
      const Outcome outcome = db.run("SELECT * FROM " + table + condition);
      EXPECT_EQ(outcome.code, SQLITE_OK) << table << ": " << outcome.message;
      for (const auto& row : outcome.rows) EXPECT_EQ(row.size(), static_cast<size_t>(relation->ncolumns));
    }
  }
  EXPECT_EQ(db.run("SELECT tag FROM tidepool_leases WHERE pool = 'app'").cell(), "from the host");
  EXPECT_EQ(db.run("SELECT count(*) FROM tidepool_pools WHERE pool = 'app' OR pool = 'jobs'").cell(), "2");
  EXPECT_EQ(tide_lease_release(lease, nullptr), TIDE_OK);
}

TEST_F(SqliteHost, UnloadsWithObjectsLeftOpen) {
  for (int round = 0; round < 100; ++round) {
    Connection db;
    ASSERT_EQ(db.load(), SQLITE_OK) << db.message();
    sqlite3_stmt* half_read = nullptr;
    switch (round % 4) {
      case 0:  // nothing was ever used
        break;
      case 1:  // a transaction with staged commands
        EXPECT_EQ(db.run("BEGIN; SAVEPOINT a; UPDATE tidepool_pools SET target_size = 5").code, SQLITE_OK);
        break;
      case 2:  // a statement between two rows
        ASSERT_EQ(sqlite3_prepare_v2(db.get(), "SELECT * FROM tidepool_settings", -1, &half_read, nullptr), SQLITE_OK);
        EXPECT_EQ(sqlite3_step(half_read), SQLITE_ROW);
        sqlite3_finalize(half_read);
        break;
      default:  // errors
        EXPECT_EQ(db.run("SELECT tidepool_scale('nobody', 1)").code, SQLITE_ERROR);
        EXPECT_EQ(db.run("UPDATE tidepool_pools SET in_use = 1").code, SQLITE_CONSTRAINT);
    }
  }
  Connection db;
  ASSERT_EQ(db.load(), SQLITE_OK);
  EXPECT_EQ(db.run("SELECT count(*) FROM tidepool_commands").cell(), "0");
}

TEST_F(SqliteHost, ThreadsWithSeparateConnections) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([t] {
      for (int round = 0; round < 5; ++round) {
        Connection db;
        EXPECT_EQ(db.load(), SQLITE_OK) << db.message();
        EXPECT_EQ(db.run("SELECT count(*) FROM tidepool_pools").cell(), "2");
        const std::string size = std::to_string(3 + t % 5);
        EXPECT_EQ(db.run("UPDATE tidepool_pools SET target_size = " + size + " WHERE pool = 'app'").code, SQLITE_OK);
        const Outcome outcome = db.run("SELECT tidepool_set('jobs', 'acquire_timeout', '" + size + "s')");
        EXPECT_EQ(outcome.code, SQLITE_OK) << outcome.message;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(SqliteHost, ThreadsSharingOneConnection) {
  Connection db;
  ASSERT_EQ(db.load(), SQLITE_OK) << db.message();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&db] {
      for (int round = 0; round < 20; ++round) {
        EXPECT_EQ(db.run("SELECT * FROM tidepool_connections").code, SQLITE_OK);
        EXPECT_EQ(db.run("SELECT tidepool_version()").code, SQLITE_OK);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// SQLite's own allocations, made to fail one after the other in the thread that requests it.
sqlite3_mem_methods g_plenty;
thread_local int t_until_failure = -1;  // allocations that still succeed; below 0: all do

bool is_denied() {
  if (t_until_failure > 0) --t_until_failure;
  return t_until_failure == 0;
}

// The allocator can only be set before SQLite is first used, by a pool or by a test.
class Scarcity : public testing::Environment {
 public:
  void SetUp() override {
    ASSERT_EQ(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &g_plenty), SQLITE_OK);
    sqlite3_mem_methods scarce = g_plenty;
    scarce.xMalloc = [](int bytes) { return is_denied() ? nullptr : g_plenty.xMalloc(bytes); };
    scarce.xRealloc = [](void* old, int bytes) { return is_denied() ? nullptr : g_plenty.xRealloc(old, bytes); };
    ASSERT_EQ(sqlite3_config(SQLITE_CONFIG_MALLOC, &scarce), SQLITE_OK);
  }
};
[[maybe_unused]] const testing::Environment* const g_scarcity = testing::AddGlobalTestEnvironment(new Scarcity);

TEST_F(SqliteHost, AnyAllocationOfSqliteMayFail) {
  const char* const statements[] = {
      "SELECT * FROM tidepool_pools WHERE pool = 'app'",
      "SELECT * FROM tidepool_pools WHERE pool = 'nobody' OR instance_id = 'none'",
      "UPDATE tidepool_pools SET in_use = 1",
      "UPDATE tidepool_pools SET target_size = 'many'",
      "BEGIN; UPDATE tidepool_pools SET min_size = 1, target_size = 5; ROLLBACK",
      "SELECT tidepool_scale('nobody', 1)",
      "SELECT tidepool_scale('app')",
  };
  const auto all = [&](int succeed) {
    Connection db;
    t_until_failure = succeed;
    if (db.load() == SQLITE_OK) {
      for (const char* sql : statements) db.run(sql);
    }
    const bool was_hit = t_until_failure == 0;
    t_until_failure = -1;
    return was_hit;
  };
  int rounds = 0;
  for (int succeed = 1; all(succeed); succeed += 1 + succeed / 40) ++rounds;
  EXPECT_GT(rounds, 50);
  Connection db;
  ASSERT_EQ(db.load(), SQLITE_OK) << db.message();
  EXPECT_EQ(db.run("SELECT count(*) FROM tidepool_pools").cell(), "2");
  EXPECT_EQ(db.run("SELECT count(*) FROM tidepool_commands").cell(), "0");
}

}  // namespace
