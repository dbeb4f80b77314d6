// Greeting: queries and settings in a new session before its first lease, and whether a pooler is in front of the server.
//
// A pooler such as PgBouncer rejects startup options with 08P01, and invents the process id in its greeting: if
// pg_backend_pid() returns another one, there is a pooler. Its mode cannot be queried, so transaction mode is assumed,
// in which a server session is shared with other clients as soon as no transaction is open, and settings must not be
// changed. PgBouncer accepts connections also while its server is down; querying the process id detects that before the
// first lease.
// Threads: only the keeper.
// Failure: Progress::failed and failure().
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <string>

#include "driver/libpq/conninfo.hpp"
#include "driver/libpq/errors.hpp"
#include "driver/libpq/session_settings.hpp"
#include "policy/policy.hpp"

namespace tide::libpq {

// What a connector knows about its target, for further connection attempts.
struct PoolerMemory {
  StartupOptions sent = StartupOptions::all;  // more was rejected
  bool is_found = false;                      // with pooler=auto: a pooler was detected and reported
};

// How a session may be used.
struct Terms {
  bool is_shared = false;  // by a pooler in transaction mode
  int32_t server_pid = 0;  // 0: unknown, or different for each transaction
  std::string settings;    // the statement for settings that were not sent as startup options; may be empty
};

class Greeting {
 public:
  enum class Progress : uint8_t { reading, writing, done, failed };

  Greeting(PoolerMemory& memory, const Policy& policy);

  // For the next connection attempt.
  StartupOptions options() const { return sent_; }
  // Whether to connect again with fewer options. Otherwise the error is completed for the caller.
  bool take_refusal(ConnectFailure& failure, bool has_target_options);

  // Connected; `target_options` as in ConnectWords.
  Progress begin(PGconn* conn, std::string target_options);
  Progress advance(PGconn* conn);  // the socket is ready
  const ConnectFailure& failure() const { return failure_; }

  // After the end.
  const Terms& terms() const { return terms_; }
  Pooler pooler() const;
  const std::string& remark() const { return remark_; }  // a message for the events; may be empty

 private:
  enum class Question : uint8_t { none, pid, life, settings };

  Progress ask(PGconn* conn, Question question, const std::string& sql);
  Progress take(PGconn* conn);
  Progress told_pid(PGconn* conn, const PGresult* result);
  Progress set_up(PGconn* conn);
  Progress share();
  Progress fail(Status why);
  Result<SessionSettings> unsent_settings() const;

  PoolerMemory& memory_;
  const Policy policy_;
  StartupOptions sent_;
  std::string target_options_;
  Question question_ = Question::none;
  std::unique_ptr<PGresult, decltype(&PQclear)> answer_{nullptr, PQclear};
  Terms terms_;
  std::string remark_;
  ConnectFailure failure_;
};

// Whether a startup option was rejected, in the wording of any version of PgBouncer.
bool is_option_refusal(const Status& status);

}  // namespace tide::libpq
