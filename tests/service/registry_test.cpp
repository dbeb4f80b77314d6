// Registries: one pool for each name or target, shared options, and what several threads see. Also pools without pooling, on a
// real database.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <set>
#include <string>
#include <thread>
#include <tidepool/tidepool.hpp>
#include <vector>

#include "cpp/support.hpp"

namespace {

using namespace std::chrono_literals;
using tidepool::error;
using tidepool::registry;
using tidepool_test::error_of;

class Registries : public tidepool_test::Database {
 protected:
  // The URL of another database: a file beside the first; PostgreSQL: another application name.
  std::string other_url(const std::string& name) const {
    if (tidepool_test::is_postgresql()) return url() + "&application_name=" + name;
    return url().substr(0, url().rfind('/') + 1) + name + ".db";
  }
  static int64_t setting(const tidepool::pool_view& pool, const std::string& option) {
    tide_filter filter = TIDE_FILTER_INIT;
    const std::string instance = pool.instance_id();
    filter.instance_id = instance.c_str();
    tide_cursor* cursor = nullptr;
    if (tide_cursor_open("settings", &filter, &cursor, nullptr) != TIDE_OK) return -1;
    int64_t value = -1;
    while (tide_cursor_next(cursor) == 1) {
      if (tide_cursor_text(cursor, 2, nullptr) == option) value = std::stoll(tide_cursor_text(cursor, 3, nullptr));
    }
    tide_cursor_close(cursor);
    return value;
  }
};

TEST_F(Registries, APoolIsOpenedAtTheFirstUseAndFoundByItsName) {
  registry pools("max_size=3");
  EXPECT_EQ(error_of<error>([&] { pools.find("users"); }).status(), TIDE_NOT_FOUND);
  const tidepool::pool_view users = pools.pool("users", url());
  EXPECT_EQ(*users.query_first<int>("select 7"), 7);
  EXPECT_EQ(pools.pool("users", url()).native(), users.native());
  EXPECT_EQ(pools.pool("users").native(), users.native());
  EXPECT_EQ(pools.find("users").native(), users.native());
  tide_pool* found = nullptr;
  ASSERT_EQ(tide_pool_find("users", &found, nullptr), TIDE_OK);
  EXPECT_EQ(found, users.native());
  const error why = error_of<error>([&] { pools.find("orders"); });
  EXPECT_NE(std::string(why.detail()).find("users"), std::string::npos);
}

TEST_F(Registries, SeveralDatabasesSideBySideShareDefaultsAndOverrideThem) {
  registry pools("max_size=3 acquire_timeout=2s");
  tidepool::pool_view users = pools.pool("users", url());
  tidepool::pool_view reports = pools.pool("reports", other_url("reports"), "max_size=20");
  EXPECT_EQ(setting(users, "max_size"), 3);
  EXPECT_EQ(setting(reports, "max_size"), 20);
  EXPECT_NE(users.native(), reports.native());
  EXPECT_EQ(*reports.query_first<int>("select 8"), 8);
  const error why = error_of<error>([&] { pools.pool("small", other_url("small"), "min_size=5"); });
  EXPECT_EQ(why.status(), TIDE_BAD_OPTION);
  EXPECT_NE(std::string(why.what()).find("min_size 5 is above max_size 3"), std::string::npos) << why.what();
  EXPECT_NE(std::string(why.what()).find("max_size is a default of the registry"), std::string::npos) << why.what();
  EXPECT_EQ(*pools.pool("small", other_url("small"), "min_size=1").query_first<int>("select 9"), 9);
}

TEST_F(Registries, OtherOptionsOrAnotherTargetUnderTheSameNameAreRefused) {
  registry pools("max_size=3");
  const tidepool::pool_view users = pools.pool("users", url(), "acquire_timeout=2s");
  const error options = error_of<error>([&] { pools.pool("users", url(), "max_size=4 acquire_timeout=2s"); });
  EXPECT_EQ(options.status(), TIDE_REFUSED);
  EXPECT_NE(std::string(options.what()).find("\"users\" with other options"), std::string::npos) << options.what();
  EXPECT_EQ(options.detail(), "max_size: \"4\" given, \"3\" accepted");
  const error target = error_of<error>([&] { pools.pool("users", other_url("orders")); });
  EXPECT_EQ(target.status(), TIDE_REFUSED);
  EXPECT_NE(std::string(target.what()).find("another target"), std::string::npos) << target.what();
  EXPECT_EQ(std::string(target.detail()).rfind("target: ", 0), 0U) << target.detail();
  // What is given and agrees is accepted, also if it was a default at first.
  EXPECT_EQ(pools.pool("users", "", "max_size=3").native(), users.native());
  EXPECT_EQ(pools.pool("users", url(), "acquireTimeoutMs=2000").native(), users.native());
  const error without_url = error_of<error>([&] { pools.pool("users", "", "acquire_timeout=3s"); });
  EXPECT_EQ(without_url.detail(), "acquire_timeout: \"3s\" given, \"2s\" accepted");
  EXPECT_EQ(error_of<error>([&] { pools.pool("users", "", "acquire_timeout=soon"); }).status(), TIDE_BAD_OPTION);
  EXPECT_EQ(*users.query_first<int>("select 9"), 9);
}

TEST_F(Registries, APoolWithoutANameIsThatOfItsTarget) {
  registry pools("max_size=3");
  const tidepool::pool_view one = pools.pool_of(url());
  EXPECT_EQ(pools.pool_of(url()).native(), one.native());
  EXPECT_EQ(pools.pool_of(url(), "max_size=3").native(), one.native());
  EXPECT_NE(pools.pool_of(other_url("orders")).native(), one.native());
  EXPECT_EQ(error_of<error>([&] { pools.pool_of(url(), "max_size=4"); }).status(), TIDE_REFUSED);
  if (tidepool_test::is_postgresql()) return;
  EXPECT_EQ(pools.find("test").native(), one.native());
  EXPECT_NE(pools.find("orders").native(), one.native());
}

TEST_F(Registries, AClosedPoolIsOpenedAgainAndAClosedRegistryIsNot) {
  registry pools;
  const tidepool::pool_view first = pools.pool("users", url());
  ASSERT_EQ(tide_pool_close(first.native(), 0, nullptr), TIDE_OK);
  EXPECT_EQ(error_of<error>([&] { pools.find("users"); }).status(), TIDE_NOT_FOUND);
  const tidepool::pool_view second = pools.pool("users", url(), "max_size=2");
  EXPECT_NE(second.native(), first.native());
  EXPECT_EQ(*second.query_first<int>("select 1"), 1);
  tide_registry* const handle = pools.native();
  pools.close();
  EXPECT_EQ(error_of<error>([&] { second.query_first<int>("select 1"); }).status(), TIDE_CLOSED);
  tide_pool* out = nullptr;
  EXPECT_EQ(tide_registry_pool(handle, "users", url().c_str(), nullptr, &out, nullptr), TIDE_CLOSED);
  EXPECT_EQ(tide_registry_find(handle, "users", &out, nullptr), TIDE_CLOSED);
  EXPECT_EQ(tide_registry_close(handle, 0, nullptr), TIDE_CLOSED);
  EXPECT_EQ(out, nullptr);
}

TEST_F(Registries, ClosingWaitsForLeasesUpToShutdownTimeout) {
  for (const bool is_released : {true, false}) {
    registry pools("shutdown_timeout=400ms");
    const tidepool::pool_view users = pools.pool("users", url());
    pools.pool("orders", other_url("orders"));
    std::atomic<bool> is_leased = false;
    std::thread holder([&, view = users]() mutable {
      tidepool::lease lease = view.acquire();
      is_leased = true;
      std::this_thread::sleep_for(is_released ? 100ms : 700ms);
    });
    while (!is_leased) std::this_thread::sleep_for(1ms);
    const auto began = std::chrono::steady_clock::now();
    tide_error why = TIDE_ERROR_INIT;
    const tide_status status = tide_registry_close(pools.native(), -1, &why);
    const auto took = std::chrono::steady_clock::now() - began;
    EXPECT_EQ(status, is_released ? TIDE_OK : TIDE_TIMEOUT) << why.message;
    EXPECT_GE(took, is_released ? 50ms : 390ms);
    EXPECT_LT(took, is_released ? 390ms : 3s);
    holder.join();
  }
}

TEST_F(Registries, BadArguments) {
  tide_registry* out = nullptr;
  tide_error why = TIDE_ERROR_INIT;
  EXPECT_EQ(tide_registry_open("max_sise=3", nullptr, &out, &why), TIDE_BAD_OPTION);
  EXPECT_NE(std::string(why.message).find("max_sise"), std::string::npos) << why.message;
  EXPECT_NE(std::string(why.message).find("default of the registry"), std::string::npos) << why.message;
  EXPECT_EQ(tide_registry_open("max_size=1 min_size=2", nullptr, &out, nullptr), TIDE_BAD_OPTION);
  EXPECT_EQ(tide_registry_open(nullptr, nullptr, nullptr, nullptr), TIDE_BAD_ARGUMENT);
  tide_pool* pool = nullptr;
  for (tide_registry* const invented : {static_cast<tide_registry*>(nullptr), reinterpret_cast<tide_registry*>(this),
                                        reinterpret_cast<tide_registry*>(uint64_t{0x7D1F} << 48),
                                        reinterpret_cast<tide_registry*>((uint64_t{0x7D1F} << 48) + 1'000'000)}) {
    EXPECT_EQ(tide_registry_pool(invented, "a", "sqlite::memory:", nullptr, &pool, nullptr), TIDE_BAD_ARGUMENT);
    EXPECT_EQ(tide_registry_close(invented, -1, nullptr), TIDE_BAD_ARGUMENT);
  }
  registry pools("host=nowhere");
  EXPECT_EQ(tide_registry_pool(pools.native(), "a/b", "sqlite::memory:", nullptr, &pool, nullptr), TIDE_BAD_ARGUMENT);
  EXPECT_EQ(tide_registry_pool(pools.native(), "a", "sqlite::memory:", nullptr, nullptr, nullptr), TIDE_BAD_ARGUMENT);
  EXPECT_EQ(tide_registry_close(pools.native(), 86'400'001, nullptr), TIDE_BAD_ARGUMENT);
  EXPECT_EQ(pool, nullptr);
}

// A database whose connections take a while to open, and can be made to fail.
struct SlowDatabase {
  std::atomic<int> opens{0};
  std::atomic<bool> is_down{false};
  std::atomic<int> sleep_ms{30};

