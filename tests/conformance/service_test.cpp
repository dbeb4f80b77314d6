// Promises of the service that hold on every database: the same calls have the same results and the same errors.
#include <stdexcept>
#include <string>
#include <vector>

#include "conformance/harness.hpp"
#include "policy/settings.hpp"
#include "pool/keeper.hpp"
#include "pool/pool.hpp"
#include "pool/thread_keeper.hpp"
#include "service/cache/query_cache.hpp"
#include "service/service.hpp"
#include "unit/driver/support.hpp"

namespace tide::test {
namespace {

class ServiceSuite : public ::testing::TestWithParam<NamedHarness> {
 protected:
  static constexpr int kSize = 3;

  void SetUp() override {
    harness_ = GetParam().make();
    Policy policy;
    policy.min_size = policy.max_size = policy.max_connecting = kSize;
    policy.scaling = false;
    policy.acquire_timeout = Span();  // the keeper works only in settle()
    policy.retry_base = policy.retry_max = Span::millis(1);
    policy.query_cache = true;  // only for calls that ask for it
    PoolSpec spec;
    spec.name = "conformance";
    spec.target.shown = GetParam().name;
    spec.target.backend = GetParam().name == "libpq"  ? Backend::postgresql
                          : GetParam().name == "fake" ? Backend::custom
                                                      : Backend::sqlite;
    spec.policy = policy;
    spec.pool_key = 2718;
    spec.sources.resize(settings_catalogue().size());
    auto opened = Pool::open(std::move(spec), harness_->make_connector(policy), harness_->clock());
    ASSERT_TRUE(opened.is_ok()) << opened.status().message();
    pool_ = opened.take();
    service_ = std::make_unique<Service>(*pool_, ServiceNeeds{[this](Span) { settle(); }, 1});
    settle();
    if (is_fake()) return;
    ASSERT_OK(run("CREATE TABLE IF NOT EXISTS kv (k text PRIMARY KEY, v integer)"));
    ASSERT_OK(run("DELETE FROM kv"));
    settle();
  }
  void TearDown() override {
    service_.reset();
    if (pool_ == nullptr) return;
    pool_->keeper().begin_close(harness_->clock().now());
    while (!pool_->keeper().is_closed()) work();
    pool_.reset();
  }
  bool is_fake() const { return GetParam().name == "fake"; }
  void work() {
    pool_->keeper().step();
    wait_for_keeper(pool_->keeper(), Span::millis(1));
  }
  // Until every connection can be leased.
  void settle() {
    for (int i = 0; i < 5000; ++i) {
      work();
      std::vector<LeaseId> leases;
      for (int n = 0; n < kSize; ++n) {
        const Visit visit(Presence::key_of_pool(pool_->key()));
        const LeaseId lease = pool_->acquire_idle("settle", LeaseMode::read_write);
        if (!lease.is_none()) leases.push_back(lease);
      }
      for (const LeaseId lease : leases) release(lease);
      if (leases.size() >= kSize) return;
    }
    ADD_FAILURE() << "a lease remains";
  }
  void release(LeaseId lease) {
    const Visit visit(Presence::key_of_slot(pool_->key(), lease.slot()));
    (void)pool_->release(lease);
  }

  std::string put(const std::string& key, int value) const {
    const std::string number = std::to_string(value);
    if (is_fake()) return "put " + key + " " + number;
    return "INSERT INTO kv VALUES ('" + key + "', " + number + ") ON CONFLICT (k) DO UPDATE SET v = excluded.v";
  }
  std::string get(const std::string& key) const {
    return is_fake() ? "get " + key : "SELECT max(v) FROM kv WHERE k = '" + key + "'";
  }
  std::string numbers(int last) const {
    if (is_fake()) return "rows " + std::to_string(last);
    return "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " + std::to_string(last) +
           ") SELECT i FROM n";
  }
  const Words& words() const { return harness_->words(); }

