// Cached queries through the service, in virtual time.
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "pool/cancel_token.hpp"
#include "service/cache/query_cache.hpp"
#include "unit/service/service_rig.hpp"

namespace tide::test {
namespace {

class CachedQueries : public ServiceRig {
 protected:
  static Policy caching(bool is_on = true) {
    Policy policy = ServiceRig::policy();
    policy.query_cache = is_on;
    policy.query_cache_ttl = Span::seconds(10);
    return policy;
  }
  void SetUp() override {
    open(caching());
    count();
  }
  // Where what is to be done in another thread goes.
  void serve_with(std::function<Status(std::function<void()>)> later) {
    service_ = std::make_unique<Service>(
        *pool_, ServiceNeeds{.pause = [this](Span span) { pass(span); }, .seed = 7, .later = std::move(later)});
  }
  // How often the database gets each text from now on.
  void count() {
    server_.set_faults([this](std::string_view sql) {
      if (sql.starts_with("select")) ++executed_;
      return sql.starts_with("select") ? fault_.load() : Fault::none;
    });
  }
  static CallTerms cached() {
    CallTerms terms;
    terms.cache.is_wanted = true;
    return terms;
  }
  std::string get(const CallTerms& terms = cached(), std::string_view sql = "select k") {
    ResultTable table;
    const Status status = service_->run(call(sql), terms, table);
    if (!status) return status.sqlstate().empty() ? code_name(status.code) : status.sqlstate();
    const char* const text = table.text(0, 0);
    return text == nullptr ? "null" : text;
  }
  QueryCache& cache() { return service_->cache(); }
  uint64_t counted(format::Cell format::CacheStats::*cell) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < QueryCache::kStripes; ++i) sum += pool_->segment().cache()[i].*cell;
    return sum;
  }

  std::atomic<int> executed_{0};
  std::atomic<Fault> fault_{Fault::none};
};

TEST_F(CachedQueries, TheSecondCallIsAnsweredFromTheCache) {
  ASSERT_OK(run("put k 1"));
  EXPECT_EQ(get(), "1");
  ASSERT_OK(run("put k 2"));  // nobody tells the cache
  EXPECT_EQ(get(), "1");
  EXPECT_EQ(get(cached(), "select other"), "null");
  EXPECT_EQ(get(CallTerms()), "2");  // a call that does not ask for it
  EXPECT_EQ(executed_, 3);
  EXPECT_EQ(counted(&format::CacheStats::query_cache_hits_total), 1U);
  EXPECT_EQ(counted(&format::CacheStats::query_cache_misses_total), 2U);
  EXPECT_EQ(counted(&format::CacheStats::entries), 2U);
  pass(Span::seconds(10));
  EXPECT_EQ(get(), "2");
}

TEST_F(CachedQueries, NothingIsCachedUnlessItIsOn) {
  open(caching(false));
  count();
  get();
  get();
  EXPECT_EQ(executed_, 2);
  EXPECT_EQ(counted(&format::CacheStats::query_cache_misses_total), 0U);
}

TEST_F(CachedQueries, WhatTheResultDependsOnIsInTheKey) {
  const auto of = [&](const SqlValue& value, Call::Kind kind, int64_t rows_max) {
    Call one = call("select $1", kind);
    one.params = {&value, 1};
    one.rows_max = rows_max;
    ResultTable table;
    EXPECT_OK(service_->run(one, cached(), table));
  };
  of(SqlValue::of(int64_t{1}), Call::Kind::query, 0);
  of(SqlValue::of(int64_t{2}), Call::Kind::query, 0);
  of(SqlValue::of_text("1"), Call::Kind::query, 0);
  of(SqlValue::of(1.0), Call::Kind::query, 0);
  of(SqlValue::of_boolean(true), Call::Kind::query, 0);
  of(SqlValue::of_bytes("1"), Call::Kind::query, 0);
  of(SqlValue::of(int64_t{1}), Call::Kind::first, 0);
  of(SqlValue::of(int64_t{1}), Call::Kind::query, 5);
  EXPECT_EQ(executed_, 8);
  of(SqlValue::of(int64_t{1}), Call::Kind::first, 0);
  EXPECT_EQ(executed_, 8);
}

