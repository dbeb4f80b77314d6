// Ports: everything the pool needs from outside except the clock (os/clock.hpp). Drivers and event sinks implement
// them; the pool knows no other.
//
//  Connection  one session with a database, owned by exactly one slot
//  Connector   creates, checks, resets and closes connections; never blocks on network, disk or program; driven by the
//              keeper
//  EventSink   receives completed events (connect, release, error ...)
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.hpp"
#include "base/status.hpp"
#include "brain/census.hpp"
#include "model/words.hpp"
#include "os/clock.hpp"
#include "policy/policy.hpp"
#include "pool/change_watch.hpp"
#include "pool/result_table.hpp"
#include "pool/sql_value.hpp"
#include "statement/placeholders.hpp"
#include "statement/statement_cache.hpp"

namespace tide {

enum class LeaseMode : uint8_t { read_write, read };
enum class Priority : uint8_t { normal, critical };  // critical: may take the connections of reserve_size

// Receives the rows of a statement while it is executed.
class RowSink {
 public:
  virtual ~RowSink() = default;
  // Called with the columns and at least one row, and once without rows if there are none. The page is valid during the
  // call. False: no more rows are wanted; the statement ends early, which is not an error.
  virtual bool take(const ResultTable& page) = 0;
};

struct QueryRequest {
  std::string_view sql;                 // one or more statements; the last one's rows are the result
  std::span<const SqlValue> params;     // of the single statement
  Instant deadline = Instant::never();  // on the pool's clock; past it the statement is cancelled
  Placeholders placeholders = Placeholders::native;
  std::span<const std::string_view> names = {};  // of the parameters, without the colon; Placeholders::named only
  // Rows and bytes of the result; one that is larger fails with 54000. 0: 2 billion rows, 1 GiB. Not with a sink.
  int64_t rows_max = 0;
  int64_t bytes_max = 0;
  bool is_first_row_only = false;  // further rows are read and dropped
  bool may_prepare = true;         // the statement may be kept prepared in the session (statement_cache_size)
  // The result says in which transaction of the database the statement was executed, without a round trip of its own.
  // Databases whose outcome of a COMMIT is always known ignore this.
  bool wants_transaction = false;
  // Within a read-only transaction: what changes data fails with 25006. Databases whose BEGIN says it ignore this.
  bool is_read_only = false;
};

enum class Isolation : uint8_t { unset, read_committed, repeatable_read, serializable };

// A transaction that is to begin.
struct TransactionKind {
  Isolation isolation = Isolation::unset;
  bool is_read_only = false;
  bool is_deferrable = false;
};

// How a database is asked what became of a transaction whose COMMIT was not answered. Parameter: its id (text).
struct OutcomeWords {
  // One row: the incarnation of the server, and "committed", "aborted", "in progress" or NULL.
  std::string_view ask;
  // Ends the session in which it is still in progress.
  std::string_view end;
};

// What the keeper may see of a session at any moment without disturbing its holder (relaxed atomics inside).
struct SessionFacts {
  bool is_in_transaction = false;
  bool is_reading = false;            // holds a read snapshot (SQLite: pins the WAL)
  Instant transaction_since;          // unset outside a transaction
  Instant idle_in_transaction_since;  // unset while a statement runs or outside a transaction
  Instant snapshot_since;             // SQLite: of what it reads or writes, also while a single statement runs
  uint64_t queries_total = 0;
  StatementCounts statements;
  uint64_t lease = 0;  // which lease this describes; never 0, never reused
};

// For cancel() and end_transaction(): the current lease, whichever it is.
inline constexpr uint64_t kAnyLease = 0;

// The state of a session that its holder returned.
enum class Settled : uint8_t {
  clean,        // may go to the next lease at once
  needs_reset,  // the keeper must reset it first (a round trip)
  spent,        // works, but has state that no reset can undo: it is replaced
  broken,       // must not be used again
};

// One session. Calls marked [holder] come from the thread that has the lease, one at a time; [any] from any thread at
// any moment until destruction; [keeper] from the keeper while the session is not leased.
class Connection {
 public:
  virtual ~Connection() = default;

