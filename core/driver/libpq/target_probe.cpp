// PgTargetProbe: a session with one server, used by one thread, which may block.
//
// N1  While the thread waits for the server it is outside of libpq, and ends at once when it is told to.
// N2  Inside libpq it holds a mutex, so that a fork waits until it has left.
// Threads, failure: as TargetProbe.
#include "driver/libpq/target_probe.hpp"

#include <libpq-fe.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <mutex>
#include <new>
#include <utility>

#include "driver/libpq/conninfo.hpp"
#include "driver/libpq/errors.hpp"
#include "driver/libpq/rows.hpp"
#include "driver/libpq/session.hpp"
#include "os/descriptor.hpp"

namespace tide::libpq {
namespace {

// In recovery the functions that tell the position of a primary fail, and the other way round NULL is returned.
constexpr const char* kWhere =
    "SELECT pg_is_in_recovery(),"
    " (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END - '0/0')::text,"
    " (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END - '0/0')::text,"
    " (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint || ' ' || current_setting('port')";
// Some servers do not permit it.
constexpr const char* kWhichCluster = "SELECT system_identifier::text FROM pg_control_system()";

uint64_t number_in(const char* text) {
  const std::string_view digits = text;
  uint64_t number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

class PgTargetProbe final : public TargetProbe {
 public:
  PgTargetProbe(PostgresqlTarget target, const Policy& policy, const Clock& clock)
      : target_(std::move(target)), policy_(policy), clock_(clock), wake_("cannot make a descriptor for a probe") {}

  Status ask(Span timeout, TargetReport& out) override {
    const Instant deadline = clock_.now() + timeout;
    Status status = conn_ == nullptr ? connect(deadline) : Status::ok();
    if (status) status = ask_where(deadline, out);
    if (!status) drop();
    return status;
  }
  void end() noexcept override {
    has_ended_.store(true);
    wake_.ring();
  }
  bool hold_for_fork(Span timeout) noexcept override {
    is_held_ = inside_.try_lock_for(std::chrono::nanoseconds(std::max<int64_t>(timeout.ns(), 0)));
    return is_held_;
  }
  void release_after_fork() noexcept override {
    if (std::exchange(is_held_, false)) inside_.unlock();
  }
  void abandon() noexcept override {
    if (const int socket = socket_.load(); socket >= 0) ::close(socket);
    wake_.close();
  }

 private:
  Status connect(Instant deadline);
  Status start();
  Status ask_where(Instant deadline, TargetReport& out);
  Status run(const char* sql, Instant deadline, ResultHandle& out);
  Status wait(short events, Instant deadline);
  void drop() noexcept;

  const PostgresqlTarget target_;
  const Policy policy_;
  const Clock& clock_;
  Bell wake_;
  std::atomic<bool> has_ended_{false};
  std::timed_mutex inside_;  // held by the thread while it is inside libpq
  bool is_held_ = false;     // for a fork
  std::atomic<int> socket_{-1};
  ConnectionHandle conn_;
  std::string cluster_;
};

Status PgTargetProbe::start() {
  std::string password;
  if (target_.credentials) {
    if (Status given = target_.credentials(password); !given) return given;
  }
  const std::lock_guard lock(inside_);
  Result<ConnectWords> parsed = ConnectWords::parse(target_.connect_text);
  if (!parsed) return parsed.take_status();
  // Of several hosts the one with the role; a single one is asked which role it has.
  if (parsed->hosts() > 1 && !target_.session_attrs.empty())
    parsed->set_default("target_session_attrs", target_.session_attrs);
  const auto words = parsed->words(policy_, target_.application, 0, target_.credentials ? &password : nullptr);
  conn_.reset(start_connecting(words));
  if (conn_ == nullptr) throw std::bad_alloc();
  PQsetErrorVerbosity(conn_.get(), PQERRORS_VERBOSE);  // the only way to get the SQLSTATE of connection errors
  PQsetNoticeProcessor(
      conn_.get(), [](void*, const char*) {}, nullptr);
  socket_.store(PQsocket(conn_.get()));
  return PQstatus(conn_.get()) == CONNECTION_BAD ? connect_failure(conn_.get()).status : Status::ok();
}

Status PgTargetProbe::connect(Instant deadline) {
  if (Status started = start(); !started) return started;
  for (PostgresPollingStatusType next = PGRES_POLLING_WRITING; next != PGRES_POLLING_OK;) {
    if (Status ready = wait(next == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline); !ready) return ready;
    const std::lock_guard lock(inside_);
    next = PQconnectPoll(conn_.get());
    socket_.store(PQsocket(conn_.get()));
    if (next == PGRES_POLLING_FAILED) return connect_failure(conn_.get()).status;
  }
  const std::lock_guard lock(inside_);
  PQsetnonblocking(conn_.get(), 1);
  cluster_.clear();
  return Status::ok();
}

Status PgTargetProbe::ask_where(Instant deadline, TargetReport& out) {
  ResultHandle result;
  if (Status asked = run(kWhere, deadline, result); !asked) return asked;
  if (PQntuples(result.get()) != 1 || PQnfields(result.get()) != 4)
    return own_error("08P01", "the server gave another answer");
  out.is_in_recovery = *PQgetvalue(result.get(), 0, 0) == 't';
  out.position = number_in(PQgetvalue(result.get(), 0, 1));
  out.end = number_in(PQgetvalue(result.get(), 0, 2));
  out.incarnation = PQgetvalue(result.get(), 0, 3);
  if (cluster_.empty()) {
    ResultHandle which;
    Status asked = run(kWhichCluster, deadline, which);
    if (!asked && PQstatus(conn_.get()) != CONNECTION_OK) return asked;
    const bool is_told = asked && PQntuples(which.get()) == 1;
    cluster_ = is_told ? PQgetvalue(which.get(), 0, 0) : "unknown";
  }
  if (cluster_ != "unknown") out.cluster = cluster_;
  return Status::ok();
}

Status PgTargetProbe::run(const char* sql, Instant deadline, ResultHandle& out) {
  {
    const std::lock_guard lock(inside_);
    if (PQsendQuery(conn_.get(), sql) == 0) return connection_error(conn_.get());
  }
  for (;;) {
    bool is_unsent = false;
    {
      const std::lock_guard lock(inside_);
      const int flushed = PQflush(conn_.get());
      if (flushed < 0 || PQconsumeInput(conn_.get()) == 0) return connection_error(conn_.get());
      is_unsent = flushed > 0;
      while (PQisBusy(conn_.get()) == 0) {
        ResultHandle next(PQgetResult(conn_.get()));
        if (next == nullptr) return PQresultStatus(out.get()) == PGRES_TUPLES_OK ? Status::ok() : error_of(out.get());
        out = std::move(next);
      }
    }
    if (Status ready = wait(static_cast<short>(is_unsent ? POLLIN | POLLOUT : POLLIN), deadline); !ready) return ready;
  }
}

Status PgTargetProbe::wait(short events, Instant deadline) {
  for (;;) {
    if (has_ended_.load()) return Status::error(Code::closed, "the pool is closed");
    const Span left = deadline - clock_.now();
    if (left <= Span{}) return own_error("08001", "the server did not respond in time");
    pollfd fds[] = {{socket_.load(), events, 0}, {wake_.fd(), POLLIN, 0}};
    const int ready = poll(fds, 2, static_cast<int>(std::min<int64_t>(left.ms_up(), 60'000)));
    if (ready > 0 && fds[0].revents != 0) return Status::ok();
  }
}

void PgTargetProbe::drop() noexcept {
  const std::lock_guard lock(inside_);
  socket_.store(-1);
  conn_.reset();
}

}  // namespace
}  // namespace tide::libpq

namespace tide {

std::unique_ptr<TargetProbe> make_postgresql_probe(PostgresqlTarget target, const Policy& policy, const Clock& clock) {
  return std::make_unique<libpq::PgTargetProbe>(std::move(target), policy, clock);
}

}  // namespace tide
