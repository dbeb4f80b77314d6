// PoolModel: a pool in front of a database in virtual time, event by event, sized by whatever is to be judged.
//
// First come, first served. Opening takes connect_s, max_connecting at once. A target below what is there closes idle
// connections at once and busy ones when they are given back, also while callers wait. Who waited acquire_timeout gives
// up. Between events nothing happens; at the same instant a tick comes first, then what ends, then what is open.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <queue>
#include <vector>

#include "brain/sizing/observation.hpp"
#include "replay/requests.hpp"
#include "replay/server.hpp"

namespace replay {

// Who decides the size.
class Sizing {
 public:
  virtual ~Sizing() = default;
  virtual int64_t begin() = 0;
  virtual double period_s() const { return 1; }
  virtual double first_tick_s() const { return period_s(); }
  virtual int64_t tick(const tide::brain::Observation& seen) = 0;
  struct Queue {
    double now_s;
    int64_t waiting, in_use, open, connecting, target;
  };
  virtual int64_t demand(const Queue& queue) { return queue.target; }
};

struct Outcome {
  uint64_t requests = 0;
  double length_s = 0;
  double slow_share = 0;     // waited longer than the objective, or gave up
  double timeout_share = 0;  // gave up
  double wait_p99_s = 0;
  double open_avg = 0;
  double in_use_avg = 0;
  int64_t open_max = 0;
  double resizes_per_h = 0;
  double opens_per_h = 0;
  double above_knee_share = 0;  // of the time
};

// How many requests found so many others in use or waiting, each second: what an oracle is made of.
using Found = std::vector<std::vector<uint32_t>>;

class PoolModel {
 public:
  PoolModel(Requests& requests, Sizing& sizing, const Server& server);
  Outcome run(Found* found = nullptr);

 private:
  struct Waiter {
    double since_s, work_s;
    bool operator==(const Waiter&) const = default;
  };
  struct Running {
    double until_s, hold_s;
    bool operator>(const Running& other) const { return until_s > other.until_s; }
  };
  void advance(double to_s);
  void expire();
  void tick();
  void finish();
  void opened();
  void arrive();
  void begin_request(const Waiter& waiter);
  void serve_next();
  void ask();
  void retarget(int64_t size);
  void open_more();
  void count_wait(double wait_s);
  Outcome outcome() const;

  Requests& requests_;
  Sizing& sizing_;
  Server server_;
  std::array<std::vector<double>, 2> slowdown_;
  Request upcoming_{};
  bool has_upcoming_ = false;
  double now_s_ = 0;
  double next_tick_s_ = 0;
  double last_tick_s_ = 0;
  int64_t target_ = 0, idle_ = 0, in_use_ = 0, total_ = 0;
  std::deque<double> connecting_;  // when each is open
  std::priority_queue<Running, std::vector<Running>, std::greater<>> running_;
  std::deque<Waiter> waiting_;
  tide::brain::Observation seen_;        // of the tick that runs
  double in_use_s_ = 0, waiting_s_ = 0;  // integrals since the last tick
  Found* found_ = nullptr;
  std::vector<uint32_t> found_now_;
  // totals
  double open_total_s_ = 0, in_use_total_s_ = 0, above_knee_s_ = 0;
  uint64_t resizes_ = 0, opens_ = 0, timeouts_ = 0, slow_ = 0, served_ = 0;
  int64_t open_max_ = 0;
  std::vector<uint64_t> waits_;  // by tenths of milliseconds
};

}  // namespace replay
