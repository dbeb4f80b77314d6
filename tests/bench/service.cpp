// The service (queries through a pool, with the C API) against the bare database libraries: the same statements, prepared,
// on a held connection. Every ratio compares rounds that alternate within this run.
//
// PostgreSQL needs a server: TIDE_TEST_POSTGRESQL (./bench.sh starts one). SQLite files are made in $TMPDIR or /tmp, and
// for commits that wait for the disk in /var/tmp.
#include <libpq-fe.h>
#include <sqlite3.h>
#include <tidepool/tidepool.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "bench.hpp"

namespace {

using bench::median;
using bench::must;
using bench::now_ns;

constexpr int kRounds = 7;
constexpr int kRowsOfTable = 10'000;
constexpr int kRowsWanted = 1'000;

// ---- measuring ------------------------------------------------------------------------------------------------------

using Work = std::function<void(int thread)>;

// Nanoseconds per call of one thread that works for `span_ms`.
double time_per_call(const Work& work, int span_ms) {
  const int64_t began = now_ns();
  const int64_t until = began + int64_t{span_ms} * 1'000'000;
  int64_t calls = 0;
  int64_t now = began;
  while (now < until) {
    for (int i = 0; i < 16; ++i) work(0);
    calls += 16;
    now = now_ns();
  }
  return static_cast<double>(now - began) / static_cast<double>(calls);
}

// Calls per second of several threads.
double rate(const Work& work, int threads, int span_ms) {
  std::atomic<bool> is_over{false};
  std::atomic<int64_t> calls{0};
  std::vector<std::thread> crew;
  const int64_t began = now_ns();
  for (int t = 0; t < threads; ++t) {
    crew.emplace_back([&, t] {
      int64_t mine = 0;
      for (; !is_over.load(std::memory_order_relaxed); ++mine) work(t);
      calls += mine;
    });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(span_ms));
  is_over.store(true);
  for (std::thread& thread : crew) thread.join();
  return static_cast<double>(calls.load()) * 1e9 / static_cast<double>(now_ns() - began);
}

void print_times(const char* what, const Work& bare, const Work& ours, const char* bar, int span_ms = 250) {
  std::vector<double> bare_ns, our_ns, ratios;
  time_per_call(bare, span_ms / 4);
  time_per_call(ours, span_ms / 4);
  for (int round = 0; round < kRounds; ++round) {
    bare_ns.push_back(time_per_call(bare, span_ms));
    our_ns.push_back(time_per_call(ours, span_ms));
    ratios.push_back(our_ns.back() / bare_ns.back());
  }
  std::printf("%-46s bare %9.2f us  service %9.2f us  %+7.2f us  ratio %.3f   (%s)\n", what, median(bare_ns) / 1000,
              median(our_ns) / 1000, (median(our_ns) - median(bare_ns)) / 1000, median(ratios), bar);
  std::fflush(stdout);
}

void print_rates(const char* what, const char* left, const Work& bare, const Work& ours, int threads, const char* bar,
                 int span_ms = 600) {
  std::vector<double> bare_rates, our_rates, ratios;
  for (int round = 0; round < kRounds; ++round) {
    bare_rates.push_back(rate(bare, threads, span_ms));
    our_rates.push_back(rate(ours, threads, span_ms));
    ratios.push_back(our_rates.back() / bare_rates.back());
  }
  std::printf("%-46s %s %9.0f/s  service %9.0f/s  ratio %.2f   (%s)\n", what, left, median(bare_rates),
              median(our_rates), median(ratios), bar);
  std::fflush(stdout);
}

// ---- the service ----------------------------------------------------------------------------------------------------

class Pool {
 public:
  Pool(const char* url, const std::string& options) {
    tide_error error = TIDE_ERROR_INIT;
    must(tide_pool_open("bench", url, ("init_mode=fail_fast log=off " + options).c_str(), &pool_, &error), error,
         "open");
  }
  ~Pool() { tide_pool_close(pool_, 1000, nullptr); }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  tide_result* query(const char* sql, std::initializer_list<tide_value> params = {}) {
    tide_result* result = nullptr;
    tide_error error = TIDE_ERROR_INIT;
    must(tide_pool_query_with(pool_, sql, static_cast<int>(params.size()), params.begin(), nullptr, &result, &error),
         error, sql);
    return result;
  }
  void run(const char* sql, std::initializer_list<tide_value> params = {}) { tide_result_free(query(sql, params)); }
  tide_pool* handle() { return pool_; }

