#include "driver/threaded/connector.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <utility>

#include "base/units.hpp"
#include "driver/threaded/calls.hpp"

namespace tide {
namespace {

// A driver that observes the deadline needs a moment to report it, with a better error.
constexpr Span kGrace = Span::millis(50);
// Results available at once, as for a file in the page cache, are taken in the step of the request.
constexpr Span kPrompt = Span::millis(2);
// The delay before a locked file is tried again.
constexpr Span kRetrySpan = Span::millis(10);
constexpr Span kLookSpan = Span::seconds(1);

const char* name_of(DriverCall::Kind kind) {
  switch (kind) {
    case DriverCall::Kind::open: return "open";
    case DriverCall::Kind::validate: return "validate";
    case DriverCall::Kind::reset: return "reset";
    case DriverCall::Kind::close: return "close";
    case DriverCall::Kind::cancel: return "cancel";
    case DriverCall::Kind::end_transaction: return "rollback of an open transaction";
    case DriverCall::Kind::disarm: return "rollback of a revoked lease";
    case DriverCall::Kind::work: return "checkpoint";
    case DriverCall::Kind::look: break;
  }
  return "check of its file";
}

Completion::Kind success_of(DriverCall::Kind kind) {
  switch (kind) {
    case DriverCall::Kind::open: return Completion::Kind::opened;
    case DriverCall::Kind::validate: return Completion::Kind::validated;
    case DriverCall::Kind::reset: return Completion::Kind::reset_done;
    case DriverCall::Kind::disarm: return Completion::Kind::disarmed;
    default: return Completion::Kind::closed;
  }
}

Completion::Kind failure_of(DriverCall::Kind kind) {
  switch (kind) {
    case DriverCall::Kind::open: return Completion::Kind::open_failed;
    case DriverCall::Kind::validate: return Completion::Kind::validation_failed;
    case DriverCall::Kind::reset: return Completion::Kind::reset_failed;
    case DriverCall::Kind::disarm: return Completion::Kind::disarmed;
    default: return Completion::Kind::closed;
  }
}

// ThreadedConnector: passes requests to Calls, and answers for calls that do not return.
//
// K1  Every request is answered exactly once, by a completion of its slot; cancels, and transactions that were not ended,
//     never.
// Threads: only the keeper.
// Failure: completions. If no thread can be started, opens fail and closes are made by the keeper.
class ThreadedConnector final : public Connector {
 public:
  ThreadedConnector(std::unique_ptr<BlockingDriver> driver, const Clock& clock)
      : clock_(clock), calls_(std::make_shared<Calls>(std::move(driver), clock)) {
    calls_->driver().on_wanted([&bell = calls_->bell()] { bell.ring(); });  // until Calls::end()
  }
  ~ThreadedConnector() override {
    if (!is_abandoned_) {
      calls_->end();
    } else {
      // Its helpers do not exist here.
      [[maybe_unused]] const auto* leaked = new (std::nothrow) std::shared_ptr<Calls>(calls_);
    }
  }

