// Opening: one connection being made, from the first host name to a session that answers.
//
// Everything is asynchronous but the lookup of a host name, for which libpq has no other way; addresses and Unix sockets
// need none. Where the target names several hosts, each gets its share of the time. A pooler that refuses start-up options
// is connected to once more without them, within the same time.
// Threads: the keeper's. Failure: Progress::failed and failure().
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <optional>
#include <string>

#include "driver/libpq/conninfo.hpp"
#include "driver/libpq/connector.hpp"
#include "driver/libpq/errors.hpp"
#include "driver/libpq/greeting.hpp"
#include "driver/libpq/key_catcher.hpp"
#include "driver/libpq/session.hpp"

namespace tide::libpq {

class Opening {
 public:
  enum class Progress : uint8_t { reading, writing, done, failed };

  Opening(const PostgresqlTarget& target, const Policy& policy, Instant deadline, PoolerMemory& pooler)
      : target_(target), policy_(policy), deadline_(deadline), greeting_(pooler, policy) {}

  Progress begin(Instant now);
  Progress advance();             // the socket is ready
  Progress expire(Instant now);   // deadline() has passed
  Instant deadline() const { return attempt_deadline_; }
  int socket() const { return conn_ == nullptr ? -1 : PQsocket(conn_.get()); }
  const ConnectFailure& failure() const { return failure_; }

  // Of a finished one.
  ConnectionHandle take() { return std::move(conn_); }
  std::shared_ptr<CancelState> cancel_state();
  const Greeting& greeting() const { return greeting_; }
  void abandon() noexcept;

 private:
  Progress attempt(Instant now);
  Progress connect();
  Progress judge(PostgresPollingStatusType status);
  Progress follow(Greeting::Progress progress);
  Progress fail(Status why, bool is_permanent);

  const PostgresqlTarget& target_;
  const Policy policy_;
  const Instant deadline_;
  Instant attempt_deadline_;
  std::optional<ConnectWords> words_;
  size_t attempt_ = 0;
  ConnectionHandle conn_;
  Greeting greeting_;
  bool is_greeting_ = false;  // connected
  KeyCatcher catcher_;
  std::optional<BackendKey> key_;
  ConnectFailure failure_;
};

}  // namespace tide::libpq
