// Guard: the last door of the C ABI. A Status becomes a tide_error, and no exception gets out.
//
// Invariants: nothing is written behind err->size; every text ends with NUL and between two UTF-8 characters; on
// success the caller's tide_error is left as it was.
// Threads: any.
// Failure: none; without memory the caller still gets TIDE_NO_MEMORY, because nothing here needs any.
#pragma once

#include <utility>

#include <tidepool/base.h>

#include "base/status.hpp"

namespace tide {

// Tells the caller `why` and returns its number. A NULL err, or one whose size cannot be true, is left alone.
tide_status fail(tide_error* err, const Status& why) noexcept;
// Inside a catch block: the exception in flight as an error.
tide_status fail_with_exception(tide_error* err) noexcept;
// Back again, for functions of the ABI that call each other.
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
