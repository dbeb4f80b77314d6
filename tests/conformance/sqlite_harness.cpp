#include <poll.h>

#include <algorithm>

#include "conformance/harness.hpp"
#include "unit/driver/support.hpp"

namespace tide::test {
namespace {

class SqliteHarness final : public Harness {
 public:
  enum class Kind { memory, file, threaded };
  explicit SqliteHarness(Kind kind) : is_memory_(kind == Kind::memory), is_threaded_(kind == Kind::threaded) {
    words_.prepare = "CREATE TABLE t (x); INSERT INTO t VALUES (1), (2), (3)";
    words_.one_row = "SELECT 1";
    words_.one_value = "1";
    words_.change = "UPDATE t SET x = x + 1";
    words_.changed_rows = 3;
    words_.changed_command = "UPDATE";
    words_.echo_two = "SELECT ?1, ?2";
    words_.runs_long = kEndless;
    words_.syntax_error = "SELEKT 1";
    words_.begin = "BEGIN";
    words_.rollback = "ROLLBACK";
    words_.more_rollbacks = {"/* all of it */ ROLLBACK", "rollback -- done", ";ROLLBACK/**/TRANSACTION;"};
    words_.alter_session = "CREATE TEMP TABLE mine (x)";
    words_.session_mark = "SELECT count(*) FROM temp.sqlite_schema";
    words_.unmarked = "0";
    words_.echo_integer = words_.echo_real = words_.echo_text = words_.echo_bytes = words_.echo_boolean = "SELECT ?1";
    words_.rows = rows_in_sql;
    words_.endless_rows = kCounting + std::string(") SELECT i FROM n");
  }

  std::unique_ptr<Connector> make_connector(const Policy& policy) override {
    if (is_threaded_) return make_threaded_sqlite_connector(dir_.file(), policy, clock_);
    return make_sqlite_connector(is_memory_ ? ":memory:" : dir_.file(), policy, clock_);
  }
  std::unique_ptr<Connector> make_hopeless_connector(const Policy& policy) override {
    if (is_threaded_) return make_threaded_sqlite_connector(dir_.path(), policy, clock_);
    return make_sqlite_connector(dir_.path(), policy, clock_);
  }
  const Clock& clock() const override { return clock_; }
  void wait(Connector& connector, Instant until) override {
    if (!is_threaded_) return;
    pollfd fd{connector.fd(), POLLIN, 0};
    const Span left = std::clamp(until - clock_.now(), Span{}, Span::millis(100));
    poll(&fd, 1, static_cast<int>(left.ms()) + 1);
  }
  const Words& words() const override { return words_; }
  Quirks quirks() const override {
    Quirks quirks{true, !is_memory_, !is_memory_, false, "58030"};
    quirks.has_booleans = false;
    quirks.takes_nan = false;
    return quirks;
  }
  bool break_session(Connection&) override { return !is_memory_ && std::filesystem::remove(dir_.file()); }

 private:
  const bool is_memory_;
  const bool is_threaded_;
  TempDir dir_;
  RealClock clock_;
  Words words_;
};

}  // namespace

std::unique_ptr<Harness> make_sqlite_file_harness() {
  return std::make_unique<SqliteHarness>(SqliteHarness::Kind::file);
}
std::unique_ptr<Harness> make_sqlite_memory_harness() {
  return std::make_unique<SqliteHarness>(SqliteHarness::Kind::memory);
}
std::unique_ptr<Harness> make_sqlite_threaded_harness() {
  return std::make_unique<SqliteHarness>(SqliteHarness::Kind::threaded);
}

}  // namespace tide::test
