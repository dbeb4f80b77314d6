// What the driver tests share: clocks, a directory that goes away, a pump for connectors.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.hpp"
#include "driver/sqlite/connector.hpp"
#include "pool/ports.hpp"

namespace tide::test {

class RealClock final : public Clock {
 public:
  Instant now() const override { return Instant::at_ns(read(CLOCK_MONOTONIC)); }
  int64_t wall_ns() const override { return read(CLOCK_REALTIME); }

 private:
  static int64_t read(clockid_t id) {
    timespec t{};
    clock_gettime(id, &t);
    return t.tv_sec * 1'000'000'000LL + t.tv_nsec;
  }
};

// Time moves when the test says so, and by `step` at every reading: whoever polls the clock gets somewhere.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Span step = Span()) : step_ns_(step.ns()) {}
  Instant now() const override { return Instant::at_ns(now_ns_.fetch_add(step_ns_.load())); }
  int64_t wall_ns() const override { return now_ns_.load(); }
  void advance(Span span) { now_ns_.fetch_add(span.ns()); }
  void advance_to(Instant to) {
    if (to.ns() > now_ns_.load()) now_ns_.store(to.ns());
  }
  void set_step(Span step) { step_ns_.store(step.ns()); }

 private:
  mutable std::atomic<int64_t> now_ns_{Span::seconds(1000).ns()};
  std::atomic<int64_t> step_ns_;
};

// Open to every user, so that a test may act as nobody in it.
class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tidepool-driver-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
    ::chmod(path_.c_str(), 0777);
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  std::string file(const std::string& name = "test.db") const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Root passes every permission check; while this lives, the process is nobody (if it was root).
class AsNobody {
 public:
  AsNobody() : was_root_(::geteuid() == 0) {
    if (was_root_) is_done_ = ::seteuid(65534) == 0;
  }
  ~AsNobody() {
    if (was_root_ && is_done_ && ::seteuid(0) != 0) std::abort();
  }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;
  bool is_unprivileged() const { return !was_root_ || is_done_; }

 private:
  bool was_root_;
  bool is_done_ = false;
};

inline Completion pump(Connector& connector, const Clock& clock) {
  std::vector<Completion> out;
  while (out.empty()) connector.step(clock.now(), out);
  EXPECT_EQ(out.size(), 1u);
  return std::move(out.front());
}

inline Completion try_open(Connector& connector, const Clock& clock, Span within = Span::seconds(30)) {
  connector.open(0, clock.now(), clock.now() + within);
  return pump(connector, clock);
}

inline std::unique_ptr<Connection> open_session(Connector& connector, const Clock& clock) {
  Completion done = try_open(connector, clock);
  EXPECT_EQ(done.kind, Completion::Kind::opened) << done.status.message() << " / " << done.status.detail();
  return std::move(done.connection);
}

inline Status run(Connection& connection, std::string_view sql, ResultTable* out = nullptr,
                  std::vector<const char*> params = {}, Instant deadline = Instant::never()) {
  ResultTable unused;
  std::vector<SqlValue> values;
  for (const char* param : params) values.push_back(SqlValue::of_text_or_null(param));
  QueryRequest request;
  request.sql = sql;
  request.params = values;
  request.deadline = deadline;
  return connection.query(request, out != nullptr ? *out : unused);
}

// The first cell of the answer; the message of the failure, so that a wrong answer explains itself.
inline std::string ask(Connection& connection, std::string_view sql, std::vector<const char*> params = {}) {
  ResultTable out;
  if (const Status status = run(connection, sql, &out, std::move(params)); !status) {
    return "error " + status.sqlstate() + ": " + status.message();
  }
  const char* text = out.text(0, 0);
  return text != nullptr ? text : "NULL";
}

// Statements without end; the second one cannot even be called reading.
inline constexpr const char* kEndless =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

}  // namespace tide::test

#define EXPECT_OK(expression)                                                                              \
  do {                                                                                                     \
    const ::tide::Status tide_status_ = (expression);                                                      \
    EXPECT_TRUE(tide_status_.is_ok()) << tide_status_.sqlstate() << " " << tide_status_.message() << " / " \
                                      << tide_status_.detail();                                            \
  } while (false)
#define ASSERT_OK(expression)                                                                              \
  do {                                                                                                     \
    const ::tide::Status tide_status_ = (expression);                                                      \
    ASSERT_TRUE(tide_status_.is_ok()) << tide_status_.sqlstate() << " " << tide_status_.message() << " / " \
                                      << tide_status_.detail();                                            \
  } while (false)
