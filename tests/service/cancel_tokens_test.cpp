// tide_cancel_token: requests, statements, streams, rows, batches and transactions on real databases end when it is tripped.
#include <atomic>
#include <cstring>

#include "service/support.hpp"

namespace tide::test {
namespace {

#define NUMBERS(MAX) "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < " MAX ") "

class Token {
 public:
  Token() { EXPECT_EQ(tide_cancel_token_new(&token_, nullptr), TIDE_OK); }
  ~Token() { tide_cancel_token_free(token_); }
  Token(const Token&) = delete;
  Token& operator=(const Token&) = delete;
  tide_cancel_token* get() const { return token_; }

 private:
  tide_cancel_token* token_ = nullptr;
};

class CancelTokens : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (is_postgresql()) REQUIRE_SERVER();
    const std::string url = is_postgresql() ? server_words() : "sqlite://" + folder_.file("tokens.db");
    db_ = std::make_unique<Db>(url, "min_size=1 max_size=2 query_timeout=60s statement_timeout=0 acquire_timeout=30s");
    db_->query("DROP TABLE IF EXISTS cancelled");
    db_->query("CREATE TABLE cancelled (id int)");
  }
  bool is_postgresql() const { return std::string(GetParam()) == "postgresql"; }
  const char* runs_long() const {
    return is_postgresql() ? "SELECT pg_sleep(60)" : NUMBERS("10000000000") "SELECT count(*) FROM s";
  }
  const char* many_rows() const {
    return is_postgresql() ? "SELECT n FROM (SELECT generate_series(1, 1000000000) AS n) s"
                           : NUMBERS("10000000000") "SELECT n FROM s";
  }

  // Makes the call with a token that is tripped after a while, and expects that it ends then.
  template <typename Call>
  void expect_cancelled(Call call, std::chrono::microseconds after = std::chrono::milliseconds(20)) {
    const Token token;
    tide_query_options with = options_of();
    with.cancel = token.get();
    Error error;
    std::thread tripper([&] {
      std::this_thread::sleep_for(after);
      tide_cancel_token_trip(token.get());
    });
    const auto began = SteadyTime::now();
    const tide_status status = call(with, error);
    EXPECT_LT(SteadyTime::now() - began, std::chrono::seconds(10));
    tripper.join();
    EXPECT_EQ(status, TIDE_CANCELLED) << error.text();
    EXPECT_EQ(error.status, TIDE_CANCELLED);
    EXPECT_STREQ(error.sqlstate, "57014") << error.text();
    EXPECT_EQ(tide_cancel_token_is_tripped(token.get()), 1);
    const Lease one(*db_), two(*db_);  // both connections are free, and nobody cancels them
    EXPECT_EQ(one.ask("SELECT 42"), "42");
    EXPECT_EQ(two.ask("SELECT 43"), "43");
  }
  void expect_empty() const {
    const Lease lease(*db_);
    EXPECT_EQ(lease.ask("SELECT count(*) FROM cancelled"), "0");
  }

  TempFolder folder_;
  std::unique_ptr<Db> db_;
};

TEST_P(CancelTokens, StatementOnThePool) {
  for (int i = 0; i < 20; ++i) {  // also at once, when it may not have begun
    expect_cancelled(
        [&](const tide_query_options& with, Error& error) {
          Result out;
          return tide_pool_query_with(db_->pool(), runs_long(), 0, nullptr, &with, out.out(), &error);
        },
        std::chrono::microseconds(i * i * 20));
  }
}

TEST_P(CancelTokens, StatementOnALease) {
  const tide_status status = [&] {
    Lease lease(*db_);
    const Token token;
    tide_query_options with = options_of();
    with.cancel = token.get();
    Error error;
    std::thread tripper([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      tide_cancel_token_trip(token.get());
    });
    const tide_status ended = tide_lease_query_with(lease.get(), runs_long(), 0, nullptr, &with, nullptr, &error);
    tripper.join();
    EXPECT_EQ(lease.ask("SELECT 44"), "44") << "the lease goes on";
    return ended;
  }();
  EXPECT_EQ(status, TIDE_CANCELLED);
}

TEST_P(CancelTokens, StreamAndPulledRows) {
  expect_cancelled([&](const tide_query_options& with, Error& error) {
    const auto on_row = [](void*, const tide_result*, int64_t) { return 0; };
    return tide_pool_stream(db_->pool(), many_rows(), 0, nullptr, &with, on_row, nullptr, nullptr, &error);
  });
  expect_cancelled([&](const tide_query_options& with, Error& error) {
    tide_rows* rows = nullptr;
    tide_status status = tide_pool_rows(db_->pool(), many_rows(), 0, nullptr, &with, &rows, &error);
    const tide_result* page = nullptr;
    do {
      if (status == TIDE_OK) status = tide_rows_next(rows, &page, &error);
    } while (status == TIDE_OK && page != nullptr);
    tide_rows_close(rows);
    return status;
  });
}

