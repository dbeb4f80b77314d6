// The connection is cut at every byte of a transaction, in both directions: the outcome that is told is the one that
// happened.
#include <map>

#include "service/cutting_proxy.hpp"

namespace tide::test {
namespace {

using Direction = CuttingProxy::Direction;

struct Told {
  tide_status status = TIDE_OK;
  std::string text;
};

// How a program makes the transaction that inserts a row.
using Program = Told (*)(tide_pool*, int64_t row);

constexpr const char* kInsertRow = "INSERT INTO outcome VALUES ($1)";

Told with_handle(tide_pool* pool, int64_t row) {
  Error error;
  tide_tx tx{};
  if (tide_tx_begin(pool, nullptr, &tx, &error) != TIDE_OK) return {error.status, error.text()};
  const tide_value param = tide_value_int(row);
  if (tide_tx_execute(tx, kInsertRow, 1, &param, nullptr, nullptr, &error) != TIDE_OK) {
    const Told told{error.status, error.text()};
    tide_tx_rollback(tx, nullptr);
    return told;
  }
  if (tide_tx_commit(tx, &error) != TIDE_OK) return {error.status, error.text()};
  return {};
}

Told with_function(tide_pool* pool, int64_t row) {
  Error error;
  const auto body = [](void* context, tide_tx tx) {
    const tide_value param = tide_value_int(*static_cast<const int64_t*>(context));
    return static_cast<int>(tide_tx_execute(tx, kInsertRow, 1, &param, nullptr, nullptr, nullptr));
  };
  if (tide_pool_transaction(pool, body, &row, nullptr, &error) != TIDE_OK) return {error.status, error.text()};
  return {};
}

// One call, which is a transaction of its own.
Told with_batch(tide_pool* pool, int64_t row) {
  Error error;
  const tide_value param = tide_value_int(row);
  const tide_statement statements[] = {{kInsertRow, &param, 1, 0}, {"SELECT 1", nullptr, 0, 0}};
  if (tide_pool_batch(pool, statements, 2, nullptr, nullptr, &error) != TIDE_OK) return {error.status, error.text()};
  return {};
}

Told with_batch_in_transaction(tide_pool* pool, int64_t row) {
  Error error;
  tide_tx tx{};
  if (tide_tx_begin(pool, nullptr, &tx, &error) != TIDE_OK) return {error.status, error.text()};
  const tide_value param = tide_value_int(row);
  const tide_statement statements[] = {{kInsertRow, &param, 1, 0}, {"SELECT 1", nullptr, 0, 0}};
  if (tide_tx_batch(tx, statements, 2, nullptr, nullptr, &error) != TIDE_OK) {
    const Told told{error.status, error.text()};
    tide_tx_rollback(tx, nullptr);
    return told;
  }
  if (tide_tx_commit(tx, &error) != TIDE_OK) return {error.status, error.text()};
  return {};
}

// A statement, which is a transaction of its own.
Told with_execute(tide_pool* pool, int64_t row) {
  Error error;
  const tide_value param = tide_value_int(row);
  if (tide_pool_execute(pool, kInsertRow, 1, &param, nullptr, nullptr, &error) != TIDE_OK) {
    return {error.status, error.text()};
  }
  return {};
}

class CommitOutcome : public ::testing::Test {
 protected:
  struct Counts {
    int ok = 0;
    int unknown = 0;
    int failed = 0;
    int committed = 0;  // of the unknown ones
  };

  void SetUp() override {
    REQUIRE_SERVER();
    direct_ = std::make_unique<Db>(server_words(), "min_size=1 max_size=2");
    direct_->query("DROP TABLE IF EXISTS outcome");
    direct_->query("CREATE TABLE outcome (id bigint)");  // no key: a second copy of a row would be seen
    proxy_ = std::make_unique<CuttingProxy>(server_words());
  }

