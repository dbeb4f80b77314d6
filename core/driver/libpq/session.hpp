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
// P7  The effect of a statement whose result was not read is unknown: its lease counts as one that left traces, unless its
//     text names all that it can leave (TextNotes::is_plannable). If a statement of the pool fails or is late, the session
//     is not used any more and is closed.
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
#include "driver/libpq/parameters.hpp"
#include "driver/libpq/rows.hpp"
#include "driver/libpq/statements.hpp"
#include "driver/libpq/traces.hpp"
#include "os/descriptor.hpp"
#include "policy/policy.hpp"
#include "pool/ports.hpp"

namespace tide::libpq {

struct FinishConnection {
  void operator()(PGconn* conn) const noexcept;
};
using ConnectionHandle = std::unique_ptr<PGconn, FinishConnection>;

class PgConnection final : public Connection {
 public:
  PgConnection(ConnectionHandle conn, uint32_t slot, std::shared_ptr<CancelState> cancel,
               std::shared_ptr<CancelDesk> desk, std::shared_ptr<Notices> notices,
               std::shared_ptr<StatementWatch> watch, const Policy& policy, const Clock& clock, Terms terms);
  ~PgConnection() override;
  PgConnection(const PgConnection&) = delete;
  PgConnection& operator=(const PgConnection&) = delete;

  void* native() noexcept override;
  int32_t server_pid() const noexcept override { return terms_.server_pid; }
  bool probe() noexcept override;
  void distrust() noexcept override { is_doubtful_ = true; }
  Status begin_lease(LeaseMode mode, Instant now) override;
  Status query(const QueryRequest& request, ResultTable& out) override;
  Status stream(const QueryRequest& request, RowSink& sink, ResultTable& out) override;
  Status open_rows(const QueryRequest& request, ResultTable& page) override;
  Status fetch_rows(ResultTable& page, Instant deadline) override;
  void close_rows() noexcept override;
  Status batch(std::span<const QueryRequest> requests, Instant deadline, std::vector<ResultTable>& out,
               size_t& failed_at) override;
  std::string begin_text(const TransactionKind& kind) const override;
  const OutcomeWords* outcome_words() const noexcept override;
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
  // What a result that the server sends next belongs to.
  enum class Answer : uint8_t {
    statement,
    prepare,
    describe,
    close,        // of a prepared statement
    transaction,  // the query for the id of the transaction
    sync
  };
  enum class Taken : uint8_t { result, between, end };  // between the answers of a pipeline
  struct Running {
    Instant began;
    Instant deadline;
    Instant give_up_at;  // when to stop waiting for a cancelled statement
    std::string_view sql;
    size_t answers = 0;  // of its statements
    bool is_sent = false;
    bool is_started = false;  // something of the holder was sent
    bool is_own = false;      // a statement of the pool around that of the holder
    bool is_timed_out = false;
    bool is_cancel_asked = false;
    bool is_given_up = false;  // the rest of the result is not read
    bool is_flushed = false;   // everything that was sent has left this process
    // The statement of the holder.
    const StatementText* text = nullptr;
    const TextNotes* notes = nullptr;
    Statements::Entry* entry = nullptr;  // nullptr: not in the cache
    PgStatement preparing;               // its name is empty if nothing is being prepared
    Columns* columns = nullptr;          // of the previous result of the same statement; nullptr: not kept
    bool is_prepared = false;            // a statement was executed that had been prepared before
    bool was_in_block = false;           // of the holder's transaction
    bool is_repeatable = false;          // it failed because a prepared statement was not valid any more
    bool is_preparing = false;           // it is prepared in the round trip of this execution
    bool is_healed = false;              // ... and is repeated without preparing, which cannot fail so again
    // Rows.
    bool is_stream = false;                // passed on page by page
    bool is_by_row = false;                // received one by one
    const QueryRequest* limits = nullptr;  // rows_max, bytes_max, is_first_row_only
    ResultHandle gathered;                 // rows received one by one
    size_t gathered_bytes = 0;
    int64_t last_id = 0;        // in the first column of the last row of a stream
    uint64_t reads = 0;         // of the socket, for the current result
    size_t received_bytes = 0;  // by them; counted from kReadsFree on
    bool is_counted = false;    // a result that is received as a whole
  };
  struct OpenRows;
  struct OpenRowsDeleter {
    void operator()(OpenRows* rows) const noexcept;
  };
  static constexpr size_t kNotAsked = ~size_t{0};
  enum class Wait : uint8_t { ready, timed_out, given_up, disarmed, too_large };
  class Entered;

