// The workload of the demonstration: a shop with 100 callers on one pool.
//
//   workload TARGET      creates tables in the empty database TARGET, and a pool named "shop" for it
//
// It reads words from standard input: "load" (the initial state), "quiet" (callers pause, the pool remains open), "stop".
// It also stops at the end of the input, so that it does not outlive its parent. At the end it prints a summary; the exit
// status is 0 only if every request was served.
#include <tidepool/tidepool.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <iostream>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

using std::chrono::milliseconds;

constexpr int kCallers = 100;
// Short times, so that the pool grows and shrinks within half a minute.
constexpr const char* kOptions =
    "max_size=10 min_size=2 acquire_timeout=20s scaling_interval=500ms scale_up_cooldown=1s scale_up_periods=1 "
    "scale_up_wait=5ms scale_down_cooldown=1s scale_down_periods=2 idle_timeout=2s burst_duration=5s";

// The SQL is valid for both SQLite and PostgreSQL.
// A kind of request: a statement, and the time for which the lease is held afterwards.
struct Errand {
  const char* tag;
  int32_t mode;
  int share;  // in percent
  int held_ms;
  const char* sql;
};
constexpr Errand kErrands[] = {
    {"search", TIDE_READ, 60, 8, "select name, price from item where price < $1 order by price desc limit 5"},
    {"checkout", TIDE_READ_WRITE, 30, 4,
     "insert into sale (item, at) select id, current_timestamp from item where id = $1"},
    {"report", TIDE_READ, 10, 40,
     "select item.name, count(*) from sale join item on item.id = sale.item where item.id > $1 group by 1 limit 10"},
};

// Whether the callers work, pause or stop.
class Shift {
 public:
  enum class State { load, quiet, stop };

  void set(State state) {
    const std::lock_guard lock(mutex_);
    state_ = state;
    changed_.notify_all();
  }
  // Waits while quiet. False: stop.
  bool goes_on() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return state_ != State::quiet; });
    return state_ == State::load;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  State state_ = State::load;
};

struct Tally {
  std::atomic<uint64_t> served = 0;
  std::atomic<uint64_t> failed = 0;
  std::mutex mutex;
  std::string first_error;

  void fail(const tide_error& err) {
    ++failed;
    const std::lock_guard lock(mutex);
    if (first_error.empty()) first_error = std::string(err.message) + " " + err.detail;
  }
};

const Errand& draw(std::mt19937& random) {
  int roll = static_cast<int>(random() % 100);
  for (const Errand& errand : kErrands) {
    if (roll < errand.share) return errand;
    roll -= errand.share;
  }
  return kErrands[0];
}

// One request: lease, query, hold, release. On failure returns false and fills `err`.
bool run(tide_pool* pool, const Errand& errand, const std::string& number, tide_error* err) {
  tide_acquire_options with = TIDE_ACQUIRE_OPTIONS_INIT;
  with.mode = errand.mode;
  with.tag = errand.tag;
  tide_lease lease{};
  if (tide_pool_acquire_with(pool, &with, &lease, err) != TIDE_OK) return false;
  const char* params[] = {number.c_str()};
  tide_result* rows = nullptr;
  const bool is_done = tide_lease_query(lease, errand.sql, 1, params, &rows, err) == TIDE_OK;
  tide_result_free(rows);
  if (is_done) std::this_thread::sleep_for(milliseconds(errand.held_ms));
  return tide_lease_release(lease, is_done ? err : nullptr) == TIDE_OK && is_done;
}

void visit(tide_pool* pool, unsigned seed, Shift& shift, Tally& tally) {
  std::mt19937 random(seed);
  while (shift.goes_on()) {
    tide_error err = TIDE_ERROR_INIT;
    if (run(pool, draw(random), std::to_string(1 + random() % 100), &err)) {
      ++tally.served;
    } else {
      tally.fail(err);
    }
    std::this_thread::sleep_for(milliseconds(20 + random() % 100));  // time between requests
  }
}

bool furnish(tide_pool* pool, tide_error* err) {
  return tide_pool_query(pool, "setup",
                         "create table item (id integer primary key, name text, price integer);"
                         "create table sale (item integer references item, at timestamp);"
                         "create index sale_item on sale (item);"
                         "with recursive n (i) as (select 1 union all select i + 1 from n where i < 100)"
                         " insert into item select i, 'shell ' || i, i * 3 from n",
                         0, nullptr, nullptr, err) == TIDE_OK;
}

void run_commands(Shift& shift) {
  for (std::string word; std::getline(std::cin, word);) {
    if (word == "load") shift.set(Shift::State::load);
    if (word == "quiet") shift.set(Shift::State::quiet);
    if (word == "stop") break;
  }
  shift.set(Shift::State::stop);
}

int complain(const char* doing, const tide_error& err) {
  std::cerr << doing << ": " << err.message << ' ' << err.detail << ' ' << err.hint << '\n';
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: workload TARGET\n";
    return 2;
  }
  tide_error err = TIDE_ERROR_INIT;
  tide_pool* pool = nullptr;
  if (tide_pool_open("shop", argv[1], kOptions, &pool, &err) != TIDE_OK) return complain("open", err);
  if (!furnish(pool, &err)) return complain("setup", err);

  Shift shift;
  Tally tally;
  std::vector<std::thread> callers;
  for (unsigned i = 0; i < kCallers; ++i) {
    callers.emplace_back([pool, i, &shift, &tally] { visit(pool, i, shift, tally); });
  }
  run_commands(shift);
  for (std::thread& caller : callers) caller.join();
  if (tide_pool_close(pool, -1, &err) != TIDE_OK) return complain("close", err);

  std::cout << tally.served << " requests served, " << tally.failed << " failed\n";
  if (tally.failed != 0) std::cout << "the first failure: " << tally.first_error << '\n';
  return tally.failed == 0 && tally.served > 0 ? 0 : 1;
}