  static SlowDatabase& instance() {
    static SlowDatabase* const only = [] {
      auto* made = new SlowDatabase();
      tide_driver driver = TIDE_DRIVER_INIT;
      driver.context = made;
      driver.open = [](void* context, const char*, int64_t, void** connection, char* message, size_t bytes) {
        auto& self = *static_cast<SlowDatabase*>(context);
        ++self.opens;
        std::this_thread::sleep_for(std::chrono::milliseconds(self.sleep_ms));
        if (self.is_down) {
          std::snprintf(message, bytes, "the slow database is down");
          return 1;
        }
        *connection = context;
        return 0;
      };
      driver.close = [](void*, void*) {};
      EXPECT_EQ(tide_register_driver("slow", &driver, nullptr), TIDE_OK);
      return made;
    }();
    return *only;
  }
};

struct Answer {
  tide_status status = TIDE_INTERNAL;
  tide_pool* pool = nullptr;
  std::string message;
};

// What `n` threads get that ask at the same time.
std::vector<Answer> ask_at_once(registry& pools, int n, const char* name) {
  std::vector<Answer> answers(static_cast<size_t>(n));
  std::barrier start(n);
  std::vector<std::thread> threads;
  for (Answer& answer : answers) {
    threads.emplace_back([&] {
      tide_error why = TIDE_ERROR_INIT;
      start.arrive_and_wait();
      answer.status = tide_registry_pool(pools.native(), name, "slow:db", nullptr, &answer.pool, &why);
      answer.message = why.message;
    });
  }
  for (std::thread& thread : threads) thread.join();
  return answers;
}

TEST(SharedOpening, ThreadsThatAskAtTheSameTimeGetOnePool) {
  SlowDatabase& database = SlowDatabase::instance();
  database.is_down = false;
  for (const char* const name : {"one", static_cast<const char*>(nullptr)}) {
    registry pools("min_size=1 max_size=1 init_mode=fail_fast");
    const int before = database.opens;
    std::set<tide_pool*> handles;
    for (const Answer& answer : ask_at_once(pools, 16, name)) {
      EXPECT_EQ(answer.status, TIDE_OK) << answer.message;
      handles.insert(answer.pool);
    }
    EXPECT_EQ(handles.size(), 1U);
    EXPECT_EQ(database.opens - before, 1);
  }
}

TEST(SharedOpening, AFailureIsToldToAllAndNotRemembered) {
  SlowDatabase& database = SlowDatabase::instance();
  database.is_down = true;
  registry pools("min_size=1 max_size=1 init_mode=fail_fast init_timeout=150ms retry_base=1s retry_max=1s");
  for (const Answer& answer : ask_at_once(pools, 16, "one")) {
    EXPECT_NE(answer.status, TIDE_OK);
    EXPECT_EQ(answer.pool, nullptr);
    EXPECT_NE(answer.message.find("slow database is down"), std::string::npos) << answer.message;
  }
  EXPECT_EQ(error_of<error>([&] { pools.find("one"); }).status(), TIDE_NOT_FOUND);
  database.is_down = false;
  EXPECT_EQ(pools.pool("one", "slow:db").health().healthy, 1);
}

TEST(SharedOpening, APoolThatOpensDuringCloseIsClosedWithIt) {
  SlowDatabase& database = SlowDatabase::instance();
  database.is_down = false;
  database.sleep_ms = 200;
  registry pools("min_size=1 max_size=1 init_mode=fail_fast");
  Answer answer;
  std::thread opener([&] {
    tide_error why = TIDE_ERROR_INIT;
    answer.status = tide_registry_pool(pools.native(), "late", "slow:db", nullptr, &answer.pool, &why);
  });
  const int before = database.opens;
  while (database.opens == before) std::this_thread::sleep_for(1ms);
  pools.close();
  opener.join();
  database.sleep_ms = 30;
  EXPECT_EQ(answer.status, TIDE_CLOSED);
  tide_pool* out = nullptr;
  EXPECT_EQ(tide_pool_find("late", &out, nullptr), TIDE_NOT_FOUND);
}

// ThreadSanitizer does not know the threads in a forked child.
#if !defined(__SANITIZE_THREAD__)
TEST(SharedOpening, AChildOfForkOpensPoolsOfItsOwn) {
  SlowDatabase::instance().is_down = false;
  registry pools("max_size=1");
  tide_pool* const parents = pools.pool("worker", "slow:db").native();
  std::atomic<bool> is_over = false;
  std::thread busy([&] {  // forks happen within calls of another thread
    while (!is_over) pools.pool("worker", "slow:db", "max_size=1");
  });
  for (int i = 0; i < 5; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      tide_pool* own = nullptr;
      if (tide_registry_pool(pools.native(), "worker", "slow:db", nullptr, &own, nullptr) != TIDE_OK) ::_exit(1);
      if (own == parents || tide_pool_close(parents, 0, nullptr) != TIDE_FORKED) ::_exit(2);
      ::_exit(tide_registry_close(pools.native(), 0, nullptr) == TIDE_OK ? 0 : 3);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  is_over = true;
  busy.join();
  EXPECT_EQ(pools.pool("worker").native(), parents);
}

TEST(SharedOpening, AForkWhileAPoolIsBeingOpenedDoesNotBlockTheChild) {
  SlowDatabase& database = SlowDatabase::instance();
  database.is_down = false;
  database.sleep_ms = 300;
  registry pools("min_size=1 max_size=1 init_mode=fail_fast");
  const int before = database.opens;
  std::thread opener([&] { pools.pool("slow", "slow:db"); });
  while (database.opens == before) std::this_thread::sleep_for(1ms);
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);
    tide_pool* own = nullptr;
    ::_exit(tide_registry_pool(pools.native(), "slow", "slow:db", nullptr, &own, nullptr) == TIDE_OK ? 0 : 1);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  opener.join();
  database.sleep_ms = 30;
  EXPECT_EQ(pools.find("slow").health().healthy, 1);
}
#endif

class Unpooled : public Registries {};

TEST_F(Unpooled, EveryLeaseHasASessionOfItsOwn) {
  tidepool::pool direct("direct", url(), "max_size=0");
  std::set<uint64_t> connections;
  std::set<int64_t> sessions;
  for (int i = 0; i < 5; ++i) {
    tidepool::lease lease = direct.acquire();
    EXPECT_TRUE(connections.insert(lease.stats().conn_id).second);
    EXPECT_EQ(lease.stats().uses_total, 1U);
    lease.execute("create temp table mine (n int)");  // fails in a session that has it
    if (tidepool_test::is_postgresql()) {
      EXPECT_TRUE(sessions.insert(*lease.query_first<int64_t>("select pg_backend_pid()")).second);
    }
  }
  direct.execute("drop table if exists direct_t");
  direct.execute("create table direct_t (n int)");
  direct.transact([](tidepool::transaction& tx) { tx.execute("insert into direct_t values (1)"); });
  EXPECT_EQ(*direct.query_first<int>("select count(*) from direct_t"), 1);
  {
    tidepool::lease one = direct.acquire();
    tidepool::lease two = direct.acquire();
    EXPECT_NE(one.stats().conn_id, two.stats().conn_id);
  }
  EXPECT_EQ(setting(direct, "max_size"), 0);
  direct.close();
}

TEST_F(Unpooled, ADatabaseInMemoryLivesAsLongAsThePool) {
  tidepool::pool direct("direct", "sqlite::memory:", "max_size=0");
  direct.execute("create table t (n int)");
  direct.execute("insert into t values (5)");
  EXPECT_EQ(*direct.query_first<int>("select n from t"), 5);
}

}  // namespace
