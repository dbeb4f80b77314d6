#include "driver/libpq/listening.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "base/text.hpp"
#include "driver/libpq/opening.hpp"
#include "driver/libpq/rows.hpp"
#include "os/descriptor.hpp"

namespace tide {
namespace libpq {
namespace {

struct FreeNotification {
  void operator()(PGnotify* notification) const noexcept { PQfreemem(notification); }
};
using NotificationHandle = std::unique_ptr<PGnotify, FreeNotification>;

PostgresqlTarget named_for_listening(PostgresqlTarget target) {
  static constexpr std::string_view kSuffix = " (listen)";
  static constexpr size_t kNameBytesMax = 63;  // of the server
  target.application.resize(std::min(target.application.size(), kNameBytesMax - kSuffix.size()));
  target.application += kSuffix;
  return target;
}

// PgListeningPort: one session at a time, on one epoll descriptor.
//
// Threads: as ListeningPort; connection attempts have threads of their own (attempt.hpp).
// Failure: lost.
class PgListeningPort final : public ListeningPort {
 public:
  PgListeningPort(PostgresqlTarget target, const Policy& policy)
      : target_(named_for_listening(std::move(target))),
        policy_(policy),
        attempts_(std::make_shared<Attempts>()),
        epoll_(Descriptor::epoll("cannot make a descriptor for listening")) {
    watch(EPOLL_CTL_ADD, attempts_->bell().fd(), EPOLLIN);
  }
  ~PgListeningPort() override {
    close();
    attempts_->end();
  }

  void open(Instant now, Instant deadline) override {
    opening_ = std::make_unique<Opening>(target_, policy_, deadline, attempts_, pooler_);
    begun_ = opening_->begin(now);
    attempts_->bell().ring();
  }
  void change(const std::vector<std::string>& listen, const std::vector<std::string>& unlisten) override;
  void ping() override { send("SELECT 1"); }
  void close() noexcept override;
  Instant step(Instant now, std::vector<ListeningNews>& out) override;
  int fd() const noexcept override { return epoll_.get(); }
  void set_policy(const Policy& policy) override { policy_ = policy; }
  bool hold_for_fork(Span timeout) noexcept override { return attempts_->hold_for_fork(timeout); }
  void release_after_fork() noexcept override { attempts_->release_after_fork(); }
  void abandon() noexcept override;

 private:
  enum class Request : uint8_t { none, change, ping };

  void watch(int operation, int fd, uint32_t events) const {
    epoll_event event{};
    event.events = events;
    epoll_ctl(epoll_.get(), operation, fd, &event);
  }
  // There may be another socket under the same number than last time.
  void watch_socket(int fd, uint32_t events) const {
    epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    watch(EPOLL_CTL_ADD, fd, events);
  }
  void follow_opening(Opening::Progress progress, std::vector<ListeningNews>& out);
  void send(const std::string& sql);
  void read(std::vector<ListeningNews>& out);
  bool read_answer();
  void lose(Status why, std::vector<ListeningNews>& out);
  void note_last_words(const PGresult* result) noexcept;

