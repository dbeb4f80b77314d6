/*
 * Asynchronous calls for coroutines. Include <tidepool/tidepool.hpp>.
 *
 * The functions named ..._async return an operation to be awaited once with co_await, in a coroutine of any library. The call
 * begins when it is awaited. The coroutine is resumed by a thread of the pool (with foreign_loop inside pool::step()), or where an
 * executor takes it:
 *
 *   auto rows = co_await pool.query_async<int64_t>("select id from users").resume_on(executor).stop_on(token);
 *
 * A request to stop makes co_await throw a cancelled_error, unless the call completes before. While the call waits for a
 * connection, that is at once; a running statement is cancelled, and the coroutine is resumed when it has ended, so that its
 * outcome is known. Calls on a pool with a stop token are not retried by the library, and refuse statements that begin or end a
 * transaction. Destroying a coroutine that waits is allowed: the call goes on, and its result is dropped.
 */
#pragma once

#include <tidepool/cancel.h>
#include <tidepool/pool.h>
#include <tidepool/query.h>
#include <tidepool/error.hpp>
#include <tidepool/parameters.hpp>
#include <tidepool/result.hpp>

#include <coroutine>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace tidepool {

/** Resumes a coroutine, such as by posting it to an event loop. Must not throw; may be called by any thread. */
using executor = std::function<void(std::coroutine_handle<>)>;

namespace detail {

// What an asynchronous call ended with; belongs to nobody yet.
struct async_outcome {
  tide_lease lease{};
  tide_result* result = nullptr;
  std::optional<error> why;

  void drop() noexcept {
    if (lease.id != 0) tide_lease_release(lease, nullptr);
    tide_result_free(result);
    *this = {};
  }
};

// A call in progress. Shared by the operation in the coroutine's frame, the callback of the C API and the stop token.
//
// It finishes once: with its outcome, by a stop, or when it is abandoned. Later outcomes are dropped. Whoever finishes it resumes
// the coroutine if that is suspended already; if not, await_suspend() lets it go on.
class async_call : public std::enable_shared_from_this<async_call> {
 public:
  async_call() = default;
  async_call(const async_call&) = delete;
  async_call& operator=(const async_call&) = delete;
  virtual ~async_call() { outcome_.drop(); }

  void set_executor(executor resume) { resume_ = std::move(resume); }
  void set_stop(std::stop_token token) { token_ = std::move(token); }

  // False: it is finished, and the coroutine goes on.
  bool begin(std::coroutine_handle<> waiter) {
    const std::shared_ptr<async_call> keep = shared_from_this();
    waiter_ = waiter;
    if (token_.stop_requested()) {
      finish_stopped();
    } else {
      start();
      if (token_.stop_possible()) stop_.emplace(token_, stopper{this});
    }
    const std::lock_guard lock(mutex_);
    is_suspended_ = !is_finished_;
    return is_suspended_;
  }
  // What it finished with; throws if that is an error.
  async_outcome take() {
    stop_.reset();
    async_outcome taken = std::exchange(outcome_, {});
    if (taken.why.has_value()) taken.why->raise();
    return taken;
  }
  // The coroutine does not wait any more.
  void abandon() noexcept {
    {
      const std::lock_guard lock(mutex_);
      is_finished_ = true;
    }
    stop_.reset();
  }

 protected:
  // Begins the call; must not throw.
  virtual void start() noexcept = 0;
  virtual void stop() noexcept = 0;

  bool may_be_stopped() const noexcept { return token_.stop_possible(); }
  std::mutex& mutex() noexcept { return mutex_; }
  bool is_finished() const noexcept { return is_finished_; }  // under the mutex

