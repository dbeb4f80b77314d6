// Notifications of the C++ interface; PostgreSQL only.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "support.hpp"

namespace {

using tidepool::listen_event;
using tidepool::subscription;

// What subscriptions were told; waits for it.
class Told {
 public:
  void add(const listen_event& event) {
    const std::lock_guard lock(mutex_);
    words_.push_back(event.kind == TIDE_LISTEN_READY ? "ready" : event.text);
    changed_.notify_all();
  }
  std::vector<std::string> await(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(20), [&] { return words_.size() >= count; });
    return words_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> words_;
};

using Words = std::vector<std::string>;

class Listen : public tidepool_test::Database {
 protected:
  void notify(const std::string& text) { (void)pool().query_first<std::string>("select pg_notify('a', $1)", text); }
};

TEST_F(Listen, SubscriptionLastsAsLongAsItsObject) {
  Told told;
  if (!tidepool_test::is_postgresql()) {
    try {
      const subscription refused = pool().listen("a", [&](const listen_event& event) { told.add(event); });
      FAIL() << "SQLite has no notifications";
    } catch (const tidepool::error& why) {
      EXPECT_EQ(why.status(), TIDE_UNSUPPORTED) << why.what();
    }
    return;
  }
  Told other;
  const subscription kept = pool().listen("a", [&](const listen_event& event) { other.add(event); });
  {
    subscription first = pool().listen("a", [&](const listen_event& event) { told.add(event); });
    const subscription moved = std::move(first);
    told.await(1);
    notify("x");
    EXPECT_EQ(told.await(2), (Words{"ready", "x"}));
  }
  notify("y");
  other.await(3);
  EXPECT_EQ(told.await(0), (Words{"ready", "x"}));
}

TEST_F(Listen, FunctionMayDestroyItsSubscription) {
  if (!tidepool_test::is_postgresql()) return;
  Told told;
  std::optional<subscription> own;
  std::mutex mutex;
  {
    const std::lock_guard lock(mutex);  // `own` is not set before listen() has returned
    own.emplace(pool().listen("a", [&, text = std::string("a text of the function")](const listen_event& event) {
      const std::lock_guard inner(mutex);
      if (event.kind == TIDE_LISTEN_NOTIFICATION) own.reset();
      EXPECT_EQ(text, "a text of the function");
      told.add(event);
    }));
  }
  told.await(1);
  notify("x");
  EXPECT_EQ(told.await(2), (Words{"ready", "x"}));
  EXPECT_FALSE(own.has_value());
}

TEST_F(Listen, SubscriptionMayOutliveItsPool) {
  if (!tidepool_test::is_postgresql()) return;
  Told told;
  tidepool::pool closed("closed", url(), "min_size=0 max_size=1");
  const subscription left = closed.listen("a", [&](const listen_event& event) { told.add(event); });
  told.await(1);
  closed.close();
  notify("x");
  EXPECT_EQ(told.await(0), (Words{"ready"}));
}

}  // namespace
