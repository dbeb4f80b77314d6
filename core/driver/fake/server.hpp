// FakeServer: a scripted database in virtual time, for simulation and tests.
//
// Responds to a pool with scripted latencies, failures and timeouts, identically for the same seed and the same order of
// calls; and checks the requests of the pool.
//
// F1  sessions_now() counts a session from the request that opens it (unless it fails at once) until its close has been
//     answered, its opening has failed, it was killed, or its slot was reused after disarm(): the strictest definition of
//     "open or opening", so that the cap can be asserted here.
// F2  A slot has at most one request in progress and at most one session that was not disarmed; anything else aborts the
//     program.
// F3  Every request is answered once; a request without a response is answered at its deadline.
// Threads: any; one mutex. Deterministic if all calls are made by one thread.
// Failure: none. It must outlive its connectors and their sessions.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.hpp"
#include "base/rng.hpp"
#include "driver/fake/store.hpp"
#include "pool/ports.hpp"

namespace tide::fake {

// A latency: at least `least`, on average `least + mean_more`; the rest is exponential, cut at ten times the mean.
struct Latency {
  Span least = Span::nanos(0);
  Span mean_more = Span::nanos(0);
  Span draw(Rng& rng) const;
};

struct Latencies {
  Latency open{Span::millis(2), Span::millis(1)};
  Latency validate{Span::micros(200), Span::micros(100)};
  Latency reset{Span::micros(200), Span::micros(100)};
  Latency close{Span::micros(500), Span::micros(500)};
  Latency query{Span::nanos(0), Span::nanos(0)};
};

// How an open ends.
enum class OpenFate : uint8_t { succeed, fail, fail_for_good, hang };

// What goes wrong with a statement. "Lost": the connection.
enum class Fault : uint8_t {
  none,
  lost_unsent,      // before the statement was sent
  lost_unexecuted,  // after it was sent, and it is not executed
  lost_executed,    // it is executed, and its answer is lost
  lost_undecided,   // a commit is in progress until decide(); another statement is not executed
  late,             // it is executed, and its answer comes after the deadline
  conflict,         // 40001
  deadlock,         // 40P01
  cancelled,        // 57014
  unconfirmed,      // it is executed, and the database cannot tell whether that lasts: unknown_outcome
};

class FakeServer {
 public:
  class Client;  // a session, as the pool has it
  // Tells the world that a query took this long; a simulation moves its clock, tests need not.
  using TimePasses = std::function<void(Span)>;
  // Answers statements of the test's own; nullopt passes them on to the built-in ones (see Client).
  using Handler = std::function<std::optional<Status>(const QueryRequest&, ResultTable&)>;
  // Decides for each statement before it is executed; also for each of a batch, and its "commit". It may change the
  // script, for example kill the session.
  using Faults = std::function<Fault(std::string_view sql)>;

