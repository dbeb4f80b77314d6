// The query cache: what a caller gets from it equals what the database says, and is not older than a commit (SQLite, also of
// another process) or an invalidation.
#include <sqlite3.h>
#include <sys/wait.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <thread>

#include "service/support.hpp"

namespace tide::test {
namespace {

tide_query_options cached() {
  tide_query_options with = TIDE_QUERY_OPTIONS_INIT;
  with.cache = TIDE_CACHE;
  return with;
}

class CacheDb : public Db {
 public:
  explicit CacheDb(const std::string& url, const std::string& options = "query_cache=on") : Db(url, options) {}
  Result get(const std::string& sql, const Values& params = {}, const tide_query_options& with = cached()) const {
    Result out;
    Error error;
    const tide_status status = tide_pool_query_with(pool(), sql.c_str(), static_cast<int>(params.size()), params.data(),
                                                    &with, out.out(), &error);
    EXPECT_EQ(status, TIDE_OK) << sql << ": " << error.text();
    return out;
  }
  std::string ask_cached(const std::string& sql, const Values& params = {}) const { return get(sql, params).text(); }
  int64_t clear() const {
    int64_t removed = -1;
    EXPECT_EQ(tide_cache_invalidate(pool(), nullptr, nullptr, &removed, nullptr), TIDE_OK);
    return removed;
  }
  // Empties the cache before.
  bool is_cached(const std::string& sql, const tide_query_options& with = cached()) const {
    clear();
    get(sql, {}, with);
    return clear() == 1;
  }
};

// ---- every database

class CacheOf : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!is_postgresql()) return;
    REQUIRE_SERVER();
  }
  bool is_postgresql() const { return std::string_view(GetParam()) == "postgresql"; }
  std::string url() const { return is_postgresql() ? server_words() : "sqlite://" + folder_.file("cache.db"); }

  TempFolder folder_;
};

TEST_P(CacheOf, AHitEqualsTheQuery) {
  const CacheDb db(url());
  const std::string sql =
      is_postgresql() ? "select 1::int2, -5::int8, 0.1::float8, 1.10::numeric, true, null, 'a''b', '\\x00ff'::bytea, "
                        "'{\"a\": 1}'::jsonb, '2024-02-03 04:05:06+00'::timestamptz, array[1, 2], ''::text, $1::int4"
                      : "select 1, -5, 0.1, 1e300, 1 = 1, null, 'a''b', x'00ff', '', cast('x' as blob), $1";
  const Values params = {tide_value_int(7)};
  const Result plain = db.query(sql, params), first = db.get(sql, params), hit = db.get(sql, params);
  EXPECT_STREQ(tide_result_command(hit.get()), tide_result_command(plain.get()));
  EXPECT_EQ(tide_result_affected(hit.get()), tide_result_affected(plain.get()));
  const int columns = tide_result_columns(plain.get());
  ASSERT_EQ(tide_result_columns(hit.get()), columns);
  for (int c = 0; c < columns; ++c) {
    tide_column_type type = TIDE_COLUMN_TYPE_INIT, expected = TIDE_COLUMN_TYPE_INIT;
    ASSERT_EQ(tide_result_type(hit.get(), c, &type, nullptr), TIDE_OK);
    ASSERT_EQ(tide_result_type(plain.get(), c, &expected, nullptr), TIDE_OK);
    EXPECT_EQ(type.oid, expected.oid);
    EXPECT_STREQ(tide_result_name(hit.get(), c), tide_result_name(plain.get(), c));
    for (const Result* one : {&first, &hit}) {
      EXPECT_EQ(one->value(0, c).type, plain.value(0, c).type) << c;
      EXPECT_EQ(one->text(0, c), plain.text(0, c)) << c;
    }
  }
}

TEST_P(CacheOf, InvalidationByKeyTagAndAll) {
  const CacheDb db(url());
  tide_query_options with = cached();
  with.cache_key = "user:1";
  with.cache_tags = "users accounts";
  const auto removed_by = [&](const char* key, const char* tag) {
    int64_t removed = -1;
    EXPECT_EQ(tide_cache_invalidate(db.pool(), key, tag, &removed, nullptr), TIDE_OK);
    return removed;
  };
  db.get("select 1", {}, with);
  EXPECT_EQ(removed_by("user:2", nullptr), 0);
  EXPECT_EQ(removed_by("user:1", nullptr), 1);
  db.get("select 1", {}, with);
  EXPECT_EQ(removed_by(nullptr, "accounts"), 1);
  db.get("select 1", {}, with);
  db.get("select 2");
  EXPECT_EQ(removed_by(nullptr, nullptr), 2);
  EXPECT_EQ(removed_by(nullptr, nullptr), 0);
}