  // [any] PGconn*, sqlite3*, or the custom driver's pointer.
  virtual void* native() noexcept = 0;
  // [any] The server's process id of this session, 0 if there is none.
  virtual int32_t server_pid() const noexcept { return 0; }
  // [holder] Is the session known to be dead? Called at acquire after some idle time, so it must cost no round trip.
  virtual bool probe() noexcept { return true; }
  // [holder] The database has not answered for so long that the next query() should first check whether it still does,
  // if that can be in doubt. Called by the pool, which knows for how long.
  virtual void distrust() noexcept {}
  // [holder] A lease begins. Cheap when nothing has to change. After a failure settle() says whether the session is
  // usable or broken.
  virtual Status begin_lease(LeaseMode mode, Instant now) = 0;
  // [holder] Runs the request. Status.code is database for errors of the database, timeout for the deadline.
  virtual Status query(const QueryRequest& request, ResultTable& out);
  // [holder] Like query(), and passes the rows on page by page, in constant memory. `out` gets everything but the rows.
  // Only one statement.
  virtual Status stream(const QueryRequest& request, RowSink& sink, ResultTable& out);
  // [holder] The same, pulled: open_rows() returns the first page, fetch_rows() replaces it by the next one, until
  // is_last_page(). Meanwhile every other statement fails with Code::refused. close_rows() ends early, cancels, and does
  // nothing if no rows are open; the end of the lease does the same.
  virtual Status open_rows(const QueryRequest& request, ResultTable& page);
  virtual Status fetch_rows(ResultTable& page, Instant deadline);
  virtual void close_rows() noexcept {}
  // [holder] Executes the statements in order, as one transaction unless one is open. At the first error nothing of them
  // has taken effect, `failed_at` is the number of the statement (from 0; the count: the commit), and `out` is empty.
  // `deadline` is that of the whole.
  virtual Status batch(std::span<const QueryRequest> requests, Instant deadline, std::vector<ResultTable>& out,
                       size_t& failed_at);
  // [any] The statement that begins a transaction.
  virtual std::string begin_text(const TransactionKind&) const { return "BEGIN"; }
  // [any] Never changes; nullptr: a COMMIT that fails has not taken effect, unless with
  // Code::unknown_outcome.
  virtual const OutcomeWords* outcome_words() const noexcept { return nullptr; }
  // [holder] The lease ends: undo what must not reach the next holder, without a round trip. Not called when the holder
  // neither queried nor took native() (Seat::is_touched is false), unless mode was read.
  virtual Settled settle(ResetMode mode) noexcept = 0;
  // [holder] The holder guarantees that it left nothing in the session, despite native(). Called before settle(), and
  // valid only for that call.
  virtual void vouch() noexcept {}
  // [any] Interrupts what runs now, if anything. Never blocks. `lease` is SessionFacts::lease, read while the lease
  // meant was running: a late cancel then does nothing instead of interrupting the next holder.
  virtual void cancel(uint64_t lease = kAnyLease) noexcept = 0;
  // [any]
  virtual SessionFacts facts() const noexcept = 0;
  // [any] Ends an open transaction whose holder has been idle in it for too long; the holder's next query fails with
  // `why`. False if it could not be done now, or the lease is over. May take as long as the database needs.
  virtual bool end_transaction(std::string_view why, uint64_t lease = kAnyLease) noexcept = 0;
  // [any] The lease was revoked while its holder may still have native(): interrupts what runs, and prevents anything
  // new from starting. Never blocks. The memory stays valid until destruction.
  virtual void disarm() noexcept = 0;
  // [any] After disarm(): ends the effects that the session still has (roll back, release locks), unless the holder is
  // inside a call, which does so when it returns. May take as long as the database needs.
  virtual void finish_disarm() noexcept {}
  // [keeper] Releases memory that only serves speed (page caches). The session stays as it is.
  virtual void shed_memory() noexcept {}
  // In a forked child: closes descriptors only, sends nothing to the server; the object is never used again.
  virtual void abandon() noexcept = 0;
};

// How many sessions a server has and may have, counting all its clients. Negative: unknown.
struct ServerLoad {
  int64_t sessions = -1;
  int64_t sessions_max = -1;
};

// The checkpoints of a write-ahead log, made by its connector.
struct WalFacts {
  int64_t frames = 0;       // in the log
  int64_t frames_done = 0;  // of these, in the database file
  Instant last_at;          // of the last checkpoint; unset: none yet
  CheckpointKind last_kind = CheckpointKind::none;
  Instant blocked_since;  // readers keep the log from being reset; unset: they do not
  uint64_t checkpoints_total = 0;
  uint64_t failures_total = 0;
  std::string last_error;
};

// What a connector knows about the database itself, if that is a file.
struct FileFacts {
  int64_t wal_bytes = -1;   // of the write-ahead log beside it; -1: there is none
  bool is_missing = false;  // deleted, or replaced by another file than the sessions have open
  WalFacts wal = {};
};

struct Completion {
  enum class Kind : uint8_t {
    opened,
    open_failed,
    validated,
    validation_failed,
    reset_done,
    reset_failed,
    closed,
    disarmed,  // with a failure: the call has not returned, and uses the session until it does
    lost,
    // These answer no request:
    transaction_ended,  // end_transaction() did; status.message is its `why`
    noticed,            // the server sent a notice or a warning
    lost_in_use,        // a holder found its session dead
    suspected,          // a holder's session was terminated, perhaps others too
    doomed  // a holder met an error that the other sessions will meet too: the server crashed, or is read-only
  };
  Kind kind;
  uint32_t slot;
  std::unique_ptr<Connection> connection;  // for opened
  Status status;                           // for failures and for lost
  bool is_permanent = false;               // for open_failed: retrying cannot help (bad file, bad password)
  bool is_warning = false;                 // for noticed
  bool is_crowded = false;                 // for open_failed: the server has no room for more, or is not ready
  ServerLoad load = {};                    // for validated, after survey()
};

// Threads: the keeper only, except for const calls that interrupt nothing. Every open, validate, survey, reset and
// close is answered by exactly one completion of the same slot from a later step(), also after the deadline (then a
// failure).
class Connector {
 public:
  virtual ~Connector() = default;

