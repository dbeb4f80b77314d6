#include "driver/threaded/calls.hpp"

#include <pthread.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <new>
#include <system_error>

#include "os/shortage.hpp"
#include "pool/blocked_signals.hpp"

namespace tide {
namespace {

constexpr Span kLeaveTimeout = Span::millis(200);  // for a helper that only has to notice the end
thread_local const Calls* innermost = nullptr;

bool matters(const DriverCall& call) { return call.kind != DriverCall::Kind::look; }

}  // namespace

Calls::Calls(std::unique_ptr<BlockingDriver> driver, const Clock& clock)
    : driver_(std::move(driver)), clock_(clock), bell_("cannot make a descriptor for the pool's helper threads") {}

bool Calls::is_called_by_me() const noexcept { return innermost == this; }

void Calls::carry_out(DriverCall& call) noexcept {
  const Calls* const outer = std::exchange(innermost, this);
  try {
    switch (call.kind) {
      case DriverCall::Kind::open: call.opened = driver_->open(call.deadline); break;
      case DriverCall::Kind::validate: call.status = driver_->validate(*call.session, call.deadline); break;
      case DriverCall::Kind::reset: call.status = driver_->reset(*call.session, call.mode, call.deadline); break;
      case DriverCall::Kind::close: driver_->close(std::move(call.owned)); break;
      case DriverCall::Kind::look: call.facts = driver_->look(); break;
      case DriverCall::Kind::work: driver_->work(); break;
      case DriverCall::Kind::cancel: call.session->cancel(call.lease); break;
      case DriverCall::Kind::end_transaction:
        call.is_ended = call.session->end_transaction(call.why, call.lease);
        break;
      case DriverCall::Kind::disarm: call.session->finish_disarm(); break;
    }
  } catch (const std::bad_alloc&) {
    call.status = call.opened.status = Status::out_of_memory();
  }
  innermost = outer;
}

bool Calls::is_runnable(const DriverCall& call, Instant now) const {
  if (call.due > now) return false;
  const auto is_in_the_way = [&](const DriverCall& other) {
    if (call.session != nullptr && other.session == call.session) return true;
    return !driver_->may_overlap() && !other.is_late && !other.is_about_lease() && !call.is_about_lease();
  };
  if (std::any_of(running.begin(), running.end(), is_in_the_way)) return false;
  for (const DriverCall& earlier : waiting) {
    if (&earlier == &call) break;
    if (call.session != nullptr && earlier.session == call.session) return false;
  }
  return true;
}

bool Calls::begin_next(std::list<DriverCall>::iterator& out) {
  const Instant now = clock_.now();
  out = std::find_if(waiting.begin(), waiting.end(), [&](const DriverCall& call) {
    return (!is_ending_ || call.is_an_end()) && is_runnable(call, now);
  });
  if (out == waiting.end()) return false;
  running.splice(running.end(), waiting, out);
  out->started = now;
  if (out->kind != DriverCall::Kind::open) out->deadline = now + out->span;
  return true;
}

void Calls::finish(std::list<DriverCall>::iterator call, std::unique_lock<std::mutex>& lock) {
  if ((call->is_given_up || is_ending_) && call->opened.connection != nullptr) {
    lock.unlock();
    driver_->close(std::move(call->opened.connection));
    lock.lock();
    call->is_given_up = true;
  }
  if (call->is_given_up) {
    running.erase(call);
  } else {
    done.splice(done.end(), running, call);
  }
  if (!is_ending_) bell_.ring();
  progress.notify_all();
  wanted_.notify_all();  // calls waiting for the same session
}

void Calls::run(Helper& me) {
  pthread_setname_np(pthread_self(), "tidepool-helper");
  std::unique_lock lock(mutex);
  std::list<DriverCall>::iterator call;
  for (;;) {
    if (begin_next(call)) {
      lock.unlock();
      carry_out(*call);
      lock.lock();
      finish(call, lock);
    } else if (is_ending_) {
      break;  // the others wait for a call of another helper, which will make them
    } else {
      ++idle_;
      wanted_.wait(lock);
      --idle_;
    }
  }
  me.has_left = true;
  progress.notify_all();
}

Status Calls::start_helper() {
  int error = 0;
  helpers_.emplace_back();
  Helper& helper = helpers_.back();
  try {
    const BlockedSignals blocked;
    helper.thread = std::thread([self = shared_from_this(), &helper] { self->run(helper); });
  } catch (const std::system_error& problem) {
    error = problem.code().value();
  } catch (const std::bad_alloc&) {
    error = ENOMEM;
  }
  if (error == 0) return Status::ok();
  helpers_.pop_back();
  return shortage_status("could not start a thread for calls that may block", error);
}

bool Calls::has_free_helper() const noexcept {
  const size_t stuck = static_cast<size_t>(
      std::count_if(running.begin(), running.end(), [](const DriverCall& call) { return call.is_late; }));
  return stuck < kHelpersMax;
}

Instant Calls::employ(Instant now) noexcept {
  Instant next = Instant::never();
  bool is_any_runnable = false;
  for (const DriverCall& call : waiting) {
    if (call.due > now) next = earliest(next, call.due);
    is_any_runnable = is_any_runnable || is_runnable(call, now);
  }
  if (!is_any_runnable) return next;
  if (idle_ > 0) {
    wanted_.notify_all();
    return next;
  }
  if (helpers_.size() >= kHelpersMax) return next;
  Instant all_slow_at;
  for (const DriverCall& call : running) {
    if (!call.is_late) all_slow_at = latest(all_slow_at, call.started + kSlow);
  }
  // A helper between two calls will find it.
  if (helpers_.size() > running.size()) return earliest(next, now + kSlow);
  if (all_slow_at > now) return earliest(next, all_slow_at);
  try {
    (void)start_helper();
  } catch (const std::bad_alloc&) {
    // Waiting calls continue to wait.
  }
  return earliest(next, now + kSlow);
}

bool Calls::is_at_work() const noexcept {
  return std::any_of(waiting.begin(), waiting.end(), matters) || std::any_of(running.begin(), running.end(), matters);
}

bool Calls::is_held_up(Instant now) const noexcept {
  return !running.empty() && std::all_of(running.begin(), running.end(),
                                         [&](const DriverCall& call) { return now >= call.started + kTimeout; });
}

void Calls::end() noexcept {
  driver_->on_wanted({});
  std::unique_lock lock(mutex);
  is_ending_ = true;
  waiting.remove_if(
      [](const DriverCall& call) { return !call.is_an_end(); });  // otherwise later calls would wait for ever
  for (auto call = done.begin(); call != done.end();) {
    const auto taken_by_nobody = call++;
    if (taken_by_nobody->opened.connection == nullptr) continue;
    taken_by_nobody->kind = DriverCall::Kind::close;
    taken_by_nobody->owned = std::move(taken_by_nobody->opened.connection);
    waiting.splice(waiting.end(), done, taken_by_nobody);
  }
  wanted_.notify_all();
  const auto have_all_left = [this] {
    return is_held_up(clock_.now()) ||
           std::all_of(helpers_.begin(), helpers_.end(), [](const Helper& helper) { return helper.has_left; });
  };
  progress.wait_for(lock, std::chrono::nanoseconds(kLeaveTimeout.ns()), have_all_left);
  for (Helper& helper : helpers_) {
    if (!helper.has_left) {
      helper.thread.detach();
      continue;
    }
    lock.unlock();
    helper.thread.join();
    lock.lock();
  }
  bell_.close();  // not at the end of a helper that is stuck: a child of fork() would inherit it
}

}  // namespace tide
