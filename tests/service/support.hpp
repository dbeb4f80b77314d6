// What the programs of this folder share: the C API with destructors, the databases, and waiting.
#pragma once

#include <gtest/gtest.h>
#include <tidepool/tidepool.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace tide::test {

struct Error : tide_error {
  Error() : tide_error(TIDE_ERROR_INIT) {}
  std::string text() const {
    return std::string(tide_status_name(status)) + " " + sqlstate + " " + message + " | " + detail + " | " + hint;
  }
};

class Result {
 public:
  Result() = default;
  explicit Result(tide_result* result) : result_(result) {}
  ~Result() { tide_result_free(result_); }
  Result(Result&& other) noexcept : result_(std::exchange(other.result_, nullptr)) {}
  Result& operator=(Result&& other) noexcept {
    std::swap(result_, other.result_);
    return *this;
  }
  tide_result* get() const { return result_; }
  tide_result** out() { return &result_; }
  int64_t rows() const { return tide_result_rows(result_); }
  tide_value value(int64_t row = 0, int column = 0) const { return tide_result_value(result_, row, column); }
  std::string text(int64_t row = 0, int column = 0) const {
    const char* found = tide_result_text(result_, row, column);
    return found == nullptr ? "NULL" : std::string(found, tide_result_length(result_, row, column));
  }

 private:
  tide_result* result_ = nullptr;
};

using Values = std::vector<tide_value>;

inline tide_query_options options_of(int64_t timeout_ms = -1) {
  tide_query_options with = TIDE_QUERY_OPTIONS_INIT;
  with.timeout_ms = timeout_ms;
  return with;
}

// A pool of the program. Closed at the end, which must not have to revoke a lease.
class Db {
 public:
  Db(const std::string& url, const std::string& options) {
    static int number = 0;
    Error error;
    const std::string name = "service" + std::to_string(++number);
    const std::string all = "publish=off log=off health_interval=0 scaling=off burst=off " + options;
    if (tide_pool_open(name.c_str(), url.c_str(), all.c_str(), &pool_, &error) != TIDE_OK) {
      throw std::runtime_error(error.text());
    }
  }
  ~Db() {
    Error error;
    EXPECT_EQ(tide_pool_close(pool_, 5000, &error), TIDE_OK) << error.text();
  }
  Db(const Db&) = delete;
  Db& operator=(const Db&) = delete;

  tide_pool* pool() const { return pool_; }
  tide_status run(const std::string& sql, const Values& params, Result& out, Error& error) const {
    return tide_pool_query_with(pool_, sql.c_str(), static_cast<int>(params.size()), params.data(), nullptr, out.out(),
                                &error);
  }
  // The result; a failure fails the test.
  Result query(const std::string& sql, const Values& params = {}) const {
    Result out;
    Error error;
    if (run(sql, params, out, error) != TIDE_OK) ADD_FAILURE() << sql << ": " << error.text();
    return out;
  }
  std::string ask(const std::string& sql, const Values& params = {}) const { return query(sql, params).text(); }
  int64_t number(const std::string& sql, const Values& params = {}) const {
    const Result out = query(sql, params);
    return out.rows() == 0 ? -1 : out.value().integer;
  }

 private:
  tide_pool* pool_ = nullptr;
};

class Lease {
 public:
  explicit Lease(const Db& db, int64_t timeout_ms = 10'000) {
    Error error;
    if (tide_pool_acquire(db.pool(), "test", timeout_ms, &lease_, &error) != TIDE_OK) {
      throw std::runtime_error(error.text());
    }
  }
  ~Lease() { tide_lease_release(lease_, nullptr); }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  tide_lease get() const { return lease_; }
  tide_status run(const std::string& sql, const Values& params, Result& out, Error& error) const {
    return tide_lease_query_with(lease_, sql.c_str(), static_cast<int>(params.size()), params.data(), nullptr,
                                 out.out(), &error);
  }
  Result query(const std::string& sql, const Values& params = {}) const {
    Result out;
    Error error;
    if (run(sql, params, out, error) != TIDE_OK) ADD_FAILURE() << sql << ": " << error.text();
    return out;
  }
  std::string ask(const std::string& sql, const Values& params = {}) const { return query(sql, params).text(); }

 private:
  tide_lease lease_{};
};

// The server that tests/pg/with_server.py has started; empty without one.
inline std::string server_words() {
  const char* const words = std::getenv("TIDE_TEST_POSTGRESQL");
  return words == nullptr ? "" : words;
}

// The value of a word of a connection string in which every value is quoted.
inline std::string word_of(const std::string& words, const std::string& name) {
  const size_t at = words.find(name + "='");
  if (at == words.npos) return "";
  const size_t begin = at + name.size() + 2;
  return words.substr(begin, words.find('\'', begin) - begin);
}

class TempFolder {
 public:
  TempFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tp-service-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

using SteadyTime = std::chrono::steady_clock;

inline bool wait_until(const std::function<bool()>& condition, std::chrono::milliseconds limit) {
  const auto give_up = SteadyTime::now() + limit;
  while (!condition()) {
    if (SteadyTime::now() >= give_up) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace tide::test

#define REQUIRE_SERVER() ASSERT_NE(::tide::test::server_words(), "") << "start this program by tests/pg/with_server.py"
