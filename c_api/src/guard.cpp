#include "guard.hpp"

#include <cstddef>
#include <cstring>
#include <exception>
#include <new>
#include <string_view>

#include "base/fixed_text.hpp"
#include "base/text.hpp"
#include "os/shortage.hpp"

namespace tide {
namespace {

constexpr size_t kErrorBytesMin = 16;
constexpr size_t kErrorBytesMax = 65536;  // a larger size is that of an uninitialised struct

struct Telling {
  Code code;
  bool is_retryable;
  int32_t native_code;
  std::string_view sqlstate, message, detail, hint;
  const ErrorPlace* place = nullptr;
};

// Memory after the first `known` bytes is not part of the caller's struct. An older caller's struct may end within a
// text.
void put_text(tide_error* err, size_t known, size_t offset, size_t room, std::string_view text) noexcept {
  if (offset >= known) return;
  if (room > known - offset) room = known - offset;
  char* const to = reinterpret_cast<char*>(err) + offset;
  const std::string_view kept = utf8_prefix(text, room - 1);
  try {
    // The text may quote users and databases; the result is always valid UTF-8 and no longer than before.
    std::memcpy(to, clean_text(kept).data(), kept.size());
  } catch (const std::bad_alloc&) {
    std::memcpy(to, kept.data(), kept.size());  // without memory, only the library's own short texts are reported
  }
  std::memset(to + kept.size(), 0, room - kept.size());
}

// `place` may be null.
void put_place(tide_error* err, size_t known, const ErrorPlace* place) noexcept {
  const auto text = [&](std::string ErrorPlace::*member) {
    return place == nullptr ? std::string_view{} : std::string_view(place->*member);
  };
  if (known >= offsetof(tide_error, position) + sizeof err->position) {
    err->position = place == nullptr ? 0 : place->position;
  }
  put_text(err, known, offsetof(tide_error, schema_name), sizeof err->schema_name, text(&ErrorPlace::schema));
  put_text(err, known, offsetof(tide_error, table_name), sizeof err->table_name, text(&ErrorPlace::table));
  put_text(err, known, offsetof(tide_error, column_name), sizeof err->column_name, text(&ErrorPlace::column));
  put_text(err, known, offsetof(tide_error, constraint_name), sizeof err->constraint_name,
           text(&ErrorPlace::constraint));
}

tide_status tell(tide_error* err, const Telling& what) noexcept {
  const auto status = static_cast<tide_status>(what.code);
  if (err == nullptr || err->size < kErrorBytesMin || err->size > kErrorBytesMax) return status;
  const size_t known = err->size < sizeof(tide_error) ? err->size : sizeof(tide_error);
  err->status = status;
  err->native_code = what.native_code;
  err->retryable = what.is_retryable ? 1 : 0;
  put_text(err, known, offsetof(tide_error, sqlstate), sizeof err->sqlstate, what.sqlstate);
  put_text(err, known, offsetof(tide_error, message), sizeof err->message, what.message);
  put_text(err, known, offsetof(tide_error, detail), sizeof err->detail, what.detail);
  put_text(err, known, offsetof(tide_error, hint), sizeof err->hint, what.hint);
  put_place(err, known, what.place);
  return status;
}

template <size_t N>
std::string text_of(const char (&text)[N]) {
  return std::string(text, strnlen(text, N));
}

}  // namespace

tide_status fail(tide_error* err, const Status& why) noexcept {
  if (why.is_ok()) return TIDE_OK;
  return tell(err, {why.code, why.is_retryable, why.native_code, why.sqlstate(), why.message(), why.detail(),
                    why.hint(), why.place().get()});
}

tide_status fail_with_exception(tide_error* err) noexcept {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return tell(err, {Code::no_memory, false, 0, "", "out of memory", "", "free some memory and try again"});
  } catch (const Shortage& shortage) {
    return fail(err, shortage.status());
  } catch (const std::exception& problem) {
    return tell(err, {Code::internal, false, 0, "", problem.what(), "unexpected exception", "please report this"});
  } catch (...) {
    return tell(err, {Code::internal, false, 0, "", "exception of unknown type", "", "please report this"});
  }
}

Status status_of(const tide_error& err) {
  if (err.status == TIDE_OK) return Status::ok();
  Status status =
      Status::error(static_cast<Code>(err.status), text_of(err.message), text_of(err.detail), text_of(err.hint));
  status.is_retryable = err.retryable != 0;
  status.native_code = err.native_code;
  status.text().sqlstate = text_of(err.sqlstate);
  return status;
}

}  // namespace tide