TEST_F(CachedQueries, AGivenKeyStandsForTheStatement) {
  CallTerms terms = cached();
  terms.cache.key = "user:1";
  ASSERT_OK(run("put k 1"));
  EXPECT_EQ(get(terms), "1");
  EXPECT_EQ(get(terms, "select other"), "1");
  ResultTable table;
  ASSERT_OK(service_->run(call("select other", Call::Kind::first), terms, table));  // another kind of result
  EXPECT_EQ(table.text(0, 0), nullptr);
  EXPECT_EQ(cache().clear("user:1", ""), 2U);
  EXPECT_EQ(get(terms, "select other"), "null");
}

TEST_F(CachedQueries, AnErrorIsNeverCached) {
  fault_ = Fault::cancelled;
  const std::string error = get();
  EXPECT_NE(error, "null");
  EXPECT_EQ(get(), error);
  EXPECT_EQ(executed_, 2);
  fault_ = Fault::none;
  EXPECT_EQ(get(), "null");
  EXPECT_EQ(get(), "null");
  EXPECT_EQ(executed_, 3);
}

TEST_F(CachedQueries, WhatMayWriteOrIsVolatileIsExecuted) {
  ResultTable table;
  for (int i = 0; i < 2; ++i) ASSERT_OK(service_->run(call("add k 1"), cached(), table));
  EXPECT_EQ(stored("k"), "2");
  CallTerms accepting = cached();
  accepting.cache.accepts_volatile = true;
  for (int i = 0; i < 2; ++i) ASSERT_OK(service_->run(call("add k 1"), accepting, table));
  EXPECT_EQ(stored("k"), "4");
  executed_ = 0;
  for (int i = 0; i < 2; ++i) get(cached(), "select random()");
  EXPECT_EQ(executed_, 2);
  for (int i = 0; i < 2; ++i) get(accepting, "select random()");
  EXPECT_EQ(executed_, 3);
  get(cached(), "select random()");  // what another caller accepted
  EXPECT_EQ(executed_, 4);
  const SqlValue now = SqlValue::of_text("now");
  Call dated = call("select $1");
  dated.params = {&now, 1};
  for (int i = 0; i < 2; ++i) ASSERT_OK(service_->run(dated, cached(), table));
  EXPECT_EQ(executed_, 6);
  EXPECT_EQ(counted(&format::CacheStats::query_cache_refused_total), 9U);
}

TEST_F(CachedQueries, WithoutAResetOfSessionsNothingIsCached) {
  Policy policy = caching();
  policy.reset_on_release = ResetMode::none;
  open(policy);
  count();
  get();
  get();
  EXPECT_EQ(executed_, 2);
}

