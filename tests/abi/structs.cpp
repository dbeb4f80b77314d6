// Size-first structs between callers and libraries of different versions: a shorter struct is from an older caller and
// is used within its size; a longer one is from a newer caller and is accepted as long as its unknown bytes are zero.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <tidepool/tidepool.h>

#include <cstring>
#include <filesystem>
#include <string>

namespace {

constexpr size_t kTail = 64;
constexpr char kUntouched = 0x5A;

// A struct of a newer caller: `Known` and a tail that this library does not know.
template <typename Known>
struct Longer {
  Known known;
  unsigned char tail[kTail] = {};

  explicit Longer(const Known& k) : known(k) { known.size = static_cast<uint32_t>(sizeof(Known) + kTail); }
};

class StructsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "tidepool-structs-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    setenv("TIDEPOOL_DIR", pattern.c_str(), 1);
    url_ = "sqlite://" + (directory_ / "structs.db").string();
  }
  void TearDown() override {
    if (pool_ != nullptr) tide_pool_close(pool_, 0, nullptr);
    unsetenv("TIDEPOOL_DIR");
    std::filesystem::remove_all(directory_);
  }
  void open() {
    tide_error err = TIDE_ERROR_INIT;
    ASSERT_EQ(tide_pool_open("structs", url_.c_str(), "min_size=1 max_size=2", &pool_, &err), TIDE_OK)
        << err.message << ' ' << err.detail;
  }
  tide_status open_with(const tide_pool_options* with) {
    tide_pool* pool = nullptr;
    const tide_status status = tide_pool_open_with("structs", url_.c_str(), "min_size=1", with, &pool, nullptr);
    if (status == TIDE_OK) tide_pool_close(pool, 0, nullptr);
    return status;
  }
  tide_status acquire_with(const tide_acquire_options* with) {
    tide_lease lease{};
    const tide_status status = tide_pool_acquire_with(pool_, with, &lease, nullptr);
    if (status == TIDE_OK) tide_lease_release(lease, nullptr);
    return status;
  }
  tide_status query_with(const tide_query_options* with) {
    return tide_pool_query_with(pool_, "select 1", 0, nullptr, with, nullptr, nullptr);
  }
  tide_status begin_with(const tide_tx_options* with) {
    tide_tx tx{};
    const tide_status status = tide_tx_begin(pool_, with, &tx, nullptr);
    if (status == TIDE_OK) tide_tx_rollback(tx, nullptr);
    return status;
  }

  std::filesystem::path directory_;
  std::string url_;
  tide_pool* pool_ = nullptr;
};

TEST_F(StructsTest, ErrorOfOlderCallerIsWrittenWithinItsSize) {
  tide_error err = TIDE_ERROR_INIT;
  err.size = offsetof(tide_error, detail);
  std::memset(err.detail, kUntouched, sizeof err.detail);
  std::memset(err.hint, kUntouched, sizeof err.hint);
  tide_cursor* cursor = nullptr;
  EXPECT_EQ(tide_cursor_open("puddles", nullptr, &cursor, &err), TIDE_NOT_FOUND);
  EXPECT_EQ(err.status, TIDE_NOT_FOUND);
  EXPECT_STRNE(err.message, "");
  EXPECT_EQ(err.size, offsetof(tide_error, detail));
  for (const char c : err.detail) ASSERT_EQ(c, kUntouched);
  for (const char c : err.hint) ASSERT_EQ(c, kUntouched);
}

// The members before `position` were all that the first callers had.
TEST_F(StructsTest, ErrorOfOlderCallerHasNoPlace) {
  open();
  tide_error err = TIDE_ERROR_INIT;
  EXPECT_EQ(tide_pool_query(pool_, "", "create table t (a unique)", 0, nullptr, nullptr, nullptr), TIDE_OK);
  EXPECT_EQ(tide_pool_query(pool_, "", "insert into t values (1), (1)", 0, nullptr, nullptr, &err), TIDE_DATABASE);
  EXPECT_STREQ(err.table_name, "t");
  EXPECT_STREQ(err.column_name, "a");
  err.size = offsetof(tide_error, position);
  err.position = -77;
  std::memset(err.table_name, kUntouched, sizeof err.table_name);
  std::memset(err.constraint_name, kUntouched, sizeof err.constraint_name);
  EXPECT_EQ(tide_pool_query(pool_, "", "insert into t values (1), (1)", 0, nullptr, nullptr, &err), TIDE_DATABASE);
  EXPECT_STRNE(err.message, "");
  EXPECT_EQ(err.position, -77);
  for (const char c : err.table_name) ASSERT_EQ(c, kUntouched);
  for (const char c : err.constraint_name) ASSERT_EQ(c, kUntouched);
}