TEST_P(CancelTokens, BatchAndTransactionHaveNoEffect) {
  expect_cancelled([&](const tide_query_options& with, Error& error) {
    const tide_statement statements[] = {{"INSERT INTO cancelled VALUES (1)", nullptr, 0, 0},
                                         {runs_long(), nullptr, 0, 0}};
    return tide_pool_batch(db_->pool(), statements, 2, &with, nullptr, &error);
  });
  expect_empty();
  expect_cancelled([&](const tide_query_options& with, Error& error) {
    tide_tx_options terms = TIDE_TX_OPTIONS_INIT;
    terms.cancel = with.cancel;
    const auto body = [](void* context, tide_tx tx) {
      tide_tx_execute(tx, "INSERT INTO cancelled VALUES (1)", 0, nullptr, nullptr, nullptr, nullptr);
      tide_tx_query(tx, static_cast<const char*>(context), 0, nullptr, nullptr, nullptr, nullptr);
      return 0;
    };
    return tide_pool_transaction(db_->pool(), body, const_cast<char*>(runs_long()), &terms, &error);
  });
  expect_empty();
}

TEST_P(CancelTokens, RequestLeavesTheQueue) {
  const Lease one(*db_);
  auto two = std::make_unique<Lease>(*db_);
  const Token token;
  tide_acquire_options with = TIDE_ACQUIRE_OPTIONS_INIT;
  with.cancel = token.get();
  std::thread tripper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    tide_cancel_token_trip(token.get());
  });
  tide_lease lease{};
  Error error;
  EXPECT_EQ(tide_pool_acquire_with(db_->pool(), &with, &lease, &error), TIDE_CANCELLED) << error.text();
  tripper.join();
  EXPECT_EQ(tide_pool_acquire_with(db_->pool(), &with, &lease, &error), TIDE_CANCELLED) << "it stays tripped";
  two.reset();
  const Lease next(*db_);
}

// The callback gets it; the token may be freed before.
TEST_P(CancelTokens, AsynchronousCall) {
  struct Told {
    std::atomic<int> status{-1};
  } told;
  tide_cancel_token* token = nullptr;
  ASSERT_EQ(tide_cancel_token_new(&token, nullptr), TIDE_OK);
  tide_query_options with = options_of();
  with.cancel = token;
  with.context = &told;
  with.callback = [](void* context, tide_status status, tide_result* result, const tide_error*) {
    tide_result_free(result);
    static_cast<Told*>(context)->status = status;
  };
  Error error;
  ASSERT_EQ(tide_pool_query_with(db_->pool(), runs_long(), 0, nullptr, &with, nullptr, &error), TIDE_OK);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  tide_cancel_token_trip(token);
  tide_cancel_token_free(token);
  EXPECT_TRUE(wait_until([&] { return told.status.load() >= 0; }, std::chrono::seconds(10)));
  EXPECT_EQ(told.status.load(), TIDE_CANCELLED);
}

TEST_P(CancelTokens, BadInput) {
  Error error;
  EXPECT_EQ(tide_cancel_token_new(nullptr, &error), TIDE_BAD_ARGUMENT);
  tide_cancel_token_trip(nullptr);
  tide_cancel_token_free(nullptr);
  EXPECT_EQ(tide_cancel_token_is_tripped(nullptr), 0);
  tide_query_options with = options_of();
  with.priority = 7;
  EXPECT_EQ(tide_pool_query_with(db_->pool(), "SELECT 1", 0, nullptr, &with, nullptr, &error), TIDE_BAD_ARGUMENT);
  EXPECT_STREQ(error.message, "priority is 7");
  EXPECT_NE(std::strstr(error.detail, "TIDE_CRITICAL"), nullptr);
  tide_acquire_options request = TIDE_ACQUIRE_OPTIONS_INIT;
  request.priority = -1;
  tide_lease lease{};
  EXPECT_EQ(tide_pool_acquire_with(db_->pool(), &request, &lease, &error), TIDE_BAD_ARGUMENT);
  tide_tx_options terms = TIDE_TX_OPTIONS_INIT;
  terms.priority = 2;
  tide_tx tx{};
  EXPECT_EQ(tide_tx_begin(db_->pool(), &terms, &tx, &error), TIDE_BAD_ARGUMENT);
}

INSTANTIATE_TEST_SUITE_P(Databases, CancelTokens, ::testing::Values("postgresql", "sqlite"),
                         [](const auto& database) { return std::string(database.param); });

}  // namespace
}  // namespace tide::test
