// Opening: what is no database is told clearly and at once; what is one gets the policy's settings.
#include <sys/mount.h>
#include <sys/resource.h>

#include <fstream>
#include <iostream>

#include "unit/driver/sqlite_support.hpp"

namespace tide::test {
namespace {

class SqliteOpen : public SqliteRoom {
 protected:
  Completion open(const std::string& path, const Policy& policy = Policy{}, Span within = Span::seconds(30)) {
    connector_ = make_sqlite_connector(path, policy, clock_);
    return try_open(*connector_, clock_, within);
  }
  void expect_hopeless(const std::string& path, const std::string& words) {
    const Completion done = open(path);
    ASSERT_EQ(done.kind, Completion::Kind::open_failed);
    EXPECT_TRUE(done.is_permanent);
    EXPECT_FALSE(done.status.is_retryable);
    EXPECT_NE(done.status.message().find(words), std::string::npos) << done.status.message();
    EXPECT_FALSE(done.status.detail().empty());
    EXPECT_FALSE(done.status.hint().empty());
  }

  std::unique_ptr<Connector> connector_;
};

TEST_F(SqliteOpen, MissingFileIsCreated) {
  const Completion done = open(dir_.file("new.db"));
  ASSERT_EQ(done.kind, Completion::Kind::opened) << done.status.message();
  EXPECT_TRUE(std::filesystem::exists(dir_.file("new.db")));
}

TEST_F(SqliteOpen, MissingDirectoryIsNotCreated) { expect_hopeless(dir_.file("no/such.db"), dir_.file("no")); }

TEST_F(SqliteOpen, DirectoryIsRejected) { expect_hopeless(dir_.path(), "it is a directory"); }

TEST_F(SqliteOpen, EmptyNameIsRejected) { expect_hopeless("", "no database file"); }

TEST_F(SqliteOpen, OtherFileIsRejected) {
  std::ofstream(dir_.file("letter.db")) << std::string(5000, 'x');
  expect_hopeless(dir_.file("letter.db"), "letter.db");
  const Completion done = open(dir_.file("letter.db"));
  EXPECT_EQ(done.status.native_code & 0xFF, SQLITE_NOTADB);
  EXPECT_EQ(done.status.sqlstate(), "XX001");
}

TEST_F(SqliteOpen, EmptyFileIsADatabase) {
  std::ofstream(dir_.file("empty.db")).flush();
  EXPECT_EQ(open(dir_.file("empty.db")).kind, Completion::Kind::opened);
}

TEST_F(SqliteOpen, FileWithoutPermissionIsRejected) {
  { const Stranger owner(dir_.file()); }
  std::ofstream(dir_.file()).flush();
  ::chmod(dir_.file().c_str(), 0400);
  const AsNobody nobody;
  ASSERT_TRUE(nobody.is_unprivileged());
  expect_hopeless(dir_.file(), "Permission denied");
}

TEST_F(SqliteOpen, ReadOnlyDirectoryIsRejected) {
  std::ofstream(dir_.file()).flush();
  ::chmod(dir_.file().c_str(), 0666);
  ::chmod(dir_.path().c_str(), 0555);
  {
    const AsNobody nobody;
    ASSERT_TRUE(nobody.is_unprivileged());
    expect_hopeless(dir_.file(), "cannot write to the directory of");
    expect_hopeless(dir_.file("other.db"), "cannot create");
  }
  ::chmod(dir_.path().c_str(), 0777);
}

class SqliteReadOnly : public SqliteOpen {
 protected:
  void SetUp() override {
    Stranger owner(dir_.file());
    ASSERT_EQ(owner.run("CREATE TABLE t (x); INSERT INTO t VALUES ('kept')"), SQLITE_OK);
  }
  static Policy with(SqliteAccess access) {
    Policy policy;
    policy.sqlite_access = access;
    return policy;
  }
  // As nobody, who may read the file and nothing else.
  void expect_readable(SqliteAccess access) {
    ::chmod(dir_.file().c_str(), 0444);
    ::chmod(dir_.path().c_str(), 0555);
    {
      const AsNobody nobody;
      ASSERT_TRUE(nobody.is_unprivileged());
      const Completion refused = open(dir_.file());
      ASSERT_EQ(refused.kind, Completion::Kind::open_failed);
      EXPECT_NE(refused.status.hint().find("mode=ro"), std::string::npos) << refused.status.hint();
      const Completion done = open(dir_.file(), with(access));
      ASSERT_EQ(done.kind, Completion::Kind::opened) << done.status.message() << " / " << done.status.detail();
      for (const LeaseMode mode : {LeaseMode::read, LeaseMode::read_write}) {
        ASSERT_OK(done.connection->begin_lease(mode, clock_.now()));
        EXPECT_EQ(ask(*done.connection, "SELECT x FROM t"), "kept");
        for (const char* sql : {"INSERT INTO t VALUES (1)", "BEGIN IMMEDIATE", "CREATE TABLE u (x)", "VACUUM"}) {
          const Status status = run(*done.connection, sql);
          EXPECT_EQ(status.sqlstate(), "25006") << sql << ": " << status.message();
          EXPECT_NE(status.message().find("read-only"), std::string::npos) << status.message();
          EXPECT_FALSE(status.hint().empty());
        }
        EXPECT_NE(run_native(*done.connection, "INSERT INTO t VALUES (1)"), SQLITE_OK);
        done.connection->vouch();
        EXPECT_EQ(done.connection->settle(ResetMode::full), Settled::clean);
      }
    }
    ::chmod(dir_.path().c_str(), 0777);
  }
};

TEST_F(SqliteReadOnly, ReadOnlyFileIsReadable) { expect_readable(SqliteAccess::read_only); }

TEST_F(SqliteReadOnly, ImmutableWalDatabaseNeedsNoIndex) {
  { EXPECT_EQ(Stranger(dir_.file()).run("PRAGMA journal_mode = wal"), SQLITE_OK); }
  ::chmod(dir_.path().c_str(), 0555);
  {
    const AsNobody nobody;
    const Completion refused = open(dir_.file(), with(SqliteAccess::read_only));
    ASSERT_EQ(refused.kind, Completion::Kind::open_failed);
    EXPECT_NE(refused.status.hint().find("immutable=1"), std::string::npos) << refused.status.hint();
  }
  expect_readable(SqliteAccess::immutable);
}

TEST_F(SqliteReadOnly, ImmutableWithWalIsRejected) {
  Stranger owner(dir_.file());
  ASSERT_EQ(owner.run("PRAGMA journal_mode = wal; INSERT INTO t VALUES ('in the WAL')"), SQLITE_OK);
  const Completion refused = open(dir_.file(), with(SqliteAccess::immutable));
  ASSERT_EQ(refused.kind, Completion::Kind::open_failed);
  EXPECT_NE(refused.status.message().find("it has a WAL"), std::string::npos) << refused.status.message();
  const Completion done = open(dir_.file(), with(SqliteAccess::read_only));
  ASSERT_EQ(done.kind, Completion::Kind::opened) << done.status.message();
  EXPECT_EQ(ask(*done.connection, "SELECT count(*) FROM t"), "2");
}

TEST_F(SqliteReadOnly, NothingIsCreated) {
  for (const SqliteAccess access : {SqliteAccess::read_only, SqliteAccess::immutable}) {
    const Completion refused = open(dir_.file("missing.db"), with(access));
    ASSERT_EQ(refused.kind, Completion::Kind::open_failed);
    EXPECT_EQ(refused.status.sqlstate(), "58P01");
    EXPECT_FALSE(std::filesystem::exists(dir_.file("missing.db")));
  }
}

TEST_F(SqliteReadOnly, ImmutableWithSpecialCharacters) {
  const std::string path = dir_.file("a b%20?c#d&e=f.db");
  { EXPECT_EQ(Stranger(path).run("CREATE TABLE t (x); INSERT INTO t VALUES (42)"), SQLITE_OK); }
  const Completion done = open(path, with(SqliteAccess::immutable));
  ASSERT_EQ(done.kind, Completion::Kind::opened) << done.status.message();
  EXPECT_EQ(ask(*done.connection, "SELECT x FROM t"), "42");
}

TEST_F(SqliteOpen, UriLikeNameIsAPath) {
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(dir_.path());
  const Completion done = open("file:odd.db?mode=memory");
  std::filesystem::current_path(before);
  ASSERT_EQ(done.kind, Completion::Kind::opened) << done.status.message();
  EXPECT_TRUE(std::filesystem::exists(dir_.file("file:odd.db?mode=memory")));
}

TEST_F(SqliteOpen, DescriptorShortageIsTemporary) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{3, before.rlim_max};
  connector_ = make_sqlite_connector(dir_.file(), Policy{}, clock_);
  connector_->open(0, clock_.now(), clock_.now() + Span::seconds(30));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const Completion done = pump(*connector_, clock_);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(done.kind, Completion::Kind::open_failed);
  EXPECT_FALSE(done.is_permanent);
  EXPECT_TRUE(done.status.is_retryable);
}

TEST_F(SqliteOpen, PolicyIsApplied) {
  Policy policy;
  policy.sqlite_synchronous = SqliteSynchronous::full;
  policy.sqlite_cache_pages = 321;
  policy.sqlite_foreign_keys = true;
  policy.sqlite_temp_store = SqliteTempStore::memory;
  policy.sqlite_busy_timeout = Span::millis(1234);
  const auto session = make_session(policy);
  EXPECT_EQ(ask(*session, "PRAGMA journal_mode"), "wal");
  EXPECT_EQ(ask(*session, "PRAGMA synchronous"), "2");
  EXPECT_EQ(ask(*session, "PRAGMA cache_size"), "321");
  EXPECT_EQ(ask(*session, "PRAGMA foreign_keys"), "1");
  EXPECT_EQ(ask(*session, "PRAGMA temp_store"), "2");
  EXPECT_EQ(ask(*session, "PRAGMA busy_timeout"), "1234");
}

TEST_F(SqliteOpen, EveryJournalModeIsApplied) {
  const std::pair<SqliteJournalMode, std::string> modes[] = {
      {SqliteJournalMode::delete_, "delete"},  {SqliteJournalMode::truncate, "truncate"},
      {SqliteJournalMode::persist, "persist"}, {SqliteJournalMode::memory, "memory"},
      {SqliteJournalMode::off, "off"},         {SqliteJournalMode::wal, "wal"}};
  for (const auto& [mode, name] : modes) {
    Policy policy;
    policy.sqlite_journal_mode = mode;
    const Completion done = open(dir_.file(name + ".db"), policy);
    ASSERT_EQ(done.kind, Completion::Kind::opened) << done.status.message();
    EXPECT_EQ(ask(*done.connection, "PRAGMA journal_mode"), name);
  }
}

TEST_F(SqliteOpen, LockedFileIsRetriedUntilTheDeadline) {
  Stranger stranger(dir_.file());
  ASSERT_EQ(stranger.run("CREATE TABLE t (x); BEGIN EXCLUSIVE"), SQLITE_OK);
  const Completion failed = open(dir_.file(), Policy{}, Span::millis(50));
  ASSERT_EQ(failed.kind, Completion::Kind::open_failed);
  EXPECT_FALSE(failed.is_permanent);
  EXPECT_EQ(failed.status.code, Code::unavailable);
  EXPECT_TRUE(failed.status.is_retryable);
  EXPECT_EQ(failed.status.native_code & 0xFF, SQLITE_BUSY);

  connector_->open(1, clock_.now(), clock_.now() + Span::seconds(30));
  std::vector<Completion> out;
  EXPECT_LT(connector_->step(clock_.now(), out), Instant::never());
  EXPECT_TRUE(out.empty());
  ASSERT_EQ(stranger.run("COMMIT"), SQLITE_OK);
  EXPECT_EQ(pump(*connector_, clock_).kind, Completion::Kind::opened);
}

TEST_F(SqliteOpen, ReplacedFileFailsValidation) {
  Completion opened = open(dir_.file());
  ASSERT_EQ(opened.kind, Completion::Kind::opened);
  std::filesystem::rename(dir_.file(), dir_.file("old.db"));
  { Stranger other(dir_.file()); }
  std::ofstream(dir_.file()).flush();
  connector_->validate(0, *opened.connection, clock_.now(), clock_.now() + Span::seconds(30));
  const Completion done = pump(*connector_, clock_);
  EXPECT_EQ(done.kind, Completion::Kind::validation_failed);
  EXPECT_NE(done.status.message().find("replaced"), std::string::npos);
}

TEST_F(SqliteOpen, ValidationQueryIsExecuted) {
  Policy policy;
  Completion opened = open(dir_.file(), policy);
  for (const auto& [query, told] : {std::pair{"SELECT 1", Completion::Kind::validated},
                                    std::pair{"SELECT * FROM missing", Completion::Kind::validation_failed}}) {
    policy.validation_query = query;
    connector_->set_policy(policy);
    connector_->validate(0, *opened.connection, clock_.now(), clock_.now() + Span::seconds(30));
    EXPECT_EQ(pump(*connector_, clock_).kind, told) << query;
  }
  policy.validation_query = kEndless;
  connector_->set_policy(policy);
  connector_->validate(0, *opened.connection, clock_.now(), clock_.now() + Span::millis(20));
  const Completion done = pump(*connector_, clock_);
  EXPECT_EQ(done.kind, Completion::Kind::validation_failed);
  EXPECT_EQ(done.status.code, Code::timeout);
}

TEST_F(SqliteOpen, LockOfAnotherProcessPassesValidation) {
  Policy policy;
  policy.sqlite_journal_mode = SqliteJournalMode::delete_;
  Completion opened = open(dir_.file(), policy);
  Stranger stranger(dir_.file());
  ASSERT_EQ(stranger.run("BEGIN EXCLUSIVE"), SQLITE_OK);
  connector_->validate(0, *opened.connection, clock_.now(), clock_.now() + Span::seconds(30));
  EXPECT_EQ(pump(*connector_, clock_).kind, Completion::Kind::validated);
}

TEST_F(SqliteOpen, MemoryDatabaseBelongsToItsConnector) {
  Completion first = open(":memory:");
  ASSERT_EQ(first.kind, Completion::Kind::opened) << first.status.message();
  ASSERT_OK(run(*first.connection, "CREATE TABLE t (x); INSERT INTO t VALUES (42)"));
  connector_->close(0, std::move(first.connection), clock_.now());
  EXPECT_EQ(pump(*connector_, clock_).kind, Completion::Kind::closed);
  const auto second = open_session(*connector_, clock_);
  EXPECT_EQ(ask(*second, "SELECT x FROM t"), "42");
  EXPECT_EQ(ask(*second, "PRAGMA journal_mode"), "memory");
  const auto other = make_sqlite_connector(":memory:", Policy{}, clock_);
  EXPECT_NE(ask(*open_session(*other, clock_), "SELECT x FROM t"), "42");
}

TEST_F(SqliteOpen, FullDiskIsReported) {
  const std::string mount = dir_.file("tiny");
  std::filesystem::create_directory(mount);
  if (::mount("tmpfs", mount.c_str(), "tmpfs", 0, "size=256k") != 0) {
    std::cout << "not tried: mounting a small file system needs root with CAP_SYS_ADMIN\n";
    return;  // SqliteQuery.AFullDatabaseIsToldAsSuch has the same error without a mount
  }
  {
    const auto connector = make_sqlite_connector(mount + "/full.db", Policy{}, clock_);
    const auto session = open_session(*connector, clock_);
    ASSERT_OK(run(*session, "CREATE TABLE t (x)"));
    const Status status = run(*session, "INSERT INTO t VALUES (randomblob(1000000))");
    EXPECT_EQ(status.sqlstate(), "53100") << status.message();
    EXPECT_EQ(ask(*session, "SELECT count(*) FROM t"), "0");
  }
  ::umount(mount.c_str());
}

}  // namespace
}  // namespace tide::test