TEST_F(StructsTest, ErrorOfNewerCallerKeepsItsTail) {
  Longer<tide_error> err(TIDE_ERROR_INIT);
  tide_cursor* cursor = nullptr;
  EXPECT_EQ(tide_cursor_open("puddles", nullptr, &cursor, &err.known), TIDE_NOT_FOUND);
  EXPECT_EQ(err.known.status, TIDE_NOT_FOUND);
  for (const unsigned char c : err.tail) ASSERT_EQ(c, 0);
}

TEST_F(StructsTest, PoolOptionsShorterAndLonger) {
  tide_pool_options with = TIDE_POOL_OPTIONS_INIT;
  EXPECT_EQ(open_with(&with), TIDE_OK);
  EXPECT_EQ(open_with(nullptr), TIDE_OK);
  // After an older caller's struct there may be anything: here a pointer that must not be used.
  with.app = reinterpret_cast<const char*>(uintptr_t{1});
  with.size = offsetof(tide_pool_options, app);
  EXPECT_EQ(open_with(&with), TIDE_OK);

  Longer<tide_pool_options> longer(TIDE_POOL_OPTIONS_INIT);
  EXPECT_EQ(open_with(&longer.known), TIDE_OK);
  longer.tail[kTail - 1] = 1;
  EXPECT_EQ(open_with(&longer.known), TIDE_BAD_ARGUMENT);
}

TEST_F(StructsTest, InvalidSizesAreRefused) {
  open();
  for (const uint32_t size : {0U, 3U, 0x10000000U, 0xFFFFFFFFU}) {
    tide_pool_options pool_options = TIDE_POOL_OPTIONS_INIT;
    pool_options.size = size;
    EXPECT_EQ(open_with(&pool_options), TIDE_BAD_ARGUMENT) << size;
    tide_acquire_options acquire_options = TIDE_ACQUIRE_OPTIONS_INIT;
    acquire_options.size = size;
    EXPECT_EQ(acquire_with(&acquire_options), TIDE_BAD_ARGUMENT) << size;
    tide_filter filter = TIDE_FILTER_INIT;
    filter.size = size;
    tide_cursor* cursor = nullptr;
    EXPECT_EQ(tide_cursor_open("pools", &filter, &cursor, nullptr), TIDE_BAD_ARGUMENT) << size;
    tide_control_options control_options = TIDE_CONTROL_OPTIONS_INIT;
    control_options.size = size;
    EXPECT_EQ(tide_control_check("structs", "pause", nullptr, &control_options, nullptr), TIDE_BAD_ARGUMENT) << size;
    tide_driver driver = TIDE_DRIVER_INIT;
    driver.size = size;
    EXPECT_EQ(tide_register_driver("structs", &driver, nullptr), TIDE_BAD_ARGUMENT) << size;
    tide_query_options query_options = TIDE_QUERY_OPTIONS_INIT;
    query_options.size = size;
    EXPECT_EQ(query_with(&query_options), TIDE_BAD_ARGUMENT) << size;
    tide_tx_options tx_options = TIDE_TX_OPTIONS_INIT;
    tx_options.size = size;
    EXPECT_EQ(begin_with(&tx_options), TIDE_BAD_ARGUMENT) << size;
  }
}

TEST_F(StructsTest, QueryOptionsShorterAndLonger) {
  open();
  tide_query_options with = TIDE_QUERY_OPTIONS_INIT;
  EXPECT_EQ(query_with(&with), TIDE_OK);
  EXPECT_EQ(query_with(nullptr), TIDE_OK);
  // Members that an older caller does not have are at their defaults: no timeout of 0, and no callback.
  with.timeout_ms = 0;
  with.tag = reinterpret_cast<const char*>(uintptr_t{1});
  with.callback = reinterpret_cast<tide_query_callback>(uintptr_t{1});
  with.size = offsetof(tide_query_options, timeout_ms);
  EXPECT_EQ(query_with(&with), TIDE_OK);

  Longer<tide_query_options> longer(TIDE_QUERY_OPTIONS_INIT);
  EXPECT_EQ(query_with(&longer.known), TIDE_OK);
  longer.tail[0] = 1;
  EXPECT_EQ(query_with(&longer.known), TIDE_BAD_ARGUMENT);
}