  void finish(async_outcome outcome) noexcept {
    bool is_first = false;
    bool is_waiting = false;
    {
      const std::lock_guard lock(mutex_);
      is_first = !is_finished_;
      is_waiting = is_first && is_suspended_;
      is_finished_ = true;
      if (is_first) std::swap(outcome_, outcome);
    }
    if (!is_first) outcome.drop();
    if (!is_waiting) return;
    // The coroutine may destroy its operation, but not what is called here.
    const executor resume = std::move(resume_);
    if (resume) {
      resume(waiter_);
    } else {
      waiter_.resume();
    }
  }
  void finish(const error& why) noexcept {
    async_outcome outcome;
    outcome.why = why;
    finish(std::move(outcome));
  }
  void finish_stopped() noexcept { finish(cancelled_error()); }

  // Calls `function` with this object as the context of its callback, which gets it back by from().
  template <typename Function>
  void start_call(Function function) noexcept {
    auto* context = new std::shared_ptr<async_call>(shared_from_this());
    tide_error why = TIDE_ERROR_INIT;
    if (function(static_cast<void*>(context), &why) == TIDE_OK) return;
    delete context;  // the callback is not called
    fail(why);
  }
  virtual void fail(const tide_error& why) noexcept { finish(error(why)); }
  template <typename Call>
  static std::shared_ptr<Call> from(void* context) noexcept {
    auto* own = static_cast<std::shared_ptr<async_call>*>(context);
    auto call = std::static_pointer_cast<Call>(std::move(*own));
    delete own;
    return call;
  }

 private:
  struct stopper {
    async_call* call;
    void operator()() const noexcept {
      // The callback may be destroyed while it runs.
      const std::shared_ptr<async_call> keep = call->weak_from_this().lock();
      if (keep != nullptr) keep->stop();
    }
  };

  std::mutex mutex_;
  bool is_finished_ = false;
  bool is_suspended_ = false;
  std::coroutine_handle<> waiter_;
  executor resume_;
  std::stop_token token_;
  std::optional<std::stop_callback<stopper>> stop_;
  async_outcome outcome_;
};

// Cancels what a stop token stops; none if there is no memory for it.
class stop_cancel {
 public:
  stop_cancel() = default;
  stop_cancel(const stop_cancel&) = delete;
  stop_cancel& operator=(const stop_cancel&) = delete;
  ~stop_cancel() { tide_cancel_token_free(token_); }

  // Puts it into the options, unless the program has set its own.
  template <typename Options>
  void put_into(Options& options) noexcept {
    if (options.cancel != nullptr || tide_cancel_token_new(&token_, nullptr) != TIDE_OK) return;
    options.cancel = token_;
  }
  bool is_set() const noexcept { return token_ != nullptr; }
  void trip() noexcept { tide_cancel_token_trip(token_); }

 private:
  tide_cancel_token* token_ = nullptr;
};

// A lease from a pool.
class async_acquire final : public async_call {
 public:
  async_acquire(tide_pool* pool, const tide_acquire_options& with)
      : pool_(pool), with_(with), tag_(with.tag == nullptr ? "" : with.tag) {}

 private:
  void start() noexcept override {
    if (may_be_stopped()) cancel_.put_into(with_);
    start_call([this](void* context, tide_error* why) {
      with_.tag = tag_.c_str();
      with_.callback = &done;
      with_.context = context;
      return tide_pool_acquire_with(pool_, &with_, nullptr, why);
    });
  }
  void stop() noexcept override {
    finish_stopped();
    cancel_.trip();  // it leaves the queue
  }
  static void done(void* context, tide_status status, tide_lease lease, const tide_error* why) noexcept {
    const auto call = from<async_acquire>(context);
    if (status != TIDE_OK) return call->fail(*why);
    async_outcome outcome;
    outcome.lease = lease;
    call->finish(std::move(outcome));
  }

