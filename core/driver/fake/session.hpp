// FakeServer::Client: a session with a FakeServer, understanding a language of two dozen words.
//
//   one               one row, one column "value", the text 1
//   echo              one row, one column for each parameter
//   rows N            N rows, one column "n", the integers from 1
//   change [N]        changes N rows (default 1); fails with 25006 on a read lease
//   wait              runs until cancelled, killed, disarmed or its deadline
//   set               changes session state that only a reset removes
//   state             one row: "altered" after set, else "clean"
//   begin [read only], commit, rollback
//   savepoint S, rollback to [savepoint] S, release [savepoint] S
//   get K, select K, put K V, add K N    a key of the store (driver/fake/store.hpp); get: one row, NULL if there is no such key
//   fate              one row for the transaction id in $1: the incarnation of the server, and its fate or NULL
//   end               aborts the transaction with the id in $1 if it is undecided
//   fail SQLSTATE     fails with this SQLSTATE
// Anything else is a syntax error (42601). Words are lower case, except those of transactions, which may have any case and
// quoted names; $1 ... stand for parameters. FakeServer::set_handler adds others.
//
// Q1  One call of the holder at a time; a second one aborts the program. No validation, reset or close meanwhile.
// Q2  Outside a transaction each statement is one; COMMIT of a failed transaction rolls it back (25P02). Ending a transaction requires a round trip,
//     as in PostgreSQL: settle() returns needs_reset.
// Q3  No lease begins in a transaction; anything else aborts the program.
// Threads: as ports.hpp marks the calls; the server's mutex guards the state and is not held while a handler runs.
// Failure: as ports.hpp. A half-open session does not respond: a query ends at its deadline, in virtual time at once.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

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
  Status stream(const QueryRequest& request, RowSink& sink, ResultTable& out) override;
  Status open_rows(const QueryRequest& request, ResultTable& page) override;
  Status fetch_rows(ResultTable& page, Instant deadline) override;
  void close_rows() noexcept override;
  Status batch(std::span<const QueryRequest> requests, Instant deadline, std::vector<ResultTable>& out,
               size_t& failed_at) override;
  std::string begin_text(const TransactionKind& kind) const override {
    return kind.is_read_only ? "begin read only" : "begin";
  }
  const OutcomeWords* outcome_words() const noexcept override;
  Settled settle(ResetMode mode) noexcept override;
  void cancel(uint64_t lease = kAnyLease) noexcept override;
  SessionFacts facts() const noexcept override;
  bool end_transaction(std::string_view why, uint64_t lease = kAnyLease) noexcept override;
  void disarm() noexcept override;
  void abandon() noexcept override;

 private:
  friend class FakeConnector;

  using Lock = std::unique_lock<std::mutex>;

  // With the server's mutex held.
  Status begin_call();
  void end_call();
  Status execute(Lock& lock, const QueryRequest& request, ResultTable& out);
  Status run(Lock& lock, const QueryRequest& request, Instant deadline, ResultTable& out);
  Status run_with(Fault fault, Lock& lock, const QueryRequest& request, Instant deadline, ResultTable& out);
  Status run_word(Lock& lock, const QueryRequest& request, Instant deadline, ResultTable& out);
  Fault ask_fault(Lock& lock, std::string_view sql);
  Status commit_batch(Lock& lock);
  Status take_page(ResultTable& page);
  // session_words.cpp
  Status answer(const QueryRequest& request, ResultTable& out);
  Status answer_transaction(std::string_view sql);
  Status answer_store(const std::vector<std::string>& words, ResultTable& out);
  Status change_store(StoreTransaction& transaction, const std::vector<std::string>& words);
  Status answer_fate(std::string_view id, ResultTable& out);
  Status end_other(std::string_view id);
  Status commit();
  Status wait(Lock& lock, Instant deadline);
  Status gone() const;
  Status lose();
  std::string incarnation() const { return "server " + std::to_string(server_.incarnation_); }
  void pass_time(Lock& lock, Span span);
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
  bool is_failed_ = false;             // the transaction; only rollback is accepted
  std::unique_ptr<ResultTable> rows_;  // being read; nullptr: none
  int64_t rows_taken_ = 0;             // of rows_
  std::string ended_why_;              // set by end_transaction()
  Instant transaction_since_;
  Instant idle_since_;
  uint64_t lease_ = 1;
  uint64_t queries_total_ = 0;
};

}  // namespace tide::fake
