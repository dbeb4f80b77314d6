// Transactions: what is committed, what is rolled back, and what the caller is told.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <tidepool/tidepool.hpp>
#include <utility>

#include "support.hpp"

namespace {

using namespace std::chrono_literals;
using tidepool::transaction;
using tidepool_test::error_of;

class Transactions : public tidepool_test::Database {
 protected:
  Transactions() { make_table("n int primary key"); }
  int64_t rows() { return *pool().query_first<int64_t>("select count(*) from t"); }
};

TEST_F(Transactions, CommittedOnReturnWithItsValue) {
  const std::string text = pool().transact([](transaction& tx) {
    tx.execute("insert into t values ($1)", 1);
    return "rows: " + std::to_string(*tx.query_first<int>("select count(*) from t"));
  });
  EXPECT_EQ(text, "rows: 1");
  EXPECT_EQ(rows(), 1);
  pool().transact([](transaction& tx) {
    tx.batch({{"insert into t values ($1)", 2}, {"insert into t values ($1)", 3}});
  });
  EXPECT_EQ(rows(), 3);
  const auto only_moved = pool().transact([](transaction&) { return std::make_unique<int>(4); });
  EXPECT_EQ(*only_moved, 4);
}

TEST_F(Transactions, RolledBackByAnExceptionWhichComesOutAsItWas) {
  struct Own : std::out_of_range {
    using std::out_of_range::out_of_range;
  };
  try {
    pool().transact([](transaction& tx) {
      tx.execute("insert into t values (1)");
      throw Own("as it was");
    });
    FAIL();
  } catch (const Own& own) {
    EXPECT_STREQ(own.what(), "as it was");
  }
  EXPECT_THROW(pool().transact([](transaction& tx) {
    tx.execute("insert into t values (1)");
    throw 7;  // NOLINT
  }),
               int);
  EXPECT_EQ(rows(), 0);
}

TEST_F(Transactions, AFailedStatementFailsTheTransaction) {
  pool().execute("insert into t values (1)");
  EXPECT_THROW(pool().transact([](transaction& tx) {
    tx.execute("insert into t values (2)");
    tx.execute("insert into t values (1)");
  }),
               tidepool::constraint_error);
  EXPECT_EQ(rows(), 1);
  const auto failed = pool().try_transact([](transaction& tx) { return tx.execute("selekt").affected(); });
  EXPECT_EQ(failed.error().sqlstate(), "42601");
}

TEST_F(Transactions, AHandleIsRolledBackUnlessItIsCommitted) {
  {
    transaction tx = pool().begin();
    tx.execute("insert into t values (1)");
  }
  EXPECT_EQ(rows(), 0);
  transaction tx = pool().begin({.isolation = tidepool::isolation::serializable, .tag = "test"});
  tx.execute("insert into t values ($1)", 1);
  transaction moved = std::move(tx);
  moved.commit();
  EXPECT_EQ(rows(), 1);
  EXPECT_EQ(error_of<tidepool::error>([&] { moved.query("select 1"); }).status(), TIDE_REFUSED);
  EXPECT_THROW(moved.commit(), tidepool::error);
  transaction other = pool().begin();
  other.execute("insert into t values (2)");
  other.rollback();
  EXPECT_EQ(rows(), 1);
  other = pool().begin();
  other.execute("insert into t values (3)");
  other = pool().begin({.read_only = true});  // takes the place of one that is rolled back
  EXPECT_EQ(other.query_first<int>("select count(*) from t"), 1);
}

TEST_F(Transactions, Savepoints) {
  pool().transact([](transaction& tx) {
    tx.execute("insert into t values (1)");
    tx.savepoint("here");
    EXPECT_THROW(tx.execute("insert into t values (1)"), tidepool::constraint_error);
    tx.rollback_to("here");
    tx.execute("insert into t values (2)");
    tx.release("here");
  });
  EXPECT_EQ(rows(), 2);
}

TEST_F(Transactions, RowsOneByOne) {
  pool().transact([](transaction& tx) {
    int64_t sum = 0;
    EXPECT_EQ((tx.for_each<int, std::string>([&](int n, const std::string&) { sum += n; }, series(100))), 100);
    EXPECT_EQ(sum, 5050);
    tx.execute("insert into t values ($1)", 100);
  });
  EXPECT_EQ(rows(), 1);
}

TEST_F(Transactions, ControlBelongsToTheLibrary) {
  EXPECT_EQ(error_of<tidepool::error>([&] { pool().transact([](transaction& tx) { tx.execute("commit"); }); }).status(),
            TIDE_REFUSED);
  EXPECT_EQ(error_of<tidepool::error>([&] { pool().transact([](transaction& tx) { tx.commit(); }); }).status(),
            TIDE_REFUSED);
  std::optional<tide_status> from_another_thread;
  pool().transact([&](transaction& tx) {
    tx.execute("insert into t values (1)");
    std::thread([&] { from_another_thread = tx.try_query<int>("select 1").error().status(); }).join();
  });
  EXPECT_EQ(from_another_thread, TIDE_REFUSED);
  EXPECT_EQ(rows(), 1);
}

TEST_F(Transactions, ADeadlineRollsBack) {
  EXPECT_THROW(pool().transact(
                   [](transaction& tx) {
                     tx.execute("insert into t values (1)");
                     tx.query(endless());
                   },
                   {.timeout = 100ms}),
               tidepool::timeout_error);
  EXPECT_EQ(rows(), 0);
}

TEST_F(Transactions, OnALease) {
  tidepool::lease lease = pool().acquire();
  EXPECT_EQ(lease.transact([](transaction& tx) { return tx.execute("insert into t values (1)").affected(); }), 1);
  {
    transaction tx = lease.begin();
    tx.execute("insert into t values (2)");
  }
  EXPECT_EQ(lease.query_first<int>("select count(*) from t"), 1);
  transaction tx = lease.begin();
  EXPECT_EQ(error_of<tidepool::error>([&] { lease.begin(); }).status(), TIDE_REFUSED);
  tx.commit();
}

TEST_F(Transactions, ReadOnly) {
  EXPECT_THROW(pool().transact([](transaction& tx) { tx.execute("insert into t values (1)"); }, {.read_only = true}),
               tidepool::error);
  EXPECT_EQ(pool().transact([](transaction& tx) { return *tx.query_first<int>("select count(*) from t"); },
                            {.read_only = true}),
            0);
}

TEST_F(Transactions, RepeatedAfterASerializationFailure) {
  pool().execute("insert into t values (1)");
  int attempts = 0;
  const int value = pool().transact(
      [&](transaction& tx) {
        ++attempts;
        const int found = *tx.query_first<int>("select n from t");
        if (attempts == 1 && tidepool_test::is_postgresql()) pool().execute("update t set n = n + 1");
        tx.execute("update t set n = n + 10");
        return found;
      },
      {.isolation = tidepool::isolation::serializable});
  EXPECT_EQ(attempts, tidepool_test::is_postgresql() ? 2 : 1);
  EXPECT_EQ(value, tidepool_test::is_postgresql() ? 2 : 1);
  EXPECT_EQ(pool().query_first<int>("select n from t"), value + 10);
}

}  // namespace