TEST_F(CachedQueries, ALargeResultIsReturnedAndNotCached) {
  Policy policy = caching();
  policy.query_cache_bytes = 64 << 10;
  open(policy);
  count();
  ASSERT_OK(run("put k " + std::string(10'000, 'x')));
  EXPECT_EQ(get().size(), 10'000U);
  EXPECT_EQ(get().size(), 10'000U);
  EXPECT_EQ(executed_, 2);
  EXPECT_EQ(counted(&format::CacheStats::query_cache_refused_total), 2U);
}

TEST_F(CachedQueries, AStaleResultIsReturnedWhileItIsRenewed) {
  std::vector<std::function<void()>> works;
  serve_with([&](std::function<void()> work) {
    works.push_back(std::move(work));
    return Status::ok();
  });
  CallTerms terms = cached();
  terms.cache.stale = Span::seconds(5);
  ASSERT_OK(run("put k 1"));
  EXPECT_EQ(get(terms), "1");
  ASSERT_OK(run("put k 2"));
  pass(Span::seconds(11));
  EXPECT_EQ(get(terms), "1");
  EXPECT_EQ(get(terms), "1");
  ASSERT_EQ(works.size(), 1U);  // one of them renews it
  EXPECT_EQ(get(), "2");        // this caller accepts nothing stale
  works[0]();
  EXPECT_EQ(executed_, 2);  // renewed meanwhile
  ASSERT_OK(run("put k 3"));
  pass(Span::seconds(11));
  EXPECT_EQ(get(terms), "2");
  ASSERT_EQ(works.size(), 2U);
  works[1]();
  EXPECT_EQ(get(), "3");
  EXPECT_EQ(executed_, 3);
  pass(Span::seconds(16));
  EXPECT_EQ(get(terms), "3");
  EXPECT_EQ(executed_, 4);  // too old even for that
  EXPECT_EQ(counted(&format::CacheStats::query_cache_stale_total), 3U);
  service_.reset();
}

TEST_F(CachedQueries, WithoutAThreadTheCallerRenews) {
  serve_with([](std::function<void()>) { return Status::error(Code::closed, "no thread"); });
  CallTerms terms = cached();
  terms.cache.stale = Span::seconds(5);
  ASSERT_OK(run("put k 1"));
  EXPECT_EQ(get(terms), "1");
  ASSERT_OK(run("put k 2"));
  pass(Span::seconds(11));
  EXPECT_EQ(get(terms), "1");
  EXPECT_EQ(get(terms), "2");
  service_.reset();
}

// F1, F2: with threads; the first one executes it, and has not finished before the others wait.
TEST_F(CachedQueries, F1ManyCallersOneQuery) {
  std::atomic<bool> may_finish{false};
  ASSERT_OK(run("put k 1"));
  server_.set_faults([&](std::string_view sql) {
    if (!sql.starts_with("select")) return Fault::none;
    ++executed_;
    while (!may_finish.load()) std::this_thread::yield();
    return Fault::none;
  });
  std::vector<std::thread> crew;
  std::atomic<int> got{0};
  const auto ask = [&] {
    CallTerms terms = cached();
    terms.timeout = Span::seconds(100);
    if (get(terms) == "1") ++got;
  };
  crew.emplace_back(ask);
  while (executed_ == 0) std::this_thread::yield();
  for (int i = 0; i < 15; ++i) crew.emplace_back(ask);
  CallTerms hasty = cached();
  hasty.timeout = Span();
  EXPECT_EQ(get(hasty), "timeout");  // its own deadline
  CancelToken* const token = CancelToken::make();
  CallTerms gone = cached();
  gone.timeout = Span::seconds(100);
  gone.cancel = token;
  std::thread client([&] { EXPECT_EQ(get(gone), "57014"); });
  token->trip();
  client.join();  // before the query has finished
  token->free();
  may_finish = true;
  for (std::thread& thread : crew) thread.join();
  EXPECT_EQ(got, 16);
  EXPECT_EQ(executed_, 1);
  server_.set_faults({});
}

TEST_F(CachedQueries, AFailedLeaderFailsAlone) {
  std::atomic<bool> may_finish{false};
  server_.set_faults([&](std::string_view sql) {
    if (!sql.starts_with("select")) return Fault::none;
    if (++executed_ > 1) return Fault::none;
    while (!may_finish.load()) std::this_thread::yield();
    return Fault::cancelled;
  });
  std::atomic<int> good{0}, bad{0};
  const auto ask = [&] {
    CallTerms terms = cached();
    terms.timeout = Span::seconds(100);
    ++(get(terms) == "null" ? good : bad);
  };
  std::vector<std::thread> crew;
  crew.emplace_back(ask);
  while (executed_ == 0) std::this_thread::yield();
  for (int i = 0; i < 7; ++i) crew.emplace_back(ask);
  may_finish = true;
  for (std::thread& thread : crew) thread.join();
  EXPECT_EQ(bad, 1);
  EXPECT_EQ(good, 7);
  EXPECT_EQ(executed_, 2);
  server_.set_faults({});
}

TEST_F(CachedQueries, TheKeeperClearsAndShedsIt) {
  get();
  pool_->keeper().post("clear_cache", "{}", "test");
  pass(Span::millis(300));
  EXPECT_EQ(cache().entries(), 0U);
  CallTerms terms = cached();
  terms.cache.tags = "users  orders";
  get(terms);
  pool_->keeper().post("clear_cache", "{\"tag\":\"other\"}", "test");
  pass(Span::millis(300));
  EXPECT_EQ(cache().entries(), 1U);
  pool_->keeper().post("clear_cache", "{\"tag\":\"orders\"}", "test");
  pass(Span::millis(300));
  EXPECT_EQ(cache().entries(), 0U);
  get();
  pool_->keeper().post("set", "{\"option\":\"query_cache\",\"value\":\"off\"}", "test");
  pass(Span::millis(300));
  EXPECT_EQ(cache().entries(), 0U);
}

}  // namespace
}  // namespace tide::test
