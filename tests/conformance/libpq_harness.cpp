#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>

#include <algorithm>

#include "conformance/harness.hpp"
#include "driver/libpq/connector.hpp"
#include "unit/driver/support.hpp"

namespace tide::test {
namespace {

// Puts the driver to the suite on the server that TIDE_TEST_POSTGRESQL names (tests/pg/with_server.py starts one).
class LibpqHarness final : public Harness {
 public:
  LibpqHarness() {
    words_.prepare = "CREATE TABLE IF NOT EXISTS t (x int); TRUNCATE t; INSERT INTO t VALUES (1), (2), (3)";
    words_.one_row = "SELECT 1";
    words_.one_value = "1";
    words_.change = "UPDATE t SET x = x + 1";
    words_.changed_rows = 3;
    words_.changed_command = "UPDATE 3";
    words_.echo_two = "SELECT $1::text, $2::text";
    words_.runs_long = "SELECT pg_sleep(600)";
    words_.syntax_error = "SELEKT 1";
    words_.begin = "BEGIN";
    words_.rollback = "ROLLBACK";
    words_.more_rollbacks = {"/* all /* of */ it */ ROLLBACK", "rollback -- done", ";ABORT/**/AND NO CHAIN;",
                             "Rollback Work"};
    words_.begin_special = "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE";
    words_.rollback_and_chain = "ROLLBACK /* and */ AND CHAIN";
    words_.kind =
        "SELECT concat_ws(' ', current_setting('transaction_deferrable'), current_setting('transaction_isolation'), "
        "current_setting('transaction_read_only'))";
    words_.special_kind = "on serializable on";
    words_.alter_session = "SET work_mem = '1234kB'";
    words_.session_mark = "SELECT count(*) FROM pg_settings WHERE name = 'work_mem' AND source = 'session'";
    words_.unmarked = "0";
    words_.echo_integer = "SELECT $1::bigint";
    words_.echo_real = "SELECT $1::double precision";
    words_.echo_text = "SELECT $1::text";
    words_.echo_bytes = "SELECT $1::bytea";
    words_.echo_boolean = "SELECT $1::boolean";
    words_.rows = rows_in_sql;
    words_.endless_rows = kCounting + std::string(") SELECT i FROM n");
    words_.be_nobody = "DROP ROLE IF EXISTS tide_nobody; CREATE ROLE tide_nobody; SET ROLE tide_nobody";
    words_.hide_load = "REVOKE EXECUTE ON FUNCTION pg_stat_get_activity(int) FROM PUBLIC";
    words_.show_load = "GRANT EXECUTE ON FUNCTION pg_stat_get_activity(int) TO PUBLIC";
  }

  std::unique_ptr<Connector> make_connector(const Policy& policy) override {
    return make_postgresql_connector({target(), "conformance", nullptr}, policy, clock_);
  }
  std::unique_ptr<Connector> make_hopeless_connector(const Policy& policy) override {
    return make_postgresql_connector({target() + " dbname=nowhere", "conformance", nullptr}, policy, clock_);
  }
  const Clock& clock() const override { return clock_; }
  void wait(Connector& connector, Instant until) override {
    const int64_t ms = std::clamp<int64_t>((until - clock_.now()).ms() + 1, 0, 1000);
    pollfd fd{connector.fd(), POLLIN, 0};
    poll(&fd, 1, static_cast<int>(ms));
  }
  const Words& words() const override { return words_; }
  Quirks quirks() const override {
    Quirks quirks{true, true, true, true};
    quirks.takes_nul = false;
    quirks.takes_invalid_utf8 = false;
    return quirks;
  }
  bool break_session(Connection& connection) override {
    auto connector = make_postgresql_connector({target(), "conformance", nullptr}, Policy{}, clock_);
    connector->open(0, clock_.now(), clock_.now() + Span::seconds(10));
    std::vector<Completion> done;
    while (done.empty()) {
      const Instant until = connector->step(clock_.now(), done);
      if (done.empty()) wait(*connector, until);
    }
    const std::string sql = "SELECT pg_terminate_backend(" + std::to_string(connection.server_pid()) + ", 5000)";
    QueryRequest request;
    request.sql = sql;
    ResultTable out;
    return done.front().connection->query(request, out).is_ok() && std::string(out.text(0, 0)) == "t";
  }

 private:
  static std::string target() { return ::getenv("TIDE_TEST_POSTGRESQL"); }
  RealClock clock_;
  Words words_;
};

}  // namespace

std::unique_ptr<Harness> make_libpq_harness() { return std::make_unique<LibpqHarness>(); }

}  // namespace tide::test
