#include "driver/libpq/errors.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <memory>
#include <utility>

#include "base/text.hpp"
#include "policy/parse.hpp"

namespace tide::libpq {
namespace {

std::string field(const PGresult* result, int code) {
  const char* text = PQresultErrorField(result, code);
  return text == nullptr ? std::string() : std::string(text);
}

bool is_sqlstate(std::string_view text) {
  return text.size() == 5 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isdigit(c) != 0 || (c >= 'A' && c <= 'Z');
         });
}

// The position of the five characters in "FATAL:  28P01: password authentication failed", or npos.
size_t find_sqlstate(std::string_view message) {
  for (size_t at = message.find(":  "); at != message.npos; at = message.find(":  ", at + 1)) {
    const std::string_view code = message.substr(std::min(at + 3, message.size()), 5);
    if (is_sqlstate(code) && message.substr(at + 8, 2) == ": ") return at + 3;
  }
  return message.npos;
}

struct Advice {
  std::string_view key;  // an SQLSTATE or its beginning; for errors of libpq: a part of the message
  std::string_view hint;
};

constexpr Advice kRefusedByServer[] = {
    {"08P01", kPoolerHint},
    {"28", "Check the user name, the password, and pg_hba.conf of the server."},
    {"3D000", "Create the database, or correct dbname."},
    {"42501", "Use GRANT CONNECT ON DATABASE for this user, or connect as another user."},
    {"53300",
     "Lower max_size, or raise max_connections or the CONNECTION LIMIT of the role or database on the server."},
    {"53400", "Lower max_size, or raise the limit on the server."},
    {"57P03", "The server is starting, stopping or recovering; the pool retries automatically."},
};

// Errors of libpq have no SQLSTATE. These are only found if messages are in English.
constexpr Advice kMetByLibpq[] = {
    {"SSL", "Check sslmode, the certificates, and whether the server supports TLS."},
    {"certificate", "Check sslmode, the certificates, and whether the server supports TLS."},
    {"session is ", "No host has the role required by target_session_attrs."},
    {"hot standby", "No host has the role required by target_session_attrs."},
    {"could not translate host name", "Check the host name, and whether the name server responds."},
    {"invalid ", "Correct the connection string."},
};

// For several hosts libpq reports one after the other, with a line for each address. Returns the lines after the first,
// without advice of libpq, which is indented.
std::string further_lines(std::string_view message) {
  std::string out;
  for (size_t at = message.find('\n'); at < message.size(); at = message.find('\n', at + 1)) {
    const std::string line = first_line(message.substr(at + 1));
    if (line.empty() || line[0] == '\t') continue;
    out.append(out.empty() ? "" : "; ").append(line);
  }
  return out;
}

std::string connect_hint(std::string_view sqlstate, std::string_view message) {
  for (const Advice& advice : kRefusedByServer) {
    if (sqlstate.starts_with(advice.key)) return std::string(advice.hint);
  }
  if (sqlstate != "08001") return "See the server log.";
  for (const Advice& advice : kMetByLibpq) {
    if (message.find(advice.key) != message.npos) return std::string(advice.hint);
  }
  return "Check that the server is running, accepts connections at this address, and is reachable from this host.";
}

// PgBouncer reports 08P01 for everything it rejects, always in English.
struct PoolerWords {
  std::string_view part;
  bool is_permanent;
  bool is_crowded;
};
constexpr PoolerWords kRefusedByPooler[] = {
    {"authentication failed", true, false},
    {"does not exist", true, false},
    {"no such", true, false},
    {"no more connections allowed", false, true},
};

void judge_pooler(std::string_view message, ConnectFailure& failure) {
  for (const PoolerWords& words : kRefusedByPooler) {
    if (message.find(words.part) == message.npos) continue;
    failure.is_permanent = words.is_permanent;
    failure.is_crowded = words.is_crowded;
  }
}

}  // namespace

std::string first_line(std::string_view message) {
  std::string out(message.substr(0, message.find('\n')));
  while (!out.empty() && std::isspace(static_cast<unsigned char>(out.back())) != 0) out.pop_back();
  return out;
}

