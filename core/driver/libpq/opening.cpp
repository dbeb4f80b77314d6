#include "driver/libpq/opening.hpp"

#include <unistd.h>

#include <vector>

namespace tide::libpq {

Opening::Progress Opening::begin(Instant now) {
  Result<ConnectWords> parsed = ConnectWords::parse(target_.connect_text);
  if (!parsed) return fail(parsed.take_status(), true);
  words_ = parsed.take();
  return attempt(now);
}

Opening::Progress Opening::attempt(Instant now) {
  const size_t hosts = words_->hosts();
  const auto left = static_cast<int64_t>(hosts - attempt_ % hosts);
  attempt_deadline_ = now + Span::nanos((deadline_ - now).ns() / left);
  return connect();
}

Opening::Progress Opening::connect() {
  is_greeting_ = false;
  std::string password;
  if (target_.credentials) {
    if (Status asked = target_.credentials(password); !asked) return fail(std::move(asked), false);
  }
  const auto words = words_->words(policy_, target_.application, attempt_, target_.credentials ? &password : nullptr,
                                   greeting_.options());
  std::vector<const char*> keys;
  std::vector<const char*> values;
  for (const auto& [key, value] : words) {
    keys.push_back(key.c_str());
    values.push_back(value.c_str());
  }
  keys.push_back(nullptr);
  values.push_back(nullptr);
  catcher_.stop(nullptr);
  const bool is_expanded = words.front() == ConnectWords::no_options();
  conn_.reset(PQconnectStartParams(keys.data(), values.data(), is_expanded ? 1 : 0));
  if (conn_ == nullptr) return fail(Status::error(Code::no_memory, "out of memory for a connection"), false);
  PQsetErrorVerbosity(conn_.get(), PQERRORS_VERBOSE);  // connect errors have no other place for their SQLSTATE
  if (PQstatus(conn_.get()) == CONNECTION_BAD) return judge(PGRES_POLLING_FAILED);
  catcher_.start(conn_.get());
  return Progress::writing;
}

Opening::Progress Opening::advance() {
  return is_greeting_ ? follow(greeting_.advance(conn_.get())) : judge(PQconnectPoll(conn_.get()));
}

Opening::Progress Opening::judge(PostgresPollingStatusType status) {
  switch (status) {
    case PGRES_POLLING_READING: return Progress::reading;
    case PGRES_POLLING_OK:
      key_ = catcher_.stop(conn_.get());
      is_greeting_ = true;
      return follow(greeting_.begin(conn_.get(), words_->target_options()));
    case PGRES_POLLING_FAILED: {
      catcher_.stop(conn_.get());
      failure_ = connect_failure(conn_.get());
      conn_.reset();
      if (greeting_.take_refusal(failure_, !words_->target_options().empty())) return connect();
      return Progress::failed;
    }
    default: return Progress::writing;
  }
}

Opening::Progress Opening::follow(Greeting::Progress progress) {
  switch (progress) {
    case Greeting::Progress::reading: return Progress::reading;
    case Greeting::Progress::writing: return Progress::writing;
    case Greeting::Progress::done: return Progress::done;
    case Greeting::Progress::failed: break;
  }
  failure_ = greeting_.failure();
  conn_.reset();
  return Progress::failed;
}

Opening::Progress Opening::fail(Status why, bool is_permanent) {
  failure_ = {std::move(why), is_permanent};
  conn_.reset();
  return Progress::failed;
}

Opening::Progress Opening::expire(Instant now) {
  std::string where;
  if (conn_ != nullptr) {
    const char* host = PQhost(conn_.get());
    where = host == nullptr || *host == '\0' ? "" : std::string(" at \"") + host + "\", port " + PQport(conn_.get());
    catcher_.stop(conn_.get());
    conn_.reset();
  }
  ++attempt_;
  if (attempt_ < words_->hosts() && now < deadline_) return attempt(now);
  Status status = Status::error(Code::timeout, "the server" + where + " did not answer within connect_timeout", "",
                                "is it running, and reachable from here?");
  status.sqlstate = "08001";
  return fail(std::move(status), false);
}

std::shared_ptr<CancelState> Opening::cancel_state() {
  auto state = std::make_shared<CancelState>();
  state->where.length = sizeof state->where.address;
  auto* const address = reinterpret_cast<sockaddr*>(&state->where.address);
  if (getpeername(PQsocket(conn_.get()), address, &state->where.length) != 0) state->where.length = 0;
  if (key_.has_value()) state->where.key = *key_;
  return state;
}

void Opening::abandon() noexcept {
  if (conn_ == nullptr) return;
  const int fd = PQsocket(conn_.get());
  if (fd >= 0) close(fd);
  [[maybe_unused]] PGconn* leaked = conn_.release();
}

}  // namespace tide::libpq
