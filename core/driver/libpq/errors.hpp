// The meaning of PostgreSQL errors for the caller, for the session and for further connection attempts.
//
// Threads: pure functions; those that take a PGconn read it, so the caller must be using it alone.
#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.hpp"

namespace tide::libpq {

// A failed statement: SQLSTATE, message, detail, hint, place. `result` is not null. `position`: of the error, in the text
// that the caller gave; 0: unknown.
Status error_of(const PGresult* result, int32_t position);
inline Status error_of(const PGresult* result);
// The character of the text that was sent, from 1; 0: unknown.
int32_t position_in(const PGresult* result);
// A lost connection, or a protocol violation.
Status connection_error(const PGconn* conn);
// An error detected by the driver.
Status own_error(std::string_view sqlstate, std::string message, std::string detail = {}, std::string hint = {});

struct ConnectFailure {
  Status status;
  bool is_permanent = false;  // retrying is useless: password, database, permission
  bool is_crowded = false;    // the server accepts no more sessions, or none yet
};
inline constexpr char kPoolerHint[] =
    "This error comes from a pooler, not from the server; see the log of the pooler.";  // of 08P01
// Why a connection attempt failed. The connection must have verbose errors enabled, which contain the SQLSTATE.
ConnectFailure connect_failure(const PGconn* conn);

// After this the session must not be used again.
bool ends_session(std::string_view sqlstate) noexcept;
// The server crashed: all sessions are lost.
bool ends_generation(std::string_view sqlstate) noexcept;
// The server is shutting down, or this session was terminated.
bool may_end_generation(std::string_view sqlstate) noexcept;
// The same statement may succeed if repeated.
bool is_retryable(std::string_view sqlstate) noexcept;

inline Status error_of(const PGresult* result) { return error_of(result, position_in(result)); }

// The text after "ERROR: " and before LOCATION, without additions of libpq.
std::string first_line(std::string_view message);

}  // namespace tide::libpq