TEST_F(StructsTest, TransactionOptionsShorterAndLonger) {
  open();
  tide_tx_options with = TIDE_TX_OPTIONS_INIT;
  with.isolation = TIDE_SERIALIZABLE;
  EXPECT_EQ(begin_with(&with), TIDE_OK);
  EXPECT_EQ(begin_with(nullptr), TIDE_OK);
  with.timeout_ms = 0;
  with.tag = reinterpret_cast<const char*>(uintptr_t{1});
  with.size = offsetof(tide_tx_options, timeout_ms);
  EXPECT_EQ(begin_with(&with), TIDE_OK);

  Longer<tide_tx_options> longer(TIDE_TX_OPTIONS_INIT);
  EXPECT_EQ(begin_with(&longer.known), TIDE_OK);
  longer.tail[kTail - 1] = 1;
  EXPECT_EQ(begin_with(&longer.known), TIDE_BAD_ARGUMENT);
}

TEST_F(StructsTest, ColumnTypeIsFilledUpToItsSize) {
  open();
  ASSERT_EQ(tide_pool_query(pool_, "", "create table t (a varchar(7))", 0, nullptr, nullptr, nullptr), TIDE_OK);
  tide_result* result = nullptr;
  ASSERT_EQ(tide_pool_query(pool_, "", "select a from t", 0, nullptr, &result, nullptr), TIDE_OK);
  tide_column_type type = TIDE_COLUMN_TYPE_INIT;
  EXPECT_EQ(tide_result_type(result, 0, &type, nullptr), TIDE_OK);
  EXPECT_STREQ(type.declared, "varchar(7)");
  EXPECT_EQ(type.oid, 0U);
  EXPECT_EQ(type.modifier, -1);
  EXPECT_EQ(tide_result_type(result, 1, &type, nullptr), TIDE_BAD_ARGUMENT);
  EXPECT_EQ(tide_result_type(result, -1, &type, nullptr), TIDE_BAD_ARGUMENT);

  type.size = offsetof(tide_column_type, declared);
  const char* const untouched = reinterpret_cast<const char*>(uintptr_t{1});
  type.declared = untouched;
  EXPECT_EQ(tide_result_type(result, 0, &type, nullptr), TIDE_OK);
  EXPECT_EQ(type.declared, untouched);

  Longer<tide_column_type> longer(TIDE_COLUMN_TYPE_INIT);
  EXPECT_EQ(tide_result_type(result, 0, &longer.known, nullptr), TIDE_OK);
  EXPECT_STREQ(longer.known.declared, "varchar(7)");
  for (const unsigned char c : longer.tail) ASSERT_EQ(c, 0);
  tide_result_free(result);
}

TEST_F(StructsTest, DriversShorterAndLonger) {
  const auto open_nothing = [](void*, const char*, int64_t, void**, char*, size_t) { return 1; };
  const auto close_nothing = [](void*, void*) {};
  tide_driver driver = TIDE_DRIVER_INIT;
  driver.open = open_nothing;
  driver.close = close_nothing;
  driver.flags = ~uint64_t{0};
  EXPECT_EQ(tide_register_driver("structsall", &driver, nullptr), TIDE_BAD_ARGUMENT);
  driver.size = offsetof(tide_driver, flags);  // an older caller's: the bytes after it are not flags
  EXPECT_EQ(tide_register_driver("structsold", &driver, nullptr), TIDE_OK);

  Longer<tide_driver> longer(TIDE_DRIVER_INIT);
  longer.known.open = open_nothing;
  longer.known.close = close_nothing;
  longer.tail[0] = 1;
  EXPECT_EQ(tide_register_driver("structsnew", &longer.known, nullptr), TIDE_BAD_ARGUMENT);
  longer.tail[0] = 0;
  EXPECT_EQ(tide_register_driver("structsnew", &longer.known, nullptr), TIDE_OK);
}

TEST_F(StructsTest, AcquireOptionsShorterAndLonger) {
  open();
  tide_acquire_options with = TIDE_ACQUIRE_OPTIONS_INIT;
  with.mode = TIDE_READ;
  EXPECT_EQ(acquire_with(&with), TIDE_OK);
  with.tag = reinterpret_cast<const char*>(uintptr_t{1});
  with.size = offsetof(tide_acquire_options, tag);
  EXPECT_EQ(acquire_with(&with), TIDE_OK);

  Longer<tide_acquire_options> longer(TIDE_ACQUIRE_OPTIONS_INIT);
  EXPECT_EQ(acquire_with(&longer.known), TIDE_OK);
  longer.tail[0] = 1;
  EXPECT_EQ(acquire_with(&longer.known), TIDE_BAD_ARGUMENT);
}