 private:
  tide_pool* pool_ = nullptr;
};

volatile int64_t sum;  // what was read is used

// Reads every value, as an application does.
void read_all(const tide_result* result) {
  int64_t total = 0;
  const int64_t rows = tide_result_rows(result);
  const int columns = tide_result_columns(result);
  for (int64_t row = 0; row < rows; ++row) {
    for (int column = 0; column < columns; ++column) {
      const tide_value value = tide_result_value(result, row, column);
      total += value.type == TIDE_INT ? value.integer : static_cast<int64_t>(value.length);
    }
  }
  sum = total;
}

// ---- PostgreSQL -----------------------------------------------------------------------------------------------------

class Bare {
 public:
  explicit Bare(const char* target) : conn_(PQconnectdb(target)) {
    if (PQstatus(conn_) != CONNECTION_OK) stop(PQerrorMessage(conn_));
  }
  ~Bare() { PQfinish(conn_); }
  Bare(const Bare&) = delete;
  Bare& operator=(const Bare&) = delete;

  void prepare(const char* name, const char* sql) { PQclear(check(PQprepare(conn_, name, sql, 0, nullptr))); }
  void run(const char* sql) { PQclear(check(PQexec(conn_, sql))); }
  PGresult* execute(const char* name, std::initializer_list<const char*> params = {}) {
    return check(PQexecPrepared(conn_, name, static_cast<int>(params.size()), params.begin(), nullptr, nullptr, 0));
  }

 private:
  [[noreturn]] static void stop(const char* why) {
    std::fprintf(stderr, "bare libpq: %s\n", why);
    std::exit(1);
  }
  PGresult* check(PGresult* result) {
    const ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) stop(PQresultErrorMessage(result));
    return result;
  }
  PGconn* conn_;
};

// The same reading as read_all(): integers are parsed, of texts the length is taken.
void read_all(const PGresult* result) {
  int64_t total = 0;
  const int rows = PQntuples(result), columns = PQnfields(result);
  std::vector<Oid> types;
  for (int column = 0; column < columns; ++column) types.push_back(PQftype(result, column));
  for (int row = 0; row < rows; ++row) {
    for (int column = 0; column < columns; ++column) {
      if (PQgetisnull(result, row, column) != 0) continue;
      const Oid type = types[static_cast<size_t>(column)];
      const bool is_integer = type == 20 || type == 21 || type == 23;
      total +=
          is_integer ? std::strtoll(PQgetvalue(result, row, column), nullptr, 10) : PQgetlength(result, row, column);
    }
  }
  sum = total;
}

constexpr const char* kThousand = "SELECT id, name, value FROM bench_items WHERE id <= $1 ORDER BY id";

