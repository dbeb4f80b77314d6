// A hundred threads on a pool of ten SQLite connections: the guarantees of the pool, checked by the threads themselves.
//
//   storm FOLDER SECONDS    prints one JSON object with the measurements; exit 1 if a guarantee was violated
//
// Overtaking. A request A must not be overtaken once it has waited for the fairness window. The program reads the clock
// before it requests a lease (t_asked) and after it has the lease (t_got); the pool reports the age of the lease, which
// dates the decision to within a millisecond. B overtook A when it
//   - asked later than A,
//   - had its lease before A's could have been decided, and
//   - was decided when A had waited for more than the window.
// A thread may be descheduled between reading the clock and the request, so that A asked later than it measured. The
// thread cannot measure how long that lasts: `raw` counts with the program's clock alone, `overtaken` allows for
// `slack_ms`, the longest time that a thread of this run lost between two readings of the clock.
#include <tidepool/tidepool.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "os/clock.hpp"

namespace {

constexpr int kThreads = 100;
constexpr int kConnections = 10;
constexpr int kWritesEvery = 10;            // one of this many queries is a write
constexpr int64_t kWindowNs = 1'000'000;    // the pool's default fairness_window
constexpr int64_t kAgeErrorNs = 1'000'000;  // ages are reported in whole milliseconds
constexpr size_t kRecordsMax = 40'000;      // per thread; later ones are counted but not compared

int64_t now_ns() { return tide::SystemClock::instance().now().ns(); }

struct Record {
  int64_t asked, decided_first, decided_last, got;
};

struct Worker {
  std::vector<Record> records;
  uint64_t served = 0, queries = 0, released = 0, errors = 0;
  int64_t lost_ns_max = 0;
  std::string first_error;

  void fail(const char* what, const tide_error& err) {
    if (errors++ == 0) first_error = std::string(what) + ": " + err.message + " " + err.detail;
  }
};

struct Storm {
  tide_pool* pool = nullptr;
  std::atomic<bool> is_over{false};
  std::atomic<int> in_hand{0};
  std::atomic<int> in_hand_max{0};
  std::vector<Worker> workers{kThreads};

  void lease_once(int number, const std::string& tag, Worker& w) {
    tide_error err = TIDE_ERROR_INIT;
    tide_lease lease;
    Record record{};
    record.asked = now_ns();
    // The time between two consecutive readings shows how long the scheduler interrupts the thread.
    w.lost_ns_max = std::max(w.lost_ns_max, now_ns() - record.asked);
    if (tide_pool_acquire(pool, tag.c_str(), -1, &lease, &err) != TIDE_OK) return w.fail("acquire", err);
    record.got = now_ns();
    ++w.served;
    const int held = in_hand.fetch_add(1) + 1;
    for (int most = in_hand_max.load(); held > most && !in_hand_max.compare_exchange_weak(most, held);) {
    }
    tide_lease_stats stats = TIDE_LEASE_STATS_INIT;
    if (tide_lease_get_stats(lease, &stats, &err) != TIDE_OK) w.fail("stats", err);
    const int64_t age_ns = stats.age_ms * 1'000'000;
    record.decided_first = record.got - age_ns - kAgeErrorNs;
    record.decided_last = std::min(record.got, now_ns() - age_ns);
    if (w.records.size() < kRecordsMax) w.records.push_back(record);

    const std::string id = std::to_string(number + 1);
    const char* params[] = {id.c_str()};
    const bool is_write = w.served % kWritesEvery == 0;
    tide_result* result = nullptr;
    const char* sql = is_write ? "UPDATE t SET n = n + 1 WHERE id = ?1" : "SELECT n FROM t WHERE id = ?1";
    ++w.queries;
    if (tide_lease_query(lease, sql, 1, params, &result, &err) != TIDE_OK) w.fail("query", err);
    if (!is_write && tide_result_rows(result) != 1) w.fail("a read found no row", err);
    tide_result_free(result);
    in_hand.fetch_sub(1);
    if (tide_lease_release(lease, &err) != TIDE_OK) return w.fail("release", err);
    ++w.released;
  }
};

struct Overtaking {
  uint64_t waited = 0;              // leases that waited for longer than the window
  uint64_t raw = 0, overtaken = 0;  // of those, the ones that a later request overtook
};

Overtaking count_overtaking(const Storm& storm, int64_t slack_ns) {
  std::vector<Record> all;
  for (const Worker& w : storm.workers) all.insert(all.end(), w.records.begin(), w.records.end());
  std::sort(all.begin(), all.end(), [](const Record& a, const Record& b) { return a.got < b.got; });
  Overtaking out;
  for (const Record& a : all) {
    if (a.got - a.asked <= kWindowNs) continue;
    ++out.waited;
    const int64_t due = a.asked + kWindowNs;
    auto b = std::lower_bound(all.begin(), all.end(), due, [](const Record& r, int64_t t) { return r.got < t; });
    bool is_raw = false, is_overtaken = false;
    for (; b != all.end() && b->got < a.decided_first && !is_overtaken; ++b) {
      is_raw = is_raw || (b->asked > a.asked && b->decided_first > due);
      is_overtaken = b->asked > a.asked + slack_ns && b->decided_first > due + slack_ns;
    }
    out.raw += is_raw ? 1 : 0;
    out.overtaken += is_overtaken ? 1 : 0;
  }
  return out;
}

bool prepare(const std::string& folder, Storm& storm) {
  tide_error err = TIDE_ERROR_INIT;
  const std::string url = "sqlite://" + folder + "/storm.db";
  const std::string options = "min_size=2 max_size=10 burst=off acquire_timeout=60s notify_log=off";
  const char* const setup[] = {"CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, n INT)",
                               "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 100) "
                               "INSERT OR IGNORE INTO t SELECT x, 0 FROM c"};
  bool is_good = tide_pool_open("storm", url.c_str(), options.c_str(), &storm.pool, &err) == TIDE_OK;
  for (const char* sql : setup) {
    is_good = is_good && tide_pool_query(storm.pool, "setup", sql, 0, nullptr, nullptr, &err) == TIDE_OK;
  }
  if (!is_good) std::fprintf(stderr, "cannot begin: %s %s\n", err.message, err.detail);
  return is_good;
}

// Column `name` of the only row of `relation`, as a number.
int64_t published(const char* relation, const char* name) {
  tide_filter filter = TIDE_FILTER_INIT;
  filter.pool = "storm";
  const tide_relation* r = nullptr;
  for (int i = 0; (r = tide_relation_at(i)) != nullptr && std::strcmp(r->name, relation) != 0; ++i) {
  }
  int column = 0;
  while (std::strcmp(r->columns[column].name, name) != 0) ++column;
  tide_cursor* cursor = nullptr;
  int64_t value = -1;
  if (tide_cursor_open(relation, &filter, &cursor, nullptr) == TIDE_OK && tide_cursor_next(cursor) != 0) {
    value = tide_cursor_int(cursor, column);
  }
  tide_cursor_close(cursor);
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "storm FOLDER SECONDS\n"), 2;
  Storm storm;
  if (!prepare(argv[1], storm)) return 1;
  std::puts("ready");
  std::fflush(stdout);