  // Cuts the transaction of the program at every byte. `is_error_open`: an error says nothing about the outcome.
  Counts cut_everywhere(Program program, const std::string& options, bool is_error_open = false) {
    const Db db(proxy_->words(),
                "min_size=1 max_size=3 breaker=off recovery='' emergency=off retry_base=1ms retry_max=5ms "
                "connect_timeout=5s acquire_timeout=10s query_timeout=10s " +
                    options);
    Counts counts;
    for (const Direction direction : {Direction::to_server, Direction::to_client}) {
      // The first uses of a statement are longer: it is prepared then.
      int64_t length = 0;
      for (int i = 0; i < 4; ++i) {
        EXPECT_TRUE(wait_until([&] { return db.ask("SELECT 1") == "1"; }, std::chrono::seconds(5)));
        proxy_->count();
        EXPECT_EQ(program(db.pool(), ++row_).status, TIDE_OK);
        length = std::max(length, proxy_->disarm(direction));
      }
      EXPECT_GT(length, 30);
      for (int64_t bytes = 0; bytes <= length; ++bytes) {
        if (HasFailure()) return counts;
        const std::string where = std::string(direction == Direction::to_server ? "to the server" : "to the client") +
                                  ", cut after byte " + std::to_string(bytes) + " of " + std::to_string(length);
        Result warmed;  // may fail, because the session was cut
        Error ignored;
        db.run("SELECT 1", {}, warmed, ignored);
        proxy_->arm(direction, bytes);
        const Told told = program(db.pool(), ++row_);
        proxy_->disarm(direction);
        // What the server still has of the session may take effect until this.
        EXPECT_TRUE(wait_until([&] { return proxy_->are_cut_ones_gone(); }, std::chrono::seconds(10))) << where;
        const int64_t found = direct_->number("SELECT count(*) FROM outcome WHERE id = $1", {tide_value_int(row_)});
        if (told.status == TIDE_OK) {
          ++counts.ok;
          EXPECT_EQ(found, 1) << where << ": told that it was committed";
        } else if (told.status == TIDE_UNKNOWN_OUTCOME) {
          ++counts.unknown;
          counts.committed += static_cast<int>(found);
          EXPECT_LE(found, 1) << where << ": " << told.text;
        } else {
          ++counts.failed;
          EXPECT_LE(found, is_error_open ? 1 : 0) << where << ": told " << told.text;
        }
      }
    }
    std::printf("ok %d, failed %d, unknown %d (committed: %d)\n", counts.ok, counts.failed, counts.unknown,
                counts.committed);
    return counts;
  }

  std::unique_ptr<Db> direct_;
  std::unique_ptr<CuttingProxy> proxy_;
  int64_t row_ = 0;
};

TEST_F(CommitOutcome, HandleWithCheck) {
  const Counts counts = cut_everywhere(with_handle, "commit_check=on");
  EXPECT_EQ(counts.unknown, 0);
  EXPECT_GT(counts.failed, 0);
}

TEST_F(CommitOutcome, HandleWithoutCheck) {
  const Counts counts = cut_everywhere(with_handle, "commit_check=off");
  EXPECT_GT(counts.unknown, 0);
  EXPECT_GT(counts.failed, 0);
}

TEST_F(CommitOutcome, FunctionWithCheck) {
  const Counts counts = cut_everywhere(with_function, "commit_check=on");
  EXPECT_EQ(counts.unknown, 0);
  EXPECT_GT(counts.ok, 0);
}

TEST_F(CommitOutcome, FunctionWithoutCheck) {
  const Counts counts = cut_everywhere(with_function, "commit_check=off");
  EXPECT_GT(counts.unknown, 0);
  EXPECT_GT(counts.ok, 0);
}

TEST_F(CommitOutcome, BatchInATransaction) {
  const Counts counts = cut_everywhere(with_batch_in_transaction, "commit_check=on");
  EXPECT_EQ(counts.unknown, 0);
  EXPECT_GT(counts.failed, 0);
}

// A statement outside of a transaction promises less: it is not repeated if it may have been executed.
TEST_F(CommitOutcome, StatementIsNotRepeated) {
  const Counts counts = cut_everywhere(with_execute, "commit_check=on", true);
  EXPECT_GT(counts.failed, 0);
}

TEST_F(CommitOutcome, Batch) {
  const Counts counts = cut_everywhere(with_batch, "commit_check=on");
  EXPECT_GT(counts.failed + counts.unknown, 0);
}

}  // namespace
}  // namespace tide::test
