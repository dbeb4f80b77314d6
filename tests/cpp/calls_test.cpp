// Statements: rows, structs, first rows, changes, batches, streams, options, errors.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tidepool/tidepool.hpp>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "support.hpp"

namespace {

using namespace std::chrono_literals;
using tidepool::arg;
using tidepool_test::error_of;

struct User {
  int64_t id;
  std::string name;
  std::optional<double> height;
  bool operator==(const User&) const = default;
};

struct Sixteen {
  int a, b, c, d, e, f, g, h, i, j, k, l, m, n, o;
  std::optional<std::string> p;
};

static_assert(std::ranges::forward_range<tidepool::rows<int, std::string>>);
static_assert(std::ranges::forward_range<tidepool::result>);
static_assert(std::ranges::input_range<tidepool::streamed_rows<int>>);
static_assert(std::is_same_v<tidepool::rows<int>::value_type, int>);
static_assert(std::is_same_v<tidepool::rows<int, bool>::value_type, std::tuple<int, bool>>);
static_assert(std::is_same_v<tidepool::rows<std::tuple<int>>::value_type, std::tuple<int>>);
static_assert(std::is_same_v<tidepool::rows<User>::value_type, User>);
static_assert(!std::is_copy_constructible_v<tidepool::pool> && std::is_nothrow_move_constructible_v<tidepool::pool>);
static_assert(!std::is_copy_constructible_v<tidepool::lease> && std::is_nothrow_move_constructible_v<tidepool::lease>);
static_assert(!std::is_copy_constructible_v<tidepool::result>);
static_assert(!std::is_copy_constructible_v<tidepool::transaction>);
static_assert(std::is_nothrow_copy_constructible_v<tidepool::error>);

class Calls : public tidepool_test::Database {
 protected:
  void make_users() {
    make_table("id integer primary key, name text not null, height float8");
    pool().batch({{"insert into t values ($1, $2, $3)", 1, "ada", 1.65},
                  {"insert into t values ($1, $2, $3)", 2, "bob", std::nullopt}});
  }
};

TEST_F(Calls, RowsAreIteratedAsTuplesInTheOrderOfTheResult) {
  make_users();
  std::vector<std::pair<int64_t, std::string>> found;
  for (auto [id, name] :
       pool().query<int64_t, std::string_view>("select id, name from t where id >= $1 order by id", 1)) {
    found.emplace_back(id, name);
  }
  EXPECT_EQ(found, (std::vector<std::pair<int64_t, std::string>>{{1, "ada"}, {2, "bob"}}));
  const auto rows = pool().query<int>("select id from t order by id");
  EXPECT_EQ(rows.size(), 2);
  EXPECT_EQ(rows[1], 2);
  EXPECT_TRUE(std::ranges::equal(rows, std::vector{1, 2}));
  EXPECT_TRUE(pool().query<int>("select id from t where id > 2").empty());
}

TEST_F(Calls, RowsFillPlainStructs) {
  make_users();
  std::vector<User> found;
  for (User user : pool().query<User>("select * from t order by id")) found.push_back(std::move(user));
  EXPECT_EQ(found, (std::vector<User>{{1, "ada", 1.65}, {2, "bob", std::nullopt}}));
  const auto one = pool().query_first<Sixteen>("select 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 'p'");
  ASSERT_TRUE(one.has_value());
  EXPECT_EQ(one->o, 15);
  EXPECT_EQ(one->p, "p");
}

TEST_F(Calls, AnotherNumberOfColumnsIsRefused) {
  make_users();
  EXPECT_STREQ(error_of<tidepool::conversion_error>([&] { pool().query<int>("select id, name from t"); }).what(),
               "the statement returned 2 columns, and 1 was expected");
  EXPECT_STREQ(
      error_of<tidepool::conversion_error>([&] { pool().query<User>("select id from t where id > 5"); }).what(),
      "the statement returned 1 column, and 3 were expected");
}

TEST_F(Calls, TheFirstRowIfThereIsOne) {
  make_users();
  EXPECT_EQ(pool().query_first<int64_t>("select count(*) from t"), 2);
  EXPECT_EQ((pool().query_first<int, std::string>("select id, name from t order by id desc")),
            std::make_tuple(2, "bob"));
  EXPECT_EQ(pool().query_first<User>("select * from t where id = $1", 1), (User{1, "ada", 1.65}));
  EXPECT_EQ(pool().query_first<int>("select id from t where id = $1", 9), std::nullopt);
}

TEST_F(Calls, ResultsWithoutTypesAreReadByName) {
  make_users();
  const tidepool::result found = pool().query("select id, name, height from t order by id");
  EXPECT_EQ(found.size(), 2);
  EXPECT_EQ(found.columns(), 3);
  EXPECT_EQ(found.column_name(1), "name");
  EXPECT_EQ(found[0].get<std::string>("name"), "ada");
  EXPECT_EQ(found[1].get<int>(0), 2);
  EXPECT_TRUE(found[1]["height"].is_null());
  EXPECT_EQ((found[0].as<int, std::string_view, double>()), std::make_tuple(1, std::string_view("ada"), 1.65));
  const auto error = error_of<tidepool::conversion_error>([&] { found[0]["hight"]; });
  EXPECT_STREQ(error.what(), "there is no column \"hight\" in the result");
  EXPECT_EQ(error.detail(), "The columns are id, name, height.");
  EXPECT_THROW(static_cast<void>(found[0].get<int>(3)), tidepool::conversion_error);
  const tide_column_type type = found.column_type(0);
  EXPECT_TRUE(tidepool_test::is_postgresql() ? type.oid == 23 : std::string_view(type.declared) == "INTEGER");
}

TEST_F(Calls, ChangesAreCounted) {
  make_users();
  const tidepool::result changed = pool().execute("update t set height = $1", 2);
  EXPECT_EQ(changed.affected(), 2);
  EXPECT_TRUE(changed.command().starts_with("UPDATE"));
  const tidepool::result inserted =
      pool().execute("insert into t (id, name) values ($1, $2) returning id, name", 17, "eve");
  EXPECT_EQ(inserted.affected(), 1);
  EXPECT_EQ(inserted.last_insert_id(), 17);
  EXPECT_EQ(inserted[0].get<std::string>("name"), "eve");
}

TEST_F(Calls, NamedParameters) {
  make_users();
  EXPECT_EQ(pool().query_first<std::string>("select name from t where id = :id and name <> :other", arg("other", "x"),
                                            arg("id", 2)),
            "bob");
  EXPECT_EQ(pool()
                .execute("update t set name = :name where id = :id", arg("id", 1), arg("name", std::string("ann")))
                .affected(),
            1);
}

TEST_F(Calls, BatchesTakeEffectCompletelyOrNotAtAll) {
  make_users();
  const tidepool::result done =
      pool().batch({{"insert into t (id, name) values ($1, $2)", 3, "cyd"}, "select count(*) from t"});
  EXPECT_EQ(done.part(0).affected(), 1);
  EXPECT_EQ(done.part(1)[0].get<int>(0), 3);
  EXPECT_FALSE(done.part(2));
  std::vector<tidepool::statement> statements;
  for (int id = 10; id < 15; ++id)
    statements.emplace_back("insert into t (id, name) values ($1, $2)", id, std::string("name ") + std::to_string(id));
  statements.emplace_back("insert into t (id, name) values ($1, $2)", 1, "again");
  const auto error = error_of<tidepool::constraint_error>([&] { pool().batch(statements); });
  EXPECT_EQ(error.sqlstate(), "23505");
  EXPECT_EQ(pool().query_first<int>("select count(*) from t"), 3);
  statements.pop_back();
  EXPECT_TRUE(pool().try_batch(statements));
  EXPECT_EQ(pool().query_first<std::string>("select name from t where id = 14"), "name 14");
  EXPECT_THROW(pool().batch({{"select :a", arg("a", 1)}}), tidepool::error);
}

TEST_F(Calls, StreamsDeliverEveryRowOnce) {
  int64_t sum = 0;
  std::string last;
  for (auto [n, s] : pool().stream<int, std::string_view>(series(5000))) {
    sum += n;
    last = s;
  }
  EXPECT_EQ(sum, 5000 * 5001 / 2);
  EXPECT_EQ(last, "row 5000");
  for (int n : pool().stream<int>("select 1 where 1 = $1", 2)) FAIL() << n;
  int rows = 0;
  for (const tidepool::row row : pool().stream(series(3))) rows += row.get<int>("n");
  EXPECT_EQ(rows, 6);
}

TEST_F(Calls, StreamsThatEndEarlyLeaveTheConnectionUsable) {
  tidepool::pool narrow("narrow", url(), "max_size=1 acquire_timeout=5s");
  for (int round = 0; round < 3; ++round) {
    for (auto [n, s] : narrow.stream<int, std::string>(series(100000))) {
      if (n == 10) break;
    }
    EXPECT_EQ(narrow.query_first<int>("select 1"), 1);
  }
  EXPECT_THROW(
      {
        for (int n : narrow.stream<int>("select n from (" + series(1000) + ") as q")) {
          if (n == 7) throw std::out_of_range("7");
        }
      },
      std::out_of_range);
  tidepool::streamed_rows<int, std::string> unread = narrow.stream<int, std::string>(series(1000));
  EXPECT_FALSE(narrow.with({.timeout = 0ms}).try_query<int>("select 1"));  // it holds the only connection
  unread.close();
  EXPECT_EQ(narrow.query_first<int>("select 1"), 1);
}

TEST_F(Calls, AFunctionForEachRow) {
  int64_t sum = 0;
  EXPECT_EQ((pool().for_each<int, std::string_view>([&](int n, std::string_view) { sum += n; }, series(1000))), 1000);
  EXPECT_EQ(sum, 500500);
  EXPECT_EQ((pool().for_each<int, std::string>([](int n, const std::string&) { return n < 5; }, series(1000))), 5);
  EXPECT_EQ(pool().for_each<int>([](int n) { EXPECT_EQ(n, 3); }, "select 3 where 1 = $1", 1), 1);
  EXPECT_EQ(pool().for_each([](tidepool::row row) { EXPECT_EQ(row.get<int>("n"), 1); }, series(1)), 1);
  EXPECT_THROW(
      (pool().for_each<int, std::string>([](int, const std::string&) { throw std::out_of_range("x"); }, series(9))),
      std::out_of_range);
  EXPECT_THROW(pool().for_each<int>([](int) {}, series(9)), tidepool::conversion_error);
  EXPECT_EQ(pool().query_first<int>("select 1"), 1);
}

TEST_F(Calls, ErrorsTellWhatTheDatabaseTold) {
  make_users();
  const auto unknown = error_of<tidepool::error>([&] { pool().query("select nmae from t"); });
  EXPECT_EQ(unknown.status(), TIDE_DATABASE);
  EXPECT_EQ(unknown.status_name(), "database");
  EXPECT_EQ(unknown.sqlstate(), "42703");
  EXPECT_NE(std::string_view(unknown.what()).find("nmae"), std::string_view::npos);
  EXPECT_EQ(unknown.position(), 8);
  EXPECT_FALSE(unknown.retryable());
  const auto twice =
      error_of<tidepool::constraint_error>([&] { pool().execute("insert into t (id, name) values (1, 'x')"); });
  EXPECT_EQ(twice.sqlstate(), "23505");
  EXPECT_EQ(twice.table(), "t");
  const auto none =
      error_of<tidepool::constraint_error>([&] { pool().execute("insert into t (id, name) values (9, null)"); });
  EXPECT_EQ(none.column(), "name");
}

TEST_F(Calls, BadInputIsRefused) {
  EXPECT_THROW(pool().query("select " + typed("$1", "int") + ", " + typed("$2", "int"), 1), tidepool::error);
  EXPECT_THROW(pool().execute("begin"), tidepool::error);
  EXPECT_THROW(pool().query("select 1; select " + typed("$1", "int"), 1), tidepool::error);
  EXPECT_THROW(pool().query(std::string("select 1\0; drop table t", 23)), tidepool::error);
  EXPECT_EQ(pool().query_first<int>("select 1"), 1);
}

TEST_F(Calls, OptionsOfACall) {
  const auto late = error_of<tidepool::timeout_error>([&] { pool().with({.timeout = 50ms}).query(endless()); });
  EXPECT_EQ(late.status(), TIDE_TIMEOUT);
  const auto large = error_of<tidepool::error>([&] { pool().with({.max_rows = 10}).query(series(11)); });
  EXPECT_EQ(large.sqlstate(), "54000");
  EXPECT_EQ(
      pool().with({.tag = "report", .access = tidepool::access::read, .retry_attempts = 0}).query(series(11)).size(),
      11);
}

TEST_F(Calls, ExpectedInsteadOfExceptions) {
  make_users();
  const auto good = pool().try_query<int64_t, std::string>("select id, name from t order by id");
  ASSERT_TRUE(good);
  EXPECT_EQ(std::get<1>((*good)[0]), "ada");
  const auto bad = pool().try_query<int>("selekt");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().sqlstate(), "42601");
  EXPECT_THROW(static_cast<void>(bad.value()), tidepool::error);
  // A value that cannot be converted is found before the rows are read.
  const auto null = pool().try_query<double>("select height from t");
  ASSERT_FALSE(null);
  EXPECT_EQ(null.error().kind(), tidepool::error_kind::conversion);
  EXPECT_THROW(static_cast<void>(null.value()), tidepool::conversion_error);
  EXPECT_EQ(pool().try_query_first<int>("select id from t where id = 2").value(), 2);
  const auto twice = pool().try_execute("insert into t (id, name) values (1, 'x')");
  EXPECT_EQ(twice.error().kind(), tidepool::error_kind::constraint);
  EXPECT_THROW(static_cast<void>(twice.value()), tidepool::constraint_error);
  EXPECT_FALSE(pool().try_for_each<int>([](int) {}, "select"));
  EXPECT_FALSE(tidepool::pool::try_open({.name = "bad", .url = url(), .options = "max_size=many"}));
  EXPECT_EQ(pool().try_query<int>("selekt").error().status(), TIDE_DATABASE);
}

