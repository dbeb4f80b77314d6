#include "driver/libpq/session.hpp"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cstring>

#include <utility>

#include "base/assert.hpp"
#include "driver/libpq/errors.hpp"

namespace tide::libpq {

void FinishConnection::operator()(PGconn* conn) const noexcept {
  PQsetnonblocking(conn, 1);  // closing must not wait for a server that does not read
  PQfinish(conn);
}

PgConnection::PgConnection(ConnectionHandle conn, uint32_t slot, std::shared_ptr<CancelState> cancel,
                           std::shared_ptr<CancelDesk> desk, std::shared_ptr<Notices> notices,
                           std::shared_ptr<StatementWatch> watch, const Policy& policy, const Clock& clock, Terms terms)
    : conn_(std::move(conn)),
      slot_(slot),
      socket_(Descriptor::copy_of(PQsocket(conn_.get()))),
      cancel_(std::move(cancel)),
      desk_(std::move(desk)),
      notices_(std::move(notices)),
      watch_(std::move(watch)),
      policy_(policy),
      clock_(clock),
      terms_(std::move(terms)),
      statements_max_(statements_max(policy_, terms_.is_shared)),
      statements_(Dialect::postgresql, statements_max_),
      epoch_(watch_->epoch.load()) {
  if (!wake_.is_open()) socket_.close();  // then the connector refuses it
  reinstall();
}

PgConnection::~PgConnection() {
  if (is_abandoned_.load()) {
    [[maybe_unused]] PGconn* leaked = conn_.release();  // its goodbye would end the parent's session
  }
}

// A holder may have changed anything through native().
void PgConnection::reinstall() noexcept {
  PQsetnonblocking(conn_.get(), 1);
  PQsetErrorVerbosity(conn_.get(), PQERRORS_DEFAULT);
  PQuntrace(conn_.get());
  PQsetNoticeReceiver(
      conn_.get(),
      [](void* self, const PGresult* result) {
        auto* session = static_cast<PgConnection*>(self);
        session->notices_->add(session->slot_, result);
      },
      this);
}

bool PgConnection::enter() noexcept {
  const std::lock_guard lock(mutex_);
  if (is_disarmed_.load()) return false;
  TIDE_ASSERT(!is_running_);
  is_running_ = true;
  return true;
}

void PgConnection::leave() noexcept {
  const std::lock_guard lock(mutex_);
  is_running_ = false;
}

void* PgConnection::native() noexcept {
  const std::lock_guard lock(mutex_);
  if (!own_failure_) return nullptr;
  is_native_out_.store(true);
  PQsetnonblocking(conn_.get(), 0);  // as after PQconnectdb()
  return conn_.get();
}

// Idle sessions receive only errors, settings and notices; libpq reads them to find errors.
bool PgConnection::probe() noexcept {
  char byte = 0;
  for (int i = 0; i < 4; ++i) {
    const ssize_t got = recv(socket(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0 || PQconsumeInput(conn_.get()) == 0) return false;
    (void)PQisBusy(conn_.get());  // parses the input
    if (PQstatus(conn_.get()) != CONNECTION_OK) return false;
  }
  return false;  // an idle session keeps receiving data
}

Status PgConnection::begin_lease(LeaseMode mode, Instant now) {
  ++lease_;
  if (is_disarmed_.load()) return disarmed_error();
  const bool is_wanted = mode == LeaseMode::read;
  if (is_wanted == is_read_only_) return Status::ok();
  if (terms_.is_shared) {
    is_read_only_ = is_wanted;
    return Status::ok();
  }
  const std::string words = is_wanted ? "SET default_transaction_read_only = on" : writable_words();
  Status status = run_own(words.c_str(), now + proof_timeout());
  if (status) {
    is_doubtful_ = false;
    is_read_only_ = is_wanted;
    return status;
  }
  if (is_disarmed_.load()) return status;
  status.text().message = std::string("could not make the session ") + (is_wanted ? "read-only" : "writable again") +
                          ": " + status.message();
  status.text().hint = "Release this lease; its session is replaced.";
  status.is_retryable = true;  // no statement of the caller was executed
  own_failure_ = status;
  return status;
}

// RESET restores the value of the server, not the one set at the start.
std::string PgConnection::writable_words() const {
  return "RESET default_transaction_read_only" + (terms_.settings.empty() ? "" : "; " + terms_.settings);
}

// In a shared session every SET is local to its transaction; others are rejected.
Trace PgConnection::trace_of(std::string_view tag) const noexcept {
  return terms_.is_shared && tag == "SET" ? Trace::none : trace_of_tag(tag);
}

void PgConnection::leave_unread(const Running& running) noexcept {
  has_unread_ = true;
  if (running.notes == nullptr || !running.notes->is_plannable) add_trace(Trace::resettable);
}

// Handles one unread result of an earlier statement. False: the session cannot be used any more.
bool PgConnection::take_leftover(const PGresult* result) noexcept {
  switch (PQresultStatus(result)) {
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH: return false;
    case PGRES_FATAL_ERROR: return !is_own_unread_;  // an error of a statement of the holder does not matter
    default: break;
  }
  add_trace(trace_of(PQcmdStatus(const_cast<PGresult*>(result))));
  if (!is_own_unread_ || PQntuples(result) != 1) return true;
  try {
    own_answers_.emplace_back(PQgetvalue(result, 0, 0));
  } catch (...) {
    own_answers_.clear();
  }
  return true;
}

bool PgConnection::is_provably_idle() const noexcept {
  return !is_broken_ && !has_unread_ && PQstatus(conn_.get()) == CONNECTION_OK &&
         PQtransactionStatus(conn_.get()) == PQTRANS_IDLE && PQpipelineStatus(conn_.get()) == PQ_PIPELINE_OFF;
}

Settled PgConnection::settle(ResetMode mode) noexcept {
  {
    const std::lock_guard lock(mutex_);
    ++lease_;
    ended_.why.clear();
    if (is_ended_.load(std::memory_order_relaxed)) is_ended_.store(false);
    if (is_disarmed_.load()) return Settled::broken;
  }
  abandon_rows();
  if (has_unread_ && is_rest_wanted_) desk_->ask(cancel_, clock_.now());
  is_rest_wanted_ = false;
  const bool was_native_out = is_native_out_.load() && is_native_out_.exchange(false);
  if (was_native_out) reinstall();
  is_in_transaction_.store(false, std::memory_order_relaxed);
  idle_since_ns_.store(0, std::memory_order_relaxed);
  const bool is_cancel_underway = cancel_->is_pending.load();
  if (is_broken_ || !own_failure_ || cancel_->has_failed.load() || PQstatus(conn_.get()) != CONNECTION_OK) {
    return Settled::broken;
  }
  if (PQpipelineStatus(conn_.get()) != PQ_PIPELINE_OFF && !has_unread_) return Settled::broken;
  const PGTransactionStatusType state = PQtransactionStatus(conn_.get());
  const bool is_in_transaction = state == PQTRANS_INTRANS || state == PQTRANS_INERROR;
  if (!has_unread_ && !is_in_transaction && state != PQTRANS_IDLE) return Settled::broken;
  if (mode == ResetMode::none) {
    if (is_read_only_ && !terms_.is_shared && !is_in_transaction && !has_unread_) return Settled::needs_reset;
    if (is_in_transaction || has_unread_ || is_cancel_underway) return Settled::broken;
    return is_write_refused_ ? Settled::needs_reset : Settled::clean;
  }
  if (was_native_out && mode != ResetMode::rollback) add_trace(Trace::resettable);
  if (trace_ == Trace::lasting && mode != ResetMode::rollback) return Settled::broken;
  const bool has_traces = trace_ != Trace::none;
  const bool is_full = mode == ResetMode::full || (mode == ResetMode::smart && has_traces);
  if (is_full && terms_.is_shared) return Settled::spent;
  const bool is_reset_due = is_full || is_write_refused_ || (is_read_only_ && !terms_.is_shared);
  return is_in_transaction || has_unread_ || is_cancel_underway || is_reset_due ? Settled::needs_reset : Settled::clean;
}

void PgConnection::cancel(uint64_t lease) noexcept {
  const std::lock_guard lock(mutex_);
  if (is_disarmed_.load() || (lease != kAnyLease && lease != lease_.load())) return;
  if (!is_running_ && !is_reading_rows_ && !is_native_out_.load()) return;
  ++cancels_;
  if (cancel_->is_pending.load()) return;
  desk_->ask(cancel_, clock_.now());
  wake_.ring();  // the holder helps the desk
}

SessionFacts PgConnection::facts() const noexcept {
  SessionFacts facts;
  facts.is_in_transaction = is_in_transaction_.load(std::memory_order_relaxed);
  facts.queries_total = queries_total_.load(std::memory_order_relaxed);
  facts.lease = lease_.load(std::memory_order_relaxed);
  facts.statements.hits_total = counts_.hits_total.load(std::memory_order_relaxed);
  facts.statements.misses_total = counts_.misses_total.load(std::memory_order_relaxed);
  facts.statements.evictions_total = counts_.evictions_total.load(std::memory_order_relaxed);
  facts.statements.held = counts_.held.load(std::memory_order_relaxed);
  facts.statements.bytes = counts_.bytes.load(std::memory_order_relaxed);
  const auto since = [](const std::atomic<int64_t>& ns) {
    const int64_t at = ns.load(std::memory_order_relaxed);
    return at == 0 ? Instant{} : Instant::at_ns(at);
  };
  if (facts.is_in_transaction) {
    facts.transaction_since = since(transaction_since_ns_);
    facts.idle_in_transaction_since = since(idle_since_ns_);
  }
  return facts;
}

void PgConnection::note_transaction() noexcept {
  const PGTransactionStatusType state = PQtransactionStatus(conn_.get());
  // While results are unread, the server has not said anything new.
  const bool was_open = is_in_transaction_.load(std::memory_order_relaxed);
  const bool is_open = state == PQTRANS_INTRANS || state == PQTRANS_INERROR || (state == PQTRANS_ACTIVE && was_open);
  if (has_changed_definitions_ && state == PQTRANS_IDLE) {
    has_changed_definitions_ = false;
    watch_->epoch.fetch_add(1);  // what other sessions have prepared may be invalid
  }
  if (is_open) {
    const int64_t now = clock_.now().ns();
    if (!was_open) transaction_since_ns_.store(now);
    idle_since_ns_.store(now);
  } else if (was_open) {
    idle_since_ns_.store(0);
  }
  is_in_transaction_.store(is_open, std::memory_order_relaxed);
}

void PgConnection::disarm() noexcept {
  const std::lock_guard lock(mutex_);
  if (is_disarmed_.exchange(true)) return;
  ++lease_;
  is_in_transaction_.store(false);
  if (is_running_ || is_reading_rows_ || is_native_out_.load()) desk_->ask(cancel_, clock_.now());
  // For writing only: the server then ends the session, and its end can still be seen.
  shutdown(socket(), SHUT_WR);
  wake_.ring();
}

void PgConnection::abandon() noexcept {
  is_abandoned_.store(true);
  socket_.close();
  if (const int theirs = PQsocket(conn_.get()); theirs >= 0) close(theirs);
  wake_.close();
}

Descriptor PgConnection::finish(Instant now) noexcept {
  if (!is_provably_idle() && !cancel_->is_pending.load()) desk_->ask(cancel_, now);
  conn_.reset();
  shutdown(socket(), SHUT_WR);  // a server that got no goodbye learns it from this
  return std::move(socket_);
}

// Only in clear text; a TLS record cannot be interpreted.
Status PgConnection::last_words() const {
  char buffer[1024];
  const ssize_t got = recv(socket(), buffer, sizeof buffer, MSG_PEEK | MSG_DONTWAIT);
  std::string sqlstate = "08006";
  std::string message = "the server closed the connection of an idle session";
  if (got > 5 && buffer[0] == 'E') {
    for (ssize_t at = 5; at < got && buffer[at] != '\0';) {
      const char kind = buffer[at++];
      const size_t length = strnlen(buffer + at, static_cast<size_t>(got - at));
      if (kind == 'C') sqlstate.assign(buffer + at, length);
      if (kind == 'M') message.assign(buffer + at, length);
      at += static_cast<ssize_t>(length) + 1;
    }
  }
  return own_error(sqlstate, message);
}

Status PgConnection::disarmed_error() const {
  return Status::error(Code::stale_lease, "the lease was revoked by the pool", "",
                       "A lease must end before lease_timeout, before it is revoked, and before its pool is closed.");
}

}  // namespace tide::libpq
