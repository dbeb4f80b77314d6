// max_size=0: each lease opens a connection of its own, and closes it. In virtual time, over the fake server.
#include "reading/counts.hpp"
#include "unit/pool/options_support.hpp"

namespace tide {
namespace {

class Unpooled : public test::OptionEffect {
 protected:
  void open_unpooled(const std::string& options = {}) { open("max_size=0 " + options); }
  uint64_t opens() { return server_->opens_total(); }
  uint64_t in_use() { return count_slots(seen().read_slots()).in_use(); }
  std::vector<uint64_t> connections_of_leases() {
    std::vector<uint64_t> ids;
    for (const SlotCopy& slot : seen().read_slots()) {
      if (slot.word.state() == SlotState::leased) ids.push_back(slot.conn_id);
    }
    return ids;
  }
};

TEST_F(Unpooled, NothingIsOpenedBeforeALeaseAndNothingIsKeptAfterIt) {
  open_unpooled();
  run(sec(60));
  EXPECT_EQ(opens(), 0U);
  EXPECT_EQ(state(), PoolState::running);
  EXPECT_EQ(vital(pool_->segment().vitals().min_size), 0);
  EXPECT_EQ(vital(pool_->segment().vitals().max_size), 0);
  EXPECT_EQ(limit(), kUnpooledMax);
  for (uint64_t n = 1; n <= 5; ++n) {
    ask(sec(5));
    run(sec(1));
    ASSERT_EQ(leases_.size(), 1U);
    EXPECT_EQ(opens(), n) << "a lease of a connection that another lease had";
    EXPECT_EQ(in_use(), 1U);
    give_back();
    run(sec(0.1));
    EXPECT_EQ(size(), 0);
    EXPECT_EQ(target(), 0);
  }
  EXPECT_EQ(closed_for_uses(), 5U);
  EXPECT_TRUE(scaling().empty());
}

TEST_F(Unpooled, ManyLeasesAtTheSameTimeHaveAConnectionEach) {
  open_unpooled("max_connecting=100");
  ask_for(200, sec(5));
  run(sec(3));
  EXPECT_EQ(leases_.size(), 200U);
  EXPECT_EQ(size(), 200);
  std::vector<uint64_t> ids = connections_of_leases();
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(std::unique(ids.begin(), ids.end()) - ids.begin(), 200);
  give_back();
  run(sec(1));
  EXPECT_EQ(size(), 0);
}

TEST_F(Unpooled, BeyondTheBoundCallersWaitForAConnectionToEnd) {
  open_unpooled("max_connecting=1000");
  ask_for(1001, sec(60));
  run(sec(5));
  EXPECT_EQ(leases_.size(), 1000U);
  EXPECT_EQ(size(), 1000);
  const LeaseId first = leases_.front();
  leases_.erase(leases_.begin());
  {
    const Visit visit(Presence::key_of_slot(kKey, first.slot()));
    EXPECT_EQ(pool_->release(first), Code::ok);
  }
  run(sec(1));
  EXPECT_EQ(leases_.size(), 1000U);
  EXPECT_EQ(opens(), 1001U) << "the connection was handed over";
}

TEST_F(Unpooled, ACallerThatGaveUpLeavesNothingOpen) {
  fake::Latencies slow;
  slow.open = {sec(1), Span()};
  open_unpooled("connect_timeout=10s");
  server_->set_latencies(slow);
  ask(sec(0.5));
  run(sec(0.6));
  EXPECT_EQ(refused_, 1);
  run(sec(1));
  EXPECT_EQ(opens(), 1U);
  EXPECT_EQ(size(), 0) << "a connection that nobody asked for was kept";
}

TEST_F(Unpooled, WithoutWaitingThereIsNoConnection) {
  open_unpooled();
  for (int i = 0; i < 10; ++i) {
    ask(Span());
    run(sec(1));
  }
  EXPECT_TRUE(leases_.empty());
  EXPECT_EQ(opens(), 0U) << "connections were opened for callers that were gone";
}

TEST_F(Unpooled, NoLoadAndNoRuleRaisesItsSize) {
  for (const std::string rule : {"sizing=adaptive", "sizing=threshold scale_up_periods=1 scale_up_utilization=0.31"}) {
    clean();
    open_unpooled("scaling=on health_interval=1s " + rule);
    for (int i = 0; i < 120; ++i) second(5, sec(1));
    EXPECT_EQ(target(), 0) << rule;
    run(sec(0.1));
    EXPECT_EQ(size(), 0) << rule;
    EXPECT_EQ(refused_, 0) << rule;
    EXPECT_TRUE(scaling().empty()) << rule;
  }
}

TEST_F(Unpooled, CommandsThatSetASizeAreRefused) {
  open_unpooled();
  for (const auto& [verb, arguments] : {std::pair{"scale", R"({"target_size":0})"},
                                        {"scale", R"({"target_size":3})"},
                                        {"burst", R"({"duration":"1s"})"}}) {
    const uint64_t id = pool_->keeper().post(verb, arguments, "test");
    run(sec(1));
    for (const format::CommandRecord& command : seen().read_commands()) {
      if (command.command_id != id) continue;
      EXPECT_EQ(command.status, static_cast<uint32_t>(CommandStatus::refused)) << verb;
      EXPECT_NE(command.message.view().find("max_size is 0"), std::string_view::npos) << command.message.str();
    }
  }
  ask(sec(5));
  run(sec(1));
  EXPECT_EQ(leases_.size(), 1U);
}

TEST_F(Unpooled, PoolingIsSwitchedOffAndOnWhileThePoolIsOpen) {
  open("min_size=3 max_size=6 scaling=off");
  run(sec(2));
  EXPECT_EQ(size(), 3);
  EXPECT_NE(set("max_size", "0").find("min_size"), std::string::npos);
  EXPECT_EQ(set("min_size", "0"), "");
  ask(sec(1));
  EXPECT_EQ(set("max_size", "0"), "");
  run(sec(1));
  EXPECT_EQ(size(), 1) << "idle connections were kept";
  give_back();
  run(sec(1));
  EXPECT_EQ(size(), 0) << "a connection outlived its lease";
  EXPECT_NE(set("min_size", "1").find("max_size 0"), std::string::npos);
  EXPECT_EQ(set("max_size", "2"), "");
  EXPECT_EQ(set("min_size", "2"), "");
  run(sec(2));
  EXPECT_EQ(size(), 2);
}

TEST_F(Unpooled, ReleasesAfterAStatementOrWithAnErrorCloseTheConnectionToo) {
  open_unpooled();
  for (int i = 0; i < 4; ++i) {
    ask(sec(5));
    run(sec(1));
    ASSERT_EQ(leases_.size(), 1U);
    (void)query(i % 2 == 0 ? "one" : "nonsense");
    give_back();
    run(sec(1));
    EXPECT_EQ(size(), 0);
  }
  EXPECT_EQ(opens(), 4U);
}

TEST_F(Unpooled, AContradictionIsExplained) {
  const auto parsed =
      parse_options("sqlite::memory:", "max_size=0 min_size=1", {}, [](const char*) -> const char* { return nullptr; });
  ASSERT_FALSE(parsed.is_ok());
  EXPECT_EQ(parsed.status().message(), "min_size 1 is above max_size 0");
  EXPECT_NE(parsed.status().hint().find("no pooling"), std::string::npos);
}

}  // namespace
}  // namespace tide
