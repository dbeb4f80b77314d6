// Ports: all the pool needs from outside but the clock (os/clock.hpp). Drivers and event sinks implement them; the pool
// knows no other.
//
//  Connection  one session with a database, owned by exactly one slot
//  Connector   makes, checks, resets and closes connections; never blocks on network, disk or program; pumped by the
//              keeper
//  EventSink   told about finished things (connect, release, error ...)
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
#include "os/clock.hpp"
#include "policy/policy.hpp"
#include "pool/result_table.hpp"

namespace tide {

enum class LeaseMode : uint8_t { read_write, read };

struct QueryRequest {
  std::string_view sql;                 // one or more statements; the last one's rows are the result
  std::span<const char* const> params;  // text or nullptr for NULL; bound to ?1.. / $1.. of the single statement
  Instant deadline = Instant::never();  // on the pool's clock; past it the statement is cancelled
};

// What the keeper may see of a session at any moment without disturbing its holder (relaxed atomics inside).
struct SessionFacts {
  bool is_in_transaction = false;
  bool is_reading = false;            // holds a read snapshot (SQLite: pins the WAL)
  Instant transaction_since;          // unset when in none
  Instant idle_in_transaction_since;  // unset while a statement runs or when in none
  uint64_t queries_total = 0;
  uint64_t lease = 0;  // which lease this is about; never 0, never the same again
};

// For cancel() and end_transaction(): whichever lease there is.
inline constexpr uint64_t kAnyLease = 0;

// What became of a session that its holder gave back.
enum class Settled : uint8_t {
  clean,        // may go to the next lease at once
  needs_reset,  // the keeper must reset it first (a round trip)
  spent,        // well, but holds what no reset can undo: it is replaced
  broken,       // must not be used again
};

// One session. Calls marked [holder] come from the thread that has the lease, one at a time; [any] from any thread
// at any moment until destruction; [keeper] from the keeper while no one has the lease.
class Connection {
 public:
  virtual ~Connection() = default;

  // [any] PGconn*, sqlite3*, or the custom driver's pointer.
  virtual void* native() noexcept = 0;
  // [any] The server's process id of this session, 0 where there is none.
  virtual int32_t server_pid() const noexcept { return 0; }
  // [holder] Is the session plainly dead? Asked at acquire after some idle time, so it must cost no round trip.
  virtual bool probe() noexcept { return true; }
  // [holder] The database has not been heard from for so long that the next query() had better ask it first whether it
  // still answers, if that can be in doubt. Said by the pool, which knows for how long.
  virtual void distrust() noexcept {}
  // [holder] A lease begins. Cheap when nothing has to change. A failure leaves the session usable or broken as
  // settle() will say.
  virtual Status begin_lease(LeaseMode mode, Instant now) = 0;
  // [holder] Runs the request. Status.code is database for what the database refused, timeout for the deadline.
  virtual Status query(const QueryRequest& request, ResultTable& out) = 0;
  // [holder] The lease ends: undo what must not reach the next holder, without a round trip. `was_touched` is false
  // when the holder neither queried nor took native(): then this is not called at all unless mode was read.
  virtual Settled settle(ResetMode mode) noexcept = 0;
  // [holder] The holder vouches that it left nothing in the session, native() or not. Said before settle(), for it
  // alone.
  virtual void vouch() noexcept {}
  // [any] Interrupt what runs now, if anything. Never blocks. `lease` is SessionFacts::lease read while the lease meant
  // was running: a cancel that comes late then does nothing instead of hitting the next holder.
  virtual void cancel(uint64_t lease = kAnyLease) noexcept = 0;
  // [any]
  virtual SessionFacts facts() const noexcept = 0;
  // [any] End an open transaction of a holder that sits in it for too long; its next query fails and says `why`.
  // False if it could not be done now, or the lease is over. May last as long as the database takes.
  virtual bool end_transaction(std::string_view why, uint64_t lease = kAnyLease) noexcept = 0;
  // [any] The lease was revoked while its holder may still have native(): interrupt what runs, and let nothing begin any
  // more. Never blocks. The memory stays valid until destruction.
  virtual void disarm() noexcept = 0;
  // [any] After disarm(): end what effects the session still has (roll back, release locks), unless the holder is inside
  // a call, which does so on its way out. May last as long as the database takes.
  virtual void finish_disarm() noexcept {}
  // [keeper] Give memory back that serves speed only (page caches). The session stays as it is.
  virtual void shed_memory() noexcept {}
  // In a forked child: close descriptors only, say nothing to the server; the object is never used again.
  virtual void abandon() noexcept = 0;
};

// How many sessions a server has and may have, of all its clients. Negative: it does not tell.
struct ServerLoad {
  int64_t sessions = -1;
  int64_t sessions_max = -1;
};

// What a connector sees of the database itself, where that is a file.
struct FileFacts {
  int64_t wal_bytes = -1;   // of the write-ahead log beside it; -1: there is none
  bool is_missing = false;  // it was deleted, or another one is in its place than the sessions have open
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
    disarmed,  // with a failure: the call has not come back, and uses the session until it does
    lost,
    // These answer no request:
    transaction_ended,  // end_transaction() did; status.message is its `why`
    noticed,            // the server remarked something aside
    lost_in_use,        // a holder met a dead session
    suspected,          // a holder's session was ended, perhaps not alone
    doomed  // a holder met an error that the other sessions will meet too: the server crashed, or takes no writes
  };
  Kind kind;
  uint32_t slot;
  std::unique_ptr<Connection> connection;  // of opened
  Status status;                           // of the failures and of lost
  bool is_permanent = false;               // of open_failed: trying again cannot help (bad file, bad password)
  bool is_warning = false;                 // of noticed
  bool is_crowded = false;                 // of open_failed: the server has no room for more, or is not ready
  ServerLoad load = {};                    // of validated, when survey() asked
};

