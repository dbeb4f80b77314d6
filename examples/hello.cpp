// hello.c in C++: the C API, with a few lines of RAII.
//
//   c++ -std=c++17 hello.cpp -o hello $(pkg-config --cflags --libs tidepool)
#include <tidepool/tidepool.h>

#include <filesystem>
#include <iostream>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

struct Error : std::runtime_error {
  explicit Error(const tide_error& e) : std::runtime_error(e.message), status(e.status) {}
  tide_status status;
};

// Calls `function` with an error struct as its last argument, and throws the error.
template <typename Function, typename... Arguments>
void call(Function function, Arguments... arguments) {
  tide_error err = TIDE_ERROR_INIT;
  if (function(arguments..., &err) != TIDE_OK) throw Error(err);
}

class Pool {
 public:
  Pool(const char* name, const std::string& url, const char* options) {
    call(tide_pool_open, name, url.c_str(), options, &pool_);
  }
  ~Pool() { tide_pool_close(pool_, -1, nullptr); }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  tide_pool* get() const { return pool_; }

 private:
  tide_pool* pool_ = nullptr;
};

using Rows = std::unique_ptr<tide_result, decltype(&tide_result_free)>;

class Lease {
 public:
  Lease(const Pool& pool, const char* tag) { call(tide_pool_acquire, pool.get(), tag, int64_t{2000}, &lease_); }
  ~Lease() { tide_lease_release(lease_, nullptr); }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  Rows query(const char* sql, const std::vector<const char*>& params = {}) const {
    tide_result* result = nullptr;
    call(tide_lease_query, lease_, sql, static_cast<int>(params.size()), params.data(), &result);
    return {result, &tide_result_free};
  }

 private:
  tide_lease lease_{};
};

// The pool as other processes on this host see it: a cursor over a relation.
void print_pool(const char* name) {
  tide_filter filter = TIDE_FILTER_INIT;
  filter.pool = name;
  tide_cursor* opened = nullptr;
  call(tide_cursor_open, "pools", &filter, &opened);
  const std::unique_ptr<tide_cursor, decltype(&tide_cursor_close)> cursor(opened, &tide_cursor_close);

  const tide_relation* pools = tide_relation_at(0);
  for (int i = 0; pools != nullptr && std::string(pools->name) != "pools";) pools = tide_relation_at(++i);
  while (pools != nullptr && tide_cursor_next(cursor.get()) == 1) {
    for (int column = 0; column < pools->ncolumns; ++column) {
      const std::string title = pools->columns[column].name;
      if (title == "pool" || title == "state" || title == "size" || title == "idle" || title == "in_use") {
        std::cout << title << '=' << tide_cursor_text(cursor.get(), column, nullptr) << ' ';
      }
    }
    std::cout << '\n';
  }
}

void run(const std::string& url) {
  const Pool pool("hello-cpp", url, "max_size=4");
  {
    const Lease lease(pool, "hello");
    lease.query("create table tide (name text, height real)");
    lease.query("insert into tide values ('flood', 4.2)");
    lease.query("insert into tide values (?1, ?2)", {"ebb", nullptr});  // nullptr is NULL in SQL
    const Rows rows = lease.query("select name, height from tide");
    for (int64_t row = 0; row < tide_result_rows(rows.get()); ++row) {
      const char* height = tide_result_text(rows.get(), row, 1);
      std::cout << tide_result_text(rows.get(), row, 0) << " is "
                << (height != nullptr ? height : "an unknown number of") << " m high\n";
    }
    print_pool("hello-cpp");
    try {
      lease.query("select hight from tide");
    } catch (const Error& e) {
      std::cout << "as expected: " << e.what() << '\n';  // the lease is still valid
    }
  }
}

}  // namespace

int main() {
  const std::filesystem::path directory =
      std::filesystem::temp_directory_path() / ("tidepool-hello-" + std::to_string(std::random_device{}()));
  std::filesystem::create_directory(directory);
  int result = 0;
  try {
    run("sqlite://" + (directory / "hello.db").string());
  } catch (const Error& e) {
    std::cerr << tide_status_name(e.status) << ": " << e.what() << '\n';
    result = 1;
  }
  std::filesystem::remove_all(directory);
  return result;
}
