// The suite's common ground: one connector of the driver under test and the calls every promise is tried with.
#pragma once

#include <gtest/gtest.h>

#include "conformance/harness.hpp"
#include "unit/driver/support.hpp"

namespace tide::test {

class DriverSuite : public ::testing::TestWithParam<NamedHarness> {
 protected:
  using Kind = Completion::Kind;

  void SetUp() override {
    harness_ = GetParam().make();
    use(Policy{});
  }
  void use(const Policy& policy) { connector_ = harness_->make_connector(policy); }

  const Words& words() const { return harness_->words(); }
  Quirks quirks() const { return harness_->quirks(); }
  Instant now() const { return harness_->clock().now(); }
  Instant in(Span span) const { return now() + span; }

  // Steps until there is something to tell.
  std::vector<Completion> next(Connector& connector) {
    std::vector<Completion> out;
    while (out.empty()) {
      const Instant until = connector.step(now(), out);
      std::erase_if(out, [](const Completion& c) { return c.kind == Kind::noticed; });  // said aside, no answer
      if (out.empty()) harness_->wait(connector, until);
    }
    return out;
  }
  Completion one(Connector& connector) {
    std::vector<Completion> out = next(connector);
    EXPECT_EQ(out.size(), 1u);
    return std::move(out.front());
  }
  Completion one() { return one(*connector_); }

  std::unique_ptr<Connection> open(uint32_t slot = 0) {
    connector_->open(slot, now(), in(Span::seconds(30)));
    Completion done = one();
    EXPECT_EQ(done.kind, Kind::opened) << done.status.message();
    EXPECT_EQ(done.slot, slot);
    if (!is_prepared_ && !words().prepare.empty() && done.connection != nullptr) {
      EXPECT_OK(run(*done.connection, words().prepare));
      EXPECT_EQ(done.connection->settle(ResetMode::rollback), Settled::clean);
    }
    is_prepared_ = true;
    return std::move(done.connection);
  }
  std::unique_ptr<Connection> open_leased(LeaseMode mode = LeaseMode::read_write) {
    std::unique_ptr<Connection> session = open();
    EXPECT_OK(session->begin_lease(mode, now()));
    return session;
  }
  void close(uint32_t slot, std::unique_ptr<Connection> session) {
    connector_->close(slot, std::move(session), now());
    const Completion done = one();
    EXPECT_EQ(done.kind, Kind::closed);
    EXPECT_EQ(done.slot, slot);
  }
  // A survey that must find the session alive.
  ServerLoad survey(Connection& session) {
    connector_->survey(0, session, now(), in(Span::seconds(30)));
    const Completion done = one();
    EXPECT_EQ(done.kind, Kind::validated) << done.status.message();
    EXPECT_EQ(done.slot, 0u);
    return done.load;
  }
  // settle(), and the reset the driver may ask for.
  bool give_back(Connection& session, ResetMode mode) {
    const Settled settled = session.settle(mode);
    if (settled != Settled::needs_reset) return settled == Settled::clean;
    connector_->reset(0, session, mode, now(), in(Span::seconds(30)));
    return one().kind == Kind::reset_done;
  }

  std::unique_ptr<Harness> harness_;
  std::unique_ptr<Connector> connector_;
  bool is_prepared_ = false;
};

}  // namespace tide::test
