// KeyCatcher: gets the cancel key of a session while libpq connects.
//
// Why: libpq before 17 cancels only with PQcancel(), which blocks until the server responds, and it does not return the
// key. Its trace contains the key. The trace is enabled only while connecting and is read in memory; it contains no
// password (libpq does not print authentication messages).
// Threads: the one that connects. Failure: without a key statements cannot be cancelled, and the session is closed instead.
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
  // Ends the trace and returns the key. `conn` is that of start(), or null if it was closed already.
  std::optional<BackendKey> stop(PGconn* conn);

 private:
  std::FILE* stream_ = nullptr;
  char* text_ = nullptr;
  size_t length_ = 0;
};

}  // namespace tide::libpq
