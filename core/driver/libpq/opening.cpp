#include "driver/libpq/opening.hpp"

#include <unistd.h>

#include "os/shortage.hpp"

namespace tide::libpq {

Opening::~Opening() {
  if (attempt_ != nullptr) attempt_->give_up();
}

Opening::Progress Opening::begin(Instant now) {
  Result<ConnectWords> parsed = ConnectWords::parse(target_.connect_text);
  if (!parsed) return fail(parsed.take_status(), true);
  words_ = parsed.take();
  if (!target_.session_attrs.empty()) words_->set_default("target_session_attrs", target_.session_attrs);
  return try_next_host(now);
}

Opening::Progress Opening::try_next_host(Instant now) {
  const size_t hosts = words_->hosts();
  attempt_deadline_ = now + Span::nanos((deadline_ - now).ns() / static_cast<int64_t>(hosts - tries_));
  size_t host = tries_ == 0 ? 0 : first_host_ + 1;
  for (size_t passed = 0; passed < hosts && attempts_->is_held_up(host % hosts); ++passed) ++host;
  first_host_ = host % hosts;
  return start_attempt();
}

Opening::Progress Opening::start_attempt() {
  if (!attempts_->has_room(obstacle_)) return Progress::waiting;
  try {
    attempt_ = Attempt::start(
        {*words_, policy_, target_.application, target_.credentials, first_host_, greeting_.options()}, attempts_);
  } catch (const Shortage& shortage) {
    return fail(shortage.status(), false);
  }
  return Progress::waiting;
}

Opening::Progress Opening::advance() {
  if (is_greeting_) return follow(greeting_.advance(conn_.get()));
  if (attempt_ == nullptr) return start_attempt();
  if (!attempt_->is_finished()) return Progress::waiting;
  const std::shared_ptr<Attempt> finished = std::move(attempt_);
  failure_ = finished->failure();
  if (failure_.status.code == Code::no_memory) {
    return fail(Status::error(Code::no_memory, "out of memory for a connection"), false);
  }
  if (!failure_.status) {
    const bool is_tried_again = greeting_.take_refusal(failure_, !finished->target_options().empty());
    return is_tried_again ? start_attempt() : Progress::failed;
  }
  conn_ = finished->take();
  cancel_ = finished->cancel();
  is_greeting_ = true;
  return follow(greeting_.begin(conn_.get(), finished->target_options()));
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
  if (attempt_ != nullptr && attempt_->is_finished()) return advance();
  Status why = lateness();
  if (attempt_ != nullptr) attempt_->give_up();
  attempt_.reset();
  conn_.reset();
  is_greeting_ = false;
  ++tries_;
  if (tries_ < words_->hosts() && now < deadline_) return try_next_host(now);
  return fail(std::move(why), false);
}

Status Opening::lateness() const {
  if (attempt_ != nullptr) return attempt_->lateness();
  if (conn_ != nullptr) return server_is_late(place_of(conn_.get()));
  Status why = Status::error(
      Code::timeout, "no connection attempt could be started within connect_timeout",
      std::to_string(Attempts::kHeldUpMax) + " abandoned attempts are still blocked by " + obstacle_ + ".",
      "Find out why that does not return.");
  why.text().sqlstate = "08001";
  return why;
}

void Opening::abandon() noexcept {
  if (attempt_ != nullptr) attempt_->abandon();
  if (conn_ == nullptr) return;
  const int fd = PQsocket(conn_.get());
  if (fd >= 0) close(fd);
  [[maybe_unused]] PGconn* leaked = conn_.release();
}

}  // namespace tide::libpq
