// Large results in constant memory, and what a reader that stops early leaves behind.
#include <array>

#include "service/support.hpp"

namespace tide::test {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;
constexpr int64_t kGrowthMax = 32 * kMiB;

// Of /proc/self/status, in bytes.
int64_t memory(const std::string& name) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.rfind(name + ":", 0) == 0) return std::atoll(line.c_str() + name.size() + 1) * 1024;
  }
  return -1;
}

// The peak of the resident memory since its construction, above what it was then.
class Growth {
 public:
  Growth() {
    std::ofstream("/proc/self/clear_refs") << "5";  // resets the peak
    before_ = memory("VmRSS");
  }
  int64_t bytes() const { return memory("VmHWM") - before_; }

 private:
  int64_t before_ = 0;
};

// What a reader has got.
struct Got {
  int64_t rows = 0;
  int64_t bytes = 0;
  int64_t sum = 0;
  int64_t rows_max = INT64_MAX;  // then it stops

  int take(const tide_result* page, int64_t row) {
    ++rows;
    sum += tide_result_value(page, row, 0).integer;
    bytes += static_cast<int64_t>(tide_result_value(page, row, 1).length);
    return rows >= rows_max ? 1 : 0;
  }
};

struct Texts {
  const char* million;   // 1,000,000 rows: number, 100 bytes
  const char* gigabyte;  // 1,000,000 rows: number, 1074 bytes
  const char* endless;   // more rows than anybody reads
};

const Texts kPostgresqlTexts = {"SELECT n::int8, repeat('x', 100) FROM (SELECT generate_series(1, 1000000) AS n) s",
                                "SELECT n::int8, repeat('x', 1074) FROM (SELECT generate_series(1, 1000000) AS n) s",
                                "SELECT n::int8, repeat('x', 100) FROM (SELECT generate_series(1, 1000000000) AS n) s"};

#define NUMBERS(MAX) "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < " MAX ") "
const Texts kSqliteTexts = {NUMBERS("1000000") "SELECT n, printf('%100d', 0) FROM s",
                            NUMBERS("1000000") "SELECT n, printf('%1074d', 0) FROM s",
                            NUMBERS("1000000000") "SELECT n, printf('%100d', 0) FROM s"};
#undef NUMBERS

class StreamMemory : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (is_postgresql()) REQUIRE_SERVER();
    const std::string url = is_postgresql() ? server_words() : "sqlite://" + folder_.file("stream.db");
    db_ = std::make_unique<Db>(url, "min_size=1 max_size=1 query_timeout=120s statement_timeout=0 acquire_timeout=5s");
    db_->ask("SELECT 1");
  }
  bool is_postgresql() const { return std::string(GetParam()) == "postgresql"; }
  const Texts& texts() const { return is_postgresql() ? kPostgresqlTexts : kSqliteTexts; }

  tide_status stream(const char* sql, Got& got, Error& error) const {
    const auto on_row = [](void* context, const tide_result* page, int64_t row) {
      return static_cast<Got*>(context)->take(page, row);
    };
    return tide_pool_stream(db_->pool(), sql, 0, nullptr, nullptr, on_row, &got, nullptr, &error);
  }
  // False: an error. Closes the rows in any case.
  bool pull(const char* sql, Got& got) const {
    Error error;
    tide_rows* rows = nullptr;
    if (tide_pool_rows(db_->pool(), sql, 0, nullptr, nullptr, &rows, &error) != TIDE_OK) {
      ADD_FAILURE() << error.text();
      return false;
    }
    bool is_over = false;
    while (!is_over) {
      const tide_result* page = nullptr;
      if (tide_rows_next(rows, &page, &error) != TIDE_OK) {
        ADD_FAILURE() << error.text();
        break;
      }
      if (page == nullptr) break;
      EXPECT_GT(tide_result_rows(page), 0);
      for (int64_t row = 0; row < tide_result_rows(page) && !is_over; ++row) is_over = got.take(page, row) != 0;
    }
    tide_rows_close(rows);
    return !HasFailure();
  }
  void expect_clean(const char* after) const {
    const auto began = SteadyTime::now();
    const Result out = db_->query("SELECT 42");
    EXPECT_EQ(out.rows(), 1) << after;
    EXPECT_EQ(out.text(), "42") << after;
    EXPECT_LT(SteadyTime::now() - began, std::chrono::seconds(2)) << after;
  }

  TempFolder folder_;
  std::unique_ptr<Db> db_;
};