TEST_P(CacheOf, WhatIsNotCached) {
  const CacheDb db(url(), "query_cache=on query_cache_bytes=64kB");
  tide_query_options accepting = cached();
  accepting.cache = TIDE_CACHE | TIDE_CACHE_VOLATILE;
  EXPECT_FALSE(db.is_cached("select random()"));
  EXPECT_TRUE(db.is_cached("select random()", accepting));
  EXPECT_FALSE(db.is_cached("select current_timestamp"));
  const std::string large = is_postgresql() ? "select repeat('x', 9000)" : "select printf('%9000d', 1)";
  EXPECT_FALSE(db.is_cached(large));
  EXPECT_EQ(db.get(large).text().size(), 9000U);
  const CacheDb without(url(), "query_cache=off");
  EXPECT_FALSE(without.is_cached("select 'a'"));
}

TEST_P(CacheOf, AsynchronousCallsUseItToo) {
  const CacheDb db(url());
  struct Got {
    std::atomic<bool> is_there{false};
    std::string text;
  };
  std::array<Got, 2> got;
  for (Got& one : got) {
    tide_query_options with = cached();
    std::string key = "of the program, which ends with the call";
    with.cache_key = key.c_str();
    with.context = &one;
    with.callback = [](void* context, tide_status status, tide_result* result, const tide_error*) {
      Got& told = *static_cast<Got*>(context);
      told.text = status == TIDE_OK ? tide_result_text(result, 0, 0) : "failed";
      tide_result_free(result);
      told.is_there = true;
    };
    const std::string sql = &one == &got[0] ? "select 'one'" : "select 'two'";
    ASSERT_EQ(tide_pool_query_with(db.pool(), sql.c_str(), 0, nullptr, &with, nullptr, nullptr), TIDE_OK);
    key.assign(key.size(), '?');
    ASSERT_TRUE(wait_until([&] { return one.is_there.load(); }, std::chrono::seconds(20)));
  }
  EXPECT_EQ(got[0].text, "one");
  EXPECT_EQ(got[1].text, "one");  // by its key
}

TEST_P(CacheOf, WhatIsGivenIsChecked) {
  const CacheDb db(url());
  const auto refusal_of = [&](const std::function<void(tide_query_options&)>& change) {
    tide_query_options with = cached();
    change(with);
    Error error;
    EXPECT_EQ(tide_pool_query_with(db.pool(), "select 1", 0, nullptr, &with, nullptr, &error), TIDE_BAD_ARGUMENT);
    return std::string(error.message) + "; " + error.detail;
  };
  const std::string large(1 << 20, 'k'), long_tag(63, 't');
  std::string many;
  for (int i = 0; i < 17; ++i) many += "t" + std::to_string(i) + " ";
  EXPECT_EQ(refusal_of([&](auto& with) { with.cache_key = large.c_str(); }),
            "cache_key has 1048576 bytes; accepted: 1 to 512 bytes");
  EXPECT_EQ(refusal_of([&](auto& with) { with.cache_key = ""; }), "cache_key has 0 bytes; accepted: 1 to 512 bytes");
  EXPECT_EQ(refusal_of([&](auto& with) { with.cache_ttl_ms = -1; }),
            "cache_ttl_ms is -1; accepted: 0 to 2592000000 (30 days), in milliseconds");
  EXPECT_EQ(refusal_of([&](auto& with) { with.cache_stale_ms = INT64_MAX; }),
            "cache_stale_ms is 9223372036854775807; accepted: 0 to 2592000000 (30 days), in milliseconds");
  EXPECT_EQ(refusal_of([&](auto& with) { with.cache = 4; }),
            "cache is 4; accepted: 0, TIDE_CACHE, TIDE_CACHE | TIDE_CACHE_VOLATILE");
  EXPECT_EQ(refusal_of([&](auto& with) { with.cache = TIDE_CACHE_VOLATILE; }),
            "cache is 2; accepted: 0, TIDE_CACHE, TIDE_CACHE | TIDE_CACHE_VOLATILE");
  EXPECT_EQ(refusal_of([&](auto& with) { with.cache_tags = long_tag.c_str(); }),
            "a tag of cache_tags has 63 bytes; accepted: 1 to 62 bytes");
  EXPECT_EQ(refusal_of([&](auto& with) { with.cache_tags = many.c_str(); }),
            "cache_tags has 17 tags; accepted: up to 16, separated by spaces");
  EXPECT_EQ(refusal_of([&](auto& with) { with.cache_tags = "a\tb"; }),
            "a tag of cache_tags has a blank or a control character; accepted: words, in "
            "tide_query_options.cache_tags separated by spaces");
  Error error;
  EXPECT_EQ(tide_cache_invalidate(db.pool(), "", nullptr, nullptr, &error), TIDE_BAD_ARGUMENT);
  EXPECT_STREQ(error.message, "key has 0 bytes");
  EXPECT_EQ(tide_cache_invalidate(db.pool(), nullptr, "a b", nullptr, &error), TIDE_BAD_ARGUMENT);
  EXPECT_EQ(tide_cache_invalidate(nullptr, nullptr, nullptr, nullptr, &error), TIDE_BAD_ARGUMENT);
}

