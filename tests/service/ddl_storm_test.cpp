// Prepared statements while the schema changes under them: no error reaches a caller outside of a transaction.
#include <array>
#include <atomic>
#include <mutex>
#include <random>
#include <set>

#include "service/support.hpp"

namespace tide::test {
namespace {

constexpr int kThreads = 16;
constexpr int kKeys = 20;

// The texts of the errors that callers got, each once.
class Complaints {
 public:
  void add(const std::string& text) {
    const std::lock_guard lock(mutex_);
    ++count_;
    if (seen_.size() < 8) seen_.insert(text);
  }
  std::string text() const {
    std::string out = std::to_string(count_) + " errors";
    for (const std::string& one : seen_) out += "\n  " + one;
    return out;
  }
  int64_t count() const { return count_; }

 private:
  std::mutex mutex_;
  std::set<std::string> seen_;
  int64_t count_ = 0;
};

class DdlStorm : public ::testing::Test {
 protected:
  static constexpr const char* kOptions =
      "min_size=8 max_size=8 breaker=off recovery='' emergency=off acquire_timeout=30s query_timeout=30s "
      "statement_timeout=30s retry_base=1ms retry_max=5ms ";

  void SetUp() override {
    REQUIRE_SERVER();
    direct_ = std::make_unique<Db>(server_words(), "min_size=1 max_size=4");
    direct_->query("DROP SCHEMA IF EXISTS other CASCADE");
    direct_->query("DROP TABLE IF EXISTS wide, swapped, counted, which");
    direct_->query("CREATE SCHEMA other");
    for (const char* const table :
         {"wide (id int, a int, b text)", "swapped (id int, a text)", "counted (id int, n int)"}) {
      direct_->query(std::string("CREATE TABLE ") + table);
    }
    for (const char* const fill : {"wide SELECT n, n, 'b' || n", "swapped SELECT n, 'a' || n", "counted SELECT n, 0"}) {
      direct_->query(std::string("INSERT INTO ") + fill + " FROM generate_series(1, 20) n");
    }
    direct_->query("CREATE TABLE which AS SELECT 'public' AS place");
    direct_->query("CREATE TABLE other.which AS SELECT 'other' AS place, 1 AS more");
  }

  // One statement of a caller; checks the result.
  void call(const Db& db, std::mt19937& random, Complaints& complaints) {
    const int key = std::uniform_int_distribution<int>(1, kKeys)(random);
    const Values params = {tide_value_int(key)};
    Result out;
    Error error;
    const auto run = [&](const char* sql) {
      if (db.run(sql, params, out, error) == TIDE_OK) return true;
      complaints.add(std::string(sql) + ": " + error.text());
      return false;
    };
    const auto expect = [&](const std::string& got, const std::string& expected, const char* what) {
      if (got != expected) complaints.add(std::string(what) + ": " + got + " instead of " + expected);
    };
    const std::string number = std::to_string(key);
    switch (std::uniform_int_distribution<int>(0, 5)(random)) {
      case 0:
        if (run("SELECT * FROM wide WHERE id = $1")) expect(out.text(0, 0), number, "id of *");
        break;
      case 1:
        if (run("SELECT a, b FROM wide WHERE a = $1")) expect(out.text(0, 1), "b" + number, "b");
        break;
      case 2:
        if (run("SELECT a FROM swapped WHERE id = $1")) expect(out.text(), "a" + number, "swapped");
        break;
      case 3:
        if (run("SELECT place FROM which WHERE $1 > 0")) expect(out.text(), "public", "which");
        break;
      default:
        if (run("UPDATE counted SET n = n + 1 WHERE id = $1")) {
          ++updates_;
          expect(std::to_string(tide_result_affected(out.get())), "1", "rows changed");
        }
    }
  }

