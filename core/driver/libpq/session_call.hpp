// The frame of each call of the holder.
// Threads: that of the call.
#pragma once

#include "driver/libpq/session.hpp"

namespace tide::libpq {

// While it lives, the calling thread has the hands (P1). False: the session was disarmed.
class PgConnection::Entered {
 public:
  explicit Entered(PgConnection& session) : session_(session), is_in_(session.enter()) {}
  ~Entered() {
    if (is_in_) session_.leave();
  }
  Entered(const Entered&) = delete;
  Entered& operator=(const Entered&) = delete;
  explicit operator bool() const noexcept { return is_in_; }

 private:
  PgConnection& session_;
  const bool is_in_;
};

Status rows_are_open();

}  // namespace tide::libpq
