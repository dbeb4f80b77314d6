#include "service/listener.hpp"

#include <poll.h>
#include <pthread.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "os/descriptor.hpp"
#include "os/shortage.hpp"
#include "pool/blocked_signals.hpp"
#include "pool/keeper.hpp"

namespace tide {

// A subscription as its caller sees it.
class Listener::Subscriber {
 public:
  Subscriber(Listener::Side side, Listener::Call call) : side_(side), call_(std::move(call)) {}

  Listener::Side side() const { return side_; }
  void tell(SubscriptionId id, const ListenEvent& event) {
    {
      const std::lock_guard lock(mutex_);
      if (is_over_) return;
      caller_ = std::this_thread::get_id();
    }
    call_(id, event);
    const std::lock_guard lock(mutex_);
    caller_ = {};
    returned_.notify_all();
  }
  void end() {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  // After end(): until the last call has returned, unless it is this one.
  void wait() {
    std::unique_lock lock(mutex_);
    if (caller_ == std::this_thread::get_id()) return;
    returned_.wait(lock, [this] { return caller_ == std::thread::id(); });
  }

 private:
  const Listener::Side side_;
  const Listener::Call call_;
  std::mutex mutex_;
  std::condition_variable returned_;
  bool is_over_ = false;
  std::thread::id caller_;  // who is inside the call
};

struct Listener::State : std::enable_shared_from_this<State> {
  State(Pool& of, ListenerNeeds given) : pool(of), clock(of.clock()), needs(std::move(given)), policy(needs.policy) {}

  void run();
  bool step(std::vector<Listening::Delivery>& out, Instant& next);
  void deliver(Listening::Delivery delivery);
  void pass_to_program(const std::shared_ptr<Subscriber>& subscriber, Listening::Delivery delivery);
  bool is_full();
  void tell_held_back(bool is_held);
  void made_one();
  void wait(Instant next);
  void publish();
  void report(const ListeningFacts& before);
  Instant now() const { return clock.now(); }

  Pool& pool;  // only with the mutex, and not after is_given_up
  const Clock& clock;
  const ListenerNeeds needs;
  Bell wake{"cannot make a descriptor for listening"};

  std::mutex mutex;  // held during a step; guards what follows
  Policy policy;
  std::optional<Listening> listening;  // from the first subscription on
  std::map<SubscriptionId, std::shared_ptr<Subscriber>> subscribers;
  uint64_t conn_id = 0;
  bool is_ending = false;
  bool is_given_up = false;  // by finish()
  bool is_held_for_fork = false;
  bool has_ended = false;
  std::condition_variable ended;

