/* Statements on pools, leases and transactions. Include <tidepool/tidepool.hpp>. */
#pragma once

#include <tidepool/query.h>
#include <tidepool/transaction.h>
#include <tidepool/async.hpp>
#include <tidepool/error.hpp>
#include <tidepool/options.hpp>
#include <tidepool/parameters.hpp>
#include <tidepool/result.hpp>

#include <concepts>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace tidepool {
namespace detail {

// The functions of the C API for each of the three.
struct pool_target {
  static constexpr auto query = &tide_pool_query_with;
  static constexpr auto query_first = &tide_pool_query_first;
  static constexpr auto execute = &tide_pool_execute;
  static constexpr auto batch = &tide_pool_batch;
  static constexpr auto stream = &tide_pool_stream;
  static constexpr auto rows = &tide_pool_rows;
  tide_pool* handle = nullptr;
};
struct lease_target {
  static constexpr auto query = &tide_lease_query_with;
  static constexpr auto query_first = &tide_lease_query_first;
  static constexpr auto execute = &tide_lease_execute;
  static constexpr auto batch = &tide_lease_batch;
  static constexpr auto stream = &tide_lease_stream;
  static constexpr auto rows = &tide_lease_rows;
  tide_lease handle{};
};
struct transaction_target {
  static constexpr auto query = &tide_tx_query;
  static constexpr auto query_first = &tide_tx_query_first;
  static constexpr auto execute = &tide_tx_execute;
  static constexpr auto batch = &tide_tx_batch;
  static constexpr auto stream = &tide_tx_stream;
  tide_tx handle{};
};

template <typename Target>
concept has_rows = requires {
  Target::rows;
};
template <typename Target>
concept has_async = has_rows<Target>;

// Calls `consume` for every row of a stream. Its exception ends the stream and is thrown from there.
template <typename Reader, typename Consume>
class row_consumer {
 public:
  explicit row_consumer(Consume& consume) noexcept : consume_(consume) {}

  static int take(void* context, const tide_result* page, int64_t number) noexcept {
    auto& self = *static_cast<row_consumer*>(context);
    try {
      if (self.count_ == 0) Reader::check(page);
      ++self.count_;
      return self.pass(Reader::read(page, number)) ? 0 : 1;
    } catch (...) {
      self.thrown_ = std::current_exception();
      return 1;
    }
  }
  void rethrow() const {
    if (thrown_ != nullptr) std::rethrow_exception(thrown_);
  }
  int64_t count() const noexcept { return count_; }

 private:
  // False: the stream ends.
  bool pass(typename Reader::type&& row) {
    if constexpr (std::invocable<Consume&, typename Reader::type&&>) {
      return passed([&]() -> decltype(auto) { return consume_(std::move(row)); });
    } else {
      return passed([&]() -> decltype(auto) { return std::apply(consume_, std::move(row)); });
    }
  }
  template <typename Call>
  static bool passed(Call call) {
    if constexpr (std::is_void_v<std::invoke_result_t<Call>>) {
      call();
      return true;
    } else {
      return static_cast<bool>(call());
    }
  }

  Consume& consume_;
  std::exception_ptr thrown_;
  int64_t count_ = 0;
};

}  // namespace detail

/**
 * The calls that pools, leases and transactions have in common. Types are those of codecs.hpp, or a plain struct.
 *
 * Errors are thrown as tidepool::error; the functions named try_... return an expected<T> instead. With try_query() all rows
 * have been converted once when it returns, so that reading them does not throw either.
 *
 * A copy refers to the same pool, lease or transaction and does not own it.
 */
template <typename Target>
class calls {
 public:
  explicit calls(Target target, call_options with = {}) noexcept : target_(target), with_(with) {}

  /** The same calls with options. */
  calls with(const call_options& options) const noexcept { return calls(target_, options); }

