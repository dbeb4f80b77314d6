// PgConnection: one session with a PostgreSQL server.
//
// P1  Hands: queries of the holder and the work of the keeper never overlap. The keeper never waits for a holder; it
//     requests actions in a session in use by flags, and wakes the holder.
// P2  Provably idle: a session is passed to the next holder only if, according to libpq, the server waits for a command
//     outside of a transaction, no result is unread, and no cancel is in progress.
// P3  A cancel affects the lease it names or none; while a cancel is in progress the session remains busy.
// P4  After disarm() nothing is sent: query() fails, and the socket is shut down for writing.
// P5  After end_transaction() every statement before the ROLLBACK of the holder fails; otherwise the second half of a
//     transaction would be committed statement by statement.
// P7  The effect of a statement whose result was not read is unknown: its lease counts as one that left traces. If a
//     statement of the pool fails or is late, the session is not used any more and is closed.
// P6  The socket is watched through a duplicate of its descriptor: libpq closes its own at once after an error, and the
//     number may then be reused by another session.
// P8  In a session shared by a pooler (Terms) no settings are made or discarded: a read lease makes each of its
//     transactions read-only, timeouts are implemented by cancels only, and a session with traces is closed.
// Threads: as ports.hpp marks the calls.
// Failure: the documented Status values; noexcept calls return `broken` or false.
#pragma once

#include <libpq-fe.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "driver/libpq/cancel_desk.hpp"
#include "driver/libpq/greeting.hpp"
#include "driver/libpq/notices.hpp"
#include "driver/libpq/traces.hpp"
#include "os/descriptor.hpp"
#include "policy/policy.hpp"
#include "pool/ports.hpp"

namespace tide::libpq {

struct FinishConnection {
  void operator()(PGconn* conn) const noexcept;
};
using ConnectionHandle = std::unique_ptr<PGconn, FinishConnection>;

struct ClearResult {
  void operator()(PGresult* result) const noexcept { PQclear(result); }
};
using ResultHandle = std::unique_ptr<PGresult, ClearResult>;

class PgConnection final : public Connection {
 public:
  PgConnection(ConnectionHandle conn, uint32_t slot, std::shared_ptr<CancelState> cancel,
               std::shared_ptr<CancelDesk> desk, std::shared_ptr<Notices> notices, const Policy& policy,
               const Clock& clock, Terms terms);
  ~PgConnection() override;
  PgConnection(const PgConnection&) = delete;
  PgConnection& operator=(const PgConnection&) = delete;

  void* native() noexcept override;
  int32_t server_pid() const noexcept override { return terms_.server_pid; }
  bool probe() noexcept override;
  void distrust() noexcept override { is_doubtful_ = true; }
  Status begin_lease(LeaseMode mode, Instant now) override;
  Status query(const QueryRequest& request, ResultTable& out) override;
  Settled settle(ResetMode mode) noexcept override;
  void cancel(uint64_t lease = kAnyLease) noexcept override;
  SessionFacts facts() const noexcept override;
  bool end_transaction(std::string_view why, uint64_t lease = kAnyLease) noexcept override;
  void disarm() noexcept override;
  void abandon() noexcept override;

  // [keeper] A round: sends statements one after the other and reads their results, without blocking.
  enum class Round : uint8_t { pending, done, failed };
  void begin_reset(ResetMode mode);
  void begin_validation(const std::string& validation_query);
  // A validation that also queries the load of the server. If that fails, the validation still succeeds.
  void begin_survey(const std::string& validation_query);
  Round step_round();
  ServerLoad load() const noexcept { return load_; }  // of the last survey
  bool wants_to_write() const noexcept { return wants_to_write_; }
  Status round_failure() const { return round_failure_; }
  // [keeper] The end: the socket, which reads end-of-file when the server's session is gone, now the caller's. The
  // session is finished; a statement that still runs is cancelled.
  Descriptor finish(Instant now) noexcept;
  // [keeper] What the server said before it hung up, without taking it from the holder.
  Status last_words() const;

  uint32_t slot() const noexcept { return slot_; }
  int socket() const noexcept { return socket_.get(); }

 private:
  struct Ended {
    std::string why;  // empty: no transaction of the holder was ended
  };
  struct Running {
    Instant deadline;
    Instant give_up_at;  // when to stop waiting for a cancelled statement
    std::string_view sql;
    size_t answers = 0;  // of its statements
    bool is_sent = false;
    bool is_own = false;  // a statement of the pool around that of the holder
    bool is_timed_out = false;
    bool is_cancel_asked = false;
    bool is_given_up = false;  // the rest of the result is not read
  };
  static constexpr size_t kNotAsked = ~size_t{0};
  enum class Wait : uint8_t { ready, timed_out, given_up, disarmed };

