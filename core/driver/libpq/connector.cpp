#include "driver/libpq/connector.hpp"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "driver/libpq/opening.hpp"
#include "os/descriptor.hpp"
#include "os/shortage.hpp"

namespace tide {
namespace libpq {
namespace {

// How long a server may take to end a session before its slot is considered free.
// Not longer: if the network drops everything, a full pool cannot open a new session for this long.
constexpr Span kGoodbyeTimeout = Span::seconds(3);

// PgConnector: all connections of one pool, on one epoll descriptor.
//
// K1  Every request is answered exactly once, by a completion of its slot.
// K2  The socket of every session is watched for hang-up during its whole life.
// K3  `closed` is reported when the session in the server has ended: end-of-file on a duplicate of its socket.
// Threads: only the keeper; sessions use the desk and the notices, which have their own locks.
// Failure: completions.
class PgConnector final : public Connector {
 public:
  PgConnector(PostgresqlTarget target, const Policy& policy, const Clock& clock)
      : target_(std::move(target)),
        policy_(policy),
        clock_(clock),
        desk_(std::make_shared<CancelDesk>()),
        notices_(std::make_shared<Notices>()),
        watch_(std::make_shared<StatementWatch>(std::to_string(getpid()) + "." + std::to_string(clock.wall_ns()))),
        attempts_(std::make_shared<Attempts>()),
        epoll_(Descriptor::epoll("cannot make a descriptor for connections")) {
    watch(EPOLL_CTL_ADD, desk_->fd(), EPOLLIN, kDeskMark);
    watch(EPOLL_CTL_ADD, attempts_->bell().fd(), EPOLLIN, kAttemptsMark);
  }
  ~PgConnector() override {
    if (!is_abandoned_) attempts_->end();
  }

  void open(uint32_t slot, Instant, Instant deadline) override {
    openings_.emplace(slot, std::make_unique<Opening>(target_, policy_, deadline, attempts_, pooler_));
    fresh_.push_back(slot);
  }
  void validate(uint32_t slot, Connection& connection, Instant, Instant deadline) override {
    session(connection).begin_validation(policy_.validation_query);
    begin_round(slot, session(connection), deadline, true);
  }
  void survey(uint32_t slot, Connection& connection, Instant, Instant deadline) override {
    session(connection).begin_survey(policy_.validation_query);
    begin_round(slot, session(connection), deadline, true);
  }
  void reset(uint32_t slot, Connection& connection, ResetMode mode, Instant, Instant deadline) override {
    session(connection).begin_reset(mode);
    begin_round(slot, session(connection), deadline, false);
  }
  void close(uint32_t slot, std::unique_ptr<Connection> connection, Instant now) override;
  Instant step(Instant now, std::vector<Completion>& out) override;
  int fd() const noexcept override { return epoll_.get(); }
  Pooler pooler() const override { return pooler_mode_; }
  void set_policy(const Policy& policy) override { policy_ = policy; }
  void give_up_opens() override { is_giving_up_opens_ = true; }
  bool hold_for_fork(Span timeout) noexcept override { return attempts_->hold_for_fork(timeout); }
  void release_after_fork() noexcept override { attempts_->release_after_fork(); }
  void abandon() noexcept override;

 private:
  struct RoundTask {
    PgConnection* session;
    Instant deadline;
    bool is_validation;
    bool is_writing = false;
  };
  struct Closing {
    Descriptor socket;
    Instant give_up;
  };
  static constexpr uint64_t kDeskMark = ~uint64_t{0};
  static constexpr uint64_t kAttemptsMark = kDeskMark - 1;