TEST_F(Calls, LeasesKeepTheirSession) {
  tidepool::lease lease = pool().acquire({.tag = "test"});
  lease.execute("create temporary table mine (n int)");
  lease.execute("insert into mine values ($1)", 5);
  EXPECT_EQ(lease.query_first<int>("select n from mine"), 5);
  int sum = 0;
  for (int n : lease.stream<int>("select n from mine")) sum += n;
  EXPECT_EQ(sum, 5);
  EXPECT_GT(lease.stats().lease_id, 0U);
  EXPECT_NE(lease.session<void>(), nullptr);
  tidepool::lease moved = std::move(lease);
  EXPECT_EQ(moved.query_first<int>("select n from mine"), 5);
  moved.discard();
  EXPECT_EQ(error_of<tidepool::error>([&] { moved.query("select 1"); }).status(), TIDE_STALE_LEASE);
  EXPECT_THROW(pool().query("select n from mine"), tidepool::error);
}

TEST_F(Calls, APoolThatIsClosedRefuses) {
  tidepool::pool own({.name = "own", .url = url(), .options = "max_size=2"});
  EXPECT_EQ(own.instance_id().size(), 32U);
  EXPECT_EQ(std::string_view(own.health().status).empty(), false);
  tidepool::pool moved = std::move(own);
  EXPECT_EQ(moved.query_first<int>("select 1"), 1);
  moved.close();
  EXPECT_THROW(moved.query("select 1"), tidepool::error);
}

