#include "conformance/harness.hpp"
#include "driver/fake/connector.hpp"
#include "unit/driver/support.hpp"

namespace tide::test {
namespace {

class FakeHarness final : public Harness {
 public:
  FakeHarness() : server_(1, clock_), hopeless_server_(2, clock_) {
    words_.one_row = "one";
    words_.one_value = "1";
    words_.change = "change 3";
    words_.changed_rows = 3;
    words_.echo_two = "echo";
    words_.runs_long = "wait";
    words_.syntax_error = "bogus";
    words_.begin = "begin";
    words_.rollback = "rollback";
    words_.alter_session = "set";
    words_.echo_integer = words_.echo_real = words_.echo_text = words_.echo_bytes = words_.echo_boolean = "echo";
    words_.rows = [](int64_t last) { return "rows " + std::to_string(last); };
    hopeless_server_.script_opens(100, fake::OpenFate::fail_for_good);
  }

  std::unique_ptr<Connector> make_connector(const Policy& policy) override {
    return std::make_unique<fake::FakeConnector>(server_, policy);
  }
  std::unique_ptr<Connector> make_hopeless_connector(const Policy& policy) override {
    return std::make_unique<fake::FakeConnector>(hopeless_server_, policy);
  }
  const Clock& clock() const override { return clock_; }
  void wait(Connector&, Instant until) override {
    ASSERT_LT(until, Instant::never());
    clock_.advance_to(until);
  }
  const Words& words() const override { return words_; }
  Quirks quirks() const override {
    Quirks quirks{false, true, true, true};
    quirks.speaks_sql = false;
    quirks.prepares = false;
    quirks.has_limits = false;
    return quirks;
  }
  bool break_session(Connection& connection) override { return server_.kill(connection.server_pid()); }

 private:
  // Every look at the clock takes 5 ms: a statement that waits for its deadline reaches it.
  ManualClock clock_{Span::millis(5)};
  fake::FakeServer server_;
  fake::FakeServer hopeless_server_;
  Words words_;
};

}  // namespace

std::unique_ptr<Harness> make_fake_harness() { return std::make_unique<FakeHarness>(); }

}  // namespace tide::test