  const PostgresqlTarget target_;
  Policy policy_;
  const std::shared_ptr<Attempts> attempts_;
  Descriptor epoll_;
  PoolerMemory pooler_;
  std::unique_ptr<Opening> opening_;
  Opening::Progress begun_ = Opening::Progress::waiting;
  ConnectionHandle conn_;
  Request request_ = Request::none;
  Status refusal_;                   // of the request, by the server
  std::vector<ListeningNews> held_;  // notifications that arrived during a change
  Status last_words_;                // what the server said of its own accord, such as that it shuts down
  bool is_writing_ = false;
};

void PgListeningPort::change(const std::vector<std::string>& listen, const std::vector<std::string>& unlisten) {
  std::string sql;
  for (const std::string& channel : listen) sql += "LISTEN " + sql_quoted(channel, '"') + "; ";
  for (const std::string& channel : unlisten) sql += "UNLISTEN " + sql_quoted(channel, '"') + "; ";
  send(sql);
  request_ = Request::change;
}

// A failure to send is found by the next step.
void PgListeningPort::send(const std::string& sql) {
  refusal_ = {};
  request_ = Request::ping;
  if (conn_ == nullptr) return;
  if (PQsendQuery(conn_.get(), sql.c_str()) == 0) refusal_ = connection_error(conn_.get());
  attempts_->bell().ring();  // step() sends the rest
}

void PgListeningPort::close() noexcept {
  opening_.reset();
  conn_.reset();
  request_ = Request::none;
  refusal_ = {};
  held_.clear();
  is_writing_ = false;
}

Instant PgListeningPort::step(Instant now, std::vector<ListeningNews>& out) {
  attempts_->bell().clear();
  if (opening_ != nullptr) {
    if (begun_ != Opening::Progress::failed) {
      begun_ = opening_->deadline() <= now ? opening_->expire(now) : opening_->advance();
    }
    follow_opening(begun_, out);
  }
  if (conn_ != nullptr) read(out);
  return opening_ == nullptr ? Instant::never() : opening_->deadline();
}

void PgListeningPort::follow_opening(Opening::Progress progress, std::vector<ListeningNews>& out) {
  using Progress = Opening::Progress;
  switch (progress) {
    case Progress::waiting: return;
    case Progress::reading: return watch_socket(opening_->socket(), EPOLLIN);
    case Progress::writing: return watch_socket(opening_->socket(), EPOLLOUT);
    case Progress::failed:
      if (opening_->failure().status.sqlstate() == "08001") pooler_ = {};  // the next server may be another one
      return lose(opening_->failure().status, out);
    case Progress::done: break;
  }
  const Terms terms = opening_->greeting().terms();
  if (terms.is_shared) return lose(listening_needs_direct_connection(), out);
  conn_ = opening_->take();
  opening_.reset();
  last_words_ = {};
  PQsetnonblocking(conn_.get(), 1);
  PQsetErrorVerbosity(conn_.get(), PQERRORS_DEFAULT);
  PQsetNoticeReceiver(
      conn_.get(),
      [](void* self, const PGresult* result) { static_cast<PgListeningPort*>(self)->note_last_words(result); }, this);
  watch_socket(PQsocket(conn_.get()), EPOLLIN);
  out.push_back({.kind = ListeningNews::Kind::opened, .server_pid = terms.server_pid});
}

void PgListeningPort::read(std::vector<ListeningNews>& out) {
  const bool was_change = request_ == Request::change;
  const int unsent = PQflush(conn_.get());
  bool is_lost = PQconsumeInput(conn_.get()) == 0 || unsent < 0;
  const bool is_answered = request_ != Request::none && read_answer();
  is_lost = is_lost || !refusal_ || PQstatus(conn_.get()) != CONNECTION_OK;
  if (is_answered && !is_lost) {
    request_ = Request::none;
    out.push_back({.kind = ListeningNews::Kind::done});
  }
  for (ListeningNews& held : std::exchange(held_, {})) out.push_back(std::move(held));
  std::vector<ListeningNews>& heard = was_change && !is_answered && !is_lost ? held_ : out;
  while (NotificationHandle notification{PQnotifies(conn_.get())}) {
    heard.push_back({.kind = ListeningNews::Kind::notified,
                     .channel = notification->relname,
                     .payload = notification->extra,
                     .server_pid = notification->be_pid});
  }
  if (is_lost) {
    Status why = !refusal_      ? std::move(refusal_)
                 : !last_words_ ? std::move(last_words_)
                                : connection_error(conn_.get());
    return lose(std::move(why), out);
  }
  if (is_writing_ == (unsent > 0)) return;
  is_writing_ = unsent > 0;
  watch(EPOLL_CTL_MOD, PQsocket(conn_.get()), EPOLLIN | (is_writing_ ? uint32_t{EPOLLOUT} : 0U));
}

// True: the server has answered the request, with refusal_ if it failed.
bool PgListeningPort::read_answer() {
  while (PQisBusy(conn_.get()) == 0) {
    const ResultHandle result(PQgetResult(conn_.get()));
    if (result == nullptr) return true;
    const ExecStatusType status = PQresultStatus(result.get());
    const bool is_good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    if (!is_good && refusal_) refusal_ = error_of(result.get());
    if (PQstatus(conn_.get()) != CONNECTION_OK) return true;
  }
  return false;
}

void PgListeningPort::lose(Status why, std::vector<ListeningNews>& out) {
  for (ListeningNews& held : std::exchange(held_, {})) out.push_back(std::move(held));
  close();
  out.push_back({.kind = ListeningNews::Kind::lost, .status = std::move(why)});
}

void PgListeningPort::note_last_words(const PGresult* result) noexcept {
  const char* const severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
  if (severity == nullptr || std::string_view(severity) != "FATAL") return;
  try {
    last_words_ = error_of(result);
  } catch (...) {
    return;  // connection_error() says less
  }
}

void PgListeningPort::abandon() noexcept {
  if (opening_ != nullptr) opening_->abandon();
  if (conn_ != nullptr) {
    if (const int socket = PQsocket(conn_.get()); socket >= 0) ::close(socket);
  }
  attempts_->bell().close();
  epoll_.close();
}

}  // namespace
}  // namespace libpq

std::unique_ptr<ListeningPort> make_postgresql_listening_port(PostgresqlTarget target, const Policy& policy) {
  return std::make_unique<libpq::PgListeningPort>(std::move(target), policy);
}

}  // namespace tide
