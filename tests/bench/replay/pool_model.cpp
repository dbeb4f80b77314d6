#include "replay/pool_model.hpp"

#include <algorithm>
#include <limits>

namespace replay {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr double kWaitUnit_s = 1e-4;

}  // namespace

PoolModel::PoolModel(Requests& requests, Sizing& sizing, const Server& server)
    : requests_(requests), sizing_(sizing), server_(server) {
  for (const bool is_incident : {false, true}) {
    std::vector<double>& factors = slowdown_[is_incident];
    factors.push_back(1);
    for (int64_t n = 1; n <= server.max_size + 1; ++n) factors.push_back(server.slowdown(n, is_incident));
  }
  waits_.resize(static_cast<size_t>(server.acquire_timeout_s / kWaitUnit_s) + 2);
}

Outcome PoolModel::run(Found* found) {
  found_ = found;
  found_now_.assign(static_cast<size_t>(server_.max_size) + 1, 0);
  requests_.rewind();
  has_upcoming_ = requests_.next(upcoming_);
  target_ = idle_ = total_ = open_max_ = std::clamp(sizing_.begin(), server_.min_size, server_.max_size);
  next_tick_s_ = sizing_.first_tick_s();
  while (has_upcoming_ || !running_.empty() || !waiting_.empty()) {
    const double arrival_s = has_upcoming_ ? upcoming_.at_s : kNever;
    const double finish_s = running_.empty() ? kNever : running_.top().until_s;
    const double open_s = connecting_.empty() ? kNever : connecting_.front();
    const double at_s = std::min({arrival_s, finish_s, open_s, next_tick_s_});
    advance(at_s);
    expire();
    if (at_s == next_tick_s_) {
      tick();
      if (now_s_ > requests_.length_s() && waiting_.empty()) break;
    } else if (at_s == finish_s) {
      finish();
    } else if (at_s == open_s) {
      opened();
    } else {
      arrive();
    }
  }
  return outcome();
}

void PoolModel::advance(double to_s) {
  const double dt_s = to_s - now_s_;
  open_total_s_ += static_cast<double>(total_) * dt_s;
  in_use_total_s_ += static_cast<double>(in_use_) * dt_s;
  in_use_s_ += static_cast<double>(in_use_) * dt_s;
  waiting_s_ += static_cast<double>(waiting_.size()) * dt_s;
  if (static_cast<double>(in_use_) > server_.knee) above_knee_s_ += dt_s;
  now_s_ = to_s;
}

void PoolModel::count_wait(double wait_s) {
  ++served_;
  if (wait_s <= 0) {
    ++waits_[0];
    return;
  }
  seen_.wait_s += wait_s;
  if (wait_s > server_.objective_s) {
    ++slow_;
    seen_.slow += 1;
  }
  ++waits_[std::min(static_cast<size_t>(wait_s / kWaitUnit_s), waits_.size() - 1)];
}

void PoolModel::expire() {
  while (!waiting_.empty() && now_s_ - waiting_.front().since_s >= server_.acquire_timeout_s) {
    waiting_.pop_front();
    ++timeouts_;
    seen_.timeouts += 1;
    count_wait(server_.acquire_timeout_s);
  }
}

void PoolModel::begin_request(const Waiter& waiter) {
  ++in_use_;
  const bool is_incident = server_.incident.from_s <= now_s_ && now_s_ < server_.incident.to_s;
  const double hold_s = waiter.work_s * slowdown_[is_incident][static_cast<size_t>(in_use_)];
  running_.push({now_s_ + hold_s, hold_s});
  count_wait(now_s_ - waiter.since_s);
}

void PoolModel::serve_next() {
  const Waiter next = waiting_.front();
  waiting_.pop_front();
  begin_request(next);
}

