// tide_lease_cancel() ends whatever runs on the lease, and never a statement of a later lease.
#include <atomic>
#include <random>

#include "service/support.hpp"

namespace tide::test {
namespace {

struct Words {
  const char* runs_long;
  const char* many_rows;
  const char* short_one;  // takes about a millisecond
};

const Words kPostgresqlWords = {"SELECT pg_sleep(60)", "SELECT n FROM (SELECT generate_series(1, 1000000000) AS n) s",
                                "SELECT pg_sleep(0.001)"};

#define NUMBERS(MAX) "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < " MAX ") "
const Words kSqliteWords = {NUMBERS("10000000000") "SELECT count(*) FROM s", NUMBERS("10000000000") "SELECT n FROM s",
                            NUMBERS("10000") "SELECT count(*) FROM s"};
#undef NUMBERS

class Cancels : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (is_postgresql()) REQUIRE_SERVER();
    const std::string url = is_postgresql() ? server_words() : "sqlite://" + folder_.file("cancels.db");
    db_ = std::make_unique<Db>(url, "min_size=1 max_size=1 query_timeout=60s statement_timeout=0 acquire_timeout=10s");
    db_->query("DROP TABLE IF EXISTS cancelled");
    db_->query("CREATE TABLE cancelled (id int)");
  }
  bool is_postgresql() const { return std::string(GetParam()) == "postgresql"; }
  const Words& words() const { return is_postgresql() ? kPostgresqlWords : kSqliteWords; }

  // Runs the call, which fills in its error, and cancels the lease until it returns, when it has begun. A cancel before
  // the statement runs has no effect.
  template <typename Call>
  void expect_cancelled(
      const Lease& lease, Call call, const std::function<bool()>& has_begun = [] { return true; }) {
    std::atomic<bool> is_over{false};
    Error error;
    const auto began = SteadyTime::now();
    std::thread caller([&] {
      call(error);
      is_over = true;
    });
    wait_until([&] { return is_over || has_begun(); }, std::chrono::seconds(10));
    while (!is_over && SteadyTime::now() - began < std::chrono::seconds(20)) {
      EXPECT_EQ(tide_lease_cancel(lease.get(), nullptr), TIDE_OK);
      wait_until([&] { return is_over.load(); }, std::chrono::milliseconds(50));
    }
    caller.join();
    EXPECT_LT(SteadyTime::now() - began, std::chrono::seconds(5));
    EXPECT_STREQ(error.sqlstate, "57014") << error.text();
    EXPECT_EQ(lease.ask("SELECT 42"), "42") << "after the cancel";
    EXPECT_EQ(lease.ask("SELECT 43"), "43") << "after the cancel";
  }

  TempFolder folder_;
  std::unique_ptr<Db> db_;
};

TEST_P(Cancels, Query) {
  const Lease lease(*db_);
  for (int i = 0; i < 4; ++i) {  // also when it is prepared
    expect_cancelled(lease, [&](Error& error) {
      Result out;
      lease.run(words().runs_long, {}, out, error);
    });
  }
}

TEST_P(Cancels, Stream) {
  const Lease lease(*db_);
  for (int i = 0; i < 3; ++i) {
    std::atomic<int64_t> rows{0};
    const auto on_row = [](void* context, const tide_result*, int64_t) {
      ++*static_cast<std::atomic<int64_t>*>(context);
      return 0;
    };
    expect_cancelled(
        lease,
        [&](Error& error) {
          tide_lease_stream(lease.get(), words().many_rows, 0, nullptr, nullptr, on_row, &rows, nullptr, &error);
        },
        [&] { return rows > 0; });
    EXPECT_GT(rows, 0);
  }
}

TEST_P(Cancels, PulledRows) {
  const Lease lease(*db_);
  for (int i = 0; i < 3; ++i) {
    expect_cancelled(lease, [&](Error& error) {
      tide_rows* rows = nullptr;
      if (tide_lease_rows(lease.get(), words().many_rows, 0, nullptr, nullptr, &rows, &error) != TIDE_OK) return;
      const tide_result* page = nullptr;
      while (tide_rows_next(rows, &page, &error) == TIDE_OK && page != nullptr) continue;
      tide_rows_close(rows);
    });
  }
}

TEST_P(Cancels, BatchHasNoEffect) {
  const Lease lease(*db_);
  for (int i = 0; i < 3; ++i) {
    expect_cancelled(lease, [&](Error& error) {
      const tide_statement statements[] = {{"INSERT INTO cancelled VALUES (1)", nullptr, 0, 0},
                                           {words().runs_long, nullptr, 0, 0},
                                           {"INSERT INTO cancelled VALUES (2)", nullptr, 0, 0}};
      tide_lease_batch(lease.get(), statements, 3, nullptr, nullptr, &error);
    });
    EXPECT_EQ(lease.ask("SELECT count(*) FROM cancelled"), "0");
  }
}

TEST_P(Cancels, TransactionCanBeRolledBack) {
  const Lease lease(*db_);
  Error error;
  tide_tx tx{};
  ASSERT_EQ(tide_tx_begin_on(lease.get(), nullptr, &tx, &error), TIDE_OK) << error.text();
  ASSERT_EQ(tide_tx_execute(tx, "INSERT INTO cancelled VALUES (1)", 0, nullptr, nullptr, nullptr, &error), TIDE_OK);
  std::atomic<bool> is_over{false};
  Error told;
  std::thread caller([&] {
    tide_tx_query(tx, words().runs_long, 0, nullptr, nullptr, nullptr, &told);
    is_over = true;
  });
  while (!is_over) {
    tide_lease_cancel(lease.get(), nullptr);
    wait_until([&] { return is_over.load(); }, std::chrono::milliseconds(50));
  }
  caller.join();
  EXPECT_STREQ(told.sqlstate, "57014") << told.text();
  EXPECT_EQ(tide_tx_rollback(tx, &error), TIDE_OK) << error.text();
  EXPECT_EQ(lease.ask("SELECT count(*) FROM cancelled"), "0");
}

// The session is the same one all the time.
TEST_P(Cancels, LateCancelNeverHitsTheNextLease) {
  std::atomic<uint64_t> current{0};
  std::atomic<bool> is_over{false};
  std::thread canceller([&] {
    std::mt19937 random(1);
    while (!is_over) {
      const tide_lease lease{db_->pool(), current.load()};
      const auto delay = std::chrono::microseconds(std::uniform_int_distribution<int>(0, 2000)(random));
      const auto until = SteadyTime::now() + delay;
      while (SteadyTime::now() < until) std::this_thread::yield();
      if (lease.id != 0) tide_lease_cancel(lease, nullptr);
    }
  });
  int cancelled = 0;
  for (int i = 0; i < 500; ++i) {
    {
      const Lease lease(*db_);
      current = lease.get().id;
      Result out;
      Error error;
      if (lease.run(words().short_one, {}, out, error) != TIDE_OK) {
        EXPECT_STREQ(error.sqlstate, "57014") << error.text();
        ++cancelled;
      }
      current = 0;
    }
    const Lease next(*db_);  // nobody cancels this one
    EXPECT_EQ(next.ask(words().short_one), is_postgresql() ? "" : "10000");
    if (HasFailure()) break;
  }
  is_over = true;
  canceller.join();
  EXPECT_GT(cancelled, 0);
}

INSTANTIATE_TEST_SUITE_P(Databases, Cancels, ::testing::Values("postgresql", "sqlite"),
                         [](const auto& database) { return std::string(database.param); });

}  // namespace
}  // namespace tide::test
