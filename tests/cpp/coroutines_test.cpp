// Coroutines: results, errors, executors, stop tokens, with an event loop of its own.
#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <condition_variable>
#include <coroutine>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <tidepool/tidepool.hpp>
#include <utility>
#include <vector>

#include "support.hpp"
#include "unit/support/rounds.hpp"

namespace {

using namespace std::chrono_literals;

// Coroutines that were posted, and run by the thread that calls run_until().
class Loop {
 public:
  void post(std::coroutine_handle<> ready) {
    const std::lock_guard lock(mutex_);
    ready_.push_back(ready);
    changed_.notify_all();
  }
  tidepool::executor executor() {
    return [this](std::coroutine_handle<> ready) { post(ready); };
  }
  template <typename Done>
  void run_until(Done done) {
    while (!done()) {
      std::unique_lock lock(mutex_);
      ASSERT_TRUE(changed_.wait_for(lock, 30s, [&] { return !ready_.empty(); }));
      const std::coroutine_handle<> next = ready_.front();
      ready_.pop_front();
      lock.unlock();
      next.resume();
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::coroutine_handle<>> ready_;
};

// A coroutine that begins at once. Whoever has the object waits for its end, or destroys it while it is suspended.
class Task {
 public:
  struct Ending {
    std::mutex mutex;
    std::condition_variable changed;
    bool has_ended = false;
    std::exception_ptr thrown;
  };
  struct promise_type {
    std::shared_ptr<Ending> ending = std::make_shared<Ending>();
    Task get_return_object() { return Task(ending, std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_never initial_suspend() noexcept { return {}; }
    auto final_suspend() noexcept {
      struct Tell {
        std::shared_ptr<Ending> ending;
        bool await_ready() noexcept { return false; }
        // The frame may be destroyed as soon as the end is told.
        void await_suspend(std::coroutine_handle<>) noexcept {
          const std::shared_ptr<Ending> own = std::move(ending);
          const std::lock_guard lock(own->mutex);
          own->has_ended = true;
          own->changed.notify_all();
        }
        void await_resume() noexcept {}
      };
      return Tell{ending};
    }
    void return_void() {}
    void unhandled_exception() { ending->thrown = std::current_exception(); }
  };

  Task(std::shared_ptr<Ending> ending, std::coroutine_handle<> frame) : ending_(std::move(ending)), frame_(frame) {}
  Task(Task&& other) noexcept : ending_(std::move(other.ending_)), frame_(std::exchange(other.frame_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (frame_) frame_.destroy();
  }

  bool has_ended() const {
    const std::lock_guard lock(ending_->mutex);
    return ending_->has_ended;
  }
  void wait() {
    std::unique_lock lock(ending_->mutex);
    ASSERT_TRUE(ending_->changed.wait_for(lock, 30s, [&] { return ending_->has_ended; }));
    if (ending_->thrown != nullptr) std::rethrow_exception(ending_->thrown);
  }

 private:
  std::shared_ptr<Ending> ending_;
  std::coroutine_handle<> frame_;
};

class Coroutines : public tidepool_test::Database {
 protected:
  Coroutines() { make_table("n int primary key"); }

  // Whether all leases of a pool of one connection are back soon.
  static bool is_free(tidepool::pool& of) { return of.with({.timeout = 10s}).query_first<int>("select 1") == 1; }
};

Task read_and_write(tidepool::pool& pool, std::vector<int>& found) {
  co_await pool.execute_async("insert into t values ($1)", 1);
  std::vector<tidepool::statement> list{{"insert into t values ($1)", 2}, {"insert into t values ($1)", 3}};
  const tidepool::result done = co_await pool.batch_async(std::move(list));
  EXPECT_EQ(done.part(1).affected(), 1);
  tidepool::lease lease = co_await pool.acquire_async({.tag = "coroutine"});
  const auto rows = co_await lease.query_async<int>("select n from t where n >= $1 order by n", 1);
  for (const int n : rows) found.push_back(n);
  const std::optional<int> sum = co_await lease.query_first_async<int>("select sum(n) from t");
  found.push_back(sum.value_or(-1));
  const tidepool::result plain = co_await lease.with({.timeout = 10s}).query_async("select 7 as seven");
  found.push_back(plain[0].get<int>("seven"));
}

TEST_F(Coroutines, Results) {
  std::vector<int> found;
  Task task = read_and_write(pool(), found);
  task.wait();
  EXPECT_EQ(found, (std::vector{1, 2, 3, 6, 7}));
}

Task use_named(tidepool::pool& pool, std::string& found) {
  std::string kept = "a text that is too long to be kept inside of a string";
  auto later = pool.query_first_async<std::string>("select cast(:text as text)", tidepool::arg("text", kept));
  kept = "changed before it was awaited";
  found = (co_await std::move(later)).value();
}

TEST_F(Coroutines, ParametersAreCopied) {
  std::string found;
  Task task = use_named(pool(), found);
  task.wait();
  EXPECT_EQ(found, "a text that is too long to be kept inside of a string");
}

Task fail_twice(tidepool::pool& pool, std::string& sqlstate) {
  const auto refused = co_await pool.query_async("selekt").as_expected();
  EXPECT_FALSE(refused);
  sqlstate = refused.error().sqlstate();
  co_await pool.query_async<std::string>("select null as gone");
  co_await pool.query_async<int>("select 1, 2");
}

TEST_F(Coroutines, ErrorsAreThrownOrReturned) {
  std::string sqlstate;
  Task task = fail_twice(pool(), sqlstate);
  EXPECT_THROW(task.wait(), tidepool::conversion_error);
  EXPECT_EQ(sqlstate, "42601");
}

Task count_on(Loop& loop, tidepool::pool& pool, std::vector<std::thread::id>& threads) {
  const auto executor = loop.executor();
  co_await pool.query_async<int>("select 1").resume_on(executor);
  for (int i = 0; i < 20; ++i) {
    co_await pool.query_async<int>("select 1").resume_on(executor);
    threads.push_back(std::this_thread::get_id());
  }
  const tidepool::lease lease = co_await pool.acquire_async().resume_on(executor);
  threads.push_back(std::this_thread::get_id());
}

TEST_F(Coroutines, AnExecutorResumes) {
  Loop loop;
  std::vector<std::thread::id> threads;
  Task task = count_on(loop, pool(), threads);
  loop.run_until([&] { return task.has_ended(); });
  task.wait();
  EXPECT_EQ(threads, std::vector<std::thread::id>(21, std::this_thread::get_id()));
}

Task acquire_often(tidepool::pool& pool, int times, int& done) {
  for (int i = 0; i < times; ++i) {
    const tidepool::lease lease = co_await pool.acquire_async();
    ++done;
  }
}

// A result that is there at once must not resume the coroutine inside of itself, or the stack would overflow.
TEST_F(Coroutines, ManyImmediateResultsNeedNoStack) {
  int done = 0;
  constexpr int kTimes = tide::test::rounds(200'000);
  Task task = acquire_often(pool(), kTimes, done);
  task.wait();
  EXPECT_EQ(done, kTimes);
}

Task acquire_with(tidepool::pool& pool, std::stop_token token, std::optional<tidepool::error>& why) {
  const auto lease = co_await pool.acquire_async({.timeout = 20s}).stop_on(std::move(token)).as_expected();
  if (!lease) why = lease.error();
}

TEST_F(Coroutines, AStopEndsTheWaitForAConnection) {
  tidepool::pool narrow("narrow", url(), "max_size=1");
  std::optional<tidepool::error> why;
  std::stop_source stop;
  tidepool::lease only = narrow.acquire();
  Task task = acquire_with(narrow, stop.get_token(), why);
  EXPECT_FALSE(task.has_ended());
  stop.request_stop();
  task.wait();
  ASSERT_TRUE(why.has_value());
  EXPECT_EQ(why->kind(), tidepool::error_kind::cancelled);
  EXPECT_EQ(why->sqlstate(), "57014");
  only.release();
  EXPECT_TRUE(is_free(narrow));  // the lease that came too late was given back
  why.reset();
  Task late = acquire_with(narrow, stop.get_token(), why);
  late.wait();
  EXPECT_TRUE(why.has_value());
}

Task run_endless(tidepool::pool& pool, std::string sql, std::stop_token token, std::optional<tidepool::error>& why) {
  const auto result = co_await pool.with({.timeout = 20s}).query_async(sql).stop_on(std::move(token)).as_expected();
  if (!result) why = result.error();
}

TEST_F(Coroutines, AStopCancelsAStatementOfThePool) {
  tidepool::pool narrow("narrow", url(), "max_size=1");
  for (int round = 0; round < 6; ++round) {
    std::optional<tidepool::error> why;
    std::stop_source stop;
    Task task = run_endless(narrow, endless(), stop.get_token(), why);
    EXPECT_FALSE(
        narrow.try_acquire({.timeout = 20ms}));  // it has the connection, and the statement has begun meanwhile
    EXPECT_FALSE(task.has_ended());
    stop.request_stop();
    task.wait();
    ASSERT_TRUE(why.has_value());
    EXPECT_EQ(why->kind(), tidepool::error_kind::cancelled) << why->what();
    EXPECT_TRUE(is_free(narrow));
  }
}

TEST_F(Coroutines, AStopBeforeTheStatementBegins) {
  std::optional<tidepool::error> why;
  std::stop_source stop;
  stop.request_stop();
  Task task = run_endless(pool(), "insert into t values (1)", stop.get_token(), why);
  task.wait();
  ASSERT_TRUE(why.has_value());
  EXPECT_EQ(why->kind(), tidepool::error_kind::cancelled);
  EXPECT_EQ(pool().query_first<int>("select count(*) from t"), 0);
}

Task run_on_lease(tidepool::lease& lease, std::string sql, std::stop_token token, std::vector<std::string>& told) {
  try {
    co_await lease.query_async(sql).stop_on(std::move(token));
  } catch (const tidepool::cancelled_error& why) {
    told.emplace_back(why.sqlstate());
  }
  told.push_back(std::to_string((co_await lease.query_first_async<int>("select 5")).value()));
}

TEST_F(Coroutines, AStopCancelsAStatementOfALeaseWhichRemains) {
  std::vector<std::string> told;
  std::stop_source stop;
  tidepool::lease lease = pool().acquire();
  Task task = run_on_lease(lease, endless(), stop.get_token(), told);
  while (lease.stats().idle_ms < 100) std::this_thread::yield();  // long enough for the statement to begin
  stop.request_stop();
  task.wait();
  EXPECT_EQ(told, (std::vector<std::string>{"57014", "5"}));
}

TEST_F(Coroutines, AWaitingCoroutineMayBeDestroyed) {
  tidepool::pool narrow("narrow", url(), "max_size=1");
  std::optional<tidepool::error> why;
  {
    tidepool::lease only = narrow.acquire();
    const Task task = acquire_with(narrow, {}, why);
    EXPECT_FALSE(task.has_ended());
  }
  EXPECT_TRUE(is_free(narrow));
  EXPECT_FALSE(why.has_value());
}

Task read_in_steps(tidepool::pool& pool, int& found) {
  const tidepool::lease lease = co_await pool.acquire_async();
  for (int i = 0; i < 3; ++i) found += (co_await lease.query_first_async<int>("select 2")).value();
}

TEST_F(Coroutines, InAForeignLoop) {
  tidepool::pool own({.name = "foreign", .url = url(), .options = "max_size=1", .foreign_loop = true});
  int found = 0;
  Task task = read_in_steps(own, found);
  for (int steps = 0; !task.has_ended(); ++steps) {
    ASSERT_LT(steps, 10000);
    const auto next = own.step();
    pollfd ready{own.fd(), POLLIN, 0};
    if (!task.has_ended()) ::poll(&ready, 1, static_cast<int>(next.count()));
  }
  task.wait();
  EXPECT_EQ(found, 6);
}

}  // namespace
