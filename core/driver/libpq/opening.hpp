// Opening: one connection being opened, from the first host name to a working session.
//
// It waits for attempts, which may block. If the target has several hosts, each gets a share of the time; a host at which
// another attempt is blocked is skipped until that returns. If a pooler rejects startup options, another attempt is made
// without them, within the same time.
// Threads: only the keeper. Failure: Progress::failed and failure().
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <optional>
#include <string>

#include "driver/libpq/attempt.hpp"
#include "driver/libpq/connector.hpp"
#include "driver/libpq/conninfo.hpp"
#include "driver/libpq/errors.hpp"
#include "driver/libpq/greeting.hpp"
#include "driver/libpq/session.hpp"

namespace tide::libpq {

class Opening {
 public:
  enum class Progress : uint8_t { waiting, reading, writing, done, failed };  // reading, writing: at socket()

  Opening(const PostgresqlTarget& target, const Policy& policy, Instant deadline, std::shared_ptr<Attempts> attempts,
          PoolerMemory& pooler)
      : target_(target),
        policy_(policy),
        deadline_(deadline),
        attempts_(std::move(attempts)),
        greeting_(pooler, policy) {}
  ~Opening();
  Opening(const Opening&) = delete;
  Opening& operator=(const Opening&) = delete;

  Progress begin(Instant now);
  Progress advance();            // an attempt has ended, or the socket is ready
  Progress expire(Instant now);  // deadline() has passed
  Instant deadline() const { return attempt_deadline_; }
  int socket() const { return conn_ == nullptr ? -1 : PQsocket(conn_.get()); }
  const ConnectFailure& failure() const { return failure_; }

  // After the end.
  ConnectionHandle take() { return std::move(conn_); }
  std::shared_ptr<CancelState> take_cancel() { return std::move(cancel_); }
  const Greeting& greeting() const { return greeting_; }
  void abandon() noexcept;

 private:
  Progress try_next_host(Instant now);
  Progress start_attempt();
  Progress follow(Greeting::Progress progress);
  Progress fail(Status why, bool is_permanent);
  Status lateness() const;

  const PostgresqlTarget& target_;
  const Policy policy_;
  const Instant deadline_;
  const std::shared_ptr<Attempts> attempts_;
  Instant attempt_deadline_;
  std::optional<ConnectWords> words_;
  size_t tries_ = 0;
  size_t first_host_ = 0;
  std::shared_ptr<Attempt> attempt_;  // null: no attempt may start
  std::string obstacle_;              // the reason
  ConnectionHandle conn_;
  Greeting greeting_;
  bool is_greeting_ = false;  // connected
  std::shared_ptr<CancelState> cancel_;
  ConnectFailure failure_;
};

}  // namespace tide::libpq