TEST_P(CacheOf, OtherCallsRefuseIt) {
  const CacheDb db(url());
  const tide_query_options with = cached();
  const tide_statement statement = {"select 1", nullptr, 0, 0};
  const auto row = [](void*, const tide_result*, int64_t) { return 0; };
  tide_rows* rows = nullptr;
  const Lease lease(db);
  tide_tx tx{};
  ASSERT_EQ(tide_tx_begin(db.pool(), nullptr, &tx, nullptr), TIDE_OK);
  std::array<Error, 8> errors;
  EXPECT_EQ(tide_pool_execute(db.pool(), "select 1", 0, nullptr, &with, nullptr, &errors[0]), TIDE_BAD_ARGUMENT);
  EXPECT_EQ(tide_pool_batch(db.pool(), &statement, 1, &with, nullptr, &errors[1]), TIDE_BAD_ARGUMENT);
  EXPECT_EQ(tide_pool_stream(db.pool(), "select 1", 0, nullptr, &with, row, nullptr, nullptr, &errors[2]),
            TIDE_BAD_ARGUMENT);
  EXPECT_EQ(tide_pool_rows(db.pool(), "select 1", 0, nullptr, &with, &rows, &errors[3]), TIDE_BAD_ARGUMENT);
  EXPECT_EQ(tide_lease_query_with(lease.get(), "select 1", 0, nullptr, &with, nullptr, &errors[4]), TIDE_BAD_ARGUMENT);
  EXPECT_EQ(tide_lease_query_first(lease.get(), "select 1", 0, nullptr, &with, nullptr, &errors[5]), TIDE_BAD_ARGUMENT);
  EXPECT_EQ(tide_tx_query(tx, "select 1", 0, nullptr, &with, nullptr, &errors[6]), TIDE_BAD_ARGUMENT);
  EXPECT_EQ(tide_tx_query_first(tx, "select 1", 0, nullptr, &with, nullptr, &errors[7]), TIDE_BAD_ARGUMENT);
  for (const Error& error : errors) EXPECT_STREQ(error.message, "tide_query_options.cache is set");
  EXPECT_EQ(tide_tx_rollback(tx, nullptr), TIDE_OK);
}

// ---- notifications of PostgreSQL

