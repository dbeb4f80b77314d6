// Status and Result: expected errors, which every caller must check.
//
// The other kind, broken invariants, is for TIDE_ASSERT (base/assert.hpp). There is no third kind.
// The numbers are those of tide_status in <tidepool/tidepool.h>; new ones are appended.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/assert.hpp"

namespace tide {

enum class Code : int32_t {
  ok = 0,
  timeout,       // not done within the time allowed; retryable
  closed,        // the pool is draining or closed
  queue_full,    // max_waiting callers are waiting already; retryable
  unavailable,   // no connection can be opened now; retryable
  bad_argument,  // an argument is invalid
  bad_option,    // an option's name or value is not accepted
  stale_lease,   // released or revoked, or never existed
  database,      // the database reported an error; see sqlstate and native_code
  not_found,     // no such pool, connection, lease, alert or command
  refused,       // valid, but not possible now; the message gives the reason
  forked,        // the handle was opened before fork() and belongs to the parent
  no_memory,
  unsupported,      // not supported by this driver or build
  internal,         // a bug in tidepool; the message gives the location
  rolled_back,      // the transaction was rolled back, as its body requested
  unknown_outcome,  // COMMIT was not confirmed, and it cannot be found out whether it took effect
  cancelled,        // the caller's cancel token was tripped
};

const char* code_name(Code code) noexcept;

// What an error of a database refers to, where the database tells it.
struct ErrorPlace {
  int32_t position = 0;  // character of the statement, from 1; 0: unknown
  std::string schema;
  std::string table;
  std::string column;
  std::string constraint;
  std::string routine;  // of the server's source code (PostgreSQL)
};

struct ErrorText {
  std::string sqlstate;                     // five characters, or empty
  std::string message;                      // what is wrong; names the option, value or object; lower case, no period
  std::string detail;                       // what is accepted, or what was found; sentences
  std::string hint;                         // what to do about it; sentences
  std::shared_ptr<const ErrorPlace> place;  // nullptr: unknown
};

// Every statement passes its status up through many functions: a success is three words, and is moved and destroyed
// without a call.
struct [[nodiscard]] Status {
  Code code = Code::ok;
  bool is_retryable = false;
  bool is_unexecuted = false;  // the database is known not to have executed the statement
  int32_t native_code = 0;     // error number of the driver (SQLite: result code), or 0

  Status() noexcept = default;
  Status(Status&&) noexcept = default;
  Status& operator=(Status&&) noexcept = default;
  Status(const Status& other);
  Status& operator=(const Status& other);
  ~Status() = default;

  bool is_ok() const noexcept { return code == Code::ok; }
  explicit operator bool() const noexcept { return is_ok(); }

  const std::string& sqlstate() const noexcept { return told().sqlstate; }
  const std::string& message() const noexcept { return told().message; }
  const std::string& detail() const noexcept { return told().detail; }
  const std::string& hint() const noexcept { return told().hint; }
  const std::shared_ptr<const ErrorPlace>& place() const noexcept { return told().place; }
  // To be changed.
  ErrorText& text() {
    if (text_ == nullptr) text_ = std::make_unique<ErrorText>(text_of(code));
    return *text_;
  }

  static Status ok() noexcept { return {}; }
  static Status error(Code code, std::string message, std::string detail = {}, std::string hint = {});
  // Needs none.
  static Status out_of_memory() noexcept {
    Status status;
    status.code = Code::no_memory;
    return status;
  }

 private:
  // That of a status which has none of its own.
  static const ErrorText& text_of(Code code) noexcept;
  const ErrorText& told() const noexcept { return text_ != nullptr ? *text_ : text_of(code); }

  std::unique_ptr<ErrorText> text_;
};

// A value, or the error.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}                                    // NOLINT: implicit on purpose
  Result(Status why) : status_(std::move(why)) { TIDE_ASSERT(!status_.is_ok()); }  // NOLINT

  bool is_ok() const noexcept { return value_.has_value(); }
  explicit operator bool() const noexcept { return is_ok(); }
  const Status& status() const noexcept { return status_; }
  Status take_status() { return std::move(status_); }
  T& value() {
    TIDE_ASSERT(value_.has_value());
    return *value_;
  }
  const T& value() const {
    TIDE_ASSERT(value_.has_value());
    return *value_;
  }
  T take() {
    TIDE_ASSERT(value_.has_value());
    return std::move(*value_);
  }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  T& operator*() { return value(); }
  const T& operator*() const { return value(); }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace tide