  // session.cpp
  bool enter() noexcept;
  void leave() noexcept;
  void note_transaction() noexcept;
  bool is_provably_idle() const noexcept;
  Status disarmed_error() const;
  void add_trace(Trace trace) noexcept { trace_ = trace_ > trace ? trace_ : trace; }
  void leave_unread() noexcept;
  bool take_leftover(const PGresult* result) noexcept;
  void reinstall() noexcept;
  std::string writable_words() const;
  Trace trace_of(std::string_view tag) const noexcept;

  // session_rounds.cpp
  void begin_round() noexcept;
  bool take_survey(const PGresult* result) noexcept;
  bool take_why_read_only(const PGresult* result);

  // session_ended.cpp
  const char* end_words() const noexcept;
  std::string ended_why() const;  // empty: no transaction was ended
  // What is sent instead of `sql`, possibly nothing; or the error for the holder.
  Result<std::string> after_ended(std::string_view sql);
  std::string begin_as_before() const;

  // session_shared.cpp
  Status run_shared(const QueryRequest& request, Running& running, ResultTable& out);
  Status begin_read_only(const QueryRequest& request, Running& running, ResultTable& out);
  Status run_within(const QueryRequest& request, Running& running, ResultTable& out);
  Status step(const char* sql, Running& running);

  // session_query.cpp
  Status run(const QueryRequest& request, Running& running, ResultTable& out);
  Status exchange(const QueryRequest& request, Running& running, ResultTable& out);
  Status send(const QueryRequest& request);
  Status collect(Running& running, ResultTable& out);
  Status take_result(const PGresult* result, Running& running, ResultTable& out, bool& is_row_set_open);
  Status refuse_copy(ExecStatusType status, Running& running);
  Status explain_parameters(const QueryRequest& request, Running& running, Status error);
  Wait drain(Running& running);
  Wait wait_readable(Running& running);
  Wait wait_for_cancel(Running& running);
  Status stopped(Wait how, const Running& running);
  Status timed_out(const Running& running) const;
  Status run_own(const char* sql, Instant deadline);

  // session_judge.cpp
  Status judge(Status status);
  bool is_standby_chosen() const;
  void judge_refused_write(const Status& status);
  Span proof_timeout() const;
  Status prove_alive(Instant deadline);

  ConnectionHandle conn_;
  const uint32_t slot_;
  Descriptor socket_;  // our copy (P6)
  const std::shared_ptr<CancelState> cancel_;
  const std::shared_ptr<CancelDesk> desk_;
  const std::shared_ptr<Notices> notices_;
  const Policy policy_;
  const Clock& clock_;
  const Terms terms_;
  Bell wake_;

  mutable std::mutex mutex_;  // guards is_running_, ended_ and the ends of a lease; never held while waiting
  bool is_running_ = false;
  Ended ended_;

  // Used by the thread that has the hands.
  bool has_unread_ = false;     // the result of a statement was not read
  bool is_own_unread_ = false;  // ... and it is the ROLLBACK of the pool
  bool is_broken_ = false;
  Trace trace_ = Trace::none;  // what may affect the next holder
  bool is_doubtful_ = false;   // idle for so long that the server is checked first
  bool is_read_only_ = false;
  bool is_write_refused_ = false;         // for an unknown reason: the server is queried when the lease has ended
  bool is_within_own_ = false;            // the transaction was begun by the pool for a statement of a read lease
  Status own_failure_;                    // of a statement of the pool: the state of the session is unknown (P7)
  std::vector<std::string> own_answers_;  // results of SHOW when the transaction was ended, for ROLLBACK AND CHAIN
  std::vector<std::string> round_;
  size_t round_next_ = 0;
  bool is_round_sent_ = false;
  bool is_full_reset_ = false;
  bool is_reset_ = false;
  size_t survey_at_ = kNotAsked;         // index of the load query in the round
  size_t why_read_only_at_ = kNotAsked;  // ... and of the query why a write was rejected
  bool is_survey_refused_ = false;       // the server cannot report it; do not query again
  ServerLoad load_;
  bool wants_to_write_ = false;
  Status round_failure_;

  std::atomic<bool> is_native_out_{false};
  std::atomic<bool> is_disarmed_{false};
  std::atomic<bool> is_abandoned_{false};
  std::atomic<uint64_t> lease_{1};
  std::atomic<bool> is_in_transaction_{false};
  std::atomic<int64_t> transaction_since_ns_{0};
  std::atomic<int64_t> idle_since_ns_{0};
  std::atomic<uint64_t> queries_total_{0};
  std::atomic<uint64_t> cancels_{0};  // of statements of the holder
};

}  // namespace tide::libpq
