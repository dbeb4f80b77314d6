// What does it cost to look at 100 pools? `SELECT * FROM tidepool_pools` in an SQLite host, and the same rows through
// the C API, per pool, against a plain pread() of the same bytes.
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "bench.hpp"

namespace {

constexpr int kPools = 100;
constexpr int kRounds = 51;

// What every reading of `pools` has to copy: the header with the vitals, and the slots.
constexpr size_t kBytes = 4096 + 256 + 64 + 10 * 256;

double us_of_pread(const std::vector<std::string>& paths) {
  std::vector<char> buffer(kBytes);
  const int64_t begin_ns = bench::now_ns();
  for (const std::string& path : paths) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 || pread(fd, buffer.data(), buffer.size(), 0) <= 0) std::abort();
    close(fd);
  }
  return static_cast<double>(bench::now_ns() - begin_ns) / 1e3 / static_cast<double>(paths.size());
}

double us_of_c_api() {
  const int64_t begin_ns = bench::now_ns();
  tide_cursor* cursor = nullptr;
  if (tide_cursor_open("pools", nullptr, &cursor, nullptr) != TIDE_OK) std::abort();
  int rows = 0;
  while (tide_cursor_next(cursor) != 0) ++rows;
  tide_cursor_close(cursor);
  if (rows != kPools) std::abort();
  return static_cast<double>(bench::now_ns() - begin_ns) / 1e3 / kPools;
}

double us_of_sql(sqlite3* db) {
  const int64_t begin_ns = bench::now_ns();
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(db, "SELECT * FROM tidepool_pools", -1, &statement, nullptr) != SQLITE_OK) std::abort();
  int rows = 0;
  while (sqlite3_step(statement) == SQLITE_ROW) {
    for (int i = 0; i < sqlite3_column_count(statement); ++i) (void)sqlite3_column_text(statement, i);
    ++rows;
  }
  sqlite3_finalize(statement);
  if (rows != kPools) std::abort();
  return static_cast<double>(bench::now_ns() - begin_ns) / 1e3 / kPools;
}

}  // namespace

int main() {
  char directory[] = "/dev/shm/tidepool-bench-XXXXXX";
  if (mkdtemp(directory) == nullptr) return 1;
  setenv("TIDEPOOL_DIR", directory, 1);
  bench::register_nothing();
  std::vector<tide_pool*> pools(kPools);
  tide_error error = TIDE_ERROR_INIT;
  for (int i = 0; i < kPools; ++i) {
    const std::string name = "pool" + std::to_string(i);
    bench::must(tide_pool_open(name.c_str(), "nothing:", "min_size=10 max_size=10 init_mode=fail_fast",
                               &pools[static_cast<size_t>(i)], &error),
                error, "open");
  }
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().extension() == ".segment") paths.push_back(entry.path());
  }
  sqlite3* db = nullptr;
  const char* extension = getenv("TIDE_EXTENSION");
  char* why = nullptr;
  if (extension == nullptr || sqlite3_open(":memory:", &db) != SQLITE_OK ||
      sqlite3_enable_load_extension(db, 1) != SQLITE_OK ||
      sqlite3_load_extension(db, extension, nullptr, &why) != SQLITE_OK) {
    std::fprintf(stderr, "cannot load the extension (TIDE_EXTENSION): %s\n", why != nullptr ? why : "not set");
    return 1;
  }
  std::vector<double> plain, c_api, sql;
  for (int round = 0; round < kRounds; ++round) {
    plain.push_back(us_of_pread(paths));
    c_api.push_back(us_of_c_api());
    sql.push_back(us_of_sql(db));
  }
  const double p = bench::median(plain), c = bench::median(c_api), s = bench::median(sql);
  std::printf("reading %d pools, us a pool (medians of %d): pread %.2f, C API %.2f, SELECT * %.2f\n", kPools, kRounds,
              p, c, s);
  std::printf("ratio reading_c_api %.1f, reading_sql %.1f of a plain open, pread, close of the same bytes\n", c / p,
              s / p);
  sqlite3_close(db);
  tide_close_all(-1, nullptr);
  std::filesystem::remove_all(directory);
  return 0;
}