  // One change of the schema, each on a session of its own.
  void change(int turn) {
    static constexpr std::array kChanges = {
        "ALTER TABLE wide ADD COLUMN c int DEFAULT 7",
        "ALTER TABLE wide ALTER COLUMN a TYPE bigint",
        "ALTER TABLE counted ADD COLUMN more text",
        "ALTER TABLE wide DROP COLUMN c",
        "ALTER TABLE counted ALTER COLUMN n TYPE bigint",
        "BEGIN; DROP TABLE swapped; CREATE TABLE swapped (a text, id int); "
        "INSERT INTO swapped SELECT 'a' || n, n FROM generate_series(1, 20) n; COMMIT",
        "ALTER TABLE wide ALTER COLUMN a TYPE int",
        "ALTER TABLE counted DROP COLUMN more",
        "ALTER TABLE counted ALTER COLUMN n TYPE int",
        "BEGIN; DROP TABLE swapped; CREATE TABLE swapped (id bigint, more int, a varchar(20)); "
        "INSERT INTO swapped SELECT n, n, 'a' || n FROM generate_series(1, 20) n; COMMIT",
    };
    direct_->query(kChanges[static_cast<size_t>(turn) % kChanges.size()]);
  }

  // What a holder does to its session.
  static void disturb(const Db& db, int turn) {
    const Lease lease(db);
    switch (turn % 3) {
      case 0: lease.query("DISCARD ALL"); break;
      case 1: lease.query("DEALLOCATE ALL"); break;
      default:
        lease.query("SET search_path = other");
        for (int i = 0; i < 3; ++i) {
          EXPECT_EQ(lease.ask("SELECT place FROM which WHERE $1 > 0", {tide_value_int(1)}), "other");
        }
        break;
    }
    EXPECT_EQ(lease.ask("SELECT $1::int + 1", {tide_value_int(41)}), "42");
  }

  void storm(const Db& db, int changes, bool has_own_sessions) {
    Complaints complaints;
    std::atomic<bool> is_over{false};
    std::atomic<int64_t> calls{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        std::mt19937 random(static_cast<unsigned>(i));
        for (; !is_over; ++calls) call(db, random, complaints);
      });
    }
    for (int turn = 0; turn < changes; ++turn) {
      change(turn);
      if (has_own_sessions) disturb(db, turn);
      const int64_t mark = calls;
      EXPECT_TRUE(wait_until([&] { return calls > mark + 100; }, std::chrono::seconds(30)))
          << "the callers have stopped";
      if (HasFailure()) break;
    }
    is_over = true;
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(complaints.count(), 0) << complaints.text();
    // No update was repeated, none is lost.
    EXPECT_EQ(direct_->number("SELECT sum(n)::bigint FROM counted"), updates_.load());
    std::printf("%d changes, %lld calls\n", changes, static_cast<long long>(calls.load()));
  }

  std::unique_ptr<Db> direct_;
  std::atomic<int64_t> updates_{0};
};

TEST_F(DdlStorm, Server) {
  const Db db(server_words(), kOptions);
  storm(db, 200, true);
}

using DdlStormThroughPgBouncer = DdlStorm;

TEST_F(DdlStormThroughPgBouncer, TransactionMode) {
  const char* const words = std::getenv("TIDE_TEST_PGBOUNCER");
  ASSERT_NE(words, nullptr) << "start this program by tests/pg/with_server.py --bouncer";
  const Db db(words, std::string(kOptions) + "pooler=transaction");
  storm(db, 200, false);
}

// Inside of a transaction the statement cannot be repeated: the error says why, and the next transaction works.
TEST_F(DdlStorm, ErrorInATransactionSaysWhy) {
  const Db db(server_words(), "min_size=1 max_size=1");
  const Lease lease(db);
  const char* const sql = "SELECT * FROM wide WHERE id = $1";
  for (int i = 0; i < 3; ++i) lease.query(sql, {tide_value_int(1)});
  Error error;
  tide_tx tx{};
  ASSERT_EQ(tide_tx_begin_on(lease.get(), nullptr, &tx, &error), TIDE_OK) << error.text();
  direct_->query("ALTER TABLE wide ADD COLUMN d int");
  const tide_value param = tide_value_int(1);
  const tide_status status = tide_tx_query(tx, sql, 1, &param, nullptr, nullptr, &error);
  if (status != TIDE_OK) {
    EXPECT_STREQ(error.sqlstate, "0A000") << error.text();
    EXPECT_NE(std::string(error.detail) + error.hint, "");
  }
  tide_tx_rollback(tx, nullptr);
  EXPECT_EQ(tide_result_columns(lease.query(sql, {param}).get()), 4);
}

}  // namespace
}  // namespace tide::test
