// Conversations with the screen: keys in, orders and texts out. No terminal, no clock, no pool.
#include <gtest/gtest.h>

#include "top/model.hpp"
#include "unit/cli/frames.hpp"
#include "unit/support/rounds.hpp"

namespace tide::cli::test {
namespace {

using tide::test::rounds;

using top::Key;
using top::Model;
using top::ViewKind;

class ScreenModel : public ::testing::Test {
 protected:
  ScreenModel() : model_(kSecond_ns) {
    show({{}, {.name = "web", .in_use = 9, .waiting = 4}, {.name = "batch", .in_use = 1}});
  }

  void show(const std::vector<Invented>& pools) { model_.show(snapshot_of(frame_of(pools))); }
  void press(Key::Name name) { model_.press(Key{name}, now_ns_); }
  void type(const std::string& keys) {
    for (const char key : keys)
      model_.press(key == '\n' ? Key{Key::Name::enter} : Key::of(static_cast<unsigned char>(key)), now_ns_);
  }
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& line : model_.lines()) out.push_back(line.pool);
    return out;
  }

  Model model_;
  int64_t now_ns_ = 5 * kSecond_ns;
};

using Names = std::vector<std::string>;

TEST_F(ScreenModel, FilterShowsOnlyMatchesAndEscapeClearsIt) {
  type("/WE");
  EXPECT_EQ(names(), Names{"web"});
  press(Key::Name::backspace);
  press(Key::Name::backspace);
  EXPECT_EQ(names().size(), 3u);
  type("ba\n");
  EXPECT_EQ(names(), Names{"batch"});
  press(Key::Name::escape);
  EXPECT_EQ(names().size(), 3u);
}

TEST_F(ScreenModel, SortsByEveryColumnOfEveryView) {
  for (const char view : std::string("1234567")) {
    type(std::string(1, view));
    const size_t columns = top::about(model_.table()).columns.size();
    const size_t first = model_.sorted_by();
    for (size_t i = 0; i < columns; ++i) type("s");
    EXPECT_EQ(model_.sorted_by(), first);
  }
  type("1");
  while (top::about(ViewKind::pools).columns[model_.sorted_by()].title != "WAIT") type(">");
  EXPECT_EQ(names().front(), "web");
  type("r");
  EXPECT_EQ(names().back(), "web");
}

TEST_F(ScreenModel, CursorStaysWithItsRow) {
  press(Key::Name::down);
  ASSERT_EQ(model_.selected_pool()->pool, "shop");
  show({{.name = "zoo"}, {.name = "web"}, {.name = "batch"}});  // shop has another name, and so another place
  EXPECT_EQ(model_.selected_pool()->pool, "zoo");
  EXPECT_EQ(model_.cursor(), 2u);
  show({});
  EXPECT_EQ(model_.selected_pool(), nullptr);
}

TEST_F(ScreenModel, ScaleIsSentOnlyAfterConfirmation) {
  type("/shop\nS8\n");
  EXPECT_TRUE(contains(model_.dialog().question, "Scale shop from 5 to 8 connections?")) << model_.dialog().question;
  EXPECT_TRUE(model_.take_orders().empty());
  type("n");
  EXPECT_TRUE(model_.take_orders().empty());
  type("S8\ny");
  const auto orders = model_.take_orders();
  ASSERT_EQ(orders.size(), 1u);
  EXPECT_EQ(orders[0].pool, instance_of(0));
  EXPECT_EQ(orders[0].verb, "scale");
  EXPECT_EQ(orders[0].arguments, R"({"target_size": 8, "reason": "tidepool top"})");
  model_.answer({orders[0], false, "above max_size"}, now_ns_);
  EXPECT_TRUE(contains(model_.message().text, "not done: scale shop to 8 connections: above max_size"));
}