  const int64_t end = now_ns() + std::atoll(argv[2]) * 1'000'000'000;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&storm, i, end] {
      const std::string tag = "worker-" + std::to_string(i);
      Worker& w = storm.workers[static_cast<size_t>(i)];
      while (now_ns() < end) storm.lease_once(i, tag, w);
    });
  }
  for (std::thread& thread : threads) thread.join();

  uint64_t served = 2, queries = 2, released = 2, errors = 0, least = UINT64_MAX, most = 0;  // 2: the setup
  int64_t slack_ns = 0;
  for (const Worker& w : storm.workers) {
    served += w.served;
    queries += w.queries;
    released += w.released;
    errors += w.errors;
    least = std::min(least, w.served);
    most = std::max(most, w.served);
    slack_ns = std::max(slack_ns, w.lost_ns_max);
    if (w.errors != 0) std::fprintf(stderr, "%s\n", w.first_error.c_str());
  }
  const Overtaking overtaking = count_overtaking(storm, slack_ns);
  const int64_t published_acquires = published("pool_stats", "acquires_total");
  const int64_t published_releases = published("pool_stats", "releases_total");
  const int64_t published_queries = published("pool_stats", "queries_total");
  std::printf(
      "{\"errors\": %lu, \"served\": %lu, \"least\": %lu, \"most\": %lu, \"in_hand_max\": %d, \"waited\": %lu, "
      "\"raw\": %lu, \"overtaken\": %lu, \"slack_ms\": %.3f, \"acquires\": [%lu, %ld], \"releases\": [%lu, %ld], "
      "\"queries\": [%lu, %ld], \"peak\": %ld}\n",
      errors, served, least, most, storm.in_hand_max.load(), overtaking.waited, overtaking.raw, overtaking.overtaken,
      static_cast<double>(slack_ns) / 1e6, served, published_acquires, released, published_releases, queries,
      published_queries, published("pool_stats", "size_peak"));
  tide_error err = TIDE_ERROR_INIT;
  const bool is_closed = tide_pool_close(storm.pool, -1, &err) == TIDE_OK;
  if (!is_closed) std::fprintf(stderr, "close: %s\n", err.message);
  return is_closed && errors == 0 && storm.in_hand_max.load() <= kConnections ? 0 : 1;
}