  tide_pool* pool_;
  tide_acquire_options with_;
  std::string tag_;
  stop_cancel cancel_;
};

// A statement or a batch, with the arguments of the C API that outlive the coroutine's.
struct async_statements {
  std::vector<statement> list;
  bool is_batch = false;
};

// The parts of a C call that differ between pool and lease.
using pool_function = decltype(&tide_pool_query_with);
using lease_function = decltype(&tide_lease_query_with);
struct async_functions {
  pool_function on_pool;
  lease_function on_lease;
  // Refuses to leave a transaction open, since nothing checks that on a lease.
  lease_function on_lease_of_pool;
};
inline constexpr async_functions kAsyncQuery{&tide_pool_query_with, &tide_lease_query_with, &tide_lease_execute};
inline constexpr async_functions kAsyncFirst{&tide_pool_query_first, &tide_lease_query_first, &tide_lease_execute};
inline constexpr async_functions kAsyncExecute{&tide_pool_execute, &tide_lease_execute, &tide_lease_execute};

// Statements on a pool or on a lease.
//
// On a pool with a stop token it acquires a lease itself, since only statements of a lease can be cancelled.
class async_query final : public async_call {
 public:
  async_query(tide_pool* pool, const async_functions& functions, async_statements statements,
              const tide_query_options& with)
      : async_query(functions, std::move(statements), with) {
    pool_ = pool;
  }
  async_query(tide_lease lease, const async_functions& functions, async_statements statements,
              const tide_query_options& with)
      : async_query(functions, std::move(statements), with) {
    lease_ = lease;
  }

 private:
  async_query(const async_functions& functions, async_statements statements, const tide_query_options& with)
      : functions_(&functions),
        statements_(std::move(statements)),
        with_(with),
        tag_(with.tag == nullptr ? "" : with.tag) {
    with_.tag = tag_.c_str();
  }

  void start() noexcept override {
    if (may_be_stopped()) cancel_.put_into(with_);
    if (pool_ == nullptr) return start_on_lease(functions_->on_lease);
    if (may_be_stopped()) return acquire();
    start_call([this](void* context, tide_error* why) {
      return with_arguments(context, [&](const tide_query_options& with, const std::vector<tide_value>& values,
                                         const std::vector<tide_statement>& batch) {
        if (statements_.is_batch) {
          return tide_pool_batch(pool_, batch.data(), static_cast<int>(batch.size()), &with, nullptr, why);
        }
        return functions_->on_pool(pool_, statements_.list.front().sql(), static_cast<int>(values.size()),
                                   values.data(), &with, nullptr, why);
      });
    });
  }
  void start_on_lease(lease_function function) noexcept {
    start_call([this, function](void* context, tide_error* why) {
      return with_arguments(context, [&](const tide_query_options& with, const std::vector<tide_value>& values,
                                         const std::vector<tide_statement>& batch) {
        if (statements_.is_batch) {
          return tide_lease_batch(lease_, batch.data(), static_cast<int>(batch.size()), &with, nullptr, why);
        }
        return function(lease_, statements_.list.front().sql(), static_cast<int>(values.size()), values.data(), &with,
                        nullptr, why);
      });
    });
  }
  void acquire() noexcept {
    start_call([this](void* context, tide_error* why) {
      tide_acquire_options with = TIDE_ACQUIRE_OPTIONS_INIT;
      with.mode = with_.mode;
      with.timeout_ms = with_.timeout_ms;
      with.tag = with_.tag;
      with.priority = with_.priority;
      with.cancel = with_.cancel;
      with.callback = &acquired;
      with.context = context;
      return tide_pool_acquire_with(pool_, &with, nullptr, why);
    });
  }
  static void acquired(void* context, tide_status status, tide_lease lease, const tide_error* why) noexcept {
    const auto call = from<async_query>(context);
    if (status != TIDE_OK) return call->fail(*why);
    {
      const std::lock_guard lock(call->mutex());
      if (!call->is_finished()) call->lease_ = lease;
    }
    if (call->lease_.id == 0) {
      tide_lease_release(lease, nullptr);
    } else {
      call->start_on_lease(call->functions_->on_lease_of_pool);
    }
  }
  static void done(void* context, tide_status status, tide_result* result, const tide_error* why) noexcept {
    const auto call = from<async_query>(context);
    if (status != TIDE_OK) return call->fail(*why);
    call->give_back();
    async_outcome outcome;
    outcome.result = result;
    call->finish(std::move(outcome));
  }
  void stop() noexcept override {
    tide_lease lease{};
    {
      const std::lock_guard lock(mutex());
      if (is_finished()) return;
      is_stopped_ = true;
      lease = lease_;
    }
    if (lease.id == 0) finish_stopped();
    if (cancel_.is_set()) return cancel_.trip();
    if (lease.id == 0) return;
    tide_lease_cancel(lease, nullptr);
    // A statement that has not begun yet is refused then.
    if (pool_ != nullptr) tide_lease_release(lease, nullptr);
  }

