/* Transactions of the C++ interface. Include <tidepool/tidepool.hpp>. */
#pragma once

#include <tidepool/transaction.h>
#include <tidepool/calls.hpp>
#include <tidepool/error.hpp>
#include <tidepool/options.hpp>

#include <exception>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

namespace tidepool {

/**
 * An open transaction: begun with pool::begin() or lease::begin(), or passed to the function of transact(). Statements are those
 * of calls. Used by one thread at a time.
 *
 * The destructor rolls back what was neither committed nor rolled back. In the function of transact() the transaction is ended
 * by returning or throwing; commit() and rollback() are refused there.
 */
class transaction : public calls<detail::transaction_target> {
 public:
  /** Takes the ownership of a transaction of the C API; `is_owned` false: it is ended by somebody else. */
  explicit transaction(tide_tx handle, bool is_owned = true) noexcept
      : calls(detail::transaction_target{handle}), is_owned_(is_owned) {}
  transaction(transaction&& other) noexcept : calls(other), is_owned_(std::exchange(other.is_owned_, false)) {}
  transaction& operator=(transaction&& other) noexcept {
    if (this != &other) {
      abandon();
      target_ = other.target_;
      is_owned_ = std::exchange(other.is_owned_, false);
    }
    return *this;
  }
  ~transaction() { abandon(); }

  /** Commit and end it, whatever is thrown. An unknown_outcome_error says that it may have been committed. */
  void commit() { end(tide_tx_commit); }
  expected<void> try_commit() {
    return attempt([&] { commit(); });
  }
  /** Roll back and end it, whatever is thrown. */
  void rollback() { end(tide_tx_rollback); }

  /** Set a savepoint. @param name  1 to 62 bytes: letters, digits, '_' */
  void savepoint(const std::string& name) { detail::call(tide_tx_savepoint, target_.handle, name.c_str()); }
  /** Undo what was done since the savepoint; makes a failed transaction usable again. */
  void rollback_to(const std::string& name) { detail::call(tide_tx_rollback_to, target_.handle, name.c_str()); }
  /** Forget a savepoint. */
  void release(const std::string& name) { detail::call(tide_tx_release, target_.handle, name.c_str()); }

  /** For functions of the C API. */
  tide_tx native() const noexcept { return target_.handle; }

 private:
  void end(tide_status (*function)(tide_tx, tide_error*)) {
    is_owned_ = false;
    detail::call(function, target_.handle);
  }
  void abandon() noexcept {
    if (std::exchange(is_owned_, false)) tide_tx_rollback(target_.handle, nullptr);
  }

  bool is_owned_;
};

namespace detail {

// The function of transact() and what it returned or threw in its latest attempt.
template <typename Function>
class transaction_body {
 public:
  using returned = std::invoke_result_t<Function&, transaction&>;
  static_assert(!std::is_reference_v<returned>, "transact() returns values: what is referred to may be gone");

  explicit transaction_body(Function& function) noexcept : function_(function) {}

  static int run(void* context, tide_tx handle) noexcept {
    auto& self = *static_cast<transaction_body*>(context);
    self.thrown_ = nullptr;
    self.value_.reset();
    try {
      transaction tx(handle, false);
      if constexpr (std::is_void_v<returned>) {
        self.function_(tx);
      } else {
        self.value_.emplace(self.function_(tx));
      }
      return 0;
    } catch (...) {
      self.thrown_ = std::current_exception();
      return 1;
    }
  }
  returned finish(tide_status status, const tide_error& why) {
    if (status != TIDE_OK) {
      if (thrown_ != nullptr) std::rethrow_exception(thrown_);
      error(why).raise();
    }
    if constexpr (!std::is_void_v<returned>) return std::move(*value_);
  }

 private:
  Function& function_;
  std::exception_ptr thrown_;
  std::optional<std::conditional_t<std::is_void_v<returned>, std::monostate, returned>> value_;
};

template <typename Handle, typename Function>
auto transact(tide_status (*run)(Handle, tide_tx_body, void*, const tide_tx_options*, tide_error*), Handle handle,
              Function& function, const transaction_options& options) {
  transaction_body<Function> body(function);
  const tide_tx_options with = native_of(options);
  tide_error why = TIDE_ERROR_INIT;
  const tide_status status = run(handle, &body.run, &body, &with, &why);
  return body.finish(status, why);
}

}  // namespace detail
}  // namespace tidepool
