// SqliteConnection: one session with a database file (or the shared database in memory).
//
// Executes statements of the holder with deadline, cancel and write lock; resets the session between leases; lets the
// keeper end what a holder left open.
//
// S1  Hands: at most one thread uses the database through this object. A holder waits for the short work of the keeper;
//     the keeper never waits for a holder.
// S2  The session holds the writer turn exactly while its transaction can write.
// S3  A cancel affects the lease it names or none: lease numbers change at both ends of a lease, with the hands taken.
// S4  After disarm() and finish_disarm() no statement is executed any more: neither by query() nor, because all statements
//     are expired and cannot be recompiled, through native().
// S5  After SQLite has rolled back a transaction by itself, every statement before the ROLLBACK of the holder fails;
//     otherwise the second half of a transaction would be committed statement by statement.
// S6  The last session to be closed leaves an empty WAL, even if a holder keeps a handle.
// S7  A session whose native() was used is not leased again, whatever the reset mode, unless the holder asserts that it is
//     unchanged: functions, collations, modules, limits and settings of the handle can neither be listed nor removed, and
//     one with an invalid context would crash the process.
// S8  While rows are read page by page, their statement is the only one of the driver; whoever ends the reading resets it.
// S9  A commit is only reported when it is as durable as the policy says: with sqlite_synchronous=group SQLite syncs it, or
//     the session shares syncs (WalSync).
// Threads: as ports.hpp marks the calls.
// Failure: the documented Status values; noexcept calls return `broken` or false.
#pragma once

#include <atomic>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "driver/sqlite/change_counters.hpp"
#include "driver/sqlite/database_file.hpp"
#include "driver/sqlite/execution.hpp"
#include "driver/sqlite/file_mark.hpp"
#include "driver/sqlite/hands.hpp"
#include "driver/sqlite/inspector.hpp"
#include "driver/sqlite/watch.hpp"
#include "policy/policy.hpp"
#include "pool/ports.hpp"

namespace tide::sqlite {

// Locks of other processes: the keeper waits this long at a time, and retries in a later step.
inline constexpr Span kKeeperTimeout = Span::millis(5);

class SqliteConnection final : public Connection {
 public:
  // `number` identifies the session in messages and in the queue of writers; not 0, unique in the connector.
  SqliteConnection(Database database, uint64_t number, std::shared_ptr<DatabaseFile> file, const Policy& policy,
                   const Clock& clock);
  ~SqliteConnection() override;
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;

  void* native() noexcept override;
  bool probe() noexcept override;
  Status begin_lease(LeaseMode mode, Instant now) override;
  Status query(const QueryRequest& request, ResultTable& out) override;
  Status stream(const QueryRequest& request, RowSink& sink, ResultTable& out) override;
  Status open_rows(const QueryRequest& request, ResultTable& page) override;
  Status fetch_rows(ResultTable& page, Instant deadline) override;
  void close_rows() noexcept override;
  Status batch(std::span<const QueryRequest> requests, Instant deadline, std::vector<ResultTable>& out,
               size_t& failed_at) override;
  // A transaction that has read before it writes may fail.
  std::string begin_text(const TransactionKind& kind) const override {
    return kind.is_read_only || !file_->target().is_writable() ? "BEGIN" : "BEGIN IMMEDIATE";
  }
  Settled settle(ResetMode mode) noexcept override;
  void vouch() noexcept override { is_vouched_ = true; }
  void cancel(uint64_t lease = kAnyLease) noexcept override;
  SessionFacts facts() const noexcept override;
  bool end_transaction(std::string_view why, uint64_t lease = kAnyLease) noexcept override;
  void disarm() noexcept override;
  void finish_disarm() noexcept override;
  void shed_memory() noexcept override;
  // SQLite does not allow a connection to be used after fork(), not even to close it. Nothing is closed: the descriptors
  // remain open in the child until it exits, without an effect on the parent (POSIX locks are not inherited).
  void abandon() noexcept override { is_abandoned_.store(true); }

  // [keeper] Each may wait for locks of other processes for a few milliseconds only, because of the other sessions.
  Status furnish(Instant deadline);
  Status validate(const std::string& validation_query, Instant deadline);
  Status restore(Instant deadline);

  uint64_t number() const noexcept { return number_; }
  // The generation of the file at this path; 0 in memory.
  uint64_t generation() const noexcept { return generation_; }

