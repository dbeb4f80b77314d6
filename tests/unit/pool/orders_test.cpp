// Orders as a pool takes them: what `commands` keeps of each, and that the sender's check says what the pool says.
#include <gtest/gtest.h>

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "driver/sqlite/connector.hpp"
#include "plane/attach.hpp"
#include "plane/order_form.hpp"
#include "pool/keeper.hpp"
#include "pool/pool.hpp"

namespace tide {
namespace {

class OrdersTest : public testing::Test {
 protected:
  void open(const std::string& options) {
    const auto no_environment = [](const char*) -> const char* { return nullptr; };
    auto parsed = parse_options("sqlite::memory:", "plane=off " + options, {}, no_environment);
    ASSERT_TRUE(parsed.is_ok()) << parsed.status().message;
    PoolSpec spec;
    spec.name = "test";
    spec.target = parsed->target;
    spec.policy = parsed->policy;
    spec.sources = parsed->sources;
    spec.pool_key = 4712;
    auto opened = Pool::open(std::move(spec), make_sqlite_connector(":memory:", parsed->policy, SystemClock::instance()),
                             SystemClock::instance());
    ASSERT_TRUE(opened.is_ok()) << opened.status().message;
    pool_ = opened.take();
    pool_->keeper().step();
  }
  void TearDown() override {
    if (pool_ == nullptr) return;
    pool_->keeper().begin_close(pool_->clock().now());
    while (!pool_->keeper().is_closed()) pool_->keeper().step();
  }
  // As `commands` shows the answer to these very bytes.
  CommandCopy answer_to(const std::string& verb, const std::string& arguments) {
    const uint64_t id = pool_->keeper().post(verb, arguments, "tester");
    pool_->keeper().step();
    auto segment = Attachment::from_fd(::dup(pool_->segment().fd()));
    EXPECT_TRUE(segment.is_ok());
    for (const CommandCopy& command : segment->read_commands()) {
      if (command.command_id == id) return command;
    }
    ADD_FAILURE() << verb << " " << arguments << " has no answer";
    return {};
  }

  std::unique_ptr<Pool> pool_;
};

using format::CommandStatus;

TEST_F(OrdersTest, ARuleWithLongTextsIsSeenWhole) {
  open("max_size=4");
  const std::string message(kAlertTextBytesMax, 'm');
  const std::string advice(kAlertTextBytesMax, 'a');
  const std::string arguments = R"({"advice":")" + advice + R"(","for":"30s","message":")" + message +
                                R"(","metric":"waiting","rule":"long_queue","threshold":20})";
  const CommandCopy command = answer_to("set_alert", arguments);
  EXPECT_EQ(command.status, static_cast<uint32_t>(CommandStatus::applied)) << command.message;
  EXPECT_EQ(command.verb, "set_alert");
  EXPECT_EQ(command.arguments, arguments);
}

TEST_F(OrdersTest, WhatCannotBeParsedIsRecordedAsItCame) {
  open("max_size=4");
  const CommandCopy unknown = answer_to("scael", R"({"target_size":3})");
  EXPECT_EQ(unknown.status, static_cast<uint32_t>(CommandStatus::refused));
  EXPECT_EQ(unknown.verb, "scael");
  EXPECT_EQ(unknown.arguments, R"({"target_size":3})");
  const CommandCopy garbage = answer_to("\x01\x02", "size=3");
  EXPECT_EQ(garbage.verb, "unknown");
  EXPECT_EQ(garbage.arguments, R"("size=3")");
  const CommandCopy secret = answer_to("set", R"({"option":"password","value":"hunter2"})");
  EXPECT_EQ(secret.arguments, R"({"option":"password","value":"***"})");
  EXPECT_EQ(secret.message.find("hunter2"), std::string::npos);
}

}  // namespace
}  // namespace tide