  /**
   * Execute a statement and return its rows: `for (auto [id, name] : pool.query<int64_t, std::string>("select ..."))`.
   * Without types it returns a result.
   *
   * @param sql        one statement; several only without arguments
   * @param arguments  the values of $1, $2 ...; or all made with arg(), for :name
   */
  template <typename... Types, typename... Arguments>
  auto query(const statement_text& sql, const Arguments&... arguments) const {
    result made = run(Target::query, sql, arguments...);
    if constexpr (sizeof...(Types) == 0) {
      return made;
    } else {
      return rows<Types...>(std::move(made));
    }
  }
  template <typename... Types, typename... Arguments>
  auto try_query(const statement_text& sql, const Arguments&... arguments) const {
    return attempt([&] {
      auto made = query<Types...>(sql, arguments...);
      if constexpr (sizeof...(Types) > 0) {
        for (const auto& row : made) static_cast<void>(row);
      }
      return made;
    });
  }

  /** The first row, if there is one: `std::optional<std::string> name = pool.query_first<std::string>("select ...")`. */
  template <typename... Types, typename... Arguments>
  auto query_first(const statement_text& sql, const Arguments&... arguments) const {
    return first_of<Types...>(run(Target::query_first, sql, arguments...));
  }
  template <typename... Types, typename... Arguments>
  auto try_query_first(const statement_text& sql, const Arguments&... arguments) const {
    return attempt([&] { return query_first<Types...>(sql, arguments...); });
  }

  /** Execute a statement that changes something: see result_view::affected(), last_insert_id() and command(). */
  template <typename... Arguments>
  result execute(const statement_text& sql, const Arguments&... arguments) const {
    return run(Target::execute, sql, arguments...);
  }
  template <typename... Arguments>
  expected<result> try_execute(const statement_text& sql, const Arguments&... arguments) const {
    return attempt([&] { return execute(sql, arguments...); });
  }

  /**
   * Execute statements as one transaction, in one round trip: `pool.batch({{"insert into t values ($1)", 1}, "analyze t"})`.
   * The result of each is result_view::part(). Their parameters have no names.
   */
  result batch(std::initializer_list<statement> statements) const {
    return run_batch(statements.begin(), statements.size());
  }
  template <std::ranges::contiguous_range Statements>
  requires std::same_as<std::ranges::range_value_t<Statements>, statement> result batch(const Statements& statements)
  const { return run_batch(std::ranges::data(statements), std::ranges::size(statements)); }
  expected<result> try_batch(std::initializer_list<statement> statements) const {
    return attempt([&] { return batch(statements); });
  }
  template <std::ranges::contiguous_range Statements>
  requires std::same_as<std::ranges::range_value_t<Statements>, statement> expected<result> try_batch(
      const Statements& statements)
  const {
    return attempt([&] { return batch(statements); });
  }

  /**
   * Execute a statement and call a function for each row, in constant memory: with the columns as arguments, or with the row. If
   * it returns a value, false ends the stream. Returns the number of rows that were passed. Views are valid during the call.
   *
   * @param consume  must not use the lease or transaction
   */
  template <typename... Types, typename Consume, typename... Arguments>
  int64_t for_each(Consume&& consume, const statement_text& sql, const Arguments&... arguments) const {
    using reader = typename detail::reader_of<Types...>::type;
    detail::row_consumer<reader, std::remove_reference_t<Consume>> consumer(consume);
    const detail::parameters<Arguments...> bound(arguments...);
    const tide_query_options with = options_for(bound);
    tide_error why = TIDE_ERROR_INIT;
    const tide_status status = Target::stream(target_.handle, sql.c_str(), bound.count(), bound.values(), &with,
                                              &consumer.take, &consumer, nullptr, &why);
    consumer.rethrow();
    if (status != TIDE_OK) error(why).raise();
    return consumer.count();
  }
  template <typename... Types, typename Consume, typename... Arguments>
  expected<int64_t> try_for_each(Consume&& consume, const statement_text& sql, const Arguments&... arguments) const {
    return attempt([&] { return for_each<Types...>(consume, sql, arguments...); });
  }

  /**
   * As query(), in constant memory: the rows are read page by page, and a connection is held until their end. Not in a
   * transaction, where for_each() does the same.
   */
  template <typename... Types, typename... Arguments>
  streamed_rows<Types...> stream(const statement_text& sql,
                                 const Arguments&... arguments) const requires detail::has_rows<Target> {
    const detail::parameters<Arguments...> bound(arguments...);
    const tide_query_options with = options_for(bound);
    tide_rows* made = nullptr;
    detail::call(Target::rows, target_.handle, sql.c_str(), bound.count(), bound.values(), &with, &made);
    return streamed_rows<Types...>(made);
  }

