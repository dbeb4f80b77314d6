// Commands as a pool receives them: the record of each in `commands`, and that the sender's check agrees with the pool.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/rng.hpp"
#include "driver/sqlite/connector.hpp"
#include "model/command.hpp"
#include "policy/settings.hpp"
#include "pool/keeper.hpp"
#include "pool/pool.hpp"
#include "unit/support/rounds.hpp"

namespace tide {
namespace {

class OrdersTest : public testing::Test {
 protected:
  void open(const std::string& options) {
    const auto no_environment = [](const char*) -> const char* { return nullptr; };
    auto parsed = parse_options("sqlite::memory:", "publish=off " + options, {}, no_environment);
    ASSERT_TRUE(parsed.is_ok()) << parsed.status().message();
    PoolSpec spec;
    spec.name = "test";
    spec.target = parsed->target;
    spec.policy = parsed->policy;
    spec.sources = parsed->sources;
    spec.pool_key = 4712;
    auto opened =
        Pool::open(std::move(spec), make_sqlite_connector(":memory:", parsed->policy, SystemClock::instance()),
                   SystemClock::instance());
    ASSERT_TRUE(opened.is_ok()) << opened.status().message();
    pool_ = opened.take();
    pool_->keeper().step();
  }
  void TearDown() override {
    if (pool_ == nullptr) return;
    pool_->keeper().begin_close(pool_->clock().now());
    while (!pool_->keeper().is_closed()) pool_->keeper().step();
  }
  // The answer to exactly these bytes, as shown in `commands`.
  struct Answer {
    uint32_t status = 0;
    std::string verb, arguments, message;
  };
  Answer answer_to(const std::string& verb, const std::string& arguments) {
    const uint64_t id = pool_->keeper().post(verb, arguments, "tester");
    pool_->keeper().step();
    const format::Region& region = pool_->segment().header().commands;
    const auto* records = pool_->segment().commands();
    for (uint32_t i = 0; i < region.count; ++i) {
      if (records[i].command_id != id) continue;
      return {records[i].status, records[i].verb.str(), records[i].arguments.str(), records[i].message.str()};
    }
    ADD_FAILURE() << verb << " " << arguments << " has no answer";
    return {};
  }

  std::unique_ptr<Pool> pool_;
};

TEST_F(OrdersTest, RuleWithLongTextsIsShownWhole) {
  open("max_size=4");
  const std::string message(kAlertTextBytesMax, 'm');
  const std::string advice(kAlertTextBytesMax, 'a');
  const std::string arguments = R"({"advice":")" + advice + R"(","hold":"30s","message":")" + message +
                                R"(","metric":"waiting","rule":"long_queue","threshold":20})";
  const Answer command = answer_to("set_alert", arguments);
  EXPECT_EQ(command.status, static_cast<uint32_t>(CommandStatus::applied)) << command.message;
  EXPECT_EQ(command.verb, "set_alert");
  EXPECT_EQ(command.arguments, arguments);
}

TEST_F(OrdersTest, UnparsableCommandIsRecordedVerbatim) {
  open("max_size=4");
  const Answer unknown = answer_to("scael", R"({"target_size":3})");
  EXPECT_EQ(unknown.status, static_cast<uint32_t>(CommandStatus::refused));
  EXPECT_EQ(unknown.verb, "scael");
  EXPECT_EQ(unknown.arguments, R"({"target_size":3})");
  const Answer garbage = answer_to("\x01\x02", "size=3");
  EXPECT_EQ(garbage.verb, "unknown");
  EXPECT_EQ(garbage.arguments, R"("size=3")");
  const Answer secret = answer_to("set", R"({"option":"password","value":"hunter2"})");
  EXPECT_EQ(secret.arguments, R"({"option":"password","value":"***"})");
  EXPECT_EQ(secret.message.find("hunter2"), std::string::npos);
}

// What tide_control_check() does with a command before it is posted.
Status sender_check(const std::string& verb, const std::string& arguments, int64_t capacity) {
  const auto command = parse_command(verb, arguments);
  if (!command || command->verb() != Verb::set) return command.status();
  Policy changed;
  return set_option(changed, *command->text("option"), *command->text("value"), capacity).status();
}

// Random commands: each verb with its own arguments and those of others, with values at, within and beyond their
// bounds.
class RandomOrders {
 public:
  explicit RandomOrders(uint64_t seed) : random_(seed) {}
  std::string verb() {
    const auto verbs = kWords<Verb>;
    if (random_.below(40) == 0) return "scael";
    for (;;) {
      const std::string_view verb = verbs[random_.below(verbs.size())];
      if (verb != "drain") return std::string(verb);  // a draining pool refuses what it accepted before
    }
  }
  std::string arguments(const std::string& verb) {
    nlohmann::json made = nlohmann::json::object();
    for (const auto& [owner, name, values] : kKnown) {
      const bool is_own = owner == verb;
      if (random_.below(is_own ? 8 : 400) < (is_own ? 7u : 1u)) made[name] = value(values);
    }
    std::string text = made.dump();
    if (random_.below(40) == 0) text.insert(random_.below(text.size()), 1, "{}[]:,\"0"[random_.below(8)]);
    return text;
  }

