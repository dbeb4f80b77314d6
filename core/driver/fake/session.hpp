// FakeServer::Client: a session with a FakeServer, understanding a language of a dozen words.
//
//   one               one row, one column "value", the text 1
//   echo              one row, one column for each parameter
//   change [N]        changes N rows (default 1); fails with 25006 on a read lease
//   wait              runs until cancelled, killed, disarmed or its deadline
//   set               changes session state that only a reset removes
//   begin, commit, rollback
//   fail SQLSTATE     fails with this SQLSTATE
// Anything else is a syntax error (42601). Words are lower case; FakeServer::set_handler adds others.
//
// Q1  One call of the holder at a time; a second one aborts the program. No validation, reset or close meanwhile.
// Q2  Ending a transaction requires a round trip, as in PostgreSQL: settle() returns needs_reset.
// Threads: as ports.hpp marks the calls; the server's mutex guards the state and is not held while a handler runs.
// Failure: as ports.hpp. A half-open session does not respond: a query ends at its deadline, in virtual time at once.
#pragma once

#include <memory>
#include <string>

#include "driver/fake/server.hpp"
#include "policy/policy.hpp"

namespace tide::fake {

class FakeServer::Client final : public Connection {
 public:
  Client(FakeServer& server, std::shared_ptr<Session> session, const Policy& policy);
  ~Client() override;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void* native() noexcept override { return this; }
  int32_t server_pid() const noexcept override { return session_->pid; }
  void distrust() noexcept override { ++server_.distrusts_total_; }
  Status begin_lease(LeaseMode mode, Instant now) override;
  Status query(const QueryRequest& request, ResultTable& out) override;
  Settled settle(ResetMode mode) noexcept override;
  void cancel(uint64_t lease = kAnyLease) noexcept override;
  SessionFacts facts() const noexcept override;
  bool end_transaction(std::string_view why, uint64_t lease = kAnyLease) noexcept override;
  void disarm() noexcept override;
  void abandon() noexcept override;

 private:
  friend class FakeConnector;

  // With the server's mutex held.
  Status run(std::unique_lock<std::mutex>& lock, const QueryRequest& request, Instant deadline, ResultTable& out);
  Status answer(const QueryRequest& request, ResultTable& out);
  Status answer_transaction(std::string_view word);
  Status wait(std::unique_lock<std::mutex>& lock, Instant deadline);
  Status gone() const;
  void pass_time(std::unique_lock<std::mutex>& lock, Span span);
  void forget_transaction() noexcept;

  FakeServer& server_;
  const std::shared_ptr<Session> session_;
  const Policy policy_;
  LeaseMode mode_ = LeaseMode::read_write;
  bool is_busy_ = false;  // inside a call of the holder
  bool is_cancelled_ = false;
  bool is_disarmed_ = false;
  bool is_abandoned_ = false;
  bool is_altered_ = false;
  bool is_in_transaction_ = false;
  bool is_failed_ = false;  // the transaction; only rollback is accepted
  std::string ended_why_;   // set by end_transaction()
  Instant transaction_since_;
  Instant idle_since_;
  uint64_t lease_ = 1;
  uint64_t queries_total_ = 0;
};

}  // namespace tide::fake