  // session.cpp
  bool enter() noexcept;
  void leave() noexcept;
  void note_transaction() noexcept;
  bool is_provably_idle() const noexcept;
  Status disarmed_error() const;
  void add_trace(Trace trace) noexcept { trace_ = trace_ > trace ? trace_ : trace; }
  void leave_unread(const Running& running) noexcept;
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
  Status end_own(bool is_good, Running& running);

  // session_query.cpp
  Running begin_running(Instant deadline) noexcept;
  Status end_call(Status status, const Running& running);
  Status get_ready(Running& running);
  Status run(const QueryRequest& request, Running& running, ResultTable& out);
  Status exchange(const QueryRequest& request, Running& running, ResultTable& out);
  Status exchange_once(const QueryRequest& request, Running& running, ResultTable& out);
  Status send(const QueryRequest& request, Running& running);
  Status set_parameters(const QueryRequest& request, Running& running);
  Status send_pipelined(Running& running, bool is_prepared_now, bool is_executed, bool wants_transaction);
  void receive_by_row(const Running& running) noexcept;
  Status explain_parameters(const QueryRequest& request, Running& running, Status error);
  Status run_own(const char* sql, Instant deadline);

  // session_transaction.cpp
  bool may_ask_transaction() const;
  int send_ask_transaction();
  void ask_transaction(Running& running, ResultTable& out);
  static void take_transaction(const PGresult* result, ResultTable& out);

  // session_results.cpp
  Status collect(Running& running, ResultTable& out);
  Taken take_next(ResultHandle& out) noexcept;
  Answer answer() const noexcept;
  Status take_answer(ResultHandle result, Running& running, ResultTable& out);
  Status take_statement(ResultHandle result, Running& running, ResultTable& out);
  Status take_row(const PGresult* row, Running& running);
  Status take_end(const PGresult* result, Running& running, ResultTable& out);
  void take_tag(std::string_view tag, const Running& running);
  Status error_in(const PGresult* result, const Running& running) const;
  Status conclude(Status failure, const Running& running) const;
  Status refuse_copy(ExecStatusType status, Running& running);

  // session_wait.cpp
  Wait drain(Running& running);
  Wait wait_readable(Running& running, bool is_feeding = false);
  void set_alarm(Instant at) noexcept;
  void clear_alarm() noexcept;
  Wait wait_for_cancel(Running& running);
  Status stopped(Wait how, const Running& running);
  Status timed_out(const Running& running) const;

  // session_statements.cpp
  static size_t statements_max(const Policy& policy, bool is_shared) noexcept;
  Status look_up(const QueryRequest& request, Running& running);
  bool may_prepare(const Running& running) const;
  Status find_out_tracking(Running& running);
  std::string next_name();
  const char* text_to_prepare(const std::string& sql);
  bool has_room_for_statements(size_t more) const noexcept;
  void note_described(const PGresult* result, Running& running);
  void keep(Statements::Entry& entry, PgStatement statement);
  void suspect_statements();
  void note_evicted();
  void forget_statements() noexcept;
  bool send_closes();
  // Whether the statement can be repeated; it is prepared again then.
  bool heal(Status& status, Running& running);
  void publish_counts() noexcept;

  // session_rows.cpp
  Status start_rows(const QueryRequest& request, Running& running, ResultTable& page, bool& is_over);
  Status first_page(const QueryRequest& request, Running& running, ResultTable& page, bool& is_over);
  Status next_page(Running& running, ResultTable& page, bool& is_over);
  Status take_page_result(ResultHandle result, Running& running, ResultTable& page, PgRows& rows, size_t& bytes);
  void stop_rows(Running& running) noexcept;
  Wait read_rest(Running& running, int results);
  void abandon_rows() noexcept;
  void set_reading(bool is_reading) noexcept;

