// What PostgreSQL's errors mean for the caller, for the session and for the next connect.
//
// Threads: pure functions; those that take a PGconn read it, so the caller must be using it alone.
#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.hpp"

namespace tide::libpq {

// A failed statement: SQLSTATE, message, detail, hint. `result` is not null.
Status error_of(const PGresult* result);
// A connection that is gone, or does not keep to the protocol.
Status connection_error(const PGconn* conn);
// An error the driver itself finds.
Status own_error(std::string_view sqlstate, std::string message, std::string detail = {}, std::string hint = {});

struct ConnectFailure {
  Status status;
  bool is_permanent = false;  // trying again cannot help: password, database, right to connect
  bool is_crowded = false;    // the server has no room for more sessions, or is not ready for any
};
inline constexpr char kPoolerHint[] = "a pooler says this, not the server; see its log";  // of 08P01
// Why a connect failed; the connection must have been asked for verbose errors, which is where the SQLSTATE is.
ConnectFailure connect_failure(const PGconn* conn);

// After this the session must not be used again.
bool ends_session(std::string_view sqlstate) noexcept;
// The server crashed: all sessions are gone.
bool ends_generation(std::string_view sqlstate) noexcept;
// The server goes down, or somebody ended this one session.
bool may_end_generation(std::string_view sqlstate) noexcept;
// The same statement may succeed when asked again.
bool is_retryable(std::string_view sqlstate) noexcept;

// The text after "ERROR: " and before LOCATION, without the words libpq puts around it.
std::string first_line(std::string_view message);

}  // namespace tide::libpq