TEST_F(StructsTest, LeaseStatsAreFilledUpToTheirSize) {
  open();
  tide_lease lease{};
  ASSERT_EQ(tide_pool_acquire(pool_, "stats", -1, &lease, nullptr), TIDE_OK);
  tide_lease_stats stats = TIDE_LEASE_STATS_INIT;
  stats.size = offsetof(tide_lease_stats, age_ms);
  stats.age_ms = stats.idle_ms = -77;
  stats.uses_total = 77;
  EXPECT_EQ(tide_lease_get_stats(lease, &stats, nullptr), TIDE_OK);
  EXPECT_EQ(stats.lease_id, lease.id);
  EXPECT_NE(stats.conn_id, 0U);
  EXPECT_EQ(stats.age_ms, -77);
  EXPECT_EQ(stats.idle_ms, -77);
  EXPECT_EQ(stats.uses_total, 77U);

  Longer<tide_lease_stats> longer(TIDE_LEASE_STATS_INIT);
  EXPECT_EQ(tide_lease_get_stats(lease, &longer.known, nullptr), TIDE_OK);
  EXPECT_EQ(longer.known.lease_id, lease.id);
  for (const unsigned char c : longer.tail) ASSERT_EQ(c, 0);
  EXPECT_EQ(tide_lease_release(lease, nullptr), TIDE_OK);
}

TEST_F(StructsTest, FilterAndControlOptionsShorterAndLonger) {
  open();
  tide_filter filter = TIDE_FILTER_INIT;
  filter.instance_id = reinterpret_cast<const char*>(uintptr_t{1});
  filter.size = offsetof(tide_filter, instance_id);
  tide_cursor* cursor = nullptr;
  ASSERT_EQ(tide_cursor_open("pools", &filter, &cursor, nullptr), TIDE_OK);
  EXPECT_EQ(tide_cursor_next(cursor), 1);
  tide_cursor_close(cursor);
  Longer<tide_filter> longer_filter(TIDE_FILTER_INIT);
  longer_filter.tail[1] = 1;
  EXPECT_EQ(tide_cursor_open("pools", &longer_filter.known, &cursor, nullptr), TIDE_BAD_ARGUMENT);

  tide_control_options with = TIDE_CONTROL_OPTIONS_INIT;
  with.actor = reinterpret_cast<const char*>(uintptr_t{1});
  with.size = offsetof(tide_control_options, actor);
  EXPECT_EQ(tide_control_check("structs", "pause", nullptr, &with, nullptr), TIDE_OK);
  Longer<tide_control_options> longer_with(TIDE_CONTROL_OPTIONS_INIT);
  EXPECT_EQ(tide_control_check("structs", "pause", nullptr, &longer_with.known, nullptr), TIDE_OK);
  longer_with.tail[2] = 1;
  EXPECT_EQ(tide_control_check("structs", "pause", nullptr, &longer_with.known, nullptr), TIDE_BAD_ARGUMENT);
}

TEST_F(StructsTest, ExportOptionsShorterAndLonger) {
  open();
  tide_export_options with = TIDE_EXPORT_OPTIONS_INIT;
  with.since_ms = 1;  // beyond the end of the shorter struct: no history
  with.size = offsetof(tide_export_options, since_ms);
  char* text = nullptr;
  ASSERT_EQ(tide_export_with("csv", &with, &text, nullptr, nullptr), TIDE_OK);
  EXPECT_EQ(std::string(text).substr(0, 15), "at,instance_id,");
  tide_free(text);
  Longer<tide_export_options> longer(TIDE_EXPORT_OPTIONS_INIT);
  ASSERT_EQ(tide_export_with("csv", &longer.known, &text, nullptr, nullptr), TIDE_OK);
  tide_free(text);
  longer.tail[3] = 1;
  EXPECT_EQ(tide_export_with("csv", &longer.known, &text, nullptr, nullptr), TIDE_BAD_ARGUMENT);
}

TEST_F(StructsTest, FormatsEndWithNull) {
  int count = 0;
  while (tide_format_at(count) != nullptr) ++count;
  EXPECT_GE(count, 5);
  EXPECT_STREQ(tide_format_at(0)->name, "json");
  EXPECT_EQ(tide_format_at(-1), nullptr);
}

}  // namespace