void PoolModel::tick() {
  seen_.now_s = now_s_;
  seen_.dt_s = now_s_ - last_tick_s_;
  seen_.in_use_avg = in_use_s_ / seen_.dt_s;
  seen_.demand_avg = (in_use_s_ + waiting_s_) / seen_.dt_s;
  seen_.waiting = static_cast<double>(waiting_.size());
  seen_.open = static_cast<double>(total_);
  seen_.connecting = static_cast<double>(connecting_.size());
  seen_.idle = static_cast<double>(idle_);
  seen_.target = static_cast<double>(target_);
  const tide::brain::Observation seen = seen_;
  seen_ = {};
  seen_.in_use_max = static_cast<double>(in_use_);
  seen_.demand_max = static_cast<double>(in_use_) + static_cast<double>(waiting_.size());
  in_use_s_ = waiting_s_ = 0;
  last_tick_s_ = now_s_;
  next_tick_s_ += sizing_.period_s();
  if (found_ != nullptr) {
    found_->push_back(found_now_);
    std::fill(found_now_.begin(), found_now_.end(), 0);
  }
  if (now_s_ > requests_.length_s() && waiting_.empty()) return;
  retarget(sizing_.tick(seen));
}

void PoolModel::finish() {
  seen_.hold_s += running_.top().hold_s;
  seen_.completions += 1;
  running_.pop();
  --in_use_;
  if (total_ > target_) {
    --total_;
  } else if (!waiting_.empty()) {
    serve_next();
  } else {
    ++idle_;
  }
}

void PoolModel::opened() {
  connecting_.pop_front();
  if (!waiting_.empty()) {
    serve_next();
    seen_.in_use_max = std::max(seen_.in_use_max, static_cast<double>(in_use_));
    if (!waiting_.empty()) ask();
  } else if (total_ > target_) {
    --total_;
  } else {
    ++idle_;
  }
  open_more();
}

void PoolModel::arrive() {
  const Waiter caller{upcoming_.at_s, upcoming_.work_s};
  has_upcoming_ = requests_.next(upcoming_);
  seen_.arrivals += 1;
  if (found_ != nullptr) {
    const size_t others = static_cast<size_t>(in_use_) + waiting_.size();
    ++found_now_[std::min(others, found_now_.size() - 1)];
  }
  if (idle_ > 0) {
    --idle_;
    begin_request(caller);
    seen_.in_use_max = std::max(seen_.in_use_max, static_cast<double>(in_use_));
    seen_.demand_max = std::max(seen_.demand_max, static_cast<double>(in_use_));
    return;
  }
  waiting_.push_back(caller);
  seen_.demand_max = std::max(seen_.demand_max, static_cast<double>(in_use_) + static_cast<double>(waiting_.size()));
  ask();
}

void PoolModel::ask() {
  const int64_t raised = sizing_.demand({now_s_, static_cast<int64_t>(waiting_.size()), in_use_, total_,
                                         static_cast<int64_t>(connecting_.size()), target_});
  if (raised > target_) retarget(raised);
}

void PoolModel::retarget(int64_t size) {
  size = std::clamp(size, server_.min_size, server_.max_size);
  if (size != target_) ++resizes_;
  target_ = size;
  open_more();
  while (total_ > target_ && idle_ > 0) {
    --idle_;
    --total_;
  }
}

void PoolModel::open_more() {
  while (total_ < target_ && static_cast<int64_t>(connecting_.size()) < server_.max_connecting) {
    connecting_.push_back(now_s_ + server_.connect_s);
    ++total_;
    ++opens_;
  }
  open_max_ = std::max(open_max_, total_);
}

Outcome PoolModel::outcome() const {
  Outcome out;
  if (served_ == 0 || now_s_ <= 0) return out;
  const double served = static_cast<double>(served_);
  out.requests = served_;
  out.length_s = now_s_;
  out.slow_share = static_cast<double>(slow_) / served;
  out.timeout_share = static_cast<double>(timeouts_) / served;
  uint64_t below = 0;
  size_t unit = 0;
  while (static_cast<double>(below += waits_[unit]) <= 0.99 * served && unit + 1 < waits_.size()) ++unit;
  out.wait_p99_s = static_cast<double>(unit) * kWaitUnit_s;
  out.open_avg = open_total_s_ / now_s_;
  out.in_use_avg = in_use_total_s_ / now_s_;
  out.open_max = open_max_;
  out.resizes_per_h = static_cast<double>(resizes_) / now_s_ * 3600;
  out.opens_per_h = static_cast<double>(opens_) / now_s_ * 3600;
  out.above_knee_share = above_knee_s_ / now_s_;
  return out;
}

}  // namespace replay