  FakeServer(uint64_t seed, const Clock& clock) : clock_(clock), rng_(seed) {}
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  // ---- the script; each takes effect at once
  // -------------------------------------------------------------------------
  void set_latencies(const Latencies& latencies);
  void set_time_passes(TimePasses time_passes);
  void set_handler(Handler handler);
  void set_faults(Faults faults);
  // What connectors made from now on know of changes; nullptr: nothing.
  void set_watch(std::shared_ptr<ChangeWatch> watch) { watch_ = std::move(watch); }
  std::shared_ptr<ChangeWatch> watch() const { return watch_; }
  // 0: no limit. Further opens fail as in PostgreSQL (53300).
  void set_sessions_max(uint32_t sessions_max);
  // What its connectors tell about a file, as if it had one. By the thread that drives the keeper.
  void set_file(FileFacts file) { file_ = std::move(file); }
  const FileFacts& file() const { return file_; }
  // The result of a survey; default: the number of sessions, and sessions_max if it is a limit.
  void set_load(ServerLoad load);
  // The result of the next `count` opens, then of the next entry of the script, then success.
  void script_opens(uint32_t count, OpenFate fate);
  // Further opens succeed again.
  void forget_script();
  // While on, every open fails with an error of the server: starting up, unless another SQLSTATE is given. 28P01, 3D000
  // and 42501 are permanent; with 57P03 and 53300 the completion says that the server accepts no more sessions.
  void set_refusing(bool is_refusing, std::string_view sqlstate = "57P03");
  // Silent: opens get no response, and every existing session becomes half-open for ever.
  void set_silent(bool is_silent);
  // Sessions of other clients, counted against sessions_max and in surveys.
  void set_foreign_sessions(uint32_t n);
  // What every session says of its prepared statements.
  void set_statements(const StatementCounts& statements);
  // No close completes before this instant.
  void hold_closes_until(Instant until);
  // Down: opens fail with 08001, and every session is killed.
  void go_down();
  void come_up();
  // The same at a future instant, in the given order for equal instants.
  void schedule_down(Instant at);
  void schedule_up(Instant at);
  // Half-open: the network drops everything. Validation and reset get no response, a query ends at its deadline.
  void make_half_open(int32_t pid);
  void make_all_half_open();
  // The server ends the session: `lost` is reported, queries fail with 57P01. Returns false if there is no session.
  bool kill(int32_t pid);
  uint32_t kill_all();
  uint32_t kill_some(double share);
  // Kills all sessions, aborts what is undecided, and begins another incarnation; the store remains.
  void restart();
  // Ends the commits whose connection was lost while they were in progress. False: none was.
  bool decide(bool is_committed);
  // Whether a session may end the transaction of another (default).
  void set_may_end_others(bool may_end);
  // Wakes waiting statements, so that they check the clock.
  void clock_moved();

  // ---- what it saw
  // ---------------------------------------------------------------------------------------------------
  uint32_t sessions_now() const;
  uint32_t sessions_peak() const;
  uint64_t opens_total() const;
  uint64_t queries_total() const;
  uint64_t distrusts_total() const {
    return distrusts_total_;
  }                                   // how often a session had to check the server before a query
  std::vector<int32_t> pids() const;  // of live sessions, oldest first
  StoreValues store() const;          // what is committed

 private:
  friend class FakeConnector;

  struct Session {  // as seen by the server
    int32_t pid = 0;
    uint32_t slot = 0;
    bool is_alive = true;
    bool is_half_open = false;
    bool is_loss_told = false;
    bool is_disarmed = false;  // disconnected by the pool, which may reuse the slot
    bool is_counted = true;
    std::optional<StoreTransaction> transaction;
  };
  struct Event {
    Instant at;
    bool is_up;
  };

  // All with the mutex held.
  void advance(Instant now);
  Instant next_event() const { return events_.empty() ? Instant::never() : events_.front().at; }
  void schedule(Event event);
  void kill_session(Session& session);
  void abort_transaction(Session& session);
  bool decide_locked(bool is_committed);
  void drop_session(Session& session);
  OpenFate next_fate();
  ServerLoad load() const;
  std::shared_ptr<Session> start_session(uint32_t slot, bool is_let_in);

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Rng rng_;
  Latencies latencies_;
  TimePasses time_passes_;
  Handler handler_;
  Faults faults_;
  std::shared_ptr<ChangeWatch> watch_;
  Store store_;
  std::vector<StoreTransaction> undecided_;
  uint32_t incarnation_ = 1;
  bool may_end_others_ = true;
  uint32_t sessions_max_ = 0;
  FileFacts file_;
  std::optional<ServerLoad> load_;
  StatementCounts statements_;
  std::deque<std::pair<uint32_t, OpenFate>> script_;
  std::string refusing_with_;  // an SQLSTATE; empty: none
  bool is_silent_ = false;
  uint32_t foreign_sessions_ = 0;
  bool is_down_ = false;
  Instant closes_held_until_;
  std::deque<Event> events_;  // by instant
  std::map<int32_t, std::shared_ptr<Session>> sessions_;
  int32_t last_pid_ = 1000;
  uint32_t sessions_now_ = 0;
  uint32_t sessions_peak_ = 0;
  uint64_t opens_total_ = 0;
  uint64_t queries_total_ = 0;
  std::atomic<uint64_t> distrusts_total_{0};
};

}  // namespace tide::fake