 private:
  // Why the transaction of the holder was ended; empty if it was not.
  struct Ended {
    std::string sqlstate;
    std::string why;
  };
  // session.cpp, session_lease.cpp
  bool enter(Hands::Use use) noexcept;
  void leave() noexcept;
  bool is_mine_to_finish() noexcept;
  void end_effects() noexcept;
  void interrupt_native() noexcept;
  void empty_wal() noexcept;
  // With the hands, so that whoever looks at them sees it.
  void next_lease() noexcept { lease_.store(lease_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }
  Settled settle_inner(ResetMode mode);
  bool roll_back() noexcept;
  void reset_strays() noexcept;
  bool take_back_native() noexcept;
  Status put_back();
  void note_journal();
  bool is_file_intact(DatabaseFile::Depth depth) { return file_->is_intact(generation_, depth); }
  // For readers, which may miss for a second that a directory of the path was moved.
  bool is_file_in_place() {
    if (mark_ != nullptr && !is_file_lost() && mark_->is_unchanged()) return true;
    return is_file_intact(DatabaseFile::Depth::database);
  }
  bool is_file_lost() const noexcept { return file_->is_lost(generation_); }
  void remove_callbacks() noexcept;
  void watch_wal() noexcept;
  int set_query_only(bool is_on) noexcept;
  int prepare_for_native() noexcept;
  void arm_for_keeper(Instant deadline) noexcept;
  void optimize() noexcept;
  Status disarmed_error() const;

  // session_query.cpp
  template <typename Work>
  Status as_holder(uint64_t statements, Work&& work);
  bool begin_call(uint64_t statements) noexcept;
  void end_call() noexcept;
  Status out_of_memory() noexcept;
  Status run_text(const QueryRequest& request, ResultTable& out);
  Status run_single(const QueryRequest& request, Execution& ex, const char* what);
  Status begin_text(const QueryRequest& request, Execution& ex);
  Status next_statement(Execution& ex);
  Status compile_next(Execution& ex);
  void keep(Execution& ex);
  Status start(const QueryRequest& request, Execution& ex, Values values);
  Status collect(const QueryRequest& request, Execution& ex, ResultTable& out);
  void describe(Execution& ex, ResultTable& out);
  Status finish(Execution& ex, Status status, ResultTable& out);
  void abort_statement(Execution& ex) noexcept;
  void forget_statements() noexcept;
  void publish_counts() noexcept;
  Status check_lease(bool is_writing, bool is_read_only) const;

  // session_rows.cpp
  Status check_no_rows() const;
  Status stream_statement(const QueryRequest& request, RowSink& sink, ResultTable& out);
  Status open_statement(const QueryRequest& request, ResultTable& page);
  Status fetch_page(ResultTable& page, Instant deadline);
  void read_page(Execution& ex, ResultTable& page);
  Status pass_rows(Execution& ex, RowSink& sink, ResultTable& out);
  void end_rows(Status why) noexcept;

  // session_batch.cpp
  Status run_batch(std::span<const QueryRequest> requests, Instant deadline, std::vector<ResultTable>& out,
                   size_t& failed_at);
  Status run_words(std::string_view words, Instant deadline);
  bool is_reading_only(const QueryRequest& request);
  void undo_batch() noexcept;

  // session_turn.cpp
  Status take_turn(const Running& running, Instant deadline);
  Status take_turn_only(const Running& running, Instant deadline);
  bool is_intact_for_writing();
  Status lost_commit() const;
  void give_turn() noexcept;
  void give_unused_turn() noexcept;

  // session_sync.cpp
  void choose_synchronous() noexcept;
  void note_native_commits() noexcept;
  void sync_native_commits() noexcept;
  Status confirm_commit();

  // session_end.cpp
  Status failure(int code, const Running& running);
  void explain_busy(Status& status) const;
  Span lock_timeout(const Running& running) const noexcept;
  bool is_memory() const noexcept { return file_->target().is_memory; }
  Status stopped(Watch::Stop stop, const Running& running);
  void after_statement(const Running& running, bool was_in_transaction, const Status& status);
  void note_transaction(Instant started) noexcept;
  void forget_transaction() noexcept;
  Instant read_until(Instant started) const noexcept;
  Instant read_limit(const Execution& ex) const noexcept;

  Database database_;
  const uint64_t number_;
  const std::shared_ptr<DatabaseFile> file_;
  const Policy policy_;
  const Clock& clock_;
  Watch watch_;
  Inspector inspector_;
  ChangeCounters counters_;

  Hands hands_;  // no Look lasts while its thread is inside SQLite
  bool is_disarm_finished_ = false;

  // Used by the thread that has the hands.
  bool has_turn_ = false;
  bool is_wal_ = false;
  bool is_sharing_syncs_ = false;  // SQLite does not sync its commits
  bool is_sync_owed_ = false;      // of commits on native()
  uint64_t generation_ = 0;        // of the file; 0: in memory
  std::shared_ptr<FileMark> mark_;
  bool is_reader_ = false;   // registered as a reader in file_: without a WAL the writer waits for it
  bool is_vouched_ = false;  // asserted by the holder, for the following settle()
  LeaseMode mode_ = LeaseMode::read_write;
  bool is_query_only_ = false;
  bool is_query_only_known_ = true;
  Ended ended_;
  Instant reading_since_;
  std::unique_ptr<Cache> cache_;     // the statements that are kept prepared
  std::unique_ptr<Execution> rows_;  // of the rows being read page by page
  Status rows_end_;                  // why they were ended from outside; for the following fetch_rows()

  std::atomic<bool> has_rows_{false};           // rows_ is set
  std::atomic<bool> is_rows_cancelled_{false};  // between two pages
  std::atomic<bool> is_native_taken_{false};
  std::atomic<bool> is_abandoned_{false};
  std::atomic<uint64_t> lease_{1};
  std::atomic<bool> is_in_transaction_{false};
  std::atomic<bool> is_reading_{false};
  std::atomic<int64_t> transaction_since_ns_{0};
  std::atomic<int64_t> snapshot_since_ns_{0};  // from the start of a statement; 0: there is none
  std::atomic<int64_t> idle_since_ns_{0};
  std::atomic<uint64_t> queries_total_{0};
  struct {
    std::atomic<uint64_t> hits{0};
    std::atomic<uint64_t> misses{0};
    std::atomic<uint64_t> evictions{0};
    std::atomic<uint64_t> held{0};
    std::atomic<uint64_t> bytes{0};
  } counts_;  // of cache_
};

// Executes statements of the holder: with the hands, and counted.
template <typename Work>
Status SqliteConnection::as_holder(uint64_t statements, Work&& work) {
  if (!begin_call(statements)) return disarmed_error();
  Status status;
  try {
    status = work();
  } catch (const std::bad_alloc&) {
    status = out_of_memory();
  } catch (...) {  // of a sink
    give_unused_turn();
    end_call();
    throw;
  }
  end_call();
  return status;
}

}  // namespace tide::sqlite
