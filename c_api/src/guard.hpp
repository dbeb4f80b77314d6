// Guard: the one place where a Status or an exception becomes a tide_error and a tide_status.
//
// Invariants: no exception passes; nothing is written beyond err->size; texts are cut between UTF-8 characters and end
// with a NUL.
// Threads: any. Failure: none; without memory for a text the static one of fail_with_exception() serves.
#pragma once

#include <tidepool/base.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <new>
#include <string_view>
#include <utility>

#include "base/fixed_text.hpp"
#include "base/status.hpp"

namespace tide {

namespace guard {

// Write `bytes` at `offset` of the caller's struct, as far as the caller's struct reaches.
inline void put_bytes(tide_error* err, uint32_t size, size_t offset, const void* bytes, size_t count) {
  if (offset + count > size) return;  // a number is written whole or not at all
  std::memcpy(reinterpret_cast<char*>(err) + offset, bytes, count);
}

inline void put_text(tide_error* err, uint32_t size, size_t offset, size_t room, std::string_view text) {
  if (offset >= size) return;
  room = std::min(room, size - offset);
  char* at = reinterpret_cast<char*>(err) + offset;
  const std::string_view kept = utf8_prefix(text.substr(0, text.find('\0')), room - 1);
  std::memcpy(at, kept.data(), kept.size());
  std::memset(at + kept.size(), 0, room - kept.size());
}

inline void fill(tide_error* err, Code code, int32_t native_code, bool is_retryable, std::string_view sqlstate,
                 std::string_view message, std::string_view detail, std::string_view hint) noexcept {
  if (err == nullptr) return;
  const uint32_t size = std::min<uint32_t>(err->size, sizeof(tide_error));
  const auto status = static_cast<int32_t>(code);
  const int32_t retryable = is_retryable ? 1 : 0;
  put_bytes(err, size, offsetof(tide_error, status), &status, sizeof status);
  put_bytes(err, size, offsetof(tide_error, native_code), &native_code, sizeof native_code);
  put_bytes(err, size, offsetof(tide_error, retryable), &retryable, sizeof retryable);
  put_text(err, size, offsetof(tide_error, sqlstate), sizeof err->sqlstate, sqlstate);
  put_text(err, size, offsetof(tide_error, message), sizeof err->message, message);
  put_text(err, size, offsetof(tide_error, detail), sizeof err->detail, detail);
  put_text(err, size, offsetof(tide_error, hint), sizeof err->hint, hint);
}

}  // namespace guard

// Tell the caller why; returns the number to return.
inline tide_status fail(tide_error* err, const Status& status) noexcept {
  guard::fill(err, status.code, status.native_code, status.is_retryable, status.sqlstate, status.message, status.detail,
              status.hint);
  return static_cast<tide_status>(status.code);
}

// Within a catch (...) block only.
inline tide_status fail_with_exception(tide_error* err) noexcept {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    guard::fill(err, Code::no_memory, 0, false, "", "out of memory", "", "");
    return TIDE_NO_MEMORY;
  } catch (const std::exception& broken) {
    guard::fill(err, Code::internal, 0, false, "", "a bug in tidepool: an exception reached the C API", broken.what(),
                "please report this");
  } catch (...) {
    guard::fill(err, Code::internal, 0, false, "", "a bug in tidepool: something was thrown into the C API", "",
                "please report this");
  }
  return TIDE_INTERNAL;
}

// Run the body of a C function: `body` returns a Status.
template <typename Body>
tide_status guarded(tide_error* err, Body&& body) noexcept {
  try {
    const Status status = std::forward<Body>(body)();
    return status ? TIDE_OK : fail(err, status);
  } catch (...) {
    return fail_with_exception(err);
  }
}

// The way back, for a C function built upon another one. The error must have the size of this library.
inline Status status_of(const tide_error& err) {
  Status status = Status::error(static_cast<Code>(err.status), err.message, err.detail, err.hint);
  status.native_code = err.native_code;
  status.is_retryable = err.retryable != 0;
  status.sqlstate = err.sqlstate;
  return status;
}

}  // namespace tide