void on_postgresql(const char* target) {
  std::printf("\nPostgreSQL, prepared statements, libpq %d\n", PQlibVersion() / 10000);
  Pool pool(target, "min_size=8 max_size=8 max_connecting=8");
  Bare bare(target);
  bare.run("DROP TABLE IF EXISTS bench_items");
  bare.run("CREATE UNLOGGED TABLE bench_items (id bigint PRIMARY KEY, name text, value integer)");
  bare.run("INSERT INTO bench_items SELECT i, 'item number ' || i, i % 1000 FROM generate_series(1, 10000) AS i");
  bare.run("ANALYZE bench_items");
  bare.prepare("one", "SELECT 1");
  bare.prepare("thousand", kThousand);
  bare.prepare("insert", "INSERT INTO bench_items VALUES ($1, $2, $3)");

  print_times(
      "select 1", [&](int) { PQclear(bare.execute("one")); }, [&](int) { pool.run("SELECT 1"); }, "bar 1.05");
  const std::string wanted = std::to_string(kRowsWanted);
  print_times(
      "1,000 rows of 3 columns, all read",
      [&](int) {
        PGresult* result = bare.execute("thousand", {wanted.c_str()});
        read_all(result);
        PQclear(result);
      },
      [&](int) {
        tide_result* result = pool.query(kThousand, {tide_value_int(kRowsWanted)});
        read_all(result);
        tide_result_free(result);
      },
      "bar 1.05");

  std::vector<std::unique_ptr<Bare>> held;
  for (int i = 0; i < 8; ++i) {
    held.push_back(std::make_unique<Bare>(target));
    held.back()->prepare("one", "SELECT 1");
  }
  print_rates(
      "select 1, 8 threads, pool of 8", "8 held", [&](int t) { PQclear(held[static_cast<size_t>(t)]->execute("one")); },
      [&](int) { pool.run("SELECT 1"); }, 8, "bar 0.95");
  held.clear();

  constexpr int kInserts = 100;
  const auto statement = "INSERT INTO bench_items VALUES ($1, $2, $3)";
  const auto emptied = "DELETE FROM bench_items WHERE id > 10000";
  std::vector<double> one_by_one, in_batches, ratios;
  for (int round = 0; round < kRounds * 3; ++round) {
    pool.run(emptied);
    int64_t began = now_ns();
    for (int i = 1; i <= kInserts; ++i) {
      pool.run(statement, {tide_value_int(kRowsOfTable + i), tide_value_text("some name"), tide_value_int(i)});
    }
    one_by_one.push_back(static_cast<double>(now_ns() - began));
    pool.run(emptied);
    std::vector<tide_value> values;
    std::vector<tide_statement> statements;
    for (int i = 1; i <= kInserts; ++i) {
      values.insert(values.end(), {tide_value_int(kRowsOfTable + i), tide_value_text("some name"), tide_value_int(i)});
    }
    for (size_t i = 0; i < kInserts; ++i) statements.push_back({statement, &values[i * 3], 3, 0});
    tide_error error = TIDE_ERROR_INIT;
    began = now_ns();
    must(tide_pool_batch(pool.handle(), statements.data(), kInserts, nullptr, nullptr, &error), error, "batch");
    in_batches.push_back(static_cast<double>(now_ns() - began));
    ratios.push_back(one_by_one.back() / in_batches.back());
  }
  std::printf("%-46s one by one %6.0f us  one batch %6.0f us  %.1f times as fast   (bar 3)\n", "100 inserts",
              median(one_by_one) / 1000, median(in_batches) / 1000, median(ratios));

  const auto anew = [&](int) {
    PGconn* conn = PQconnectdb(target);
    PGresult* result = PQexec(conn, "SELECT 1");
    if (PQresultStatus(result) != PGRES_TUPLES_OK) std::exit(1);
    PQclear(result);
    PQfinish(conn);
  };
  print_rates(
      "open, select 1, close against reuse", "anew", anew, [&](int) { pool.run("SELECT 1"); }, 1, "document: 10 to 50",
      300);
}

// ---- SQLite ---------------------------------------------------------------------------------------------------------