  static Call call(std::string_view sql, Call::Kind kind = Call::Kind::query) {
    Call call;
    call.sql = sql;
    call.kind = kind;
    return call;
  }
  Status run(std::string_view sql) { return service_->run(call(sql), {}, table_); }
  Status run_in(TransactionId id, std::string_view sql) {
    return service_->run_in(id, call(sql), Span::nanos(-1), table_);
  }
  // What is committed; "NULL" if there is no such key.
  std::string stored(const std::string& key) {
    settle();
    const Status status = run(get(key));
    if (!status) return status.message();
    const char* text = table_.text(0, 0);
    return text == nullptr ? "NULL" : text;
  }
  TransactionId begun(const TransactionTerms& terms = {}) {
    TransactionId id = 0;
    EXPECT_OK(service_->begin(terms, id));
    return id;
  }

  std::unique_ptr<Harness> harness_;
  std::unique_ptr<Pool> pool_;
  std::unique_ptr<Service> service_;
  ResultTable table_;
};

INSTANTIATE_TEST_SUITE_P(Drivers, ServiceSuite, ::testing::ValuesIn(harnesses()),
                         [](const auto& tested) { return tested.param.name; });

class Numbers final : public RowSink {
 public:
  explicit Numbers(int64_t rows_max = 1'000'000) : rows_max_(rows_max) {}
  bool take(const ResultTable& page) override {
    for (int64_t row = 0; row < page.rows(); ++row) sum_ += page.cell(row, 0).integer;
    rows_ += page.rows();
    return rows_ < rows_max_;
  }
  int64_t rows_ = 0, sum_ = 0;