// Threads: the keeper's only, but for interrupt-free const calls. Every open, validate, survey, reset and close is
// answered by exactly one completion of the same slot from a later step(), also after the deadline (then a failure).
class Connector {
 public:
  virtual ~Connector() = default;

  virtual void open(uint32_t slot, Instant now, Instant deadline) = 0;
  virtual void validate(uint32_t slot, Connection& connection, Instant now, Instant deadline) = 0;
  // Like validate(), and asks the server how full it is where it can tell.
  virtual void survey(uint32_t slot, Connection& connection, Instant now, Instant deadline) {
    validate(slot, connection, now, deadline);
  }
  // Bytes the driver's library has allocated in this process, for all pools; -1: it does not count them.
  virtual int64_t memory_bytes() const { return -1; }
  // What stands between the sessions and their server, as the last connect found it; auto_: not known.
  virtual Pooler pooler() const { return Pooler::auto_; }
  // Asked once a second, and when a session is lost.
  virtual FileFacts file_facts() { return {}; }
  virtual void reset(uint32_t slot, Connection& connection, ResetMode mode, Instant now, Instant deadline) = 0;
  // Takes the connection; `closed` comes when the server's session is gone (or the driver gave up on it).
  virtual void close(uint32_t slot, std::unique_ptr<Connection> connection, Instant now) = 0;
  // What the keeper does to sessions that are leased, for a database that may take its time over it. Made before what is
  // asked for the same session later.
  virtual void cancel(uint32_t, Connection& connection, uint64_t lease, Instant) { connection.cancel(lease); }
  // True: finished. False: `disarmed` follows, and until then the session must live.
  virtual bool finish_disarm(uint32_t, Connection& connection, Instant) {
    connection.finish_disarm();
    return true;
  }
  // True: ended. False: it could not be, or it is under way and `transaction_ended` may follow.
  virtual bool end_transaction(uint32_t, Connection& connection, const std::string& why, uint64_t lease, Instant) {
    return connection.end_transaction(why, lease);
  }
  // Progress. Appends completions; returns when it wants to be called next (never() if only fd() can tell).
  virtual Instant step(Instant now, std::vector<Completion>& out) = 0;
  // Readable when step() has something to do; -1 if there is no such descriptor.
  virtual int fd() const noexcept { return -1; }
  // A changed policy; applies to connections opened from now on.
  virtual void set_policy(const Policy& policy) = 0;
  // The pool closes: opens under way may fail now instead of waiting for a server that does not answer.
  virtual void give_up_opens() {}
  // Before and after a fork(), in the thread that calls it: keep threads of the connector out of what a child needs, such
  // as the locks of the database's library. False: they did not come out of it in time.
  virtual bool hold_for_fork(Span) noexcept { return true; }
  virtual void release_after_fork() noexcept {}
  // The time for closing is over: what does not come back is answered by the next step(), as failed.
  virtual void give_up() {}
  // Calls are under way that the end of a pool is worth waiting for, though all its requests may be answered ...
  virtual bool is_at_work() const { return false; }
  // ... but not any longer: they began long ago.
  virtual bool is_held_up() const { return false; }
  // What is under way when the pool is destroyed, and goes on behind it; ok: nothing.
  virtual Status left_behind() const { return Status::ok(); }
  // [any] The calling thread is inside a call of the database driver: what it waits for there, a driver cannot do.
  virtual bool is_called_by_me() const noexcept { return false; }
  // In a forked child: close descriptors only.
  virtual void abandon() noexcept {}
};

}  // namespace tide
