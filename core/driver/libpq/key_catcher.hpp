// KeyCatcher: learns a session's cancel key while libpq connects.
//
// Why: libpq before 17 cancels only by a call that blocks until the server answers (PQcancel), which neither a keeper
// nor a caller with a deadline can afford, and shows the key to nobody. Its trace does. The trace runs during the
// connect alone and is read in memory; it holds no password (libpq does not print authentication messages).
// Threads: whoever drives the connect. Failure: no key, then nothing can be cancelled and the session is closed instead.
#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <cstdio>
#include <optional>

namespace tide::libpq {

struct BackendKey {
  int32_t pid = 0;
  int32_t key = 0;
};

class KeyCatcher {
 public:
  KeyCatcher() = default;
  ~KeyCatcher() { stop(nullptr); }
  KeyCatcher(const KeyCatcher&) = delete;
  KeyCatcher& operator=(const KeyCatcher&) = delete;

  void start(PGconn* conn);
  // Ends the trace; what it showed. `conn` is the one of start(), or null when that is gone already.
  std::optional<BackendKey> stop(PGconn* conn);

 private:
  std::FILE* stream_ = nullptr;
  char* text_ = nullptr;
  size_t length_ = 0;
};

}  // namespace tide::libpq