TEST_F(ScreenModel, BadInputIsExplained) {
  type("Smany\n");
  EXPECT_TRUE(contains(model_.message().text, "not a size: many (accepted: a number of connections, or auto)"));
  type("b");
  for (int i = 0; i < 3; ++i) press(Key::Name::backspace);
  type("7 parsecs\n");
  EXPECT_TRUE(contains(model_.message().text, "not a duration"));
  type("i1h\n");
  EXPECT_TRUE(contains(model_.message().text, "accepted: 0.2s to 60s"));
  type("i500ms\n");
  EXPECT_EQ(model_.interval_ns(), kSecond_ns / 2);
}

TEST_F(ScreenModel, MarkedPoolsArePausedTogether) {
  type("  py");
  const auto orders = model_.take_orders();
  ASSERT_EQ(orders.size(), 2u);
  EXPECT_EQ(orders[0].verb, "pause");
  press(Key::Name::escape);
  show({{.state = "paused"}});
  type("p");
  EXPECT_TRUE(contains(model_.dialog().question, "Resume shop")) << model_.dialog().question;
}

TEST_F(ScreenModel, RevokesTheMarkedLeases) {
  type("K");
  EXPECT_TRUE(contains(model_.message().text, "press 2"));
  type("2/report\n  K");
  EXPECT_TRUE(contains(model_.dialog().question, "Revoke 2 leases: ")) << model_.dialog().question;
  EXPECT_TRUE(contains(model_.dialog().question, "report 3.0s"));
  type("y");
  const auto orders = model_.take_orders();
  ASSERT_EQ(orders.size(), 2u);
  EXPECT_EQ(orders[0].arguments, R"({"lease_id": 2})");
}

TEST_F(ScreenModel, AcknowledgesAlertsOfThePool) {
  Frame frame = frame_of({{}});
  frame.tables.back().rows.push_back({instance_of(0), std::string("shop"), int64_t{17}, std::string("long_queue"),
                                      std::string("warning"), std::string("firing"), std::monostate{},
                                      std::string("4 wait"), std::string("Scale up.")});
  model_.show(snapshot_of(frame));
  type("a");
  EXPECT_TRUE(contains(model_.dialog().question, "Acknowledge long_queue of shop?"));
  type("y");
  const auto orders = model_.take_orders();
  ASSERT_EQ(orders.size(), 1u);
  EXPECT_EQ(orders[0].arguments, R"({"alert_id": 17})");
}

TEST_F(ScreenModel, PageOfAPoolShowsOnlyItsRows) {
  type("/web\n");
  press(Key::Name::enter);
  EXPECT_TRUE(model_.is_page_of_pool());
  for (const auto& line : model_.lines()) EXPECT_EQ(line.pool, "web");
  type("2");
  EXPECT_EQ(model_.lines().size(), 2u);
  show({{}});  // web is gone
  EXPECT_TRUE(model_.lines().empty());
  press(Key::Name::escape);
  EXPECT_EQ(model_.view(), ViewKind::pools);
}

TEST_F(ScreenModel, MessagesEnd) {
  type("r");
  type("s");
  EXPECT_FALSE(model_.message().text.empty());
  EXPECT_TRUE(model_.tick(now_ns_ + 60 * kSecond_ns));
  EXPECT_TRUE(model_.message().text.empty());
}

TEST_F(ScreenModel, AnyKeysInAnyOrderAreSafe) {
  uint64_t state = 88172645463325252u;
  const std::string keys = "1234567 jk/sS+-bpKaiw<>r?y\nnq0";
  for (int i = 0; i < rounds(20'000); ++i) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    if (state % 97 == 0) show({{}, {.name = "web", .tags = {}}});
    if (state % 101 == 0) show({});
    if (state % 13 == 0) press(static_cast<Key::Name>(1 + state / 13 % 13));
    type(std::string(1, keys[state / 7 % keys.size()]));
    (void)top::paint(model_, {static_cast<int>(1 + state / 3 % 130), static_cast<int>(1 + state / 5 % 50)},
                     state % 2 == 0);
    (void)model_.take_orders();
  }
}

}  // namespace
}  // namespace tide::cli::test
