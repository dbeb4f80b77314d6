#include "notify/webhook.hpp"

#include <poll.h>
#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <utility>

#include "notify/courier.hpp"
#include "notify/outbox.hpp"
#include "policy/http_url.hpp"
#include "pool/blocked_signals.hpp"
#include "pool/keeper.hpp"
#include "pool/pool.hpp"
#include "segment/rings.hpp"

namespace tide {
namespace {

constexpr Span kUnwinding = Span::millis(250);  // of the thread, after the time for the last delivery
constexpr int64_t kNsPerSecond = 1'000'000'000;

const HttpLibrary& loaded_library() { return **HttpLibrary::load(); }

}  // namespace

std::string receiver_url(const Policy& policy) {
  const std::string& url = policy.notify_webhook_url;
  const size_t authority = url.find("://") + 3;
  const size_t end = std::min(url.find_first_of("/?#", authority), url.size());
  const bool has_path = end + 1 < url.size() || (end < url.size() && url[end] != '/');
  if (has_path) return url;
  return url.substr(0, end) + std::string(default_path(policy.notify_webhook_format));
}

struct Webhook::State {
  State(const Policy& policy, Sender of, uint64_t seed, const Clock& by)
      : sender(std::move(of)),
        format(policy.notify_webhook_format),
        secret(policy.notify_webhook_secret),
        origin(origin_of(policy.notify_webhook_url)),
        clock(by),
        courier(loaded_library(), receiver_url(policy), policy.notify_webhook_timeout),
        outbox(format, seed) {}

  void run();
  bool step(std::vector<AlertChange>& due, Span& wait);
  Letter write(const std::vector<AlertChange>& changes) const;
  void deliver(const std::vector<AlertChange>& changes);
  void settle(const DeliveryResult& result, const std::string& error);
  void tell_of_outage(uint64_t failures_before, const std::string& error) const;
  void publish();
  Instant close_by();

  Sender sender;  // complete before the thread starts
  const WebhookFormat format;
  const std::string secret;
  const std::string origin;
  const Clock& clock;
  Courier courier;  // used by the thread
  Bell wake{"cannot make a descriptor for the webhook"};

