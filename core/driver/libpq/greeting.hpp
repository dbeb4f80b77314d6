// Greeting: what a new session is asked and told before its first lease, and on which terms it is used.
//
// A pooler such as PgBouncer refuses start-up options with 08P01, and makes up the process id that it greets with:
// where pg_backend_pid() tells another one, somebody stands between. In which mode a pooler works cannot be asked, so
// one that is found counts as the safe one, transaction: there a server session belongs to others as soon as no
// transaction is open, and nothing may be set in it. PgBouncer greets also while its server is down; who asks for the
// process id is told so before a caller is.
// Threads: the keeper's.
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

// What one connector has learnt of its target, for the connects to come.
struct PoolerMemory {
  StartupOptions sent = StartupOptions::all;  // more was refused
  bool is_found = false;                      // with pooler=auto: there is a pooler, and that was told
};

// On which terms a session is used.
struct Terms {
  bool is_shared = false;  // by a pooler in transaction mode
  int32_t server_pid = 0;  // 0: not known, or another one for each transaction
  std::string settings;    // the statement that sets what start-up options did not; empty: they did
};

class Greeting {
 public:
  enum class Progress : uint8_t { reading, writing, done, failed };

  Greeting(PoolerMemory& memory, const Policy& policy);

  // For the next connect.
  StartupOptions options() const { return sent_; }
  // Whether to connect again, with fewer options. What a refusal means for the caller is added to it otherwise.
  bool take_refusal(ConnectFailure& failure, bool has_target_options);

  // Connected; `target_options` as ConnectWords tells them.
  Progress begin(PGconn* conn, std::string target_options);
  Progress advance(PGconn* conn);  // the socket is ready
  const ConnectFailure& failure() const { return failure_; }

  // Of a finished one.
  const Terms& terms() const { return terms_; }
  Pooler pooler() const;
  const std::string& remark() const { return remark_; }  // what was found out and is worth a line; or empty

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

// Whether the other side refuses a start-up option, as PgBouncer words it in each of its versions.
bool is_option_refusal(const Status& status);

}  // namespace tide::libpq