 private:
  struct Known {
    const char* owner;
    const char* name;
    const char* values;  // JSON
  };
  nlohmann::json value(const char* values) {
    constexpr const char* kAnything = R"([null, true, "", "x", -1, 0, 1, 1.5, 1e300, [], {}, "a\u0000b", "30s"])";
    const auto list = nlohmann::json::parse(random_.below(12) == 0 ? kAnything : values);
    return list[random_.below(list.size())];
  }
  static constexpr Known kKnown[] = {
      {"scale", "target_size", "[null, 0, 1, 2, 4, 5, 100, 2147483647, 2147483648]"},
      {"scale", "reason", R"(["", "sale", "password=hunter2"])"},
      {"burst", "duration", R"(["1us", "30s", "1d", "25h", "0.5us", 0, 1500, 86400000, 86400001])"},
      {"recycle", "spread", R"([0, "10s", "2d", "soon"])"},
      {"close_connection", "conn_id", "[0, 1, 7, 9223372036854775807]"},
      {"revoke", "lease_id", "[0, 1, 7]"},
      {"ack", "alert_id", "[0, 1]"},
      {"ack", "by", R"(["alice", ""])"},
      {"set", "option", R"(["max_size", "min_size", "maxConnections", "idle_timeout", "sizing", "memory_limit",
                            "alert_utilization", "validation_query", "recovery", "dir", "mx_size", "password"])"},
      {"set", "value", R"([0, 1, 3, 4, 5, 2047, 99999, "0.5", "30s", "0.5us", "2GB", "threshold", "on", "",
                           "restart_connections,scale_pool", "restart"])"},
      {"set_alert", "rule",
       R"(["mine", "long_queue", "waiting_count", "Mine", "a b", "\u00fc", "rrrrrrrrrrrrrrrrrrrrrrrr"])"},
      {"set_alert", "metric", R"(["waiting", "health", "size", "utilisation"])"},
      {"set_alert", "comparison", R"([">", ">=", "<", "<=", "=="])"},
      {"set_alert", "threshold", "[0, 5, 0.5, -1, 1e17, 1e18, 1e300, -0.0]"},
      {"set_alert", "clear_at", "[0, 4, 6, -3, 1e18]"},
      {"set_alert", "hold", R"(["0", "30s", "1d", "25h", 1500, "0.1us"])"},
      {"set_alert", "severity", R"(["info", "warning", "critical", "fatal"])"},
      {"set_alert", "enabled", "[true, false]"},
      {"set_alert", "message", R"(["", "callers wait", "line\nbreak"])"},
      {"set_alert", "advice", R"(["look at tidepool.leases"])"},
      {"drop_alert", "rule", R"(["mine", "long_queue", "none", "High"])"},
  };
  Rng random_;
};

// Reasons that the sender cannot know: they depend on the pool's state, or on its other options and rules.
bool depends_on_the_pool(const std::string& message) {
  for (const char* part : {"outside min_size and max_size", "the option burst is off", "there is no connection",
                           "there is no lease", "there is no alert", "is already resolved", "is new, and lacks",
                           "the threshold", "commands are still pending", "commands are already pending"}) {
    if (message.find(part) != std::string::npos) return true;
  }
  return false;
}

TEST_F(OrdersTest, SenderAndPoolGiveSameAnswer) {
  open("min_size=1 max_size=4");
  RandomOrders orders(2026);
  int accepted = 0;
  int refused = 0;
  for (int i = 0; i < test::rounds(4'000); ++i) {
    const std::string verb = orders.verb();
    const std::string arguments = orders.arguments(verb);
    SCOPED_TRACE(verb + " " + arguments);
    const Policy before = pool_->keeper().policy();
    const Status told = sender_check(verb, arguments, pool_->segment().header().slots.count);
    const Answer answer = answer_to(verb, arguments);
    const bool is_refused = answer.status == static_cast<uint32_t>(CommandStatus::refused);
    if (!told) {
      ++refused;
      ASSERT_TRUE(is_refused) << "the sender said: " << told.message();
      std::string message = told.message();
      if (!told.detail().empty()) message += "; " + told.detail();
      if (!told.hint().empty()) message += " (" + told.hint() + ")";
      std::string_view kept = answer.message;
      if (message.size() > decltype(format::CommandRecord::message)::kBytesMax && kept.ends_with("..."))
        kept.remove_suffix(3);
      ASSERT_EQ(kept, message.substr(0, kept.size()));
      ASSERT_GE(kept.size(), std::min<size_t>(message.size(), 200));
    } else if (is_refused && verb == "set") {
      const auto command = parse_command(verb, arguments);
      Policy changed = before;
      ASSERT_TRUE(set_option(changed, *command->text("option"), *command->text("value"), 1'000'000).is_ok())
          << answer.message;
      const Status contradiction = check_policy(changed);
      ASSERT_FALSE(contradiction.is_ok()) << answer.message;
      ASSERT_EQ(answer.message.rfind(contradiction.message(), 0), 0u) << answer.message;
    } else {
      accepted += is_refused ? 0 : 1;
      ASSERT_TRUE(!is_refused || depends_on_the_pool(answer.message)) << answer.message;
    }
  }
  EXPECT_GT(accepted, test::rounds(700)) << "enough commands must be valid";
  EXPECT_GT(refused, test::rounds(700));
}

}  // namespace
}  // namespace tide