  // [any] Tells whether the data has changed, for the query cache; nullptr: the database cannot be watched.
  virtual std::shared_ptr<ChangeWatch> change_watch() { return nullptr; }

  virtual void open(uint32_t slot, Instant now, Instant deadline) = 0;
  virtual void validate(uint32_t slot, Connection& connection, Instant now, Instant deadline) = 0;
  // Like validate(), and asks the server how full it is if it can tell.
  virtual void survey(uint32_t slot, Connection& connection, Instant now, Instant deadline) {
    validate(slot, connection, now, deadline);
  }
  // Bytes the driver's library has allocated in this process, for all pools; -1: not counted.
  virtual int64_t memory_bytes() const { return -1; }
  // What is between the sessions and their server, as the last connect found it; auto_: unknown.
  virtual Pooler pooler() const { return Pooler::auto_; }
  // Asked once a second, and when a session is lost.
  virtual FileFacts file_facts() { return {}; }
  virtual void reset(uint32_t slot, Connection& connection, ResetMode mode, Instant now, Instant deadline) = 0;
  // Takes the connection; `closed` is reported when the server's session is gone (or the driver gave up on it).
  virtual void close(uint32_t slot, std::unique_ptr<Connection> connection, Instant now) = 0;
  // What the keeper does to leased sessions, for a database that may be slow to respond. Executed before anything
  // requested for the same session later.
  virtual void cancel(uint32_t, Connection& connection, uint64_t lease, Instant) { connection.cancel(lease); }
  // True: finished. False: `disarmed` follows, and until then the session must stay alive.
  virtual bool finish_disarm(uint32_t, Connection& connection, Instant) {
    connection.finish_disarm();
    return true;
  }
  // True: ended. False: impossible, or in progress and `transaction_ended` may follow.
  virtual bool end_transaction(uint32_t, Connection& connection, const std::string& why, uint64_t lease, Instant) {
    return connection.end_transaction(why, lease);
  }
  // Makes progress. Appends completions; returns when it wants to be called next (never() if only fd() can tell).
  virtual Instant step(Instant now, std::vector<Completion>& out) = 0;
  // Readable when step() has something to do; -1 if there is no such descriptor.
  virtual int fd() const noexcept { return -1; }
  // The policy has changed; applies to connections opened from now on.
  virtual void set_policy(const Policy& policy) = 0;
  // The pool closes: opens in progress may fail now instead of waiting for a server that does not answer.
  virtual void give_up_opens() {}
  // Before and after a fork(), in the calling thread: keeps threads of the connector from holding what a child needs,
  // such as the locks of the database's library. False: they did not release it in time.
  virtual bool hold_for_fork(Span) noexcept { return true; }
  virtual void release_after_fork() noexcept {}
  // The time for closing has passed: what has not returned is answered by the next step(), as failed.
  virtual void give_up() {}
  // Calls are in progress that closing a pool should wait for, though all its requests may be answered ...
  virtual bool is_at_work() const { return false; }
  // ... but no longer: they began too long ago.
  virtual bool is_held_up() const { return false; }
  // What is still in progress when the pool is destroyed, and continues after that; ok: nothing.
  virtual Status left_behind() const { return Status::ok(); }
  // [any] The calling thread is inside a call of the database driver: while it waits there, the driver does nothing.
  virtual bool is_called_by_me() const noexcept { return false; }
  // In a forked child: closes descriptors only.
  virtual void abandon() noexcept {}
};

// What stands on top of a pool and works along with its keeper: the service.
//
// Threads: the keeper only. Must not block: no call of a database, no call of the program.
class Attendant {
 public:
  virtual ~Attendant() = default;
  // At every step of the keeper, after its decisions. Returns when it wants to be called next.
  virtual Instant step(Instant now) = 0;
  // Empties what is asked for; "": everything. Returns how many results were removed.
  virtual uint64_t clear_cache(std::string_view key, std::string_view tag) = 0;
  // Memory is short: gives back what only serves speed.
  virtual void shed_memory() = 0;
  virtual void set_policy(const Policy& policy) = 0;
};

}  // namespace tide