TEST_F(Calls, EventsAreReported) {
  std::atomic<int> acquired = 0;
  {
    tidepool::pool own(
        {.name = "events",
         .url = url(),
         .options = "max_size=2",
         .event_mask = uint32_t{1} << TIDE_EVENT_ACQUIRE,
         .on_event = [&](const tide_event& event) { acquired += event.kind == TIDE_EVENT_ACQUIRE ? 1 : 100; }});
    own.acquire();
    own.acquire().release();
  }
  EXPECT_EQ(acquired, 2);
}

class Cached : public tidepool_test::Database {};

TEST_F(Cached, QueriesAndInvalidation) {
  tidepool::pool caching("caching", url(), "max_size=2 query_cache=on");
  const auto ask = [&](const tidepool::caching& how) {
    return caching.with({.cache = how}).query_first<std::string>("select 'x'").value_or("nothing");
  };
  EXPECT_EQ(ask({.ttl = 1min, .key = "a", .tags = "t u"}), "x");
  EXPECT_EQ(caching.invalidate_key("b"), 0);
  EXPECT_EQ(caching.invalidate_key("a"), 1);
  EXPECT_EQ(ask({.stale = 1s, .tags = "t u"}), "x");
  EXPECT_EQ(caching.invalidate_tag("u"), 1);
  EXPECT_EQ(ask({}), "x");
  EXPECT_EQ(caching.invalidate_all(), 1);
  EXPECT_EQ(error_of<tidepool::error>([&] { ask({.ttl = -1ms}); }).status(), TIDE_BAD_ARGUMENT);
  EXPECT_EQ(
      error_of<tidepool::error>([&] { caching.with({.cache = tidepool::caching{}}).execute("select 1"); }).status(),
      TIDE_BAD_ARGUMENT);
}

}  // namespace
