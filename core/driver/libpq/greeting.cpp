#include "driver/libpq/greeting.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "driver/libpq/session.hpp"

namespace tide::libpq {
namespace {

constexpr char kPid[] = "SELECT pg_catalog.pg_backend_pid()";

StartupOptions first_choice(const PoolerMemory& memory, Pooler pooler) {
  switch (pooler) {
    case Pooler::none: return StartupOptions::all;
    case Pooler::session: return StartupOptions::none;
    case Pooler::transaction: return std::max(memory.sent, StartupOptions::targets);
    case Pooler::auto_: break;
  }
  return memory.sent;
}

int32_t pid_in(const PGresult* result) {
  int32_t pid = 0;
  if (PQntuples(result) != 1 || PQnfields(result) < 1) return pid;
  const char* const text = PQgetvalue(result, 0, 0);
  std::from_chars(text, text + std::strlen(text), pid);
  return pid;
}

}  // namespace

bool is_option_refusal(const Status& status) {
  return status.sqlstate() == "08P01" && status.message().find("startup parameter") != status.message().npos;
}

Greeting::Greeting(PoolerMemory& memory, const Policy& policy)
    : memory_(memory), policy_(policy), sent_(first_choice(memory, policy.pooler)) {}

bool Greeting::take_refusal(ConnectFailure& failure, bool has_target_options) {
  if (!is_option_refusal(failure.status)) return false;
  if (policy_.pooler != Pooler::none && sent_ != StartupOptions::none) {
    sent_ = sent_ == StartupOptions::all && has_target_options ? StartupOptions::targets : StartupOptions::none;
    memory_.sent = std::max(memory_.sent, sent_);
    return true;
  }
  failure.is_permanent = true;
  failure.status.code = Code::database;
  failure.status.is_retryable = false;
  failure.status.text().hint =
      policy_.pooler == Pooler::none
          ? "This error comes from a pooler. Set the option pooler to its pool_mode, or to auto."
          : "See ignore_startup_parameters of the pooler, and the environment variables PG... of this program.";
  return false;
}

Greeting::Progress Greeting::begin(PGconn* conn, std::string target_options) {
  target_options_ = std::move(target_options);
  terms_ = {};
  terms_.server_pid = PQbackendPID(conn);
  switch (policy_.pooler) {
    case Pooler::none: return Progress::done;
    case Pooler::transaction: return ask(conn, Question::life, kPid);
    case Pooler::session: return set_up(conn);
    case Pooler::auto_: break;
  }
  return ask(conn, Question::pid, kPid);
}

Greeting::Progress Greeting::ask(PGconn* conn, Question question, const std::string& sql) {
  question_ = question;
  answer_.reset();
  PQsetnonblocking(conn, 1);
  // The default receiver of libpq writes to standard error.
  PQsetNoticeReceiver(
      conn, [](void*, const PGresult*) {}, nullptr);
  if (PQsendQuery(conn, sql.c_str()) == 0) return fail(connection_error(conn));
  return advance(conn);
}

Greeting::Progress Greeting::advance(PGconn* conn) {
  const int unsent = PQflush(conn);
  const bool is_lost = PQconsumeInput(conn) == 0;
  while (PQisBusy(conn) == 0) {
    ResultHandle result(PQgetResult(conn));
    if (result == nullptr) return answer_ == nullptr ? fail(connection_error(conn)) : take(conn);
    // Of several errors the first is the most specific; the next may only report the end of the session.
    if (answer_ == nullptr) answer_.reset(result.release());
    if (PQstatus(conn) != CONNECTION_OK) return take(conn);
  }
  if (is_lost) return answer_ == nullptr ? fail(connection_error(conn)) : take(conn);
  return unsent > 0 ? Progress::writing : Progress::reading;
}

Greeting::Progress Greeting::take(PGconn* conn) {
  const PGresult* const result = answer_.get();
  const char* const sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  if (PQstatus(conn) != CONNECTION_OK || (sqlstate != nullptr && ends_session(sqlstate))) {
    return fail(sqlstate != nullptr ? error_of(result) : connection_error(conn));
  }
  const bool is_answer = PQresultStatus(result) == PGRES_TUPLES_OK;
  if (question_ == Question::pid) return told_pid(conn, is_answer ? result : nullptr);
  if (question_ == Question::life) return share();
  if (!is_answer) return fail(error_of(result));
  if (policy_.pooler == Pooler::session) terms_.server_pid = pid_in(result);
  return Progress::done;
}

// `result` is null if the query failed.
Greeting::Progress Greeting::told_pid(PGconn* conn, const PGresult* result) {
  // A PostgreSQL server accepts the options or returns its process id; anything else is a pooler.
  const bool is_direct = result == nullptr ? sent_ == StartupOptions::all : pid_in(result) == PQbackendPID(conn);
  if (!is_direct && !memory_.is_found) {
    remark_ =
        "a pooler was detected in front of the server and is treated as pool_mode = transaction: session settings are "
        "not used; set pooler=session if its pool_mode is session";
  }
  memory_.is_found = !is_direct;
  if (!is_direct) return share();
  return sent_ == StartupOptions::all ? Progress::done : set_up(conn);
}

Result<SessionSettings> Greeting::unsent_settings() const {
  SessionSettings all = session_settings(policy_);
  if (sent_ != StartupOptions::none) return all;
  Result<SessionSettings> theirs = settings_in(target_options_);
  if (!theirs) return theirs;
  for (auto& setting : theirs.take()) all.push_back(std::move(setting));
  return all;
}

// The session belongs to the pool until it is closed; settings are made by a statement.
Greeting::Progress Greeting::set_up(PGconn* conn) {
  Result<SessionSettings> wanted = unsent_settings();
  if (!wanted) return fail(wanted.take_status());
  const std::string calls = set_config_calls(wanted.take());
  if (!calls.empty()) terms_.settings = "SELECT " + calls;
  if (policy_.pooler == Pooler::session) {
    return ask(conn, Question::settings, std::string(kPid) + (calls.empty() ? "" : ", ") + calls);
  }
  return calls.empty() ? Progress::done : ask(conn, Question::settings, terms_.settings);
}

Greeting::Progress Greeting::share() {
  terms_.is_shared = true;
  terms_.server_pid = 0;
  if (sent_ != StartupOptions::none || target_options_.empty()) return Progress::done;
  return fail(Status::error(
      Code::bad_argument,
      "the startup options of the connection string (" + target_options_ + ") cannot be used with this pooler",
      "It rejects startup options, and in transaction mode its server sessions are shared with other clients.",
      "Use ALTER ROLE ... SET or ALTER DATABASE ... SET, or pooler=session if that is the pool_mode of the pooler."));
}

Pooler Greeting::pooler() const {
  if (terms_.is_shared) return Pooler::transaction;
  return policy_.pooler == Pooler::session ? Pooler::session : Pooler::none;
}

Greeting::Progress Greeting::fail(Status why) {
  failure_ = {};
  failure_.is_permanent = !why.sqlstate().starts_with("08") && !ends_session(why.sqlstate());
  if (!failure_.is_permanent) why.code = Code::unavailable;
  why.is_retryable = !failure_.is_permanent;
  if (why.sqlstate().empty()) why.text().sqlstate = "08001";
  if (why.hint().empty() && why.sqlstate() == "08P01") why.text().hint = kPoolerHint;
  failure_.status = std::move(why);
  return Progress::failed;
}

}  // namespace tide::libpq
