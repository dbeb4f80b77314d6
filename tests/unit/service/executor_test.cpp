// Asynchronous calls: each is carried out once, in order where threads are missing, and none after the end.
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "service/executor.hpp"
#include "unit/driver/support.hpp"

namespace tide::test {
namespace {

class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    is_open_ = true;
    changed_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    ++inside_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return is_open_; });
  }
  void await(size_t inside) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return inside_ >= inside; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_open_ = false;
  size_t inside_ = 0;
};

const RealClock kClock;

// X1
TEST(ServiceExecutor, X1EveryWorkIsCarriedOutOnceByAtMostSixteenThreads) {
  constexpr size_t kWorks = 100;
  std::vector<std::atomic<int>> counts(kWorks);
  std::mutex mutex;
  std::set<std::thread::id> threads;
  Executor executor;
  Gate gate;
  for (size_t i = 0; i < kWorks; ++i) {
    ASSERT_OK(executor.run([&, i] {
      gate.pass();
      ++counts[i];
      const std::lock_guard lock(mutex);
      threads.insert(std::this_thread::get_id());
    }));
  }
  gate.await(Executor::kThreadsMax);
  gate.open();
  EXPECT_TRUE(executor.finish(kClock, kClock.now() + Span::seconds(60)));
  EXPECT_TRUE(std::all_of(counts.begin(), counts.end(), [](const auto& count) { return count == 1; }));
  EXPECT_EQ(threads.size(), Executor::kThreadsMax);
}

TEST(ServiceExecutor, WaitingWorksKeepTheirOrder) {
  Executor executor;
  Gate gate;
  std::mutex mutex;
  std::vector<int> order;
  for (size_t i = 0; i < Executor::kThreadsMax; ++i) ASSERT_OK(executor.run([&] { gate.pass(); }));
  gate.await(Executor::kThreadsMax);
  for (int i = 0; i < 50; ++i) {
    ASSERT_OK(executor.run([&, i] {
      const std::lock_guard lock(mutex);
      order.push_back(i);
    }));
  }
  gate.open();
  EXPECT_TRUE(executor.finish(kClock, kClock.now() + Span::seconds(60)));
  EXPECT_EQ(order.size(), 50u);
}

TEST(ServiceExecutor, NoneAfterTheEndAndALateOneIsTold) {
  Gate gate;
  {
    Executor executor;
    ASSERT_OK(executor.run([&] { gate.pass(); }));
    gate.await(1);
    EXPECT_FALSE(executor.finish(kClock, kClock.now()));
    EXPECT_EQ(executor.run([] {}).code, Code::closed);
    gate.open();
    EXPECT_TRUE(executor.finish(kClock, kClock.now() + Span::seconds(60)));
  }
}

}  // namespace
}  // namespace tide::test
