#include "driver/libpq/key_catcher.hpp"

#include <cstdlib>
#include <string_view>

#ifndef LIBPQ_HAS_ASYNC_CANCEL

namespace tide::libpq {

void KeyCatcher::start(PGconn* conn) {
  stream_ = open_memstream(&text_, &length_);
  if (stream_ == nullptr) return;
  PQtrace(conn, stream_);
  PQsetTraceFlags(conn, PQTRACE_SUPPRESS_TIMESTAMPS);
}

std::optional<BackendKey> KeyCatcher::stop(PGconn* conn) {
  if (stream_ == nullptr) return std::nullopt;
  if (conn != nullptr) PQuntrace(conn);
  std::fclose(stream_);
  stream_ = nullptr;
  constexpr std::string_view kWord = "BackendKeyData\t";
  const std::string_view text(text_ == nullptr ? "" : text_, text_ == nullptr ? 0 : length_);
  std::optional<BackendKey> found;
  if (const size_t at = text.rfind(kWord); at != text.npos) {
    BackendKey key;
    char* end = nullptr;
    key.pid = static_cast<int32_t>(std::strtol(text_ + at + kWord.size(), &end, 10));
    key.key = static_cast<int32_t>(std::strtol(end, nullptr, 10));
    if (key.pid != 0) found = key;
  }
  std::free(text_);
  text_ = nullptr;
  length_ = 0;
  return found;
}

}  // namespace tide::libpq

#endif