  std::mutex mutex;  // guards what follows; never held while something is delivered
  Pool* pool = nullptr;
  Outbox outbox;
  int64_t sent_wall_ns = 0;
  std::string last_error;
  bool is_ending = false;
  Instant end_by = Instant::never();
  bool is_held_for_fork = false;
  bool has_ended = false;
  std::condition_variable ended;
};

// ---- the thread

void Webhook::State::run() {
  pthread_setname_np(pthread_self(), "tidepool-notify");
  std::vector<AlertChange> due;
  for (Span wait; step(due, wait);) {
    if (!due.empty()) {
      deliver(due);
      continue;
    }
    pollfd fd{wake.fd(), POLLIN, 0};
    poll(&fd, 1, static_cast<int>(wait.ms_up()));
    wake.clear();
  }
  const std::lock_guard lock(mutex);
  outbox.drop_rest();
  publish();
  has_ended = true;
  ended.notify_all();
}

// What to deliver, or how long to wait. False: the thread ends.
bool Webhook::State::step(std::vector<AlertChange>& due, Span& wait) {
  constexpr Span kLongest = Span::seconds(3600);
  constexpr Span kPause = Span::millis(100);
  const std::lock_guard lock(mutex);
  const Instant now = clock.now();
  if (is_ending && (outbox.is_done() || now >= end_by)) return false;
  wait = kPause;
  try {
    due = outbox.take(now);
    wait = std::clamp(earliest(outbox.next_wakeup(), end_by) - now, Span{}, kLongest);
  } catch (const std::bad_alloc&) {
    due.clear();  // tried again after a pause
  }
  publish();
  return true;
}

Letter Webhook::State::write(const std::vector<AlertChange>& changes) const {
  const int64_t wall_ns = clock.wall_ns();
  Letter letter = make_letter(format, sender, changes, secret, wall_ns);
  if (!secret.empty() && format != WebhookFormat::pagerduty) {
    const std::string timestamp = std::to_string(wall_ns / kNsPerSecond);
    letter.headers.push_back("X-Tidepool-Timestamp: " + timestamp);
    letter.headers.push_back("X-Tidepool-Signature: sha256=" +
                             loaded_library().sign(secret, timestamp + "." + letter.body));
  }
  return letter;
}

void Webhook::State::deliver(const std::vector<AlertChange>& changes) {
  DeliveryResult result;
  std::string error;
  try {
    const Letter letter = write(changes);
    result = courier.post(
        letter, clock, wake, [this] { return close_by(); }, error);
  } catch (const std::exception&) {
    error = "out of memory";
  }
  settle(result, error);
}

void Webhook::State::settle(const DeliveryResult& result, const std::string& error) {
  const std::lock_guard lock(mutex);
  const uint64_t failures_before = outbox.facts().failures_in_a_row;
  outbox.settle(result, clock.now());
  if (result.is_delivered()) {
    sent_wall_ns = clock.wall_ns();
  } else {
    last_error = origin + ": " + error;
  }
  tell_of_outage(failures_before, error);
  publish();
}

// Once for each outage: further failures change only the last error.
void Webhook::State::tell_of_outage(uint64_t failures_before, const std::string& error) const {
  if (pool == nullptr) return;
  const uint64_t failures = outbox.facts().failures_in_a_row;
  if (failures_before == 0 && failures != 0) {
    pool->keeper().note_later(EventKind::webhook_failed, Severity::warning,
                              "alerts could not be delivered to " + origin + ": " + error + "; they are sent again");
  } else if (failures_before != 0 && failures == 0) {
    pool->keeper().note_later(EventKind::webhook_ok, Severity::info, "alerts are delivered to " + origin + " again");
  }
}

// The mutex must be held.
void Webhook::State::publish() {
  if (pool == nullptr) return;
  const Outbox::Facts facts = outbox.facts();
  format::NotifyStats& stats = pool->segment().notify();
  const SeqWrite write(stats.seq);
  tide::put(stats.notifications_sent_total, facts.sent);
  tide::put(stats.notification_failures_total, facts.failures);
  tide::put(stats.notifications_dropped_total, facts.dropped);
  tide::put(stats.queued, facts.queued);
  tide::put(stats.sent_wall, static_cast<uint64_t>(sent_wall_ns));
  stats.last_error.assign_shortened(last_error);
}

Instant Webhook::State::close_by() {
  const std::lock_guard lock(mutex);
  return end_by;
}

// ---- the calls

Status Webhook::check(const Policy& policy) {
  const auto library = HttpLibrary::load();
  if (!library) return library.status();
  const bool is_signed =
      !policy.notify_webhook_secret.empty() && policy.notify_webhook_format != WebhookFormat::pagerduty;
  if (!is_signed || (*library)->can_sign()) return Status::ok();
  return Status::error(Code::unavailable, "notify_webhook_secret cannot be used: libcurl was not built with OpenSSL",
                       "Deliveries are signed with the library that libcurl uses.",
                       "Install the package of libcurl that uses OpenSSL, or leave notify_webhook_secret empty.");
}

Webhook::Webhook(const Policy& policy, Sender sender, uint64_t seed, const Clock& clock)
    : state_(std::make_shared<State>(policy, std::move(sender), seed, clock)) {}

Webhook::~Webhook() {
  finish(state_->clock.now());
  if (thread_.joinable()) thread_.detach();  // it could not be ended in time
}

void Webhook::serve(Pool& pool) {
  const std::lock_guard lock(state_->mutex);
  state_->pool = &pool;
  state_->sender.instance_id = instance_hex(pool.instance_id());
  state_->publish();
}

void Webhook::put(AlertChange change) noexcept {
  State& state = *state_;
  const std::lock_guard lock(state.mutex);
  if (state.is_ending) return;
  try {
    state.outbox.put(std::move(change), state.clock.now());
  } catch (const std::exception&) {
    state.outbox.count_lost();
  }
  start_thread();
  state.publish();
  state.wake.ring();
}

// The mutex must be held. If there is no thread to be had, the next change tries again.
void Webhook::start_thread() noexcept {
  if (thread_.joinable()) return;
  const BlockedSignals blocked;
  try {
    thread_ = std::thread([state = state_] { state->run(); });
  } catch (const std::exception&) {
  }
}

void Webhook::finish(Instant give_up) {
  constexpr std::chrono::milliseconds kSlice{20};  // the clock may be another one than that of the wait
  State& state = *state_;
  std::unique_lock lock(state.mutex);
  if (std::exchange(state.is_ending, true)) return;
  state.end_by = give_up;
  try {
    state.outbox.begin_close(state.clock.now(), state.clock.wall_ns());
  } catch (const std::bad_alloc&) {
    // The receiver is not told that alerts have ended.
  }
  if (!state.outbox.is_done()) start_thread();
  state.wake.ring();
  while (thread_.joinable() && !state.has_ended && state.clock.now() < give_up + kUnwinding)
    state.ended.wait_for(lock, kSlice);
  if (thread_.joinable() && state.has_ended) {
    lock.unlock();
    thread_.join();
    lock.lock();
  }
  state.outbox.drop_rest();
  state.publish();
  state.pool = nullptr;
}

// ---- fork()

void Webhook::hold_for_fork(Instant give_up) noexcept {
  State& state = *state_;
  while (!(state.is_held_for_fork = state.mutex.try_lock())) {
    if (SystemClock::instance().now() >= give_up) return;
    pause_for(Span::micros(100));
  }
}

void Webhook::release_after_fork() noexcept {
  if (std::exchange(state_->is_held_for_fork, false)) state_->mutex.unlock();
}

void Webhook::abandon_after_fork() noexcept {
  state_->courier.close_in_child();
  state_->wake.close();
}

}  // namespace tide
