// SqliteConnection: one session with a database file (or the shared database in memory).
//
// Purpose: run the holder's statements under deadline, cancel and writer turn; give the session on clean; let the
// keeper end what a holder left open.
//
// S1  Hands: at most one thread works on the database through this object. A holder waits for the keeper's short work;
//     the keeper never waits for a holder.
// S2  While a transaction of ours can write, we hold the writer turn; without one we never do.
// S3  A cancel acts on the lease it names or on none: lease numbers change at both ends of a lease, under the lock.
// S4  After disarm() and finish_disarm() nothing gets through any more: neither by query() nor, since every statement is
//     expired and its recompilation refused, through native().
// S5  When SQLite rolls a transaction back behind the holder's back, every statement up to the holder's ROLLBACK fails:
//     else the second half of a transaction would be committed statement by statement.
// S6  The last session to go leaves no WAL with anything in it, also where a holder keeps a handle behind the pool.
// S7  A session whose native() was out goes to no other lease, whatever the reset mode, unless its holder vouches for
//     it: functions, collations, modules, limits and settings of the handle can neither be listed nor taken back, and
//     one whose context died with its holder would end the process.
// Threads: as ports.hpp marks the calls.
// Failure: promised Status values; noexcept calls answer `broken` or false.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "driver/sqlite/change_counters.hpp"
#include "driver/sqlite/database_file.hpp"
#include "driver/sqlite/inspector.hpp"
#include "driver/sqlite/statement.hpp"
#include "driver/sqlite/watch.hpp"
#include "policy/policy.hpp"
#include "pool/ports.hpp"

namespace tide::sqlite {

// Foreign locks: the keeper waits no longer for them in one go, and tries again at a later step.
inline constexpr Span kKeeperPatience = Span::millis(5);

class SqliteConnection final : public Connection {
 public:
  // `number` names the session in messages and in the turn's queue; not 0, unique in the connector.
  SqliteConnection(Database database, uint64_t number, std::shared_ptr<DatabaseFile> file, const Policy& policy,
                   const Clock& clock);
  ~SqliteConnection() override;
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;

  void* native() noexcept override;
  bool probe() noexcept override;
  Status begin_lease(LeaseMode mode, Instant now) override;
  Status query(const QueryRequest& request, ResultTable& out) override;
  Settled settle(ResetMode mode) noexcept override;
  void vouch() noexcept override { is_vouched_ = true; }
  void cancel(uint64_t lease = kAnyLease) noexcept override;
  SessionFacts facts() const noexcept override;
  bool end_transaction(std::string_view why, uint64_t lease = kAnyLease) noexcept override;
  void disarm() noexcept override;
  void finish_disarm() noexcept override;
  void shed_memory() noexcept override;
  // SQLite forbids carrying a connection across fork(), closing it included. So nothing is closed: the descriptors stay
  // open in the child until it ends, which costs the parent nothing (POSIX locks do not pass to a child).
  void abandon() noexcept override { is_abandoned_.store(true); }

  // [keeper] Each may wait for foreign locks up to a few milliseconds only: the keeper has other sessions to serve.
  Status furnish(Instant deadline);
  Status validate(const std::string& validation_query, Instant deadline);
  Status restore(Instant deadline);

  uint64_t number() const noexcept { return number_; }
  // Which of the files that were at the path one after the other; 0 in memory.
  uint64_t generation() const noexcept { return generation_; }

 private:
  enum class Hands : uint8_t { free, query, inner };
  // Why the transaction the holder believes in is gone; empty when it is not.
  struct Ended {
    std::string sqlstate;
    std::string why;
  };
  struct Running {  // one request under way
    Instant started;
    Instant deadline;
    int64_t offset = 0;  // of the current statement in the text
  };

  // session.cpp, session_lease.cpp
  bool enter(Hands hands) noexcept;
  void leave() noexcept;
  void end_effects() noexcept;
  void interrupt_native() noexcept;
  void empty_wal() noexcept;
  Settled settle_inner(ResetMode mode);
  bool roll_back() noexcept;
  void reset_strays() noexcept;
  bool take_back_native() noexcept;
  Status put_back();
  void note_journal();
  bool is_file_intact(DatabaseFile::Depth depth) { return file_->is_intact(generation_, depth); }
  bool is_file_lost() const noexcept { return file_->is_lost(generation_); }
  void remove_callbacks() noexcept;
  void set_query_only(bool is_on, int& code);
  void arm_for_keeper(Instant deadline) noexcept;
  Status disarmed_error() const;

  // session_query.cpp
  Status run_text(const QueryRequest& request, ResultTable& out);
  Status run_statement(sqlite3_stmt* statement, const Running& running, const QueryRequest& request, ResultTable& out);
  Status check_lease(bool is_writing) const;
  Status take_turn(const Running& running, Instant deadline);
  Status take_turn_only(const Running& running, Instant deadline);
  bool is_intact_for_writing();
  void restart_wal() noexcept;
  Status lost_commit() const;
  void give_turn() noexcept;
  Status failure(int code, const Running& running);
  void explain_busy(Status& status) const;
  Span lock_patience(const Running& running) const noexcept;
  bool is_memory() const noexcept { return file_->target().is_memory; }
  Status stopped(Watch::Stop stop, const Running& running);
  void after_statement(const Running& running, bool was_in_transaction, const Status& status);
  void note_transaction(Instant started) noexcept;
  void forget_transaction() noexcept;
  Instant read_until(Instant started) const noexcept;

  Database database_;
  const uint64_t number_;
  const std::shared_ptr<DatabaseFile> file_;
  const Policy policy_;
  const Clock& clock_;
  Watch watch_;
  Inspector inspector_;
  ChangeCounters counters_;

  std::mutex mutex_;  // guards hands_ and the ends of a lease; never held while SQLite works
  std::condition_variable hands_free_;
  Hands hands_ = Hands::free;
  bool is_disarm_finished_ = false;

  // Touched by whoever has the hands.
  bool has_turn_ = false;
  bool is_wal_ = false;
  uint64_t generation_ = 0;  // of the file; 0: in memory
  bool is_reader_ = false;   // entered as one in file_: the others wait for it where there is no WAL
  bool is_vouched_ = false;  // by the holder, for the settle() that follows
  LeaseMode mode_ = LeaseMode::read_write;
  bool is_query_only_ = false;
  bool is_query_only_known_ = true;
  Ended ended_;
  Instant reading_since_;

  std::atomic<bool> is_native_taken_{false};
  std::atomic<bool> is_abandoned_{false};
  std::atomic<uint64_t> lease_{1};
  std::atomic<bool> is_in_transaction_{false};
  std::atomic<bool> is_reading_{false};
  std::atomic<int64_t> transaction_since_ns_{0};
  std::atomic<int64_t> idle_since_ns_{0};
  std::atomic<uint64_t> queries_total_{0};
};

}  // namespace tide::sqlite