class Folder {
 public:
  explicit Folder(const std::string& parent) {
    std::string path = parent + "/tidepool-bench-XXXXXX";
    if (mkdtemp(path.data()) == nullptr) {
      std::perror(path.c_str());
      std::exit(1);
    }
    path_ = path;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string file(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

class BareSqlite {
 public:
  // As sqlite3_open() does; `flags` such as SQLITE_OPEN_NOMUTEX, for a connection that one thread uses.
  BareSqlite(const std::string& file, const char* synchronous, int flags = 0) {
    check(sqlite3_open_v2(file.c_str(), &database_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | flags, nullptr));
    sqlite3_busy_timeout(database_, 10'000);
    run("PRAGMA journal_mode = wal");
    run((std::string("PRAGMA synchronous = ") + synchronous).c_str());
  }
  ~BareSqlite() {
    for (sqlite3_stmt* statement : statements_) sqlite3_finalize(statement);
    sqlite3_close(database_);
  }
  BareSqlite(const BareSqlite&) = delete;
  BareSqlite& operator=(const BareSqlite&) = delete;

  void run(const char* sql) { check(sqlite3_exec(database_, sql, nullptr, nullptr, nullptr)); }
  sqlite3_stmt* prepare(const char* sql) {
    sqlite3_stmt* statement = nullptr;
    check(sqlite3_prepare_v3(database_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr));
    statements_.push_back(statement);
    return statement;
  }
  // Steps to the end, and reads every value.
  static void read_all(sqlite3_stmt* statement) {
    int64_t total = 0;
    const int columns = sqlite3_column_count(statement);
    int code = SQLITE_ROW;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
      for (int column = 0; column < columns; ++column) {
        if (sqlite3_column_type(statement, column) == SQLITE_INTEGER) {
          total += sqlite3_column_int64(statement, column);
        } else if (sqlite3_column_text(statement, column) != nullptr) {
          total += sqlite3_column_bytes(statement, column);
        }
      }
    }
    if (code != SQLITE_DONE) std::exit(1);
    sqlite3_reset(statement);
    sum = total;
  }

 private:
  void check(int code) {
    if (code == SQLITE_OK) return;
    std::fprintf(stderr, "bare sqlite3: %s\n", sqlite3_errmsg(database_));
    std::exit(1);
  }
  sqlite3* database_ = nullptr;
  std::vector<sqlite3_stmt*> statements_;
};

void fill(BareSqlite& bare) {
  bare.run("DROP TABLE IF EXISTS items; CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, value INTEGER)");
  bare.run(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) "
      "INSERT INTO items SELECT i, 'item number ' || i, i % 1000 FROM n");
}

constexpr const char* kPoint = "SELECT name, value FROM items WHERE id = ?1";
constexpr const char* kRange = "SELECT id, name, value FROM items WHERE id <= ?1 ORDER BY id";

void one_thread_on_sqlite(const std::string& file) {
  BareSqlite bare(file, "normal");
  fill(bare);
  BareSqlite unlocked(file, "normal", SQLITE_OPEN_NOMUTEX);
  Pool pool(("sqlite://" + file).c_str(), "min_size=2 max_size=2");
  int64_t id = 0;
  const auto point_on = [&](BareSqlite& database) {
    return [statement = database.prepare(kPoint), &id](int) {
      sqlite3_bind_int64(statement, 1, id = id % kRowsOfTable + 1);
      BareSqlite::read_all(statement);
    };
  };
  const auto range_on = [](BareSqlite& database) {
    return [statement = database.prepare(kRange)](int) {
      sqlite3_bind_int64(statement, 1, kRowsWanted);
      BareSqlite::read_all(statement);
    };
  };
  const auto point = [&](int) {
    tide_result* result = pool.query(kPoint, {tide_value_int(id = id % kRowsOfTable + 1)});
    read_all(result);
    tide_result_free(result);
  };
  const auto streamed = [&](int) {
    const tide_value wanted = tide_value_int(kRowsWanted);
    tide_error error = TIDE_ERROR_INIT;
    int64_t total = 0;
    must(tide_pool_stream(
             pool.handle(), kRange, 1, &wanted, nullptr,
             [](void* context, const tide_result* rows, int64_t row) {
               for (int column = 0; column < 3; ++column) {
                 const tide_value value = tide_result_value(rows, row, column);
                 *static_cast<int64_t*>(context) +=
                     value.type == TIDE_INT ? value.integer : static_cast<int64_t>(value.length);
               }
               return 0;
             },
             &total, nullptr, &error),
         error, "stream");
    sum = total;
  };
  const auto whole = [&](int) {
    tide_result* result = pool.query(kRange, {tide_value_int(kRowsWanted)});
    read_all(result);
    tide_result_free(result);
  };
  print_times("point query", point_on(bare), point, "bar +1 us or 1.25");
  print_times("1,000 rows of 3 columns, streamed, all read", range_on(bare), streamed, "bar 1.05");
  print_times("1,000 rows of 3 columns, in memory, all read", range_on(bare), whole, "bar 1.05");
  print_times("point query, against NOMUTEX", point_on(unlocked), point, "no bar");
  print_times("1,000 rows, streamed, against NOMUTEX", range_on(unlocked), streamed, "no bar");
  const std::string name = file;
  print_rates(
      "open, point query, close against reuse", "anew",
      [&](int) {
        BareSqlite fresh(name, "normal");
        sqlite3_stmt* statement = fresh.prepare(kPoint);
        sqlite3_bind_int64(statement, 1, 17);
        BareSqlite::read_all(statement);
      },
      [&](int) {
        tide_result* result = pool.query(kPoint, {tide_value_int(17)});
        read_all(result);
        tide_result_free(result);
      },
      1, "document: 10 to 50", 300);
}

// 90 % reads of 100 rows, 10 % writes of one row. `synchronous` of the bare connection, and of the pool.
void threads_on_sqlite(const char* what, const std::string& file, const char* synchronous, const char* of_pool,
                       const char* bar) {
  constexpr const char* kSome = "SELECT id, name, value FROM items WHERE id BETWEEN ?1 AND ?1 + 99";
  constexpr const char* kChange = "UPDATE items SET value = value + 1 WHERE id = ?1";
  BareSqlite shared(file, synchronous);
  fill(shared);
  std::mutex mutex;
  sqlite3_stmt* some = shared.prepare(kSome);
  sqlite3_stmt* change = shared.prepare(kChange);
  Pool pool(("sqlite://" + file).c_str(), std::string("min_size=8 max_size=8 sqlite_synchronous=") + of_pool);
  const auto random = [] {
    thread_local std::minstd_rand mine(std::random_device{}());
    return mine();
  };
  tide_query_options reading = TIDE_QUERY_OPTIONS_INIT;
  reading.mode = TIDE_READ;
  print_rates(
      what, "shared + mutex",
      [&](int) {
        const bool is_write = random() % 10 == 0;
        const std::lock_guard lock(mutex);
        sqlite3_stmt* statement = is_write ? change : some;
        sqlite3_bind_int64(statement, 1, static_cast<int64_t>(random() % 9'900 + 1));
        BareSqlite::read_all(statement);
      },
      [&](int) {
        const bool is_write = random() % 10 == 0;
        const tide_value id = tide_value_int(static_cast<int64_t>(random() % 9'900 + 1));
        tide_result* result = nullptr;
        tide_error error = TIDE_ERROR_INIT;
        must(tide_pool_query_with(pool.handle(), is_write ? kChange : kSome, 1, &id, is_write ? nullptr : &reading,
                                  &result, &error),
             error, "query");
        read_all(result);
        tide_result_free(result);
      },
      8, bar);
}

void on_sqlite() {
  std::printf("\nSQLite %s, prepared statements, WAL\n", sqlite3_libversion());
  const char* temporary = std::getenv("TMPDIR");
  const Folder folder(temporary != nullptr ? temporary : "/tmp");
  one_thread_on_sqlite(folder.file("one.db"));
  const Folder memory("/dev/shm");
  threads_on_sqlite("90 % reads, 8 threads, in memory", memory.file("eight.db"), "normal", "normal",
                    "bar 1.6 on two cores");
  const Folder disk("/var/tmp");
  threads_on_sqlite("90 % reads, 8 threads, full against group", disk.file("eight.db"), "full", "group", "bar 3");
}

}  // namespace

int main() {
  on_sqlite();
  const char* target = std::getenv("TIDE_TEST_POSTGRESQL");
  if (target == nullptr) {
    std::printf("\nPostgreSQL: skipped: TIDE_TEST_POSTGRESQL is not set; ./bench.sh service starts a server\n");
    return 0;
  }
  on_postgresql(target);
  return 0;
}
