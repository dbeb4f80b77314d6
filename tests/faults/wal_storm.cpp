// Writers and readers of one process on an SQLite file that another process may use in the same way.
//
//   wal_storm FILE SECONDS OPTIONS    prints "ready", waits for a line, and prints one JSON object with the measurements
//
// Writers move amounts between accounts and add a line to a ledger; readers check that the sum of all accounts is what it was.
#include <tidepool/tidepool.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "os/clock.hpp"

namespace {

constexpr int kWriters = 4;
constexpr int kReaders = 8;
constexpr int kAccounts = 1000;
constexpr int kBusy = 5;  // SQLITE_BUSY, in the low byte of a native code

int64_t now_ns() { return tide::SystemClock::instance().now().ns(); }

struct Storm {
  tide_pool* pool = nullptr;
  std::atomic<uint64_t> commits{0}, reads{0}, busy{0}, errors{0}, wrong{0};
  std::atomic<int64_t> longest_read_ns{0};

  void fail(const tide_error& err) {
    ((err.native_code & 0xFF) == kBusy ? busy : errors).fetch_add(1);
    std::fprintf(stderr, "%s: %s\n", err.message, err.detail);
  }
  static tide_status run(tide_lease lease, const std::string& sql, tide_error* err) {
    return tide_lease_query(lease, sql.c_str(), 0, nullptr, nullptr, err);
  }
  void write(uint64_t random) {
    tide_error err = TIDE_ERROR_INIT;
    tide_lease lease;
    if (tide_pool_acquire(pool, "writer", 60000, &lease, &err) != TIDE_OK) return fail(err);
    const std::string from = std::to_string(random % kAccounts), to = std::to_string(random / 1000 % kAccounts);
    const std::string amount = std::to_string(random % 90 + 1), bytes = std::to_string(random % 6000 + 1);
    const std::string statements[] = {
        "BEGIN IMMEDIATE",
        "UPDATE account SET balance = balance - " + amount + " WHERE id = " + from,
        "UPDATE account SET balance = balance + " + amount + " WHERE id = " + to,
        "INSERT INTO ledger (sender, receiver, note) VALUES (" + from + ", " + to + ", randomblob(" + bytes + "))",
        "DELETE FROM ledger WHERE id = (SELECT min(id) FROM ledger) AND (SELECT count(*) FROM ledger) > 2000",
        "COMMIT"};
    bool is_good = true;
    for (const std::string& sql : statements) is_good = is_good && run(lease, sql, &err) == TIDE_OK;
    if (is_good) {
      commits.fetch_add(1);
    } else {
      fail(err);
    }
    if (tide_lease_release(lease, &err) != TIDE_OK) fail(err);
  }
  void read() {
    tide_error err = TIDE_ERROR_INIT;
    tide_result* result = nullptr;
    const int64_t begun = now_ns();
    if (tide_pool_query(pool, "reader", "SELECT sum(balance), count(*) FROM account", 0, nullptr, &result, &err) !=
        TIDE_OK) {
      return fail(err);
    }
    const int64_t took = now_ns() - begun;
    for (int64_t most = longest_read_ns.load(); took > most && !longest_read_ns.compare_exchange_weak(most, took);) {
    }
    const std::string sum = tide_result_text(result, 0, 0), accounts = tide_result_text(result, 0, 1);
    if (sum != "0" || accounts != std::to_string(kAccounts)) wrong.fetch_add(1);
    reads.fetch_add(1);
    tide_result_free(result);
  }
};

bool prepare(const char* file, const char* options, Storm& storm) {
  tide_error err = TIDE_ERROR_INIT;
  const std::string url = std::string("sqlite://") + file;
  const std::string all = "min_size=12 max_size=12 sqlite_busy_timeout=60s notify_log=off " + std::string(options);
  const char* const setup[] = {
      "BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS account (id INTEGER PRIMARY KEY, balance INT);"
      "CREATE TABLE IF NOT EXISTS ledger (id INTEGER PRIMARY KEY, sender INT, receiver INT, note BLOB);"
      "CREATE INDEX IF NOT EXISTS ledger_sender ON ledger (sender);"
      "CREATE INDEX IF NOT EXISTS ledger_receiver ON ledger (receiver, sender);"
      "WITH RECURSIVE c(x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM c WHERE x < 999) "
      "INSERT OR IGNORE INTO account SELECT x, 0 FROM c; COMMIT"};
  bool is_good = tide_pool_open("storm", url.c_str(), all.c_str(), &storm.pool, &err) == TIDE_OK;
  for (const char* sql : setup) {
    is_good = is_good && tide_pool_query(storm.pool, "setup", sql, 0, nullptr, nullptr, &err) == TIDE_OK;
  }
  if (!is_good) std::fprintf(stderr, "cannot begin: %s %s\n", err.message, err.detail);
  return is_good;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return std::fprintf(stderr, "wal_storm FILE SECONDS OPTIONS\n"), 2;
  Storm storm;
  if (!prepare(argv[1], argv[3], storm)) return 1;
  std::puts("ready");
  std::fflush(stdout);
  std::getchar();

  const int64_t end = now_ns() + static_cast<int64_t>(std::atof(argv[2]) * 1e9);
  std::vector<std::thread> threads;
  for (int i = 0; i < kWriters; ++i) {
    threads.emplace_back([&storm, i, end] {
      uint64_t random = static_cast<uint64_t>(now_ns()) * 2 + static_cast<uint64_t>(i) * 7919 + 1;
      while (now_ns() < end) {
        random = random * 6364136223846793005U + 1442695040888963407U;
        storm.write(random >> 20);
      }
    });
  }
  for (int i = 0; i < kReaders; ++i) {
    threads.emplace_back([&storm, end] {
      for (; now_ns() < end; tide::pause_for(tide::Span::millis(1))) storm.read();
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::printf(
      "{\"commits\": %lu, \"reads\": %lu, \"busy\": %lu, \"errors\": %lu, \"wrong\": %lu, \"longest_read_ms\": %ld}\n",
      storm.commits.load(), storm.reads.load(), storm.busy.load(), storm.errors.load(), storm.wrong.load(),
      storm.longest_read_ns.load() / 1'000'000);
  std::fflush(stdout);
  std::getchar();  // the state of the pool can be read meanwhile
  tide_error err = TIDE_ERROR_INIT;
  const bool is_closed = tide_pool_close(storm.pool, -1, &err) == TIDE_OK;
  if (!is_closed) std::fprintf(stderr, "close: %s\n", err.message);
  return is_closed ? 0 : 1;
}
