// PgConnection: waiting for the server, and what is told when it takes too long.
#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <algorithm>

#include "driver/libpq/errors.hpp"
#include "driver/libpq/session.hpp"

namespace tide::libpq {
namespace {

constexpr Span kDrainTimeout = Span::millis(20);  // a cancelled statement usually ends within this

// What a result is larger than is only of interest when it is large; a read gets at most what the socket holds.
constexpr uint64_t kReadsFree = 64;
constexpr size_t kReceivedBytesMax = size_t{1} << 30;

int poll_timeout_ms(Instant until, Instant now) {
  if (until >= Instant::never()) return -1;
  return static_cast<int>(std::clamp<int64_t>((until - now).ms_up(), 0, 60'000));
}

bool is_any_copy(ExecStatusType status) {
  return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

int unread_bytes(int socket) {
  int bytes = 0;
  return ioctl(socket, FIONREAD, &bytes) == 0 ? bytes : 0;
}

}  // namespace

// Reads the unread results and errors of an earlier statement.
PgConnection::Wait PgConnection::drain(Running& running) {
  bool is_fit = true;
  for (;;) {
    if (const Wait waited = wait_readable(running); waited != Wait::ready) return waited;
    ResultHandle result;
    const Taken taken = take_next(result);
    if (taken == Taken::end) break;
    if (taken == Taken::between) continue;
    if (is_any_copy(PQresultStatus(result.get()))) return Wait::given_up;
    is_fit = take_leftover(result.get()) && is_fit;
  }
  if (is_own_unread_ && (!is_fit || PQtransactionStatus(conn_.get()) != PQTRANS_IDLE)) {
    own_failure_ = own_error("25P03", "the transaction was ended: " + ended_why(), "The session was lost.",
                             "Release this lease and acquire another.");
    return Wait::given_up;
  }
  has_unread_ = is_own_unread_ = false;
  running.is_timed_out = running.is_cancel_asked = false;
  running.give_up_at = running.deadline;
  return Wait::ready;
}

// Waits until PQgetResult() does not block, or, if `is_feeding`, until more can be sent. At the deadline the statement is
// cancelled and gets a short time to end.
PgConnection::Wait PgConnection::wait_readable(Running& running, bool is_feeding) {
  for (;;) {
    if (is_disarmed_.load()) return Wait::disarmed;
    const int unsent = PQflush(conn_.get());
    running.is_flushed = unsent == 0;
    // The server may have sent the reason before it closed the connection: then that is the result.
    if (unsent < 0 && PQconsumeInput(conn_.get()) == 0 && PQisBusy(conn_.get()) != 0) return Wait::given_up;
    if (PQisBusy(conn_.get()) == 0 || (is_feeding && unsent == 0)) return Wait::ready;
    if (unsent < 0) return Wait::given_up;
    pollfd fds[3] = {{socket(), static_cast<short>(unsent > 0 ? POLLIN | POLLOUT : POLLIN), 0},
                     {wake_.fd(), POLLIN, 0},
                     {desk_->fd(), POLLIN, 0}};
    const bool is_cancelling = cancel_->is_pending.load();
    int timeout_ms = -1;
    if (is_cancelling) {
      const Instant now = clock_.now();
      const Instant until = earliest(desk_->pump(now), now + Span::millis(20));
      timeout_ms = poll_timeout_ms(earliest(running.give_up_at, until), now);
    } else if (running.give_up_at < woken_at_) {
      set_alarm(running.give_up_at);
      continue;  // it may have hidden a ring
    }
    if (poll(fds, is_cancelling ? 3 : 2, timeout_ms) < 0 && errno != EINTR) return Wait::given_up;
    if (fds[1].revents != 0) clear_alarm();
    if (fds[0].revents != 0) {
      const bool is_measured = running.is_counted && ++running.reads > kReadsFree;
      const int before = is_measured ? unread_bytes(socket()) : 0;
      if (PQconsumeInput(conn_.get()) == 0) return PQisBusy(conn_.get()) == 0 ? Wait::ready : Wait::given_up;
      // At least so many: what arrived meanwhile is not counted.
      if (is_measured) running.received_bytes += static_cast<size_t>(std::max(0, before - unread_bytes(socket())));
      if (running.received_bytes > kReceivedBytesMax) return Wait::too_large;
      // A server that always has more rows must not hide the deadline.
      if (PQisBusy(conn_.get()) == 0 && fds[1].revents == 0) return Wait::ready;
    }
    if (fds[1].revents == 0 && !is_cancelling) continue;
    const Instant now = clock_.now();
    if (now < running.give_up_at) continue;
    if (running.is_timed_out) return Wait::timed_out;
    running.is_timed_out = true;
    running.give_up_at = now + kDrainTimeout;
    running.is_cancel_asked = desk_->ask(cancel_, now);
    if (!running.is_cancel_asked) return Wait::timed_out;
  }
}

// P3: a cancel of the previous statement must have completed before the next one starts.
PgConnection::Wait PgConnection::wait_for_cancel(Running& running) {
  while (cancel_->is_pending.load()) {
    if (is_disarmed_.load()) return Wait::disarmed;
    const Instant now = clock_.now();
    if (now >= running.deadline) return Wait::timed_out;
    const Instant until = earliest(running.deadline, earliest(desk_->pump(now), now + Span::millis(20)));
    if (!cancel_->is_pending.load()) break;
    pollfd fds[2] = {{desk_->fd(), POLLIN, 0}, {wake_.fd(), POLLIN, 0}};
    poll(fds, 2, poll_timeout_ms(until, now));
    if (fds[1].revents != 0) clear_alarm();
  }
  return Wait::ready;
}

// Deadlines move forward, so that the alarm of one statement serves many: it is set again when it has gone off.
void PgConnection::set_alarm(Instant at) noexcept {
  wake_.set_in(at - clock_.now());
  woken_at_ = at;
}

void PgConnection::clear_alarm() noexcept {
  wake_.clear();
  woken_at_ = Instant::never();
}

Status PgConnection::stopped(Wait how, const Running& running) {
  if (how == Wait::disarmed) return disarmed_error();
  if (how == Wait::timed_out) return timed_out(running);
  is_broken_ = true;
  return own_failure_ ? connection_error(conn_.get()) : own_failure_;  // ok() means no failure
}

Status PgConnection::timed_out(const Running& running) const {
  const char* what = "A cancel was requested; it is unknown whether the statement took effect before.";
  if (!running.is_sent) what = "It was not sent: the previous statement on this lease had not ended.";
  if (running.is_own) what = "The pooler did not provide a server session in time.";
  if (running.is_sent && !running.is_cancel_asked)
    what = "No cancel could be requested; it is unknown whether the statement took effect.";
  Status status = Status::error(Code::timeout, "the statement did not finish in time", what,
                                std::string("Raise query_timeout") + (terms_.is_shared ? ", statement_timeout" : "") +
                                    ", or the timeout of the call.");
  status.text().sqlstate = "57014";
  status.is_retryable = false;
  return status;
}

}  // namespace tide::libpq