  /** query() for coroutines, see async.hpp: `auto rows = co_await pool.query_async<int64_t>("select ...")`. */
  template <typename... Types, typename... Arguments>
  auto query_async(const statement_text& sql, const Arguments&... arguments) const requires detail::has_async<Target> {
    return begin(detail::kAsyncQuery, {{statement(sql.c_str(), arguments...)}, false}, [](detail::async_outcome done) {
      if constexpr (sizeof...(Types) == 0) {
        return result(done.result);
      } else {
        return rows<Types...>(result(done.result));
      }
    });
  }
  /** query_first() for coroutines. */
  template <typename... Types, typename... Arguments>
  auto query_first_async(const statement_text& sql,
                         const Arguments&... arguments) const requires detail::has_async<Target> {
    return begin(detail::kAsyncFirst, {{statement(sql.c_str(), arguments...)}, false},
                 [](detail::async_outcome done) { return first_of<Types...>(result(done.result)); });
  }
  /** execute() for coroutines. */
  template <typename... Arguments>
  auto execute_async(const statement_text& sql,
                     const Arguments&... arguments) const requires detail::has_async<Target> {
    return begin(detail::kAsyncExecute, {{statement(sql.c_str(), arguments...)}, false}, &result_of);
  }
  /** batch() for coroutines. */
  auto batch_async(std::vector<statement> statements) const requires detail::has_async<Target> {
    for (const statement& one : statements) refuse_names(one);
    return begin(detail::kAsyncExecute, {std::move(statements), true}, &result_of);
  }

 protected:
  Target target_;

 private:
  template <typename Bound>
  tide_query_options options_for(const Bound& bound) const noexcept {
    tide_query_options made = detail::native_of(with_);
    if (bound.names() != nullptr) {
      made.placeholders = TIDE_PLACEHOLDERS_NAMED;
      made.names = bound.names();
    }
    return made;
  }

  template <typename Function, typename... Arguments>
  result run(Function function, const statement_text& sql, const Arguments&... arguments) const {
    const detail::parameters<Arguments...> bound(arguments...);
    const tide_query_options with = options_for(bound);
    tide_result* made = nullptr;
    detail::call(function, target_.handle, sql.c_str(), bound.count(), bound.values(), &with, &made);
    return result(made);
  }

  result run_batch(const statement* first, std::size_t count) const {
    std::vector<std::vector<tide_value>> values;
    std::vector<tide_statement> list;
    values.reserve(count);
    list.reserve(count);
    for (const statement* one = first; one != first + count; ++one) {
      refuse_names(*one);
      values.push_back(one->values());
      list.push_back({one->sql(), values.back().data(), static_cast<int32_t>(values.back().size()), 0});
    }
    const tide_query_options with = detail::native_of(with_);
    tide_result* made = nullptr;
    detail::call(Target::batch, target_.handle, list.data(), static_cast<int>(count), &with, &made);
    return result(made);
  }
  static void refuse_names(const statement& one) {
    if (one.names().empty()) return;
    std::string message("named parameters in a batch: ");
    error(detail::make_error(TIDE_BAD_ARGUMENT, {}, message.append(one.sql()),
                             "The statements of a batch have the parameters $1, $2 ..."))
        .raise();
  }

  template <typename... Types>
  static auto first_of(const result& made) {
    static_assert(sizeof...(Types) > 0, "name the types of the columns, such as query_first<int64_t>()");
    using reader = detail::row_reader<Types...>;
    static_assert(!reader::is_view, "the result of query_first() is freed: use std::string or std::vector<std::byte>");
    reader::check(made.native());
    return made.empty() ? std::nullopt : std::optional<typename reader::type>(reader::read(made.native(), 0));
  }
  static result result_of(detail::async_outcome done) { return result(done.result); }

  template <typename Read>
  auto begin(const detail::async_functions& functions, detail::async_statements statements, Read read) const {
    return operation<Read>(std::make_shared<detail::async_query>(target_.handle, functions, std::move(statements),
                                                                 detail::native_of(with_)),
                           std::move(read));
  }

  call_options with_;
};

}  // namespace tidepool
