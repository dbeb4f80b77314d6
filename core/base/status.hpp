// Status and Result: the promised kind of error, which every caller must look at.
//
// The other kind, a broken invariant, is TIDE_ASSERT (base/assert.hpp). There is no third.
// The numbers are those of tide_status in <tidepool/tidepool.h>; append only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/assert.hpp"

namespace tide {

enum class Code : int32_t {
  ok = 0,
  timeout,       // waited the full acquire timeout; retryable
  closed,        // the pool is draining or closed
  queue_full,    // max_waiting callers already wait; retryable
  unavailable,   // no connection can be made right now; retryable
  bad_argument,  // the call itself is wrong
  bad_option,    // an option's name or value is refused
  stale_lease,   // released before, revoked, or never given
  database,      // the database said no; see sqlstate and native_code
  not_found,     // no such pool, connection, lease, alert or command
  refused,       // understood, allowed to ask, and refused for the stated reason
  forked,        // the handle was opened before fork() and belongs to the parent
  no_memory,
  unsupported,  // this driver or build cannot do that
  internal,     // a bug in tidepool; the message names the place
};

const char* code_name(Code code) noexcept;

struct [[nodiscard]] Status {
  Code code = Code::ok;
  bool is_retryable = false;
  int32_t native_code = 0;  // the driver's own number (SQLite result code), 0 if none
  std::string sqlstate;     // five characters, or empty
  std::string message;      // one sentence: what was wrong, naming the option, value or object
  std::string detail;       // what is accepted, or what was seen
  std::string hint;         // the nearest right thing to do

  bool is_ok() const noexcept { return code == Code::ok; }
  explicit operator bool() const noexcept { return is_ok(); }

  static Status ok() { return {}; }
  static Status error(Code code, std::string message, std::string detail = {}, std::string hint = {}) {
    Status s;
    s.code = code;
    s.is_retryable = code == Code::timeout || code == Code::queue_full || code == Code::unavailable;
    s.message = std::move(message);
    s.detail = std::move(detail);
    s.hint = std::move(hint);
    return s;
  }
};

// A value or the reason why there is none.
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
