// The effect of the options of the service.
#include "service/cache/query_cache.hpp"
#include "service/service.hpp"
#include "unit/pool/options_support.hpp"

namespace tide::test {
namespace {

using fake::Fault;

TEST_F(OptionEffect, retry_attempts) {
  // How often a statement that always conflicts is executed.
  const auto look = [&] {
    int64_t executed = 0;
    server_->set_faults([&](std::string_view) {
      ++executed;
      return Fault::conflict;
    });
    Service service(*pool_, {[this](Span span) { run(span); }, 1});
    Call call;
    call.sql = "add a 1";
    ResultTable table;
    EXPECT_EQ(service.run(call, {}, table).sqlstate(), "40001");
    server_->set_faults({});
    return executed;
  };
  EXPECT_EQ(with("0", "", look), 1);
  EXPECT_EQ(with("5", "", look), 6);
}

TEST_F(OptionEffect, commit_check) {
  // A transaction whose connection is lost after it was committed.
  const auto look = [&] {
    Service service(*pool_, {[this](Span span) { run(span); }, 1});
    TransactionId id = 0;
    EXPECT_OK(service.begin({}, id));
    Call call;
    call.sql = "add a 1";
    ResultTable table;
    EXPECT_OK(service.run_in(id, call, Span::nanos(-1), table));
    server_->set_faults([](std::string_view sql) { return sql == "COMMIT" ? Fault::lost_executed : Fault::none; });
    const Status status = service.commit(id);
    server_->set_faults({});
    return std::string(code_name(status.code));
  };
  EXPECT_EQ(with("on", "min_size=3", look), "ok");
  EXPECT_EQ(with("off", "min_size=3", look), "unknown_outcome");
}

// Asks for the keys k0, k1 ..., and says how many of them were executed.
class Asker {
 public:
  Asker(fake::FakeServer& server, Pool& pool) : server_(server), service_(pool, {[](Span) {}, 1}) {
    server_.set_faults([this](std::string_view sql) {
      executed_ += sql.starts_with("select") ? 1 : 0;
      return Fault::none;
    });
  }
  ~Asker() { server_.set_faults({}); }
  Asker(const Asker&) = delete;
  Asker& operator=(const Asker&) = delete;
  int ask(int keys) {
    executed_ = 0;
    for (int i = 0; i < keys; ++i) {
      const std::string sql = "select k" + std::to_string(i);
      Call call;
      call.sql = sql;
      CallTerms terms;
      terms.cache.is_wanted = true;
      ResultTable table;
      EXPECT_OK(service_.run(call, terms, table));
    }
    return executed_;
  }
  QueryCache& cache() { return service_.cache(); }

 private:
  fake::FakeServer& server_;
  int executed_ = 0;
  Service service_;
};

TEST_F(OptionEffect, query_cache) {
  const auto look = [&] {
    Asker asker(*server_, *pool_);
    asker.ask(3);
    return asker.ask(3);
  };
  EXPECT_EQ(with("off", "", look), 3);
  EXPECT_EQ(with("on", "", look), 0);
}

TEST_F(OptionEffect, query_cache_entries) {
  const auto look = [&] {
    Asker asker(*server_, *pool_);
    asker.ask(20);
    return asker.cache().entries();
  };
  EXPECT_EQ(with("5", "query_cache=on", look), 5U);
  EXPECT_EQ(with("50", "query_cache=on", look), 20U);
}

TEST_F(OptionEffect, query_cache_bytes) {
  // A value of 10 kB fits into an eighth of the cache, or not.
  const auto look = [&] {
    Asker asker(*server_, *pool_);
    ask(Span::seconds(1));
    EXPECT_OK(query("put k0 " + std::string(10'000, 'x')));
    give_back();
    asker.ask(1);
    return asker.ask(1);
  };
  EXPECT_EQ(with("64kB", "query_cache=on", look), 1);
  EXPECT_EQ(with("1MB", "query_cache=on", look), 0);
}

TEST_F(OptionEffect, query_cache_ttl) {
  const auto look = [&] {
    Asker asker(*server_, *pool_);
    asker.ask(1);
    run(Span::seconds(30));
    return asker.ask(1);
  };
  EXPECT_EQ(with("20s", "query_cache=on", look), 1);
  EXPECT_EQ(with("1min", "query_cache=on", look), 0);
}

TEST_F(OptionEffect, query_cache_channel) {
  // While nobody listens to it, nothing is cached.
  furnish_ = [](PoolSpec& spec) { spec.target.backend = Backend::postgresql; };
  const auto look = [&] {
    Asker asker(*server_, *pool_);
    asker.ask(1);
    const int unheard = asker.ask(1);
    asker.cache().listening();
    asker.ask(1);
    return std::pair(unheard, asker.ask(1));
  };
  EXPECT_EQ(with("changes", "query_cache=on", look), std::pair(1, 0));
  EXPECT_EQ(with("", "query_cache=on", look), std::pair(0, 0));
}

}  // namespace
}  // namespace tide::test