 private:
  const int64_t rows_max_;
};

TEST_P(ServiceSuite, QueryFirstAndExecute) {
  EXPECT_OK(service_->run(call(put("a", 7), Call::Kind::execute), {}, table_));
  EXPECT_EQ(table_.affected(), 1);
  EXPECT_OK(run(get("a")));
  EXPECT_STREQ(table_.text(0, 0), "7");
  EXPECT_OK(service_->run(call(numbers(5), Call::Kind::first), {}, table_));
  EXPECT_EQ(table_.rows(), 1);
  EXPECT_EQ(run(words().syntax_error).sqlstate(), "42601");
  EXPECT_EQ(service_->run(call(words().begin, Call::Kind::execute), {}, table_).code, Code::refused);
  settle();
}

TEST_P(ServiceSuite, ATransactionThatIsLeftOpenFails) {
  const Status status = run(words().begin);
  EXPECT_EQ(status.code, Code::bad_argument);
  EXPECT_EQ(status.sqlstate(), "25001");
  EXPECT_EQ(stored("a"), "NULL");
}

TEST_P(ServiceSuite, ABatchTakesEffectAsAWholeOrNotAtAll) {
  const std::string first = put("a", 1), second = put("b", 2);
  std::vector<Call> calls = {call(first), call(second)};
  std::vector<ResultTable> out;
  EXPECT_OK(service_->batch(calls, {}, out));
  EXPECT_EQ(out.size(), 2u);
  EXPECT_EQ(stored("a") + stored("b"), "12");
  const std::string other = put("a", 9);
  calls = {call(other), call(words().syntax_error), call(other)};
  const Status status = service_->batch(calls, {}, out);
  EXPECT_EQ(status.sqlstate(), "42601");
  EXPECT_EQ(status.detail().substr(0, 17), "Statement 2 of 3.");
  EXPECT_EQ(stored("a"), "1");
  calls = {call(other), call(words().rollback)};
  EXPECT_EQ(service_->batch(calls, {}, out).code, Code::refused);
  EXPECT_EQ(stored("a"), "1");
}

TEST_P(ServiceSuite, ABodyCommitsOrRollsBack) {
  EXPECT_OK(service_->transact({}, [&](TransactionId id) { return run_in(id, put("a", 1)) ? 0 : 1; }));
  EXPECT_EQ(stored("a"), "1");
  const auto change = [&](TransactionId id) {
    EXPECT_OK(run_in(id, put("a", 2)));
    return 3;
  };
  EXPECT_EQ(service_->transact({}, change).code, Code::rolled_back);
  EXPECT_EQ(stored("a"), "1");
  const auto throwing = [&](TransactionId id) -> int {
    EXPECT_OK(run_in(id, put("a", 2)));
    throw std::runtime_error("of the program");
  };
  EXPECT_THROW((void)service_->transact({}, throwing), std::runtime_error);
  EXPECT_EQ(stored("a"), "1");
}

TEST_P(ServiceSuite, AFailedStatementCannotBeOverlooked) {
  const auto body = [&](TransactionId id) {
    EXPECT_OK(run_in(id, put("a", 1)));
    EXPECT_EQ(run_in(id, words().syntax_error).sqlstate(), "42601");
    EXPECT_EQ(run_in(id, put("b", 1)).sqlstate(), "25P02");
    return 0;
  };
  EXPECT_EQ(service_->transact({}, body).sqlstate(), "42601");
  const TransactionId id = begun();
  EXPECT_OK(run_in(id, put("a", 1)));
  EXPECT_EQ(run_in(id, words().syntax_error).sqlstate(), "42601");
  EXPECT_EQ(service_->commit(id).sqlstate(), "25P02");
  EXPECT_EQ(stored("a"), "NULL");
  EXPECT_EQ(stored("b"), "NULL");
}

TEST_P(ServiceSuite, AHandle) {
  const TransactionId id = begun();
  EXPECT_OK(run_in(id, put("a", 1)));
  EXPECT_OK(run_in(id, get("a")));
  EXPECT_STREQ(table_.text(0, 0), "1");
  EXPECT_EQ(run_in(id, words().rollback).code, Code::refused);
  EXPECT_OK(service_->commit(id));
  EXPECT_EQ(run_in(id, get("a")).message(), "the transaction has ended: it was committed");
  EXPECT_EQ(stored("a"), "1");
  const TransactionId other = begun();
  EXPECT_OK(run_in(other, put("a", 2)));
  EXPECT_OK(service_->rollback(other));
  EXPECT_EQ(stored("a"), "1");
}

TEST_P(ServiceSuite, PastTheDeadlineItIsRolledBack) {
  TransactionTerms terms;
  terms.timeout = Span::millis(200);
  const auto body = [&](TransactionId id) {
    (void)run_in(id, put("a", 1));
    EXPECT_EQ(run_in(id, words().runs_long).code, Code::timeout);
    EXPECT_EQ(run_in(id, get("a")).code, Code::timeout);
    return 0;
  };
  EXPECT_EQ(service_->transact(terms, body).code, Code::timeout);
  EXPECT_EQ(stored("a"), "NULL");
}

TEST_P(ServiceSuite, Savepoints) {
  const TransactionId id = begun();
  EXPECT_OK(run_in(id, put("a", 1)));
  EXPECT_OK(service_->savepoint(id, "Here"));
  EXPECT_OK(run_in(id, put("a", 2)));
  EXPECT_FALSE(run_in(id, words().syntax_error).is_ok());
  EXPECT_OK(service_->rollback_to(id, "Here"));
  EXPECT_OK(run_in(id, get("a")));
  EXPECT_STREQ(table_.text(0, 0), "1");
  EXPECT_OK(service_->release(id, "Here"));
  EXPECT_OK(service_->commit(id));
  EXPECT_EQ(stored("a"), "1");
  const TransactionId other = begun();
  EXPECT_EQ(service_->rollback_to(other, "none").sqlstate(), "3B001");
  EXPECT_EQ(service_->commit(other).sqlstate(), "25P02");
}

TEST_P(ServiceSuite, AReadOnlyTransactionCannotWrite) {
  TransactionTerms terms;
  terms.is_read_only = true;
  const TransactionId id = begun(terms);
  EXPECT_OK(run_in(id, get("a")));
  EXPECT_EQ(run_in(id, put("a", 1)).sqlstate(), "25006");
  EXPECT_OK(service_->rollback(id));
  EXPECT_EQ(stored("a"), "NULL");
}

TEST_P(ServiceSuite, AReadOnlyTransactionOnAReadWriteLeaseCannotWrite) {
  LeaseId lease;
  {
    const Visit visit(Presence::key_of_pool(pool_->key()));
    ASSERT_EQ(pool_->acquire({"test", LeaseMode::read_write, Span()}, lease), Code::ok);
  }
  TransactionTerms terms;
  terms.is_read_only = true;
  TransactionId id = 0;
  EXPECT_OK(service_->begin_on(lease, terms, id));
  EXPECT_OK(run_in(id, get("a")));
  EXPECT_EQ(run_in(id, put("a", 1)).sqlstate(), "25006");
  EXPECT_OK(service_->rollback(id));
  EXPECT_OK(service_->begin_on(lease, {}, id));
  EXPECT_OK(run_in(id, put("a", 2)));
  EXPECT_OK(service_->commit(id));
  release(lease);
  EXPECT_EQ(stored("a"), "2");
}

TEST_P(ServiceSuite, OnALease) {
  LeaseId lease;
  {
    const Visit visit(Presence::key_of_pool(pool_->key()));
    ASSERT_EQ(pool_->acquire({"test", LeaseMode::read_write, Span()}, lease), Code::ok);
  }
  TransactionId id = 0, second = 0;
  EXPECT_OK(service_->begin_on(lease, {}, id));
  EXPECT_EQ(service_->begin_on(lease, {}, second).code, Code::refused);
  EXPECT_OK(run_in(id, put("a", 1)));
  EXPECT_OK(service_->commit(id));
  EXPECT_OK(service_->transact_on(lease, {}, [&](TransactionId inner) { return run_in(inner, put("b", 2)) ? 0 : 1; }));
  EXPECT_OK(service_->begin_on(lease, {}, id));
  EXPECT_OK(run_in(id, put("a", 9)));
  release(lease);
  EXPECT_EQ(service_->commit(id).code, Code::stale_lease);
  EXPECT_EQ(stored("a") + stored("b"), "12");
}

TEST_P(ServiceSuite, StreamsPassAllRowsOrEndEarly) {
  Numbers all;
  EXPECT_OK(service_->stream(call(numbers(500)), {}, all, table_));
  EXPECT_EQ(all.rows_, 500);
  EXPECT_EQ(all.sum_, 500 * 501 / 2);
  EXPECT_EQ(table_.columns(), 1);
  Numbers some(10);
  EXPECT_OK(service_->stream(call(numbers(500)), {}, some, table_));
  EXPECT_LT(some.rows_, 500);
  settle();
  const TransactionId id = begun();
  Numbers within;
  EXPECT_OK(service_->stream_in(id, call(numbers(500)), Span::nanos(-1), within, table_));
  EXPECT_EQ(within.rows_, 500);
  EXPECT_OK(service_->commit(id));
}

TEST_P(ServiceSuite, RowsArePulled) {
  LeaseId lease;
  const Pool* from = nullptr;
  ResultTable page;
  const std::string sql = numbers(300);
  ASSERT_OK(service_->open_rows(call(sql), {}, lease, from, page));
  EXPECT_EQ(service_->run_on(lease, call(words().one_row), Span::nanos(-1), table_).code, Code::refused);
  int64_t rows = page.rows();
  while (!page.is_last_page()) {
    const Visit visit(Presence::key_of_slot(pool_->key(), lease.slot()));
    ASSERT_OK(pool_->fetch_rows(lease, page));
    rows += page.rows();
  }
  EXPECT_EQ(rows, 300);
  release(lease);
  settle();
}

// ---- the query cache

TEST_P(ServiceSuite, ACachedQueryReturnsWhatWasReadUntilItIsInvalidated) {
  const bool notices_commits = GetParam().name != "libpq" && !is_fake();
  const std::string sql = is_fake() ? "select a" : get("a");
  const auto cached = [&](std::string_view key) {
    CallTerms terms;
    terms.cache.is_wanted = true;
    terms.cache.key = key;
    terms.cache.tags = "first second";
    settle();
    const Status status = service_->run(call(sql), terms, table_);
    return status ? std::string(table_.text(0, 0)) : status.message();
  };
  int value = 1;
  ASSERT_OK(run(put("a", value)));
  for (const std::string_view key : {"", "given"}) {
    for (const auto& invalidate : {std::pair<const char*, const char*>{"", ""}, {"", "second"}, {"given", ""}}) {
      const std::string before = std::to_string(value), after = std::to_string(value + 1);
      EXPECT_EQ(cached(key), before);
      EXPECT_EQ(cached(key), before);
      ASSERT_OK(run(put("a", ++value)));
      EXPECT_EQ(cached(key), notices_commits ? after : before);
      service_->cache().clear(invalidate.first, invalidate.second);
      const bool is_meant = *invalidate.first == '\0' || !key.empty();
      EXPECT_EQ(cached(key), notices_commits || is_meant ? after : before);
      service_->cache().clear();
    }
  }
  ASSERT_FALSE(service_->run(call("selec"), {}, table_));
}

}  // namespace
}  // namespace tide::test
