#include "driver/fake/server.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/assert.hpp"

namespace tide::fake {

Span Latency::draw(Rng& rng) const {
  if (mean_more.is_zero()) return least;
  const double exponential = std::min(-std::log(1.0 - rng.unit()), 10.0);
  return least + mean_more.scaled(exponential);
}

void FakeServer::set_latencies(const Latencies& latencies) {
  const std::lock_guard lock(mutex_);
  latencies_ = latencies;
}

void FakeServer::set_time_passes(TimePasses time_passes) {
  const std::lock_guard lock(mutex_);
  time_passes_ = std::move(time_passes);
}

void FakeServer::set_handler(Handler handler) {
  const std::lock_guard lock(mutex_);
  handler_ = std::move(handler);
}

void FakeServer::set_faults(Faults faults) {
  const std::lock_guard lock(mutex_);
  faults_ = std::move(faults);
}

void FakeServer::set_sessions_max(uint32_t sessions_max) {
  const std::lock_guard lock(mutex_);
  sessions_max_ = sessions_max;
}

void FakeServer::set_statements(const StatementCounts& statements) {
  const std::lock_guard lock(mutex_);
  statements_ = statements;
}

void FakeServer::set_load(ServerLoad load) {
  const std::lock_guard lock(mutex_);
  load_ = load;
}

void FakeServer::script_opens(uint32_t count, OpenFate fate) {
  const std::lock_guard lock(mutex_);
  if (count > 0) script_.emplace_back(count, fate);
}

void FakeServer::forget_script() {
  const std::lock_guard lock(mutex_);
  script_.clear();
}

void FakeServer::set_refusing(bool is_refusing, std::string_view sqlstate) {
  const std::lock_guard lock(mutex_);
  refusing_with_ = is_refusing ? sqlstate : "";
}

void FakeServer::set_silent(bool is_silent) {
  const std::lock_guard lock(mutex_);
  is_silent_ = is_silent;
  if (!is_silent) return;
  for (auto& [pid, session] : sessions_) session->is_half_open = true;
}

void FakeServer::set_foreign_sessions(uint32_t n) {
  const std::lock_guard lock(mutex_);
  foreign_sessions_ = n;
}

void FakeServer::hold_closes_until(Instant until) {
  const std::lock_guard lock(mutex_);
  closes_held_until_ = until;
}

void FakeServer::go_down() {
  const std::lock_guard lock(mutex_);
  is_down_ = true;
  for (auto& [pid, session] : sessions_) kill_session(*session);
}

void FakeServer::come_up() {
  const std::lock_guard lock(mutex_);
  is_down_ = false;
}

void FakeServer::schedule_down(Instant at) {
  const std::lock_guard lock(mutex_);
  schedule({at, false});
}

void FakeServer::schedule_up(Instant at) {
  const std::lock_guard lock(mutex_);
  schedule({at, true});
}

void FakeServer::schedule(Event event) {
  const auto after = std::find_if(events_.begin(), events_.end(), [&](const Event& e) { return e.at > event.at; });
  events_.insert(after, event);
}

void FakeServer::make_half_open(int32_t pid) {
  const std::lock_guard lock(mutex_);
  if (const auto found = sessions_.find(pid); found != sessions_.end()) found->second->is_half_open = true;
}

void FakeServer::make_all_half_open() {
  const std::lock_guard lock(mutex_);
  for (auto& [pid, session] : sessions_) session->is_half_open = true;
}

bool FakeServer::kill(int32_t pid) {
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(pid);
  if (found == sessions_.end() || !found->second->is_alive) return false;
  kill_session(*found->second);
  return true;
}

uint32_t FakeServer::kill_all() { return kill_some(1.0); }

uint32_t FakeServer::kill_some(double share) {
  const std::lock_guard lock(mutex_);
  uint32_t killed = 0;
  for (auto& [pid, session] : sessions_) {
    if (!session->is_alive || (share < 1.0 && !rng_.chance(share))) continue;
    kill_session(*session);
    ++killed;
  }
  return killed;
}

void FakeServer::restart() {
  const std::lock_guard lock(mutex_);
  for (auto& [pid, session] : sessions_) kill_session(*session);
  decide_locked(false);
  ++incarnation_;
}

bool FakeServer::decide(bool is_committed) {
  const std::lock_guard lock(mutex_);
  return decide_locked(is_committed);
}

void FakeServer::set_may_end_others(bool may_end) {
  const std::lock_guard lock(mutex_);
  may_end_others_ = may_end;
}

void FakeServer::clock_moved() {
  const std::lock_guard lock(mutex_);
  changed_.notify_all();
}

uint32_t FakeServer::sessions_now() const {
  const std::lock_guard lock(mutex_);
  return sessions_now_;
}

uint32_t FakeServer::sessions_peak() const {
  const std::lock_guard lock(mutex_);
  return sessions_peak_;
}

uint64_t FakeServer::opens_total() const {
  const std::lock_guard lock(mutex_);
  return opens_total_;
}

uint64_t FakeServer::queries_total() const {
  const std::lock_guard lock(mutex_);
  return queries_total_;
}

StoreValues FakeServer::store() const {
  const std::lock_guard lock(mutex_);
  return store_.values();
}

std::vector<int32_t> FakeServer::pids() const {
  const std::lock_guard lock(mutex_);
  std::vector<int32_t> pids;
  for (const auto& [pid, session] : sessions_) {
    if (session->is_alive) pids.push_back(pid);
  }
  return pids;
}

// ---- with the mutex held --------------------------------------------------------------------------------------------

void FakeServer::advance(Instant now) {
  while (!events_.empty() && events_.front().at <= now) {
    is_down_ = !events_.front().is_up;
    events_.pop_front();
    if (!is_down_) continue;
    for (auto& [pid, session] : sessions_) kill_session(*session);
  }
}

void FakeServer::kill_session(Session& session) {
  if (!session.is_alive) return;
  session.is_alive = false;
  abort_transaction(session);
  drop_session(session);
  changed_.notify_all();
}

void FakeServer::abort_transaction(Session& session) {
  if (session.transaction) store_.abort(*session.transaction);
  session.transaction.reset();
}

bool FakeServer::decide_locked(bool is_committed) {
  const bool was_any = !undecided_.empty();
  for (StoreTransaction& transaction : undecided_) {
    if (is_committed)
      (void)store_.commit(transaction);
    else
      store_.abort(transaction);
  }
  undecided_.clear();
  return was_any;
}

void FakeServer::drop_session(Session& session) {
  if (!session.is_counted) return;
  session.is_counted = false;
  TIDE_ASSERT(sessions_now_ > 0);
  --sessions_now_;
}

ServerLoad FakeServer::load() const {
  if (load_) return *load_;
  return {int64_t{sessions_now_} + foreign_sessions_, sessions_max_ != 0 ? int64_t{sessions_max_} : -1};
}

OpenFate FakeServer::next_fate() {
  if (script_.empty()) return OpenFate::succeed;
  const OpenFate fate = script_.front().second;
  if (--script_.front().first == 0) script_.pop_front();
  return fate;
}

std::shared_ptr<FakeServer::Session> FakeServer::start_session(uint32_t slot, bool is_let_in) {
  auto session = std::make_shared<Session>();
  session->pid = ++last_pid_;
  session->slot = slot;
  sessions_.emplace(session->pid, session);
  session->is_counted = is_let_in;
  if (is_let_in) sessions_peak_ = std::max(sessions_peak_, ++sessions_now_);
  return session;
}

}  // namespace tide::fake