class NotifiedCache : public ::testing::Test {
 protected:
  void SetUp() override {
    REQUIRE_SERVER();
    other_ = std::make_unique<Db>(server_words(), "max_size=1");
    other_->ask("drop table if exists cached_numbers");
    other_->ask("create table cached_numbers as select 1 as n");
  }
  void TearDown() override {
    if (other_ != nullptr) other_->ask("drop table cached_numbers");
  }
  static tide_query_options labelled() {
    tide_query_options with = cached();
    with.cache_key = "numbers";
    with.cache_tags = "all-numbers";
    return with;
  }
  // Tries for ten seconds.
  template <typename Condition>
  static bool comes(Condition&& condition) {
    for (int i = 0; i < 1000; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }
  std::unique_ptr<Db> other_;
};

TEST_F(NotifiedCache, ANotificationRemovesWhatItNames) {
  const CacheDb db(server_words(), "query_cache=on query_cache_channel=cached_changes");
  const auto get = [&] { return db.get("select n from cached_numbers", {}, labelled()).text(); };
  ASSERT_TRUE(comes([&] { return db.is_cached("select n from cached_numbers"); })) << "nobody listens";
  int n = 1;
  for (const char* payload : {"numbers", "tag:all-numbers", ""}) {
    ASSERT_EQ(get(), std::to_string(n));
    other_->ask("update cached_numbers set n = n + 1");
    EXPECT_EQ(get(), std::to_string(n)) << "nothing was told";
    other_->ask("select pg_notify('cached_changes', 'tag:others')");
    other_->ask("select pg_notify('cached_changes', '" + std::string(payload) + "')");
    ++n;
    EXPECT_TRUE(comes([&] { return get() == std::to_string(n); })) << payload;
  }
}

// What was sent while nobody listened is not known: nothing from before may be returned.
TEST_F(NotifiedCache, ALostConnectionEmptiesIt) {
  const CacheDb db(server_words(), "query_cache=on query_cache_channel=cached_changes retry_base=1s");
  const auto get = [&] { return db.get("select n from cached_numbers", {}, labelled()).text(); };
  ASSERT_TRUE(comes([&] { return db.is_cached("select n from cached_numbers"); }));
  ASSERT_EQ(get(), "1");
  other_->ask("update cached_numbers set n = 2");
  ASSERT_EQ(get(), "1");
  ASSERT_EQ(other_->ask("select count(pg_terminate_backend(pid)) from pg_stat_activity where query like 'LISTEN%'"),
            "1");
  EXPECT_TRUE(comes([&] { return get() == "2"; }));
  other_->ask("update cached_numbers set n = 3");
  EXPECT_TRUE(comes([&] { return get() == "3"; }));
}

INSTANTIATE_TEST_SUITE_P(Databases, CacheOf, ::testing::Values("sqlite", "postgresql"),
                         [](const auto& tested) { return std::string(tested.param); });

// ---- SQLite: commits are noticed

class SqliteCache : public ::testing::TestWithParam<const char*> {
 protected:
  static constexpr const char* kCount = "select n from counter";
  void make() {
    url_ = is_memory() ? "sqlite::memory:" : "sqlite://" + folder_.file("shared.db");
    options_ = "query_cache=on";
    if (!is_memory()) options_ += " sqlite_synchronous=off sqlite_journal_mode=" + std::string(GetParam());
    db_ = std::make_unique<CacheDb>(url_, options_);
    db_->query("create table counter (n integer)");
    db_->query("insert into counter values (0)");
  }
  bool is_memory() const { return std::string_view(GetParam()) == "in_memory"; }
  void SetUp() override { make(); }

