// Memory: what SQLite says it has, and giving back what serves speed only.
#include "unit/driver/sqlite_support.hpp"

namespace tide::test {
namespace {

TEST(SqliteMemory, SheddingReleasesCachedPages) {
  const TempDir dir;
  const RealClock clock;
  Policy policy;
  policy.sqlite_cache_pages = 10'000;
  const auto connector = make_sqlite_connector(dir.file(), policy, clock);
  const auto session = open_session(*connector, clock);
  ASSERT_OK(session->begin_lease(LeaseMode::read_write, clock.now()));
  ASSERT_OK(run(*session,
                "CREATE TABLE t (x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5000) "
                "INSERT INTO t SELECT randomblob(1000) FROM n"));
  ASSERT_EQ(ask(*session, "SELECT count(*) FROM t WHERE length(x) = 1000"), "5000");
  ASSERT_EQ(session->settle(ResetMode::smart), Settled::clean);
  const int64_t before = connector->memory_bytes();
  EXPECT_GT(before, int64_t{4} << 20);
  session->shed_memory();
  EXPECT_LT(connector->memory_bytes(), before - (int64_t{4} << 20));
  ASSERT_OK(session->begin_lease(LeaseMode::read_write, clock.now()));
  EXPECT_EQ(ask(*session, "SELECT count(*) FROM t WHERE length(x) = 1000"), "5000");
  EXPECT_EQ(session->settle(ResetMode::smart), Settled::clean);
}

TEST(SqliteMemory, SheddingADisarmedSessionDoesNothing) {
  const RealClock clock;
  const auto connector = make_sqlite_connector(":memory:", Policy{}, clock);
  const auto session = open_session(*connector, clock);
  session->disarm();
  session->shed_memory();
  EXPECT_EQ(session->settle(ResetMode::smart), Settled::broken);
}

}  // namespace
}  // namespace tide::test
