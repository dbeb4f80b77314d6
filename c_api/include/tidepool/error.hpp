/* Errors of the C++ interface. Include <tidepool/tidepool.hpp>. */
#pragma once

#include <tidepool/base.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace tidepool {

/** What kind of error it is: the class that is thrown. */
enum class error_kind {
  other,           /* error */
  timeout,         /* timeout_error */
  constraint,      /* constraint_error */
  conversion,      /* conversion_error */
  cancelled,       /* cancelled_error */
  unknown_outcome, /* unknown_outcome_error */
};

/**
 * A call failed. what() is the message of the library. The texts are valid as long as a copy of the error exists.
 *
 * Copies share their contents, so that copying does not throw.
 */
class error : public std::runtime_error {
 public:
  /** From an error of the C API. */
  explicit error(const tide_error& from) : error(from, kind_of(from)) {}

  /** Which of the derived classes it is. A copy in an expected<T> keeps it. */
  error_kind kind() const noexcept { return kind_; }
  /** TIDE_TIMEOUT, TIDE_DATABASE ...: see <tidepool/base.h>. */
  tide_status status() const noexcept { return contents_->status; }
  /** The name of the status, such as "timeout". */
  std::string_view status_name() const noexcept { return tide_status_name(contents_->status); }
  /** Five characters, or empty. */
  std::string_view sqlstate() const noexcept { return contents_->sqlstate; }
  /** The database's own error number, or 0. */
  int native_code() const noexcept { return contents_->native_code; }
  /** The same call may succeed later. */
  bool retryable() const noexcept { return contents_->retryable != 0; }
  /** What is accepted, or what was found. */
  std::string_view detail() const noexcept { return contents_->detail; }
  /** What to do about it. */
  std::string_view hint() const noexcept { return contents_->hint; }
  /** Character of the statement to which the error refers, from 1; 0: unknown. */
  int position() const noexcept { return contents_->position; }
  /** What the error refers to, as far as the database tells it, or empty. */
  std::string_view schema() const noexcept { return contents_->schema_name; }
  std::string_view table() const noexcept { return contents_->table_name; }
  std::string_view column() const noexcept { return contents_->column_name; }
  std::string_view constraint() const noexcept { return contents_->constraint_name; }
  /** The error as the C API has it. */
  const tide_error& native() const noexcept { return *contents_; }

  /** Throw it as the class of its kind. */
  [[noreturn]] inline void raise() const;

 protected:
  error(const tide_error& from, error_kind kind)
      : std::runtime_error(from.message), contents_(std::make_shared<const tide_error>(from)), kind_(kind) {}

 private:
  static error_kind kind_of(const tide_error& from) noexcept {
    const std::string_view sqlstate = from.sqlstate;
    if (from.status == TIDE_TIMEOUT) return error_kind::timeout;
    if (from.status == TIDE_UNKNOWN_OUTCOME) return error_kind::unknown_outcome;
    if (from.status == TIDE_CANCELLED) return error_kind::cancelled;
    if (from.status == TIDE_DATABASE && sqlstate == "57014") return error_kind::cancelled;
    if (from.status == TIDE_DATABASE && sqlstate.substr(0, 2) == "23") return error_kind::constraint;
    return error_kind::other;
  }

  std::shared_ptr<const tide_error> contents_;
  error_kind kind_;
};

/** Not done within the time allowed (TIDE_TIMEOUT). */
class timeout_error : public error {
 public:
  explicit timeout_error(const error& from) : error(from) {}
};

/** A constraint of the database was violated (SQLSTATE class 23): see constraint(), table() and column(). */
class constraint_error : public error {
 public:
  explicit constraint_error(const error& from) : error(from) {}
};

/** It is not known whether a transaction was committed (TIDE_UNKNOWN_OUTCOME). */
class unknown_outcome_error : public error {
 public:
  explicit unknown_outcome_error(const error& from) : error(from) {}
};

namespace detail {

template <std::size_t Size>
void copy_text(char (&to)[Size], std::string_view from) noexcept {
  std::size_t length = std::min(from.size(), Size - 1);
  // Not in the middle of a character.
  while (length < from.size() && length > 0 && (static_cast<unsigned char>(from[length]) & 0xC0U) == 0x80U) --length;
  if (length > 0) std::memcpy(to, from.data(), length);
  to[length] = '\0';
}

inline tide_error make_error(tide_status status, std::string_view sqlstate, std::string_view message,
                             std::string_view more = {}) noexcept {
  tide_error made = TIDE_ERROR_INIT;
  made.status = status;
  copy_text(made.sqlstate, sqlstate);
  copy_text(made.message, message);
  copy_text(made.detail, more);
  return made;
}

}  // namespace detail