  static PgConnection& session(Connection& connection) { return static_cast<PgConnection&>(connection); }
  void watch(int operation, int fd, uint32_t events, uint64_t mark) const {
    epoll_event event{};
    event.events = events;
    event.data.u64 = mark;
    epoll_ctl(epoll_.get(), operation, fd, &event);
  }
  void begin_round(uint32_t slot, PgConnection& session, Instant deadline, bool is_validation);
  void handle(uint32_t slot, uint32_t events, Instant now, std::vector<Completion>& out);
  void advance_openings(std::vector<Completion>& out);
  void follow_opening(uint32_t slot, Opening::Progress progress, std::vector<Completion>& out);
  // True when the round is over.
  bool follow_round(uint32_t slot, RoundTask& task, std::vector<Completion>& out);
  bool follow_closing(uint32_t slot, Closing& closing, Instant now, std::vector<Completion>& out) const;
  void lose(uint32_t slot, std::vector<Completion>& out);
  Instant expire(Instant now, std::vector<Completion>& out);

  const PostgresqlTarget target_;
  Policy policy_;
  const Clock& clock_;
  const std::shared_ptr<CancelDesk> desk_;
  const std::shared_ptr<Notices> notices_;
  const std::shared_ptr<StatementWatch> watch_;
  const std::shared_ptr<Attempts> attempts_;
  Descriptor epoll_;
  PoolerMemory pooler_;
  Pooler pooler_mode_ = Pooler::auto_;  // of the last connection
  // By slot; a slot has at most one of the first three.
  std::map<uint32_t, std::unique_ptr<Opening>> openings_;
  std::map<uint32_t, RoundTask> rounds_;
  std::map<uint32_t, Closing> closings_;
  std::map<uint32_t, PgConnection*> watched_;
  std::vector<uint32_t> fresh_;  // opens not started yet
  bool is_giving_up_opens_ = false;
  bool is_abandoned_ = false;
};

constexpr uint32_t kHangUp = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

Completion answer(Completion::Kind kind, uint32_t slot, Status status = {}, bool is_permanent = false) {
  return {kind, slot, nullptr, std::move(status), is_permanent};
}

Completion::Kind kind_of(NoticeKind notice) {
  switch (notice) {
    case NoticeKind::lost: return Completion::Kind::lost_in_use;
    case NoticeKind::suspected: return Completion::Kind::suspected;
    case NoticeKind::doomed: return Completion::Kind::doomed;
    case NoticeKind::remark: break;
  }
  return Completion::Kind::noticed;
}

void PgConnector::begin_round(uint32_t slot, PgConnection& session, Instant deadline, bool is_validation) {
  rounds_.insert_or_assign(slot, RoundTask{&session, deadline, is_validation, false});
  watch(EPOLL_CTL_MOD, session.socket(), EPOLLIN | kHangUp, slot);
}

void PgConnector::close(uint32_t slot, std::unique_ptr<Connection> connection, Instant now) {
  PgConnection& leaving = session(*connection);
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, leaving.socket(), nullptr);
  watched_.erase(slot);
  rounds_.erase(slot);
  Descriptor socket = leaving.finish(now);
  connection.reset();
  if (socket.is_open()) watch(EPOLL_CTL_ADD, socket.get(), EPOLLIN | kHangUp, slot);
  const Instant give_up = socket.is_open() ? now + kGoodbyeTimeout : now;
  closings_.insert_or_assign(slot, Closing{std::move(socket), give_up});
}

Instant PgConnector::step(Instant now, std::vector<Completion>& out) {
  for (const uint32_t slot : std::exchange(fresh_, {})) {
    if (const auto found = openings_.find(slot); found != openings_.end()) {
      follow_opening(slot, found->second->begin(now), out);
    }
  }
  Instant next = desk_->pump(now);
  // New rounds must be started, and for one that waits for its cancel there is no event on its own socket.
  for (auto round = rounds_.begin(); round != rounds_.end();) {
    round = follow_round(round->first, round->second, out) ? rounds_.erase(round) : std::next(round);
  }
  epoll_event events[64];
  for (int count = 64; count == 64;) {
    count = epoll_wait(epoll_.get(), events, 64, 0);
    for (int i = 0; i < count; ++i) {
      if (events[i].data.u64 == kDeskMark) {
        next = earliest(next, desk_->pump(now));
      } else if (events[i].data.u64 == kAttemptsMark) {
        advance_openings(out);
      } else {
        handle(static_cast<uint32_t>(events[i].data.u64), events[i].events, now, out);
      }
    }
  }
  for (Notice& notice : notices_->take()) {
    Completion told = answer(kind_of(notice.kind), notice.slot);
    told.status.text().message = std::move(notice.message);
    told.is_warning = notice.is_warning;
    out.push_back(std::move(told));
  }
  return earliest(next, expire(now, out));
}

void PgConnector::handle(uint32_t slot, uint32_t events, Instant now, std::vector<Completion>& out) {
  if (const auto found = openings_.find(slot); found != openings_.end()) {
    follow_opening(slot, found->second->advance(), out);
  } else if (const auto round = rounds_.find(slot); round != rounds_.end()) {
    if (follow_round(slot, round->second, out)) rounds_.erase(slot);
  } else if (const auto closing = closings_.find(slot); closing != closings_.end()) {
    if (follow_closing(slot, closing->second, now, out)) closings_.erase(slot);
  } else if ((events & kHangUp) != 0) {
    lose(slot, out);
  }
}

void PgConnector::advance_openings(std::vector<Completion>& out) {
  attempts_->bell().clear();
  for (auto next = openings_.begin(); next != openings_.end();) {
    const auto opening = next++;
    follow_opening(opening->first, opening->second->advance(), out);
  }
}

void PgConnector::follow_opening(uint32_t slot, Opening::Progress progress, std::vector<Completion>& out) {
  using Progress = Opening::Progress;
  Opening& opening = *openings_.at(slot);
  const int socket = opening.socket();
  switch (progress) {
    case Progress::waiting: return;
    case Progress::reading:
    case Progress::writing: {
      // There may be another socket under the same number than last time: say it anew.
      epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, socket, nullptr);
      watch(EPOLL_CTL_ADD, socket, progress == Progress::reading ? EPOLLIN : EPOLLOUT, slot);
      return;
    }
    case Progress::failed:
      out.push_back(
          answer(Completion::Kind::open_failed, slot, opening.failure().status, opening.failure().is_permanent));
      out.back().is_crowded = opening.failure().is_crowded;
      if (out.back().status.sqlstate() == "08001") pooler_ = {};  // the next server may be another one
      openings_.erase(slot);
      return;
    case Progress::done: break;
  }
  std::shared_ptr<CancelState> cancel = opening.take_cancel();
  const std::string remark = opening.greeting().remark();
  pooler_mode_ = opening.greeting().pooler();
  auto fresh = std::make_unique<PgConnection>(opening.take(), slot, std::move(cancel), desk_, notices_, watch_, policy_,
                                              clock_, opening.greeting().terms());
  openings_.erase(slot);
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, socket, nullptr);
  if (fresh->socket() < 0) {
    Status why = shortage_status("no descriptor is available for a connection", EMFILE);
    out.push_back(answer(Completion::Kind::open_failed, slot, std::move(why)));
    return;
  }
  watch(EPOLL_CTL_ADD, fresh->socket(), kHangUp | EPOLLET, slot);
  watched_.insert_or_assign(slot, fresh.get());
  out.push_back({Completion::Kind::opened, slot, std::move(fresh), {}, false});
  if (remark.empty()) return;
  out.push_back(answer(Completion::Kind::noticed, slot));
  out.back().status.text().message = remark;
}