  void open(uint32_t slot, Instant now, Instant deadline) override {
    generations_.erase(slot);
    std::list<DriverCall> one = make(DriverCall::Kind::open, slot, now, deadline);
    one.front().deadline = deadline;
    ask(one);
  }
  void validate(uint32_t slot, Connection& connection, Instant now, Instant deadline) override {
    std::list<DriverCall> one = make(DriverCall::Kind::validate, slot, now, deadline, &connection);
    ask(one);
  }
  void reset(uint32_t slot, Connection& connection, ResetMode mode, Instant now, Instant deadline) override {
    std::list<DriverCall> one = make(DriverCall::Kind::reset, slot, now, deadline, &connection);
    one.front().mode = mode;
    ask(one);
  }
  void close(uint32_t slot, std::unique_ptr<Connection> connection, Instant now) override {
    generations_.erase(slot);
    std::list<DriverCall> one = make(DriverCall::Kind::close, slot, now, now + Calls::kTimeout, connection.get());
    one.front().owned = std::move(connection);
    ask(one);
  }
  void cancel(uint32_t slot, Connection& connection, uint64_t lease, Instant now) override {
    std::list<DriverCall> one = make(DriverCall::Kind::cancel, slot, now, now + Calls::kTimeout, &connection);
    one.front().lease = lease;
    ask(one);
  }
  bool end_transaction(uint32_t slot, Connection& connection, const std::string& why, uint64_t lease,
                       Instant now) override {
    std::list<DriverCall> one = make(DriverCall::Kind::end_transaction, slot, now, now + Calls::kTimeout, &connection);
    one.front().lease = lease;
    one.front().why = why;
    ask(one);
    return false;
  }
  bool finish_disarm(uint32_t slot, Connection& connection, Instant now) override {
    std::list<DriverCall> one = make(DriverCall::Kind::disarm, slot, now, now + Calls::kTimeout, &connection);
    ask(one);
    return false;
  }
  Instant step(Instant now, std::vector<Completion>& out) override;
  int fd() const noexcept override { return calls_->bell().fd(); }
  int64_t memory_bytes() const override { return calls_->driver().memory_bytes(); }
  std::shared_ptr<ChangeWatch> change_watch() override { return calls_->driver().change_watch(); }
  // The last known facts, because the disk of the file may not respond.
  FileFacts file_facts() override {
    wants_look_ = true;
    return file_facts_;
  }
  void set_policy(const Policy& policy) override { calls_->driver().set_policy(policy); }
  void give_up_opens() override { is_closing_ = true; }
  void give_up() override { is_given_up_ = is_closing_ = true; }
  bool is_at_work() const override {
    const std::lock_guard lock(calls_->mutex);
    return calls_->is_at_work();
  }
  bool is_held_up() const override {
    const std::lock_guard lock(calls_->mutex);
    return calls_->is_held_up(clock_.now());
  }
  bool is_called_by_me() const noexcept override { return calls_->is_called_by_me(); }
  Status left_behind() const override;
  // No lock is taken and no thread used: in the child they are invalid.
  void abandon() noexcept override {
    is_abandoned_ = true;
    calls_->bell().close();
    calls_->driver().abandon();
  }

 private:
  static std::list<DriverCall> make(DriverCall::Kind kind, uint32_t slot, Instant now, Instant deadline,
                                    Connection* session = nullptr) {
    std::list<DriverCall> one(1);
    one.front().kind = kind;
    one.front().slot = slot;
    one.front().asked = now;
    one.front().span = deadline - now;
    one.front().session = session;
    return one;
  }
  void ask(std::list<DriverCall>& one);
  void await_prompt_answers(std::unique_lock<std::mutex>& lock) const;
  void take(std::vector<Completion>& out, Instant now);
  void tell_losses(std::vector<Completion>& out);
  void give_up_late(std::vector<Completion>& out, Instant now);
  void give_up_waiting(std::vector<Completion>& out, Instant now);
  void look(Instant now);
  void work(Instant now);
  Status too_late(const DriverCall& call, Instant now) const;
  Status refusal(const DriverCall& call, Instant now) const;

