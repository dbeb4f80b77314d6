#include "driver/fake/connector.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/assert.hpp"

namespace tide::fake {
namespace {

Status refusal(Code code, std::string_view sqlstate, std::string message) {
  Status status = Status::error(code, std::move(message));
  status.text().sqlstate = sqlstate;
  status.text().hint = "what the driver advises on " + status.sqlstate();
  return status;
}

const char* refusal_text(std::string_view sqlstate) {
  if (sqlstate == "57P03") return "the database system is starting up";
  if (sqlstate == "28P01") return "password authentication failed";
  if (sqlstate == "3D000") return "the database does not exist";
  if (sqlstate == "42501") return "permission denied for the database";
  return "the server refused the connection";
}

// Retrying is useless.
bool is_hopeless(std::string_view sqlstate) {
  return sqlstate == "28P01" || sqlstate == "3D000" || sqlstate == "42501";
}

// The server accepts no more sessions, or none yet.
bool is_of_crowd(std::string_view sqlstate) { return sqlstate == "53300" || sqlstate == "57P03"; }

}  // namespace

FakeConnector::~FakeConnector() {
  if (is_abandoned_) {
    for (Request& request : requests_) {
      if (request.owned != nullptr) request.owned->abandon();
    }
    return;
  }
  const std::lock_guard lock(server_.mutex_);
  for (const Request& request : requests_) {
    if (request.kind == Kind::open) server_.drop_session(*sessions_.at(request.slot));
  }
}

void FakeConnector::check_free(uint32_t slot) const { TIDE_ASSERT(!is_pending(slot)); }

bool FakeConnector::is_pending(uint32_t slot) const {
  return std::any_of(requests_.begin(), requests_.end(), [slot](const Request& r) { return r.slot == slot; });
}

FakeConnector::Session& FakeConnector::session_of(uint32_t slot) {
  const auto found = sessions_.find(slot);
  TIDE_ASSERT(found != sessions_.end());
  return *found->second;
}

void FakeConnector::open(uint32_t slot, Instant now, Instant deadline) {
  const std::lock_guard lock(server_.mutex_);
  server_.advance(now);
  check_free(slot);
  // A session whose holder kept its native handle is never closed; its slot is free once it is disarmed.
  if (const auto found = sessions_.find(slot); found != sessions_.end()) {
    TIDE_ASSERT(found->second->is_disarmed);  // F2: the slot still has a session
    server_.drop_session(*found->second);
  }
  ++server_.opens_total_;
  Request request{Kind::open, slot,   now + server_.latencies_.open.draw(server_.rng_), deadline, OpenFate::succeed, {},
                  nullptr,    nullptr};
  if (server_.is_down_) {
    request.fate = OpenFate::fail;
    request.refusal = refusal(Code::unavailable, "08001", "connection refused");
  } else if (!server_.refusing_with_.empty()) {
    request.fate = is_hopeless(server_.refusing_with_) ? OpenFate::fail_for_good : OpenFate::fail;
    request.refusal = refusal(Code::unavailable, server_.refusing_with_, refusal_text(server_.refusing_with_));
  } else if (server_.is_silent_) {
    request.fate = OpenFate::hang;
  } else if (server_.sessions_max_ != 0 && server_.sessions_now_ + server_.foreign_sessions_ >= server_.sessions_max_) {
    request.fate = OpenFate::fail;
    request.refusal = refusal(Code::unavailable, "53300", "sorry, too many clients already");
  } else {
    request.fate = server_.next_fate();
    if (request.fate == OpenFate::fail) {
      request.refusal = refusal(Code::unavailable, "08006", "the server closed the connection");
    } else if (request.fate == OpenFate::fail_for_good) {
      request.refusal = refusal(Code::database, "28P01", "password authentication failed");
    }
  }
  sessions_[slot] = server_.start_session(slot, request.refusal.is_ok());
  requests_.push_back(std::move(request));
}

void FakeConnector::send(Kind kind, uint32_t slot, Connection& connection, const Latency& latency, Instant now,
                         Instant deadline) {
  server_.advance(now);
  check_free(slot);
  auto& fake = static_cast<FakeServer::Client&>(connection);
  TIDE_ASSERT(&session_of(slot) == fake.session_.get());  // F2: the connection of another slot
  TIDE_ASSERT(!fake.is_busy_);                            // Q1
  Request request{kind, slot, now + latency.draw(server_.rng_), deadline, OpenFate::succeed, {}, &fake, nullptr};
  requests_.push_back(std::move(request));
}

void FakeConnector::validate(uint32_t slot, Connection& connection, Instant now, Instant deadline) {
  const std::lock_guard lock(server_.mutex_);
  send(Kind::validate, slot, connection, server_.latencies_.validate, now, deadline);
}

void FakeConnector::survey(uint32_t slot, Connection& connection, Instant now, Instant deadline) {
  const std::lock_guard lock(server_.mutex_);
  send(Kind::survey, slot, connection, server_.latencies_.validate, now, deadline);
}

void FakeConnector::reset(uint32_t slot, Connection& connection, ResetMode, Instant now, Instant deadline) {
  const std::lock_guard lock(server_.mutex_);
  send(Kind::reset, slot, connection, server_.latencies_.reset, now, deadline);
}

void FakeConnector::close(uint32_t slot, std::unique_ptr<Connection> connection, Instant now) {
  const std::lock_guard lock(server_.mutex_);
  TIDE_ASSERT(connection != nullptr);
  server_.advance(now);
  check_free(slot);
  TIDE_ASSERT(&session_of(slot) == static_cast<FakeServer::Client&>(*connection).session_.get());
  if (const auto disarm = disarms_.find(slot); disarm != disarms_.end()) disarm->second = now;  // comes first
  Request request{Kind::close,
                  slot,
                  now + server_.latencies_.close.draw(server_.rng_),
                  Instant::never(),
                  OpenFate::succeed,
                  {},
                  nullptr,
                  std::move(connection)};
  requests_.push_back(std::move(request));
}

// Like a driver that must roll back: takes as long as ending the session.
bool FakeConnector::finish_disarm(uint32_t slot, Connection&, Instant now) {
  const std::lock_guard lock(server_.mutex_);
  server_.advance(now);
  TIDE_ASSERT(disarms_.count(slot) == 0);
  disarms_[slot] = now + server_.latencies_.close.draw(server_.rng_);
  return false;
}

Instant FakeConnector::due_of(const Request& request, Instant now) {
  if (request.kind == Kind::close) return latest(request.due, server_.closes_held_until_);
  const Session& session = session_of(request.slot);
  // A dead peer is detected at once, a silent one only by a timeout.
  if (!session.is_alive) return earliest(now, request.due);
  if (request.fate == OpenFate::hang || session.is_half_open) return request.deadline;
  return earliest(request.due, request.deadline);
}

Instant FakeConnector::step(Instant now, std::vector<Completion>& out) {
  std::vector<std::pair<Instant, Request>> ready;
  {
    const std::lock_guard lock(server_.mutex_);
    server_.advance(now);
    for (auto disarm = disarms_.begin(); disarm != disarms_.end();) {
      const auto [slot, due] = *disarm;
      if (due <= now) out.push_back({Completion::Kind::disarmed, slot, nullptr, {}, false});
      disarm = due <= now ? disarms_.erase(disarm) : std::next(disarm);
    }
    std::vector<Request> waiting;
    for (Request& request : requests_) {
      const Instant due = due_of(request, now);
      if (due <= now) {
        ready.emplace_back(due, std::move(request));
      } else {
        waiting.push_back(std::move(request));
      }
    }
    requests_ = std::move(waiting);
    std::stable_sort(ready.begin(), ready.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [due, request] : ready) out.push_back(finish(request, now));
    tell_losses(out);
  }
  ready.clear();  // connections end here, without the mutex
  const std::lock_guard lock(server_.mutex_);
  Instant next = server_.next_event();
  for (const auto& [slot, due] : disarms_) next = earliest(next, due);
  for (const Request& request : requests_) next = earliest(next, due_of(request, now));
  return next;
}

Completion FakeConnector::finish(Request& request, Instant now) {
  using Told = Completion::Kind;
  if (request.kind == Kind::open) return finish_open(request, now);
  Session& session = session_of(request.slot);
  if (request.kind == Kind::close) {
    server_.drop_session(session);
    sessions_.erase(request.slot);
    return {Told::closed, request.slot, nullptr, {}, false};
  }
  const bool is_reset = request.kind == Kind::reset;
  Status status;
  if (!session.is_alive) {
    session.is_loss_told = true;
    status = refusal(Code::database, "57P01", "the server ended the session");
  } else if (session.is_half_open || request.due > request.deadline) {
    status = refusal(Code::timeout, "", "no response in time");
  } else if (is_reset) {
    request.connection->forget_transaction();
    request.connection->is_altered_ = false;
  }
  const Told told = is_reset ? (status ? Told::reset_done : Told::reset_failed)
                             : (status ? Told::validated : Told::validation_failed);
  Completion done{told, request.slot, nullptr, std::move(status), false};
  if (told == Told::validated && request.kind == Kind::survey) done.load = server_.load();
  return done;
}

Completion FakeConnector::finish_open(Request& request, Instant) {
  const std::shared_ptr<Session> session = sessions_.at(request.slot);
  Status status = std::move(request.refusal);
  if (status && !session->is_alive) status = refusal(Code::unavailable, "08006", "the server closed the connection");
  if (status && (request.fate == OpenFate::hang || session->is_half_open || request.due > request.deadline)) {
    status = refusal(Code::timeout, "", "no response in time");
  }
  if (status) {
    return {Completion::Kind::opened,
            request.slot,
            std::make_unique<FakeServer::Client>(server_, session, policy_),
            {},
            false};
  }
  session->is_alive = false;
  server_.drop_session(*session);
  server_.sessions_.erase(session->pid);
  sessions_.erase(request.slot);
  const bool is_permanent = request.fate == OpenFate::fail_for_good;
  const bool is_crowded = is_of_crowd(status.sqlstate());
  Completion failed{Completion::Kind::open_failed, request.slot, nullptr, std::move(status), is_permanent};
  failed.is_crowded = is_crowded;
  return failed;
}

void FakeConnector::tell_losses(std::vector<Completion>& out) {
  for (auto& [slot, session] : sessions_) {
    if (session->is_alive || session->is_loss_told || is_pending(slot)) continue;
    session->is_loss_told = true;
    out.push_back({Completion::Kind::lost, slot, nullptr,
                   refusal(Code::database, "57P01", "the server ended the session"), false});
  }
}

}  // namespace tide::fake
