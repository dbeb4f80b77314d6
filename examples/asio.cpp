// Queries in coroutines of asio: a bridge of a few lines, and a program that uses it.
//
//   c++ -std=c++20 asio.cpp -o asio $(pkg-config --cflags --libs tidepool) -pthread      (Debian: libasio-dev)
#include <asio.hpp>
#include <tidepool/tidepool.hpp>

#include <chrono>
#include <coroutine>
#include <exception>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <random>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

namespace {

// A coroutine without a result: it begins at once and frees itself at its end.
struct Detached {
  struct promise_type {
    Detached get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
};

// Awaits an operation of tidepool and completes the handler on its executor. What cancels the coroutine of asio cancels the
// operation.
template <typename Operation, typename Handler>
Detached complete(Operation operation, Handler handler) {
  using Value = decltype(operation.await_resume());
  const auto executor = asio::get_associated_executor(handler);
  const auto work = asio::make_work_guard(executor);
  std::stop_token token;
  if (auto slot = asio::get_associated_cancellation_slot(handler); slot.is_connected()) {
    std::stop_source stop;
    token = stop.get_token();
    slot.assign([stop](asio::cancellation_type) mutable { stop.request_stop(); });
  }
  std::exception_ptr thrown;
  std::optional<Value> value;
  try {
    value.emplace(co_await std::move(operation).stop_on(token));
  } catch (...) {
    thrown = std::current_exception();
  }
  asio::post(executor, [handler = std::move(handler), thrown, value = std::move(value)]() mutable {
    std::move(handler)(thrown, std::move(value));
  });
}

// `co_await on_asio(pool.query_async<...>(...))` in an asio::awaitable.
template <typename Operation>
auto on_asio(Operation operation) -> asio::awaitable<decltype(operation.await_resume())> {
  using Value = decltype(operation.await_resume());
  std::optional<Value> value =
      co_await asio::async_initiate<decltype(asio::use_awaitable), void(std::exception_ptr, std::optional<Value>)>(
          [](auto handler, Operation inner) { complete(std::move(inner), std::move(handler)); }, asio::use_awaitable,
          std::move(operation));
  co_return std::move(*value);
}

asio::awaitable<void> work(tidepool::pool& pool) {
  co_await on_asio(pool.execute_async("create table tide (name text, height real)"));
  co_await on_asio(pool.execute_async("insert into tide values ($1, $2)", "flood", 4.2));
  const auto rows = co_await on_asio(pool.query_async<std::string_view, double>("select name, height from tide"));
  for (auto [name, height] : rows) std::cout << name << " is " << height << " m high\n";
  try {
    co_await on_asio(pool.query_async("select hight from tide"));
  } catch (const tidepool::error& why) {
    std::cout << "as expected: " << why.what() << '\n';
  }
}

}  // namespace

int main() {
  const std::filesystem::path directory =
      std::filesystem::temp_directory_path() / ("tidepool-asio-" + std::to_string(std::random_device{}()));
  std::filesystem::create_directory(directory);
  int result = 0;
  try {
    tidepool::pool pool("asio", "sqlite://" + (directory / "asio.db").string(), "max_size=4");
    asio::io_context loop;
    asio::co_spawn(loop, work(pool), [&](std::exception_ptr thrown) {
      if (thrown != nullptr) std::rethrow_exception(thrown);
    });
    loop.run();
  } catch (const std::exception& why) {
    std::cerr << why.what() << '\n';
    result = 1;
  }
  std::filesystem::remove_all(directory);
  return result;
}