  // session_batch.cpp
  struct Batch;
  Status run_batch(Batch& batch, Running& running);
  Status pipeline_batch(Batch& batch, Running& running);
  Status begin_pipeline(Batch& batch, Running& running);
  int send_text(const char* sql);
  bool send_and_plan(Answer answer, int sent);
  static void fail_batch(Batch& batch, size_t at, Status why);
  Status send_in_batch(Batch& batch, Running& running);
  Status receive_in_batch(Batch& batch, Running& running);
  void take_in_batch(ResultHandle result, Answer current, Batch& batch, Running& running);
  Status lost_in_batch(Wait how, Batch& batch, Running& running);
  void keep_prepared(Batch& batch);

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
  const std::shared_ptr<StatementWatch> watch_;
  const Policy policy_;
  const Clock& clock_;
  const Terms terms_;
  Alarm wake_;
  Instant woken_at_ = Instant::never();  // for when it is set, by the holder

  // Guards is_running_, is_reading_rows_, ended_ and the ends of a lease; never held while waiting.
  mutable std::mutex mutex_;
  bool is_running_ = false;
  bool is_reading_rows_ = false;
  Ended ended_;

  // Used by the thread that has the hands.
  bool has_unread_ = false;      // the result of a statement was not read
  bool is_own_unread_ = false;   // ... and it is the ROLLBACK of the pool
  bool is_rest_wanted_ = false;  // ... and it was not cancelled, to keep the transaction
  bool is_broken_ = false;
  Trace trace_ = Trace::none;  // what may affect the next holder
  bool is_doubtful_ = false;   // idle for so long that the server is checked first
  bool is_read_only_ = false;
  bool is_write_refused_ = false;         // for an unknown reason: the server is queried when the lease has ended
  bool is_within_own_ = false;            // the transaction was begun by the pool for a call of the holder
  Status own_failure_;                    // of a statement of the pool: the state of the session is unknown (P7)
  std::vector<std::string> own_answers_;  // results of SHOW when the transaction was ended, for ROLLBACK AND CHAIN
  std::vector<Answer> plan_;              // of the pipeline
  size_t answer_at_ = 0;                  // in plan_
  std::unique_ptr<OpenRows, OpenRowsDeleter> rows_;
  Parameters parameters_;

  const size_t statements_max_;
  Statements statements_;
  uint64_t epoch_ = 0;  // of watch_: later ones are still to be noticed
  uint64_t names_total_ = 0;
  bool is_preparing_refused_ = false;
  bool has_changed_definitions_ = false;  // in the open transaction
  std::string search_path_;               // as reported by the server
  std::vector<std::string> to_close_;     // names of statements that are not used any more
  std::string marked_text_;               // of text_to_prepare()
  std::string types_;                     // of the parameters, for statements_
  StatementText uncached_;                // of a statement that is not in the cache
  TextNotes uncached_notes_;
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
  std::atomic<bool> is_ended_{false};  // ended_.why is not empty
  std::atomic<bool> is_disarmed_{false};
  std::atomic<bool> is_abandoned_{false};
  std::atomic<uint64_t> lease_{1};
  std::atomic<bool> is_in_transaction_{false};
  std::atomic<int64_t> transaction_since_ns_{0};
  std::atomic<int64_t> idle_since_ns_{0};
  std::atomic<uint64_t> queries_total_{0};
  std::atomic<uint64_t> cancels_{0};  // of statements of the holder
  struct Counts {
    std::atomic<uint64_t> hits_total{0};
    std::atomic<uint64_t> misses_total{0};
    std::atomic<uint64_t> evictions_total{0};
    std::atomic<uint32_t> held{0};
    std::atomic<uint64_t> bytes{0};
  };
  Counts counts_;  // of statements_
};

}  // namespace tide::libpq
