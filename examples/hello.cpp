// hello.c in C++, with <tidepool/tidepool.hpp>.
//
//   c++ -std=c++20 hello.cpp -o hello $(pkg-config --cflags --libs tidepool)
#include <tidepool/tidepool.hpp>

#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>

namespace {

// The pool as other processes on this host see it: a cursor over a relation.
void print_pool(const char* name) {
  tide_filter filter = TIDE_FILTER_INIT;
  filter.pool = name;
  tide_cursor* opened = nullptr;
  if (tide_cursor_open("pools", &filter, &opened, nullptr) != TIDE_OK) return;
  const std::unique_ptr<tide_cursor, decltype(&tide_cursor_close)> cursor(opened, &tide_cursor_close);

  const tide_relation* pools = tide_relation_at(0);
  for (int i = 0; pools != nullptr && std::string_view(pools->name) != "pools";) pools = tide_relation_at(++i);
  while (pools != nullptr && tide_cursor_next(cursor.get()) == 1) {
    for (int column = 0; column < pools->ncolumns; ++column) {
      const std::string_view title = pools->columns[column].name;
      if (title == "pool" || title == "state" || title == "size" || title == "idle" || title == "in_use") {
        std::cout << title << '=' << tide_cursor_text(cursor.get(), column, nullptr) << ' ';
      }
    }
    std::cout << '\n';
  }
}

void run(const std::string& url) {
  tidepool::pool pool("hello-cpp", url, "max_size=4");
  pool.execute("create table tide (name text, height real)");

  // Both rows, or none. After a conflict with another transaction it is called again.
  pool.transact([](tidepool::transaction& tx) {
    tx.execute("insert into tide values ($1, $2)", "flood", 4.2);
    tx.execute("insert into tide values ($1, $2)", "ebb", std::nullopt);
  });

  const std::string_view sql = "select name, height from tide";
  for (auto [name, height] : pool.query<std::string_view, std::optional<double>>(sql)) {
    std::cout << name << " is ";
    if (height)
      std::cout << *height << " m high\n";
    else
      std::cout << "of unknown height\n";
  }

  // The same connection for several statements.
  {
    tidepool::lease lease = pool.acquire();
    lease.execute("create temp table seen (name text)");
    lease.execute("insert into seen select name from tide");
  }
  print_pool("hello-cpp");
  try {
    pool.execute("select hight from tide");
  } catch (const tidepool::error& error) {
    std::cout << "as expected: " << error.what() << '\n';  // everything remains usable
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
  } catch (const tidepool::error& error) {
    std::cerr << error.status_name() << ": " << error.what() << '\n';
    result = 1;
  }
  std::filesystem::remove_all(directory);
  return result;
}
