// Generates load on a pool of a real server, controlled by a script, and counts the results.
//
//   pg_load URL OPTIONS THREADS ACQUIRE_MS QUERY_MS    the last two: maximum duration of a call, as in OPTIONS
//
// Every thread queries random numbers and must get its own back: mostly by a call with an implicit lease, sometimes in
// a transaction, sometimes by a slow statement. Commands are read from standard input; each is answered by one JSON
// line:
//   stats        counts since the start or the last clear
//   clear        the same, and resets all counts but `ok` and `wrong`
//   hold N TAG   acquires N more leases       release   releases all of those
//   stop         ends the load and closes the pool; the last line also contains the pool's counters
#include <tidepool/tidepool.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <mutex>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "os/clock.hpp"

namespace {

constexpr const char* kPool = "load";

int64_t now_ns() { return tide::SystemClock::instance().now().ns(); }

std::string quoted(const char* text) {
  std::string out = "\"";
  for (; *text != '\0'; ++text) {
    if (*text == '"' || *text == '\\') out += '\\';
    out += static_cast<unsigned char>(*text) < ' ' ? ' ' : *text;
  }
  return out + "\"";
}

// Results of the callers, for all threads together.
class Counts {
 public:
  Counts() : last_ok_ns_(now_ns()) {}

  void succeeded() {
    const std::lock_guard lock(mutex_);
    const int64_t now = now_ns();
    gap_ns_max_ = std::max(gap_ns_max_, now - last_ok_ns_);
    last_ok_ns_ = now;
    ++ok_;
  }
  void failed(const char* what, const tide_error& err) {
    const std::lock_guard lock(mutex_);
    const std::string key = std::string(tide_status_name(err.status)) + "/" + err.sqlstate;
    ++errors_[key];
    if (err.retryable == 0) ++not_retryable_[key];
    samples_.try_emplace(key, std::string(what) + ": " + err.message);
  }
  void wrong(const char* what) {
    const std::lock_guard lock(mutex_);
    ++wrong_;
    samples_["wrong"] = what;
  }
  void took(const char* what, int64_t since_ns, int64_t limit_ms) {
    const int64_t over_ns = now_ns() - since_ns - limit_ms * 1'000'000;
    const std::lock_guard lock(mutex_);
    if (over_ns <= over_ns_max_) return;
    over_ns_max_ = over_ns;
    over_what_ = what;
  }
  void saw(int64_t connecting, int64_t size) {
    const std::lock_guard lock(mutex_);
    connecting_max_ = std::max(connecting_max_, connecting);
    size_max_ = std::max(size_max_, size);
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    errors_.clear();
    not_retryable_.clear();
    samples_.clear();
    gap_ns_max_ = over_ns_max_ = connecting_max_ = size_max_ = 0;
  }
  std::string json() {
    const std::lock_guard lock(mutex_);
    std::ostringstream out;
    out << "\"ok\": " << ok_ << ", \"wrong\": " << wrong_ << ", \"errors\": " << json(errors_)
        << ", \"not_retryable\": " << json(not_retryable_) << ", \"over_ms\": " << over_ns_max_ / 1'000'000
        << ", \"over_what\": " << quoted(over_what_.c_str()) << ", \"gap_ms\": " << gap_ns_max_ / 1'000'000
        << ", \"since_ok_ms\": " << (now_ns() - last_ok_ns_) / 1'000'000 << ", \"connecting_max\": " << connecting_max_
        << ", \"size_max\": " << size_max_ << ", \"samples\": {";
    const char* comma = "";
    for (const auto& [key, text] : samples_) {
      out << comma << quoted(key.c_str()) << ": " << quoted(text.c_str());
      comma = ", ";
    }
    out << "}";
    return out.str();
  }

 private:
  static std::string json(const std::map<std::string, uint64_t>& counts) {
    std::string out;
    for (const auto& [key, n] : counts) {
      out += (out.empty() ? "" : ", ") + quoted(key.c_str()) + ": " + std::to_string(n);
    }
    return "{" + out + "}";
  }