  TempFolder folder_;
  std::string url_, options_;
  std::unique_ptr<CacheDb> db_;
};

// Databases that others can open.
class SqliteFileCache : public SqliteCache {};

TEST_P(SqliteCache, OwnCommitsAreNoticed) {
  const CacheDb& db = *db_;
  int expected = 0;
  const auto check = [&](const char* how) {
    EXPECT_EQ(db.ask_cached(kCount), std::to_string(expected)) << how;
    EXPECT_EQ(db.ask_cached(kCount), std::to_string(expected)) << how;
  };
  ASSERT_TRUE(db.is_cached(kCount));
  const char* const kAdd = "update counter set n = n + 1";
  for (int i = 0; i < 20; ++i) {
    db.query(kAdd);
    ++expected;
    check("a call");
    const tide_statement add = {kAdd, nullptr, 0, 0};
    ASSERT_EQ(tide_pool_batch(db.pool(), &add, 1, nullptr, nullptr, nullptr), TIDE_OK);
    ++expected;
    check("a batch");
    tide_tx tx{};
    ASSERT_EQ(tide_tx_begin(db.pool(), nullptr, &tx, nullptr), TIDE_OK);
    ASSERT_EQ(tide_tx_execute(tx, kAdd, 0, nullptr, nullptr, nullptr, nullptr), TIDE_OK);
    if (!is_memory() && std::string_view(GetParam()) == "wal") check("not committed");
    ASSERT_EQ(tide_tx_commit(tx, nullptr), TIDE_OK);
    ++expected;
    check("a transaction");
    {
      const Lease lease(db);
      lease.query(kAdd);
      ++expected;
      if (!is_memory() && std::string_view(GetParam()) == "wal") check("a lease");
    }
    check("a lease that has ended");
  }
  {
    const Lease lease(db);
    auto* const native = static_cast<sqlite3*>(tide_lease_native(lease.get()));
    ASSERT_EQ(sqlite3_exec(native, kAdd, nullptr, nullptr, nullptr), SQLITE_OK);
  }
  ++expected;
  check("the handle of SQLite");
}

TEST_P(SqliteFileCache, CommitsOfAnotherPoolAreNoticed) {
  const CacheDb other(url_, options_);
  for (int i = 1; i <= 50; ++i) {
    const CacheDb& writer = i % 2 == 0 ? *db_ : other;
    const CacheDb& reader = i % 2 == 0 ? other : *db_;
    writer.query("update counter set n = n + 1");
    EXPECT_EQ(reader.ask_cached(kCount), std::to_string(i));
    EXPECT_EQ(writer.ask_cached(kCount), std::to_string(i));
  }
}

TEST_P(SqliteFileCache, CommitsOfAnotherProcessAreNoticed) {
  const std::string script = folder_.file("writer.py");
  std::ofstream(script) << "import sqlite3, sys\n"
                           "c = sqlite3.connect(sys.argv[1], timeout=20, isolation_level=None)\n"
                           "c.execute('pragma synchronous=off')\n"
                           "for i in range(100):\n"
                           "    c.execute('update counter set n = n + 1')\n"
                           "    print(i + 1, flush=True)\n";
  FILE* const writer = ::popen(("python3 " + script + " " + folder_.file("shared.db")).c_str(), "r");
  ASSERT_NE(writer, nullptr);
  // What was printed is committed.
  std::atomic<int64_t> committed{0};
  std::atomic<bool> is_over{false};
  std::atomic<int> old{0}, hits{0};
  std::vector<std::thread> readers;
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([&] {
      while (!is_over.load()) {
        const int64_t before = committed.load();
        const Result found = db_->get(kCount);
        if (found.value().integer < before) ++old;
        ++hits;
      }
    });
  }
  char line[64];
  while (std::fgets(line, sizeof line, writer) != nullptr) committed = std::strtoll(line, nullptr, 10);
  is_over = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(::pclose(writer), 0);
  EXPECT_EQ(committed, 100);
  EXPECT_EQ(old, 0);
  EXPECT_EQ(db_->ask_cached(kCount), "100");
}

INSTANTIATE_TEST_SUITE_P(Modes, SqliteCache, ::testing::Values("wal", "delete", "in_memory"),
                         [](const auto& tested) { return std::string(tested.param); });

INSTANTIATE_TEST_SUITE_P(Modes, SqliteFileCache, ::testing::Values("wal", "delete"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST(SqliteCacheFile, AReplacedFileIsNoticed) {
  TempFolder folder;
  const std::string path = folder.file("a.db"), other = folder.file("b.db");
  for (const std::string& one : {path, other}) {
    const Db db("sqlite://" + one, "");
    db.query("create table t (a)");
    db.query("insert into t values ('" + one + "')");
  }
  const CacheDb db("sqlite://" + path);
  ASSERT_TRUE(db.is_cached("select a from t"));
  EXPECT_EQ(db.ask_cached("select a from t"), path);
  std::filesystem::rename(path, folder.file("old.db"));
  for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(path + suffix);
  std::filesystem::rename(other, path);
  // Within the second after which the pool looks at its file.
  std::string last;
  EXPECT_TRUE(wait_until(
      [&] {
        Result out;
        Error error;
        const tide_query_options with = cached();
        const tide_status status =
            tide_pool_query_with(db.pool(), "select a from t", 0, nullptr, &with, out.out(), &error);
        last = status == TIDE_OK ? out.text() : error.text();
        return last == other;
      },
      std::chrono::seconds(10)))
      << last;
}

TEST(SqliteCacheFile, AClosedPoolLeavesNoWal) {
  TempFolder folder;
  const std::string path = folder.file("a.db");
  {
    const CacheDb db("sqlite://" + path);
    db.query("create table t (a)");
    ASSERT_TRUE(db.is_cached("select a from t"));
    EXPECT_TRUE(std::filesystem::exists(path + "-wal"));
  }
  EXPECT_FALSE(std::filesystem::exists(path + "-wal"));
}

}  // namespace
}  // namespace tide::test