bool PgConnector::follow_round(uint32_t slot, RoundTask& task, std::vector<Completion>& out) {
  using Kind = Completion::Kind;
  PgConnection& session = *task.session;
  const PgConnection::Round round = session.step_round();
  if (round == PgConnection::Round::pending) {
    if (session.wants_to_write() != task.is_writing) {
      task.is_writing = session.wants_to_write();
      watch(EPOLL_CTL_MOD, session.socket(), EPOLLIN | kHangUp | (task.is_writing ? uint32_t{EPOLLOUT} : 0U), slot);
    }
    return false;
  }
  if (round == PgConnection::Round::done) {
    watch(EPOLL_CTL_MOD, session.socket(), kHangUp | EPOLLET, slot);
    out.push_back(answer(task.is_validation ? Kind::validated : Kind::reset_done, slot));
    out.back().load = session.load();
    return true;
  }
  watch(EPOLL_CTL_MOD, session.socket(), EPOLLET, slot);
  watched_[slot] = nullptr;  // the pool closes it: the loss is reported already
  out.push_back(
      answer(task.is_validation ? Kind::validation_failed : Kind::reset_failed, slot, session.round_failure()));
  return true;
}

bool PgConnector::follow_closing(uint32_t slot, Closing& closing, Instant now, std::vector<Completion>& out) const {
  char ignored[4096];
  ssize_t got = -1;
  const int socket = closing.socket.get();
  while (socket >= 0 && (got = recv(socket, ignored, sizeof ignored, MSG_DONTWAIT)) > 0) continue;
  const bool is_open = socket >= 0 && got < 0 && (errno == EAGAIN || errno == EINTR);
  if (is_open && now < closing.give_up) return false;
  closing.socket.close();
  out.push_back(answer(Completion::Kind::closed, slot));
  return true;
}