  const Clock& clock_;
  const std::shared_ptr<Calls> calls_;
  std::map<uint32_t, uint64_t> generations_;  // of the file, by slot, of sessions that are open and not lost
  FileFacts file_facts_;
  Instant next_look_;
  bool is_looking_ = false;
  bool is_working_ = false;
  bool wants_look_ = false;
  bool has_asked_ = false;  // since the last step
  bool is_closing_ = false;
  bool is_given_up_ = false;
  bool is_abandoned_ = false;
};

void ThreadedConnector::ask(std::list<DriverCall>& one) {
  DriverCall& call = one.front();
  has_asked_ = true;
  std::unique_lock lock(calls_->mutex);
  if (!calls_->has_helper()) {
    Status started = calls_->start_helper();
    if (!started) {
      // The next request retries; requests for a session cannot be rejected.
      if (call.kind == DriverCall::Kind::open) {
        call.opened.status = std::move(started);
      } else {
        call.deadline = call.asked + call.span;
        lock.unlock();
        calls_->carry_out(call);
        lock.lock();
      }
      calls_->done.splice(calls_->done.end(), one);
      return;
    }
  }
  calls_->waiting.splice(calls_->waiting.end(), one);
  calls_->employ(call.asked);
}

Instant ThreadedConnector::step(Instant now, std::vector<Completion>& out) {
  calls_->bell().clear();
  std::unique_lock lock(calls_->mutex);
  if (std::exchange(has_asked_, false)) {
    await_prompt_answers(lock);
    now = latest(now, clock_.now());
  }
  // K1: what is removed from a list is answered, even without memory.
  out.reserve(out.size() + calls_->done.size() + calls_->running.size() + calls_->waiting.size() + generations_.size());
  take(out, now);
  tell_losses(out);
  give_up_late(out, now);
  give_up_waiting(out, now);
  look(now);
  work(now);
  Instant next = calls_->employ(now);
  for (const DriverCall& call : calls_->running) {
    if (!call.is_late && call.is_answered()) next = earliest(next, call.deadline + kGrace);
  }
  for (const DriverCall& call : calls_->waiting) {
    const Instant over = call.asked + call.span + kGrace;
    if (over > now && !call.is_own()) next = earliest(next, over);
  }
  if (!generations_.empty() && !is_looking_) next = earliest(next, next_look_);
  return next;
}

void ThreadedConnector::await_prompt_answers(std::unique_lock<std::mutex>& lock) const {
  const Instant now = clock_.now();
  const auto is_awaited = [](const DriverCall& call) { return call.kind != DriverCall::Kind::work; };
  for (const DriverCall& call : calls_->running) {
    if (is_awaited(call) && now >= call.started + kPrompt) return;  // do not wait for a longer one
  }
  calls_->progress.wait_for(lock, std::chrono::nanoseconds(kPrompt.ns()), [&] {
    return std::none_of(calls_->waiting.begin(), calls_->waiting.end(), is_awaited) &&
           std::none_of(calls_->running.begin(), calls_->running.end(), is_awaited);
  });
}

void ThreadedConnector::take(std::vector<Completion>& out, Instant now) {
  while (!calls_->done.empty()) {
    DriverCall& call = calls_->done.front();
    switch (call.kind) {
      case DriverCall::Kind::look:
        is_looking_ = false;
        file_facts_ = call.facts;
        break;
      case DriverCall::Kind::work: is_working_ = false; break;
      case DriverCall::Kind::cancel: break;
      case DriverCall::Kind::end_transaction:
        if (!call.is_ended) break;
        call.status.text().message = std::move(call.why);
        out.push_back({Completion::Kind::transaction_ended, call.slot, nullptr, std::move(call.status), false});
        break;
      case DriverCall::Kind::open: {
        BlockingDriver::Opened& opened = call.opened;
        if (opened.connection != nullptr) {
          if (opened.generation != 0) generations_[call.slot] = opened.generation;
          out.push_back({Completion::Kind::opened, call.slot, std::move(opened.connection), {}, false});
        } else if (opened.is_busy && now < call.deadline && !is_closing_) {
          call.status = std::move(opened.status);
          call.opened = {};
          call.due = earliest(now + kRetrySpan, call.deadline);
          call.started = {};
          calls_->waiting.splice(calls_->waiting.end(), calls_->done, calls_->done.begin());
          continue;
        } else {
          wants_look_ = true;  // for the reason
          out.push_back(
              {Completion::Kind::open_failed, call.slot, nullptr, std::move(opened.status), opened.is_permanent});
        }
        break;
      }
      default: {
        const Completion::Kind kind = call.status ? success_of(call.kind) : failure_of(call.kind);
        if (kind == Completion::Kind::validation_failed) generations_.erase(call.slot);  // reported already
        out.push_back({kind, call.slot, nullptr, std::move(call.status), false});
      }
    }
    calls_->done.pop_front();
  }
}

// Reported once each, before the sessions are closed.
void ThreadedConnector::tell_losses(std::vector<Completion>& out) {
  const uint64_t lost = calls_->driver().lost_generation();
  for (auto entry = generations_.begin(); entry != generations_.end();) {
    const auto [slot, generation] = *entry;
    if (generation > lost) {
      ++entry;
      continue;
    }
    out.push_back({Completion::Kind::lost, slot, nullptr, calls_->driver().loss(), false});
    entry = generations_.erase(entry);
    file_facts_.is_missing = true;  // until the next check
    wants_look_ = true;
  }
}

// Running calls that are late.
void ThreadedConnector::give_up_late(std::vector<Completion>& out, Instant now) {
  for (auto at = calls_->running.begin(); at != calls_->running.end(); ++at) {
    DriverCall& call = *at;
    if (call.kind == DriverCall::Kind::look) continue;
    call.is_late = now >= call.deadline + kGrace;
    const bool is_cut_off = is_given_up_ && !call.is_an_end();
    if (!call.is_answered() || call.is_given_up || !(call.is_late || is_cut_off)) continue;
    out.push_back(
        {failure_of(call.kind), call.slot, nullptr, is_cut_off ? refusal(call, now) : too_late(call, now), false});
    call.is_given_up = true;
  }
}

// A session is not given up for waiting, as long as a helper may become available.
void ThreadedConnector::give_up_waiting(std::vector<Completion>& out, Instant now) {
  for (auto at = calls_->waiting.begin(); at != calls_->waiting.end();) {
    const auto call = at++;
    const bool is_open = call->kind == DriverCall::Kind::open;
    const bool is_late = now >= call->asked + call->span + kGrace;
    if (call->is_an_end()) {
      // The slot is free after a while; the call is made when it can be.
      if (!is_late || call->is_given_up) continue;
      const bool is_close = call->kind == DriverCall::Kind::close;
      out.push_back(
          {failure_of(call->kind), call->slot, nullptr, is_close ? Status::ok() : refusal(*call, now), false});
      call->is_given_up = true;
      continue;
    }
    if (call->kind == DriverCall::Kind::look) continue;
    if (call->kind == DriverCall::Kind::work) {
      if (is_closing_) calls_->waiting.erase(call);
      continue;
    }
    const bool is_over = is_given_up_ || (is_open ? is_closing_ || is_late : is_late && !calls_->has_free_helper());
    if (!is_over) continue;
    if (call->is_answered()) out.push_back({failure_of(call->kind), call->slot, nullptr, refusal(*call, now), false});
    calls_->waiting.erase(call);
  }
}

void ThreadedConnector::look(Instant now) {
  BlockingDriver& driver = calls_->driver();
  if (is_looking_ || is_closing_ || !driver.has_file() || !calls_->has_helper()) return;
  if (!wants_look_ && (generations_.empty() || now < next_look_)) return;
  std::list<DriverCall> one = make(DriverCall::Kind::look, 0, now, now + kLookSpan);
  calls_->waiting.splice(calls_->waiting.end(), one);
  next_look_ = now + kLookSpan;
  wants_look_ = false;
  is_looking_ = true;
}

// Not while the pool closes: then sessions have to be closed, and the last one does it.
void ThreadedConnector::work(Instant now) {
  if (is_working_ || is_closing_ || !calls_->has_helper() || !calls_->driver().wants_work()) return;
  std::list<DriverCall> one = make(DriverCall::Kind::work, 0, now, now + Calls::kTimeout);
  calls_->waiting.splice(calls_->waiting.end(), one);
  is_working_ = true;
}

Status ThreadedConnector::too_late(const DriverCall& call, Instant now) const {
  const BlockingDriver& driver = calls_->driver();
  return Status::error(
      Code::timeout,
      driver.whose() + " " + name_of(call.kind) + " has not returned after " + describe_span(now - call.started),
      call.kind == DriverCall::Kind::work   ? ""
      : call.kind == DriverCall::Kind::open ? "The connection that it opens is closed when it returns."
                                            : "The session is closed when it returns.",
      driver.hint());
}

// The error for a call that was not started, or is abandoned.
Status ThreadedConnector::refusal(const DriverCall& call, Instant now) const {
  if (is_closing_) return Status::error(Code::closed, "the pool is closing");
  for (const DriverCall& other : calls_->running) {
    if (other.kind == DriverCall::Kind::look || now < other.started + Calls::kSlow) continue;
    Status status = too_late(other, now);
    status.text().detail = std::string("A call of ") + name_of(call.kind) + " had to wait for it.";
    return status;
  }
  if (call.kind == DriverCall::Kind::open && !call.status) return call.status;
  return Status::error(Code::timeout,
                       calls_->driver().whose() + " " + name_of(call.kind) + " could not be started in time", "",
                       calls_->driver().hint());
}

Status ThreadedConnector::left_behind() const {
  const std::lock_guard lock(calls_->mutex);
  for (const DriverCall& call : calls_->running) {
    if (call.kind != DriverCall::Kind::look) return too_late(call, clock_.now());
  }
  return Status::ok();
}

}  // namespace

std::unique_ptr<Connector> make_threaded_connector(std::unique_ptr<BlockingDriver> driver, const Clock& clock) {
  return std::make_unique<ThreadedConnector>(std::move(driver), clock);
}

}  // namespace tide