/**
 * A value cannot be converted: NULL where the type has none, a number out of range, a value of another type, or another
 * number of columns. The message names the column or parameter and what was found. column() is the name of the column.
 */
class conversion_error : public error {
 public:
  explicit conversion_error(const error& from) : error(from) {}
  explicit conversion_error(std::string_view message, std::string_view sqlstate = "22000", std::string_view more = {})
      : error(detail::make_error(TIDE_BAD_ARGUMENT, sqlstate, message, more), error_kind::conversion) {}
  explicit conversion_error(const tide_error& from) : error(from, error_kind::conversion) {}
};

/**
 * The call was cancelled by its cancel_source or stop token (TIDE_CANCELLED), or its statement by tide_lease_cancel() or at the
 * database (TIDE_DATABASE). Its SQLSTATE is 57014.
 */
class cancelled_error : public error {
 public:
  explicit cancelled_error(const error& from) : error(from) {}
  explicit cancelled_error(std::string_view message = "the call was cancelled by its stop token")
      : error(detail::make_error(TIDE_CANCELLED, "57014", message), error_kind::cancelled) {}
};

inline void error::raise() const {
  switch (kind_) {
    case error_kind::timeout: throw timeout_error(*this);
    case error_kind::constraint: throw constraint_error(*this);
    case error_kind::conversion: throw conversion_error(*this);
    case error_kind::cancelled: throw cancelled_error(*this);
    case error_kind::unknown_outcome: throw unknown_outcome_error(*this);
    case error_kind::other: break;
  }
  throw *this;
}

/**
 * A value, or the error because of which there is none: what the functions named try_... return instead of throwing.
 * An own type in every standard, so that value() throws the error itself.
 */
template <typename T>
class [[nodiscard]] expected {
  using stored = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

 public:
  using value_type = T;
  using error_type = tidepool::error;

  expected() requires std::is_void_v<T>
  = default;
  template <typename U = stored>
  requires(!std::is_void_v<T> && std::is_constructible_v<stored, U> &&
           !std::is_same_v<std::remove_cvref_t<U>, expected> && !std::is_base_of_v<error_type, std::remove_cvref_t<U>>)
      expected(U&& value)
      : held_(std::in_place_index<0>, std::forward<U>(value)) {}
  expected(error_type why) : held_(std::in_place_index<1>, std::move(why)) {}

  bool has_value() const noexcept { return held_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  /** The value; without one the error is thrown. */
  decltype(auto) value() & { return checked(*this); }
  decltype(auto) value() const& { return checked(*this); }
  decltype(auto) value() && { return checked(std::move(*this)); }

  /** The value. There must be one. */
  auto& operator*() & noexcept { return *std::get_if<0>(&held_); }
  const auto& operator*() const& noexcept { return *std::get_if<0>(&held_); }
  auto&& operator*() && noexcept { return std::move(*std::get_if<0>(&held_)); }
  auto* operator->() noexcept { return std::get_if<0>(&held_); }
  const auto* operator->() const noexcept { return std::get_if<0>(&held_); }

  template <typename U>
  T value_or(U&& other) const& {
    return has_value() ? **this : static_cast<T>(std::forward<U>(other));
  }
  template <typename U>
  T value_or(U&& other) && {
    return has_value() ? *std::move(*this) : static_cast<T>(std::forward<U>(other));
  }

  /** The error. There must be one. */
  const error_type& error() const& noexcept { return *std::get_if<1>(&held_); }
  error_type&& error() && noexcept { return std::move(*std::get_if<1>(&held_)); }

 private:
  template <typename Self>
  static decltype(auto) checked(Self&& self) {
    if (!self.has_value()) self.error().raise();
    if constexpr (!std::is_void_v<T>) return *std::forward<Self>(self);
  }

  std::variant<stored, error_type> held_;
};

/**
 * Call a function and return its result, or the tidepool::error that it throws. Other exceptions are passed on.
 */
template <typename Function>
auto attempt(Function&& function) -> expected<std::invoke_result_t<Function>> {
  try {
    if constexpr (std::is_void_v<std::invoke_result_t<Function>>) {
      std::forward<Function>(function)();
      return {};
    } else {
      return std::forward<Function>(function)();
    }
  } catch (const error& why) {
    return why;
  }
}

namespace detail {

// Calls a function of the C API with an error as its last argument, and throws that.
template <typename... Parameters, typename... Arguments>
void call(tide_status (*function)(Parameters...), Arguments... arguments) {
  tide_error why = TIDE_ERROR_INIT;
  if (function(arguments..., &why) != TIDE_OK) error(why).raise();
}

}  // namespace detail
}  // namespace tidepool