  void fail(const tide_error& why) noexcept override {
    give_back();
    bool is_stopped = false;
    {
      const std::lock_guard lock(mutex());
      is_stopped = is_stopped_;
    }
    const bool is_cancelled = why.status == TIDE_STALE_LEASE || std::string_view(why.sqlstate) == "57014";
    if (is_stopped && is_cancelled) return finish_stopped();
    finish(error(why));
  }
  void give_back() noexcept {
    if (pool_ != nullptr && lease_.id != 0) tide_lease_release(lease_, nullptr);
  }

  // Makes the arguments; the C API copies them before it returns.
  template <typename Function>
  tide_status with_arguments(void* context, Function function) {
    std::vector<tide_value> values;
    std::vector<tide_statement> batch;
    std::vector<std::vector<tide_value>> of_batch;
    std::vector<const char*> names;
    tide_query_options with = with_;
    with.callback = &done;
    with.context = context;
    if (statements_.is_batch) {
      for (const statement& one : statements_.list) {
        of_batch.push_back(one.values());
        batch.push_back({one.sql(), of_batch.back().data(), static_cast<int32_t>(of_batch.back().size()), 0});
      }
    } else {
      values = statements_.list.front().values();
      names = statements_.list.front().names();
      if (!names.empty()) with.placeholders = TIDE_PLACEHOLDERS_NAMED;
      with.names = names.data();
    }
    return function(with, values, batch);
  }

  const async_functions* functions_;
  async_statements statements_;
  tide_query_options with_;
  std::string tag_;
  stop_cancel cancel_;
  tide_pool* pool_ = nullptr;  // of a call on a pool
  tide_lease lease_{};
  bool is_stopped_ = false;
};

}  // namespace detail

/** As an operation, but co_await returns an expected<T> instead of throwing tidepool::error. */
template <typename Operation>
class [[nodiscard]] expected_operation {
 public:
  explicit expected_operation(Operation operation) noexcept : operation_(std::move(operation)) {}
  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> waiter) { return operation_.await_suspend(waiter); }
  auto await_resume() {
    return attempt([this] { return operation_.await_resume(); });
  }

 private:
  Operation operation_;
};

/** An asynchronous call: to be awaited once. `Read` makes its value of the outcome. */
template <typename Read>
class [[nodiscard]] operation {
 public:
  operation(std::shared_ptr<detail::async_call> call, Read read) noexcept
      : call_(std::move(call)), read_(std::move(read)) {}
  operation(operation&&) noexcept = default;
  operation& operator=(operation&&) = delete;
  ~operation() {
    if (call_ != nullptr) call_->abandon();
  }

  /** Have the coroutine resumed by an executor. If the call is complete before the coroutine is suspended, it just goes on. */
  operation resume_on(executor resume) && {
    call_->set_executor(std::move(resume));
    return std::move(*this);
  }
  /** Let a stop token cancel the call. */
  operation stop_on(std::stop_token token) && {
    call_->set_stop(std::move(token));
    return std::move(*this);
  }
  /** Let co_await return an expected<T> instead of throwing. */
  expected_operation<operation> as_expected() && { return expected_operation<operation>(std::move(*this)); }

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> waiter) { return call_->begin(waiter); }
  auto await_resume() { return read_(call_->take()); }

 private:
  std::shared_ptr<detail::async_call> call_;
  Read read_;
};

}  // namespace tidepool
