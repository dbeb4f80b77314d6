// What the benchmarks share: a pool without a database behind it, the textbook pool to compare with, and medians.
#pragma once

#include <tidepool/tidepool.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

namespace bench {

inline int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

inline void must(tide_status status, const tide_error& error, const char* what) {
  if (status == TIDE_OK) return;
  std::fprintf(stderr, "%s: %s\n%s\n", what, error.message, error.detail);
  std::exit(1);
}

// A driver whose connections are nothing: what is measured is the pool.
inline void register_nothing() {
  static const int registered = [] {
    tide_driver driver = TIDE_DRIVER_INIT;
    driver.open = [](void*, const char*, int64_t, void** connection, char*, size_t) {
      *connection = std::malloc(1);
      return 0;
    };
    driver.close = [](void*, void* connection) { std::free(connection); };
    tide_error error = TIDE_ERROR_INIT;
    must(tide_register_driver("nothing", &driver, &error), error, "register");
    return 1;
  }();
  (void)registered;
}

class TidePool {
 public:
  explicit TidePool(int size, const std::string& options = "") {
    register_nothing();
    tide_error error = TIDE_ERROR_INIT;
    const std::string n = std::to_string(size);
    const std::string words =
        "init_mode=fail_fast acquire_timeout=60s min_size=" + n + " max_size=" + n + " " + options;
    must(tide_pool_open("bench", "nothing:", words.c_str(), &pool_, &error), error, "open");
  }
  ~TidePool() { tide_pool_close(pool_, -1, nullptr); }
  TidePool(const TidePool&) = delete;
  TidePool& operator=(const TidePool&) = delete;

  tide_lease acquire(const char* tag = "checkout") {
    tide_lease lease;
    if (tide_pool_acquire(pool_, tag, -1, &lease, nullptr) != TIDE_OK) std::abort();
    return lease;
  }
  void release(tide_lease lease) {
    if (tide_lease_release(lease, nullptr) != TIDE_OK) std::abort();
  }
  tide_pool* handle() { return pool_; }

 private:
  tide_pool* pool_ = nullptr;
};

// The pool of every textbook: a mutex, a condition variable, a queue, and the times a pool must know.
class TextbookPool {
 public:
  explicit TextbookPool(int size) {
    for (int i = 0; i < size; ++i) idle_.push_back({i, 0});
  }
  struct Connection {
    int id;
    int64_t acquired_ns;
  };
  Connection acquire(const char* = nullptr) {
    const int64_t asked_ns = now_ns();
    std::unique_lock lock(mutex_);
    if (!is_idle_.wait_for(lock, std::chrono::seconds(60), [this] { return !idle_.empty(); })) std::abort();
    Connection connection = idle_.front();
    idle_.pop_front();
    connection.acquired_ns = now_ns();
    wait_ns_total_ += connection.acquired_ns - asked_ns;
    ++acquires_total_;
    return connection;
  }
  void release(Connection connection) {
    const int64_t used_ns = now_ns() - connection.acquired_ns;
    {
      const std::lock_guard lock(mutex_);
      use_ns_total_ += used_ns;
      idle_.push_back(connection);
    }
    is_idle_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable is_idle_;
  std::deque<Connection> idle_;
  int64_t wait_ns_total_ = 0;
  int64_t use_ns_total_ = 0;
  uint64_t acquires_total_ = 0;
};

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0.0 : values[values.size() / 2];
}

}  // namespace bench