TEST_P(StreamMemory, MillionRows) {
  const Growth growth;
  Error error;
  Got called;
  EXPECT_EQ(stream(texts().million, called, error), TIDE_OK) << error.text();
  Got pulled;
  EXPECT_TRUE(pull(texts().million, pulled));
  for (const Got& got : {called, pulled}) {
    EXPECT_EQ(got.rows, 1'000'000);
    EXPECT_EQ(got.sum, 500'000'500'000);
    EXPECT_EQ(got.bytes, 100'000'000);
  }
  EXPECT_LT(growth.bytes(), kGrowthMax);
  std::printf("growth: %lld KiB\n", static_cast<long long>(growth.bytes() / 1024));
  expect_clean("the end of the stream");
}

TEST_P(StreamMemory, Gigabyte) {
  for (const bool is_pulled : {false, true}) {
    const Growth growth;
    Error error;
    Got got;
    if (is_pulled) {
      EXPECT_TRUE(pull(texts().gigabyte, got));
    } else {
      EXPECT_EQ(stream(texts().gigabyte, got, error), TIDE_OK) << error.text();
    }
    EXPECT_EQ(got.rows, 1'000'000);
    EXPECT_EQ(got.bytes, 1'074'000'000);
    EXPECT_LT(growth.bytes(), kGrowthMax);
    std::printf("growth: %lld KiB\n", static_cast<long long>(growth.bytes() / 1024));
  }
  expect_clean("the end of the stream");
}

TEST_P(StreamMemory, ReaderThatStopsLeavesACleanConnection) {
  const Growth growth;
  for (const int64_t rows_max : std::initializer_list<int64_t>{1, 2, 100, 5000}) {
    Error error;
    Got called;
    called.rows_max = rows_max;
    EXPECT_EQ(stream(texts().endless, called, error), TIDE_OK) << error.text();
    EXPECT_EQ(called.rows, rows_max);
    expect_clean("a callback that stopped");
    Got pulled;
    pulled.rows_max = rows_max;
    EXPECT_TRUE(pull(texts().endless, pulled));
    EXPECT_EQ(pulled.rows, rows_max);
    expect_clean("rows that were closed");
  }
  EXPECT_LT(growth.bytes(), kGrowthMax);
}

TEST_P(StreamMemory, LeaseRemainsUsableAfterAnEarlyEnd) {
  const Lease lease(*db_);
  for (int i = 0; i < 3; ++i) {
    Error error;
    tide_rows* rows = nullptr;
    ASSERT_EQ(tide_lease_rows(lease.get(), texts().endless, 0, nullptr, nullptr, &rows, &error), TIDE_OK)
        << error.text();
    const tide_result* page = nullptr;
    ASSERT_EQ(tide_rows_next(rows, &page, &error), TIDE_OK) << error.text();
    Result refused;
    EXPECT_EQ(lease.run("SELECT 1", {}, refused, error), TIDE_REFUSED) << "while rows are open";
    tide_rows_close(rows);
    EXPECT_EQ(lease.ask("SELECT 42"), "42");
  }
}

TEST_P(StreamMemory, ReleaseEndsOpenRows) {
  Error error;
  tide_rows* rows = nullptr;
  {
    const Lease lease(*db_);
    ASSERT_EQ(tide_lease_rows(lease.get(), texts().endless, 0, nullptr, nullptr, &rows, &error), TIDE_OK)
        << error.text();
  }
  expect_clean("a release with open rows");
  const tide_result* page = nullptr;
  for (int i = 0; i < 3; ++i) {  // at most one page was fetched before the release
    if (tide_rows_next(rows, &page, &error) != TIDE_OK) break;
  }
  EXPECT_EQ(error.status, TIDE_STALE_LEASE) << error.text();
  tide_rows_close(rows);
  expect_clean("closing the rows of a released lease");
}

// The other side: what these tests measure is seen. The last one, because freed memory may remain in the process.
TEST_P(StreamMemory, ResultThatIsKeptGrows) {
  const Growth growth;
  EXPECT_EQ(db_->query(texts().million).rows(), 1'000'000);
  EXPECT_GT(growth.bytes(), kGrowthMax);
}

INSTANTIATE_TEST_SUITE_P(Databases, StreamMemory, ::testing::Values("postgresql", "sqlite"),
                         [](const auto& database) { return std::string(database.param); });

}  // namespace
}  // namespace tide::test