void PgConnector::lose(uint32_t slot, std::vector<Completion>& out) {
  const auto found = watched_.find(slot);
  if (found == watched_.end() || found->second == nullptr) return;
  out.push_back(answer(Completion::Kind::lost, slot, found->second->last_words()));
  watch(EPOLL_CTL_MOD, found->second->socket(), EPOLLET, slot);
  found->second = nullptr;  // report once
}

Instant PgConnector::expire(Instant now, std::vector<Completion>& out) {
  if (is_giving_up_opens_) {
    for (const auto& [slot, opening] : std::exchange(openings_, {})) {
      out.push_back(answer(Completion::Kind::open_failed, slot, Status::error(Code::closed, "the pool is closing")));
    }
  }
  Instant next = Instant::never();
  std::vector<uint32_t> over;
  for (const auto& [slot, opening] : openings_) {
    if (opening->deadline() <= now) over.push_back(slot);
    next = earliest(next, opening->deadline());
  }
  for (const uint32_t slot : std::exchange(over, {})) follow_opening(slot, openings_.at(slot)->expire(now), out);
  for (auto& [slot, task] : rounds_) {
    next = earliest(next, task.deadline);
    if (task.deadline > now) continue;
    over.push_back(slot);
    watched_[slot] = nullptr;  // as in follow_round()
    const bool is_validation = task.is_validation;
    Status why = Status::error(Code::timeout,
                               is_validation ? "the server did not respond to a validation within validation_timeout"
                                             : "the server did not respond to a reset within validation_timeout");
    out.push_back(answer(is_validation ? Completion::Kind::validation_failed : Completion::Kind::reset_failed, slot,
                         std::move(why)));
  }
  for (const uint32_t slot : std::exchange(over, {})) rounds_.erase(slot);
  for (auto& [slot, closing] : closings_) {
    next = earliest(next, closing.give_up);
    if (closing.give_up <= now && follow_closing(slot, closing, now, out)) over.push_back(slot);
  }
  for (const uint32_t slot : over) closings_.erase(slot);
  return next;
}

void PgConnector::abandon() noexcept {
  is_abandoned_ = true;
  for (auto& [slot, opening] : openings_) opening->abandon();
  closings_.clear();
  desk_->abandon();
  attempts_->bell().close();
  epoll_.close();
}

}  // namespace
}  // namespace libpq

std::unique_ptr<Connector> make_postgresql_connector(PostgresqlTarget target, const Policy& policy,
                                                     const Clock& clock) {
  return std::make_unique<libpq::PgConnector>(std::move(target), policy, clock);
}

}  // namespace tide
