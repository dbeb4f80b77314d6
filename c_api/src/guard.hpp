// Guard: the boundary of the C ABI. Converts a Status to a tide_error, and catches all exceptions.
//
// Invariants: nothing is written beyond err->size; every text is NUL-terminated and ends between two UTF-8 characters;
// on success the caller's tide_error is not changed.
// Threads: any.
// Failure: none; without memory the caller still gets TIDE_NO_MEMORY, because nothing here allocates.
#pragma once

#include <utility>

#include <tidepool/base.h>

#include "base/status.hpp"

namespace tide {

// Writes `why` to the caller's struct and returns its number. A NULL err, or one with an invalid size, is not touched.
tide_status fail(tide_error* err, const Status& why) noexcept;
// Inside a catch block: the current exception as an error.
tide_status fail_with_exception(tide_error* err) noexcept;
// The reverse, for functions of the ABI that call each other.
Status status_of(const tide_error& err);

// Runs f, which returns a Status.
template <typename F>
tide_status guarded(tide_error* err, F&& f) noexcept {
  try {
    const Status status = std::forward<F>(f)();
    return status.is_ok() ? static_cast<tide_status>(TIDE_OK) : fail(err, status);
  } catch (...) {
    return fail_with_exception(err);
  }
}

}  // namespace tide
