// A database for the tests of the C++ interface: the PostgreSQL that TIDE_TEST_POSTGRESQL names (tests/pg/with_server.py starts
// one), or a temporary SQLite file.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <coroutine>
#include <exception>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <tidepool/tidepool.hpp>
#include <utility>

namespace tidepool_test {

inline bool is_postgresql() { return ::getenv("TIDE_TEST_POSTGRESQL") != nullptr; }

// "host='/tmp/x' port='1' ..." as a URL.
inline std::string url_of(std::string_view conninfo) {
  std::string query;
  while (!conninfo.empty()) {
    const size_t equals = conninfo.find("='");
    const size_t end = conninfo.find('\'', equals + 2);
    std::string key(conninfo.substr(0, equals));
    query.append(query.empty() ? "" : "&").append(key).append("=");
    query.append(conninfo.substr(equals + 2, end - equals - 2));
    conninfo.remove_prefix(std::min(end + 2, conninfo.size()));
  }
  return "postgresql://?" + query;
}

class Database : public testing::Test {
 protected:
  Database() {
    if (is_postgresql()) {
      url_ = url_of(::getenv("TIDE_TEST_POSTGRESQL"));
    } else {
      std::string made = (std::filesystem::temp_directory_path() / "tidepool-cpp-XXXXXX").string();
      directory_ = ::mkdtemp(made.data());
      url_ = "sqlite://" + (directory_ / "test.db").string();
    }
    pool_.emplace("cpp", url_, "min_size=1 max_size=4 acquire_timeout=10s");
  }
  ~Database() override {
    pool_.reset();
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
  }

  tidepool::pool& pool() { return *pool_; }
  const std::string& url() const { return url_; }
  // An empty table `t` with these columns.
  void make_table(const std::string& columns) {
    pool().execute("drop table if exists t");
    pool().execute("create table t (" + columns + ")");
  }
  // "$1", with a type where PostgreSQL would not know which.
  static std::string typed(const std::string& expression, const std::string& type) {
    return is_postgresql() ? expression + "::" + type : expression;
  }
  // A query with the columns n = 1 to `rows` and s = 'row n'.
  static std::string series(int rows) {
    const std::string last = std::to_string(rows);
    if (is_postgresql()) return "select n, 'row ' || n as s from generate_series(1, " + last + ") as n order by n";
    return "with recursive c(n) as (select 1 union all select n + 1 from c where n < " + last +
           ") select n, 'row ' || n as s from c";
  }
  // A statement that runs until it is cancelled.
  static std::string endless() {
    if (is_postgresql()) return "select 1 from pg_sleep(600)";
    return "with recursive c(n) as (select 1 union all select n + 1 from c) select count(*) from c";
  }

 private:
  std::string url_;
  std::filesystem::path directory_;
  std::optional<tidepool::pool> pool_;
};

// The error that `function` throws, as an `Error`.
template <typename Error, typename Function>
Error error_of(Function&& function) {
  try {
    std::forward<Function>(function)();
  } catch (const Error& why) {
    return why;
  }
  ADD_FAILURE() << "no error, or not of this type";
  return Error(tidepool::error(tide_error TIDE_ERROR_INIT));
}

}  // namespace tidepool_test