  std::mutex mutex_;
  uint64_t ok_ = 0, wrong_ = 0;
  std::map<std::string, uint64_t> errors_, not_retryable_;
  std::map<std::string, std::string> samples_;
  int64_t last_ok_ns_, gap_ns_max_ = 0, over_ns_max_ = 0;
  int64_t connecting_max_ = 0, size_max_ = 0;
  std::string over_what_;
};

const tide_relation* relation(const char* name) {
  const tide_relation* r = nullptr;
  for (int i = 0; (r = tide_relation_at(i)) != nullptr && std::strcmp(r->name, name) != 0; ++i) {
  }
  return r;
}

// The pool's row of a relation, as a JSON object.
std::string row_of(const char* name) {
  tide_filter filter = TIDE_FILTER_INIT;
  filter.pool = kPool;
  const tide_relation* r = relation(name);
  tide_cursor* cursor = nullptr;
  std::string out;
  if (r != nullptr && tide_cursor_open(name, &filter, &cursor, nullptr) == TIDE_OK && tide_cursor_next(cursor) != 0) {
    for (int c = 0; c < r->ncolumns; ++c) {
      const char* text = tide_cursor_text(cursor, c, nullptr);
      const bool is_number = r->columns[c].type == TIDE_INT || r->columns[c].type == TIDE_DOUBLE;
      out += (out.empty() ? "" : ", ") + quoted(r->columns[c].name) + ": " +
             (text == nullptr ? "null"
              : is_number     ? std::string(text)
                              : quoted(text));
    }
  }
  tide_cursor_close(cursor);
  return "{" + out + "}";
}

// Connections in a state; NULL: in any state.
int64_t connections_in(const char* state) {
  tide_filter filter = TIDE_FILTER_INIT;
  filter.pool = kPool;
  static const int kStateColumn = [] {
    const tide_relation* r = relation("connections");
    int c = 0;
    while (std::strcmp(r->columns[c].name, "state") != 0) ++c;
    return c;
  }();
  tide_cursor* cursor = nullptr;
  int64_t n = 0;
  if (tide_cursor_open("connections", &filter, &cursor, nullptr) != TIDE_OK) return 0;
  while (tide_cursor_next(cursor) != 0) {
    n += state == nullptr || std::strcmp(tide_cursor_text(cursor, kStateColumn, nullptr), state) == 0 ? 1 : 0;
  }
  tide_cursor_close(cursor);
  return n;
}

struct Load {
  tide_pool* pool = nullptr;
  int64_t acquire_ms = 0, query_ms = 0;
  std::atomic<bool> is_over{false};
  Counts counts;

  // The result of the statement must be the number that was sent.
  void judge(const char* what, tide_status status, tide_result* result, const std::string& sent,
             const tide_error& err) {
    if (status != TIDE_OK) {
      counts.failed(what, err);
    } else if (tide_result_rows(result) != 1 || tide_result_text(result, 0, 0) == nullptr ||
               sent != tide_result_text(result, 0, 0)) {
      counts.wrong(what);
    } else {
      counts.succeeded();
    }
    tide_result_free(result);
  }

  bool ask(const char* what, const char* sql, const std::string& number) {
    tide_error err = TIDE_ERROR_INIT;
    tide_result* result = nullptr;
    const char* const params[] = {number.c_str()};
    const int64_t began = now_ns();
    const tide_status status = tide_pool_query(pool, what, sql, 1, params, &result, &err);
    counts.took(what, began, acquire_ms + query_ms);
    judge(what, status, result, number, err);
    return status == TIDE_OK;
  }

  bool transact(const std::string& number) {
    tide_error err = TIDE_ERROR_INIT;
    tide_lease lease;
    int64_t began = now_ns();
    tide_status status = tide_pool_acquire(pool, "transact", acquire_ms, &lease, &err);
    counts.took("acquire", began, acquire_ms);
    if (status != TIDE_OK) return counts.failed("acquire", err), false;
    for (const char* sql : {"BEGIN", "SELECT $1::int8", "COMMIT"}) {
      const char* const params[] = {number.c_str()};
      const bool is_question = std::strchr(sql, '$') != nullptr;
      tide_result* result = nullptr;
      began = now_ns();
      status = tide_lease_query(lease, sql, is_question ? 1 : 0, params, &result, &err);
      counts.took(sql, began, query_ms);
      if (is_question || status != TIDE_OK) {
        judge(sql, status, result, number, err);
      } else {
        tide_result_free(result);
      }
      if (status != TIDE_OK) break;
    }
    began = now_ns();
    if (tide_lease_release(lease, &err) != TIDE_OK) counts.failed("release", err);
    counts.took("release", began, 0);
    return status == TIDE_OK;
  }