  std::mutex outstanding_mutex;
  size_t outstanding = 0;  // calls of the program that are not made yet
  bool is_held_back = false;
};

// ---- the thread

void Listener::State::run() {
  pthread_setname_np(pthread_self(), "tidepool-listen");
  std::vector<Listening::Delivery> told;
  for (;;) {
    Instant next = now();
    if (!is_full() && !step(told, next)) break;
    for (Listening::Delivery& delivery : std::exchange(told, {})) deliver(std::move(delivery));
    wait(next);
  }
  const std::lock_guard lock(mutex);
  listening.reset();  // closes the connection
  if (!is_given_up) publish();
  has_ended = true;
  ended.notify_all();
}

// False: the listener is ending.
bool Listener::State::step(std::vector<Listening::Delivery>& out, Instant& next) {
  constexpr Span kPause = Span::millis(100);
  const std::lock_guard lock(mutex);
  if (is_ending) return false;
  wake.clear();
  const ListeningFacts before = listening->facts();
  try {
    next = listening->step(now(), out);
    report(before);
  } catch (const std::exception&) {  // no memory, or no descriptor
    listening->break_off();
    next = now() + kPause;
  }
  publish();
  return true;
}

void Listener::State::deliver(Listening::Delivery delivery) {
  std::shared_ptr<Subscriber> subscriber;
  {
    const std::lock_guard lock(mutex);
    const auto found = subscribers.find(delivery.to);
    if (found == subscribers.end()) return;
    subscriber = found->second;
  }
  if (subscriber->side() == Side::program && needs.call_program)
    return pass_to_program(subscriber, std::move(delivery));
  subscriber->tell(delivery.to, delivery.event);
}

void Listener::State::pass_to_program(const std::shared_ptr<Subscriber>& subscriber, Listening::Delivery delivery) {
  constexpr Span kPause = Span::millis(50);
  {
    const std::lock_guard lock(outstanding_mutex);
    ++outstanding;
  }
  for (std::shared_ptr<Listening::Delivery> told;;) {
    try {
      if (told == nullptr) told = std::make_shared<Listening::Delivery>(std::move(delivery));
      return needs.call_program([self = shared_from_this(), subscriber, told] {
        subscriber->tell(told->to, told->event);
        self->made_one();
      });
    } catch (const std::bad_alloc&) {
      pause_for(kPause);  // no notification is dropped
    }
  }
}

bool Listener::State::is_full() {
  bool was_held = false;
  bool is_held = false;
  {
    const std::lock_guard lock(outstanding_mutex);
    was_held = is_held_back;
    is_held = is_held_back = was_held ? outstanding > kOutstandingMax / 2 : outstanding >= kOutstandingMax;
  }
  if (was_held != is_held) tell_held_back(is_held);
  if (!is_held) return false;
  const std::lock_guard lock(mutex);
  return !is_ending;
}

// While nothing is read because of the program, the service does not hear anything either.
void Listener::State::tell_held_back(bool is_held) {
  std::vector<Listening::Delivery> told;
  {
    const std::lock_guard lock(mutex);
    for (const auto& [id, subscriber] : subscribers) {
      if (subscriber->side() != Side::ours || !listening->is_heard(id)) continue;
      told.push_back({id, {is_held ? ListenEvent::Kind::lost : ListenEvent::Kind::gap, listening->channel(id)}});
      if (is_held) told.back().event.text = "the program's callbacks do not keep up with the notifications";
    }
  }
  for (Listening::Delivery& delivery : told) deliver(std::move(delivery));
}

void Listener::State::made_one() {
  const std::lock_guard lock(outstanding_mutex);
  --outstanding;
  if (is_held_back && outstanding <= kOutstandingMax / 2) wake.ring();
}

void Listener::State::wait(Instant next) {
  constexpr Span kLongest = Span::seconds(3600);
  bool is_held = false;
  {
    const std::lock_guard lock(outstanding_mutex);
    is_held = is_held_back;
  }
  const Span span = is_held ? kLongest : std::clamp(next - now(), Span{}, kLongest);
  pollfd fds[] = {{wake.fd(), POLLIN, 0}, {listening->port().fd(), POLLIN, 0}};
  poll(fds, is_held ? 1 : 2, static_cast<int>(span.ms_up()));
  if (is_held) wake.clear();
}

// ---- what is shown

void Listener::State::report(const ListeningFacts& before) {
  const ListeningFacts& facts = listening->facts();
  Keeper& keeper = pool.keeper();
  const bool is_connecting = facts.state == ListenerState::connecting;
  if (is_connecting && before.state != ListenerState::connecting) conn_id = keeper.take_conn_id();
  if (facts.connects_total != before.connects_total) {
    keeper.note_later(EventKind::listen_ready, Severity::info,
                      facts.gaps_total != before.gaps_total
                          ? "listening for notifications again; those sent since the connection was lost are missing"
                          : "listening for notifications");
  }
  // Once for each outage: repeated failures change only last_error.
  if (before.failures == 0 && facts.failures != 0) {
    const char* const what = before.state == ListenerState::listening ? " was lost: " : " could not be opened: ";
    keeper.note_later(EventKind::listen_lost, Severity::warning,
                      "the connection that listens for notifications" + (what + facts.last_error));
  }
}

void Listener::State::publish() {
  const ListeningFacts none;
  const ListeningFacts& facts = listening ? listening->facts() : none;
  format::ListenerVitals& vitals = pool.segment().listener();
  const SeqWrite write(vitals.seq);
  put(vitals.state, static_cast<uint64_t>(facts.state));
  put(vitals.conn_id, facts.state == ListenerState::off ? 0 : conn_id);
  put(vitals.born_mono, static_cast<uint64_t>(facts.born.ns()));
  put(vitals.since_mono, static_cast<uint64_t>(facts.since.ns()));
  put(vitals.channels, facts.channels);
  put(vitals.server_pid, static_cast<uint64_t>(std::max(facts.server_pid, 0)));
  if (!listening) return;
  put(vitals.notifications_total, facts.notifications_total);
  put(vitals.gaps_total, facts.gaps_total);
  put(vitals.connects_total, facts.connects_total);
  vitals.last_error.assign_shortened(facts.last_error);
}

// ---- the calls

Listener::Listener(Pool& pool, ListenerNeeds needs) : state_(std::make_shared<State>(pool, std::move(needs))) {}

Listener::~Listener() {
  if (thread_.joinable()) thread_.detach();  // finish() has given up
}

Status Listener::check(std::string_view channel) const {
  if (!state_->needs.make_port) {
    return Status::error(Code::unsupported, "this database has no notifications between sessions",
                         "LISTEN and NOTIFY are features of PostgreSQL.",
                         "Use a pool on PostgreSQL, or poll a table for changes.");
  }
  if (Status checked = check_channel(channel); !checked) return checked;
  const std::lock_guard lock(state_->mutex);
  const uint64_t found = read(state_->pool.segment().vitals().pooler);
  const bool is_shared =
      state_->policy.pooler == Pooler::transaction || found == static_cast<uint64_t>(Pooler::transaction);
  return is_shared ? listening_needs_direct_connection() : Status::ok();
}

Result<SubscriptionId> Listener::subscribe(std::string_view channel, Side side, Call call) {
  if (Status checked = check(channel); !checked) return checked;
  auto subscriber = std::make_shared<Subscriber>(side, std::move(call));
  const std::lock_guard lock(state_->mutex);
  if (state_->is_ending) return Status::error(Code::closed, "the pool is closing, no further subscription is accepted");
  if (state_->subscribers.size() == kSubscriptionsMax) {
    return Status::error(Code::refused, "the pool has too many subscriptions",
                         "accepted: up to " + std::to_string(kSubscriptionsMax));
  }
  if (!state_->listening) {
    state_->listening.emplace(state_->needs.make_port(state_->policy), state_->policy, state_->needs.seed);
  }
  if (Status started = start_thread(); !started) return started;
  const SubscriptionId id = state_->listening->subscribe(std::string(channel));
  try {
    state_->subscribers.emplace(id, std::move(subscriber));
  } catch (...) {
    state_->listening->unsubscribe(id);
    throw;
  }
  state_->wake.ring();
  return id;
}

Status Listener::unsubscribe(SubscriptionId id) {
  std::shared_ptr<Subscriber> subscriber;
  {
    const std::lock_guard lock(state_->mutex);
    const auto found = state_->subscribers.find(id);
    if (found == state_->subscribers.end()) {
      return Status::error(Code::not_found, "the subscription has already ended",
                           "It was ended before, or was never issued by its pool.");
    }
    subscriber = std::move(found->second);
    state_->subscribers.erase(found);
    if (state_->listening) state_->listening->unsubscribe(id);
    subscriber->end();
    state_->wake.ring();
  }
  subscriber->wait();
  return Status::ok();
}

void Listener::set_policy(const Policy& policy) {
  const std::lock_guard lock(state_->mutex);
  state_->policy = policy;
  if (state_->listening) state_->listening->set_policy(policy);
}

// The mutex must be held.
Status Listener::start_thread() {
  if (thread_.joinable()) return Status::ok();
  const BlockedSignals blocked;
  try {
    thread_ = std::thread([state = state_] { state->run(); });
  } catch (const std::system_error& problem) {
    return shortage_status("cannot start the thread that listens for notifications", problem.code().value());
  }
  return Status::ok();
}

bool Listener::finish(Instant give_up) {
  constexpr std::chrono::milliseconds kSlice{20};  // the clock may be another one than that of the wait
  State& state = *state_;
  std::unique_lock lock(state.mutex);
  state.is_ending = true;
  for (const auto& [id, subscriber] : std::exchange(state.subscribers, {})) subscriber->end();
  if (!thread_.joinable()) return true;
  state.wake.ring();
  while (!state.has_ended) {
    if (state.now() >= give_up) {
      state.is_given_up = true;
      return false;
    }
    state.ended.wait_for(lock, kSlice);
  }
  lock.unlock();
  thread_.join();
  return true;
}

// ---- fork()

void Listener::hold_for_fork(Instant give_up) noexcept {
  State& state = *state_;
  while (!(state.is_held_for_fork = state.mutex.try_lock())) {
    if (SystemClock::instance().now() >= give_up) return;
    pause_for(Span::micros(100));
  }
  if (state.listening)
    (void)state.listening->port().hold_for_fork(std::max(Span{}, give_up - SystemClock::instance().now()));
}

void Listener::release_after_fork() noexcept {
  State& state = *state_;
  if (!std::exchange(state.is_held_for_fork, false)) return;
  if (state.listening) state.listening->port().release_after_fork();
  state.mutex.unlock();
}

// The descriptors of a thread that could not be held are left open, as those of a keeper are.
void Listener::abandon_after_fork() noexcept {
  State& state = *state_;
  if (state.is_held_for_fork && state.listening) state.listening->port().abandon();
  state.wake.close();
}

}  // namespace tide