bool ends_session(std::string_view s) noexcept {
  return s.starts_with("08") || s.starts_with("58") || s.starts_with("XX") || s == "25P03" || s == "25P04" ||
         (s.size() == 5 && s.starts_with("57P0") && s[4] >= '1' && s[4] <= '5');
}

bool ends_generation(std::string_view s) noexcept { return s == "57P02"; }

bool may_end_generation(std::string_view s) noexcept { return s == "57P01"; }

bool is_retryable(std::string_view s) noexcept {
  return s.starts_with("08") || s == "40001" || s == "40P01" || s == "53300" ||
         (s.size() == 5 && s.starts_with("57P0") && s[4] >= '1' && s[4] <= '5');
}

int32_t position_in(const PGresult* result) {
  const std::string text = field(result, PG_DIAG_STATEMENT_POSITION);
  int32_t position = 0;
  std::from_chars(text.data(), text.data() + text.size(), position);
  return position;
}

Status error_of(const PGresult* result, int32_t position) {
  std::string message = field(result, PG_DIAG_MESSAGE_PRIMARY);
  if (message.empty()) message = first_line(PQresultErrorMessage(result));
  Status status = Status::error(Code::database, std::move(message), field(result, PG_DIAG_MESSAGE_DETAIL),
                                field(result, PG_DIAG_MESSAGE_HINT));
  status.text().sqlstate = field(result, PG_DIAG_SQLSTATE);
  status.is_retryable = is_retryable(status.sqlstate());
  if (position > 0) {
    status.text().detail +=
        (status.detail().empty() ? "" : " ") + ("At character " + std::to_string(position) + " of the statement.");
  }
  ErrorPlace place;
  place.position = position;
  place.schema = field(result, PG_DIAG_SCHEMA_NAME);
  place.table = field(result, PG_DIAG_TABLE_NAME);
  place.column = field(result, PG_DIAG_COLUMN_NAME);
  place.constraint = field(result, PG_DIAG_CONSTRAINT_NAME);
  place.routine = field(result, PG_DIAG_SOURCE_FUNCTION);
  status.text().place = std::make_shared<const ErrorPlace>(std::move(place));
  return status;
}

Status connection_error(const PGconn* conn) {
  std::string message = first_line(PQerrorMessage(conn));
  if (message.empty()) message = "the server closed the connection";
  Status status = own_error("08006", without_password(message));
  status.is_retryable = true;
  return status;
}

Status own_error(std::string_view sqlstate, std::string message, std::string detail, std::string hint) {
  Status status = Status::error(Code::database, std::move(message), std::move(detail), std::move(hint));
  status.text().sqlstate = sqlstate;
  return status;
}

ConnectFailure connect_failure(const PGconn* conn) {
  const std::string whole = without_password(PQerrorMessage(conn));
  const size_t at = find_sqlstate(whole);
  ConnectFailure out;
  std::string message = first_line(whole);
  std::string sqlstate = "08001";
  if (at != whole.npos) {
    sqlstate = whole.substr(at, 5);
    const std::string place = whole.substr(0, whole.find(" failed: "));  // connection to server at ...
    message = first_line(std::string_view(whole).substr(at + 7));
    if (place.size() < whole.size() && place.find('\n') == place.npos) message = place + " failed: " + message;
  }
  out.status = Status::error(Code::unavailable, std::move(message), at == whole.npos ? further_lines(whole) : "");
  out.is_permanent = sqlstate.starts_with("28") || sqlstate == "3D000" || sqlstate == "42501";
  out.is_crowded = sqlstate == "53300" || sqlstate == "53400" || sqlstate == "57P03";
  if (sqlstate == "08P01") judge_pooler(out.status.message(), out);
  if (out.is_permanent) out.status.code = Code::database;
  out.status.is_retryable = !out.is_permanent;
  out.status.text().hint = connect_hint(sqlstate, whole);
  if (at == whole.npos && whole.find("no password supplied") != whole.npos) {
    out.is_permanent = true;
    out.status.code = Code::database;
    out.status.is_retryable = false;
    sqlstate = "28P01";
    out.status.text().hint =
        "Specify a password in the connection string, in a password file, or by a credential callback.";
  }
  out.status.text().sqlstate = std::move(sqlstate);
  return out;
}

}  // namespace tide::libpq