  void work(unsigned seed) {
    std::mt19937_64 dice(seed);
    while (!is_over.load()) {
      const std::string number = std::to_string(dice() >> 2);
      const unsigned kind = static_cast<unsigned>(dice() % 20);
      const bool is_well = kind == 0   ? ask("longer", "SELECT $1::int8, pg_sleep(0.05)", number)
                           : kind <= 4 ? transact(number)
                                       : ask("plain", "SELECT $1::int8", number);
      std::this_thread::sleep_for(std::chrono::milliseconds(is_well ? 3 : 10));
    }
  }

  void watch() {
    while (!is_over.load()) {
      counts.saw(connections_in("connecting"), connections_in(nullptr));
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
};

void answer(const std::string& text) {
  std::printf("{%s}\n", text.c_str());
  std::fflush(stdout);
}

// Commands up to `stop` or the end of the input.
void run_commands(Load& load) {
  std::vector<tide_lease> held;
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream words(line);
    std::string verb, tag;
    int n = 0;
    words >> verb >> n >> tag;
    if (verb == "stop") break;
    if (verb == "hold") {
      for (int i = 0; i < n; ++i) {
        tide_error err = TIDE_ERROR_INIT;
        tide_lease lease;
        if (tide_pool_acquire(load.pool, tag.c_str(), load.acquire_ms, &lease, &err) == TIDE_OK) held.push_back(lease);
      }
    } else if (verb == "release") {
      for (const tide_lease lease : held) (void)tide_lease_release(lease, nullptr);
      held.clear();
    }
    answer(load.counts.json() + ", \"held\": " + std::to_string(held.size()));
    if (verb == "clear") load.counts.clear();
  }
  for (const tide_lease lease : held) (void)tide_lease_release(lease, nullptr);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) return std::fprintf(stderr, "pg_load URL OPTIONS THREADS ACQUIRE_MS QUERY_MS\n"), 2;
  Load load;
  load.acquire_ms = std::atoll(argv[4]);
  load.query_ms = std::atoll(argv[5]);
  tide_error err = TIDE_ERROR_INIT;
  const std::string options =
      std::string(argv[2]) + " acquire_timeout=" + argv[4] + "ms query_timeout=" + argv[5] + "ms";
  if (tide_pool_open(kPool, argv[1], options.c_str(), &load.pool, &err) != TIDE_OK) {
    std::fprintf(stderr, "open: %s %s\n", err.message, err.detail);
    return 1;
  }
  answer(load.counts.json());

  std::vector<std::thread> threads;
  for (int i = 0; i < std::atoi(argv[3]); ++i) {
    threads.emplace_back([&load, i] { load.work(static_cast<unsigned>(i) + 1); });
  }
  threads.emplace_back([&load] { load.watch(); });
  run_commands(load);
  const int64_t told_at = now_ns();
  load.is_over.store(true);
  for (std::thread& thread : threads) thread.join();
  const int64_t joined_ms = (now_ns() - told_at) / 1'000'000;

  // Connections that are being opened or closed are in no counter yet.
  const int64_t timeout = now_ns() + 5'000'000'000;
  while (now_ns() < timeout && connections_in(nullptr) != connections_in("idle")) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  const std::string stats = row_of("pool_stats");
  const std::string pools = row_of("pools");
  const int64_t closing_at = now_ns();
  const tide_status closed = tide_pool_close(load.pool, 2000, &err);
  answer(load.counts.json() + ", \"joined_ms\": " + std::to_string(joined_ms) + ", \"pool_stats\": " + stats +
         ", \"pools\": " + pools + ", \"closed\": " + quoted(tide_status_name(closed)) +
         ", \"close_ms\": " + std::to_string((now_ns() - closing_at) / 1'000'000));
  return 0;
}
