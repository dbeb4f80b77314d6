// What subscriptions are told, in virtual time: L1 to L5 of service/listening.hpp.
#include "service/listening.hpp"

#include <gtest/gtest.h>

#include <map>
#include <memory>

#include "base/backoff.hpp"
#include "unit/driver/support.hpp"
#include "unit/service/listening_fake.hpp"
#include "unit/support/rounds.hpp"

namespace tide::test {
namespace {

using Kind = ListenEvent::Kind;

class ListeningTest : public ::testing::Test {
 protected:
  static Policy policy() {
    Policy policy;
    policy.connect_timeout = Span::seconds(5);
    policy.keepalive_idle = Span::seconds(10);
    policy.validation_timeout = Span::seconds(2);
    policy.retry_base = Span::millis(100);
    policy.retry_max = Span::seconds(5);
    return policy;
  }
  // Does what is due, and notes in words what each subscription was told.
  void step() {
    std::vector<Listening::Delivery> out;
    for (int i = 0; i < 4; ++i) next_ = listening_.step(now_, out);
    for (const Listening::Delivery& delivery : out) {
      static constexpr const char* kWords[] = {"ready", "", "lost", "gap"};
      const bool is_notification = delivery.event.kind == Kind::notification;
      told_[delivery.to].push_back(is_notification ? delivery.event.text
                                                   : kWords[static_cast<size_t>(delivery.event.kind)]);
    }
  }
  void pass(Span span) {
    const Instant end = now_ + span;
    for (step(); now_ < end; step()) now_ = std::min(end, std::max(next_, now_ + Span::millis(1)));
  }
  using Words = std::vector<std::string>;

  FakeNotifier server_;
  Listening listening_{std::make_unique<FakeListeningPort>(server_), policy(), 7};
  Instant now_ = Instant::at_ns(Span::seconds(1000).ns());
  Instant next_ = Instant::never();
  std::map<SubscriptionId, Words> told_;
};

TEST_F(ListeningTest, ReadyThenEveryNotificationInOrder) {
  const SubscriptionId id = listening_.subscribe("Orders");
  step();
  for (const char* payload : {"1", "2", "3"}) EXPECT_TRUE(server_.notify("Orders", payload));
  EXPECT_FALSE(server_.notify("orders", "another channel"));
  step();
  EXPECT_EQ(told_[id], (Words{"ready", "1", "2", "3"}));
  EXPECT_EQ(listening_.facts().state, ListenerState::listening);
  EXPECT_EQ(listening_.facts().server_pid, 4711);
  EXPECT_EQ(listening_.facts().notifications_total, 3u);
}

TEST_F(ListeningTest, SubscriptionsOfOneChannelShareOneListen) {
  const SubscriptionId first = listening_.subscribe("a");
  step();
  const SubscriptionId second = listening_.subscribe("a");
  step();
  EXPECT_EQ(server_.changes, 1);
  server_.notify("a", "x");
  step();
  listening_.unsubscribe(first);
  step();
  EXPECT_EQ(server_.changes, 1) << "the other one still needs it";
  server_.notify("a", "y");
  step();
  EXPECT_EQ(told_[first], (Words{"ready", "x"}));
  EXPECT_EQ(told_[second], (Words{"ready", "x", "y"}));
}

TEST_F(ListeningTest, OneConnectionForAllChannelsFromTheFirstToTheLastSubscription) {
  const SubscriptionId a = listening_.subscribe("a");
  const SubscriptionId b = listening_.subscribe("b");
  step();
  EXPECT_EQ(server_.connects, 1);
  EXPECT_EQ(server_.channels, (std::set<std::string>{"a", "b"}));
  EXPECT_EQ(listening_.facts().channels, 2u);
  listening_.unsubscribe(a);
  step();
  EXPECT_EQ(server_.channels, (std::set<std::string>{"b"}));
  listening_.unsubscribe(b);
  step();
  EXPECT_FALSE(server_.is_connected);
  EXPECT_EQ(listening_.facts().state, ListenerState::off);
  EXPECT_EQ(next_, Instant::never());
  const SubscriptionId again = listening_.subscribe("b");
  step();
  EXPECT_EQ(told_[again], (Words{"ready"})) << "it is new: it has missed nothing";
  EXPECT_EQ(server_.connects, 2);
}

// L1
TEST_F(ListeningTest, L1EachOutageIsToldOnceByLostAndGap) {
  const SubscriptionId id = listening_.subscribe("a");
  step();
  server_.notify("a", "before");
  server_.notify("a", "cut off");
  server_.is_refusing = true;
  server_.cut(1);
  pass(Span::seconds(30));
  server_.is_refusing = false;
  pass(Span::seconds(6));
  server_.notify("a", "after");
  step();
  EXPECT_EQ(told_[id], (Words{"ready", "before", "lost", "gap", "after"}));
  EXPECT_EQ(listening_.facts().gaps_total, 1u);
  EXPECT_EQ(listening_.facts().connects_total, 2u);
}

TEST_F(ListeningTest, L1FirstConnectionThatFailsIsToldBeforeReady) {
  server_.is_refusing = true;
  const SubscriptionId id = listening_.subscribe("a");
  pass(Span::seconds(3));
  EXPECT_EQ(told_[id], (Words{"lost"}));
  EXPECT_EQ(listening_.facts().last_error, "refused");
  server_.is_refusing = false;
  pass(Span::seconds(6));
  EXPECT_EQ(told_[id], (Words{"lost", "ready"}));
}

TEST_F(ListeningTest, SubscriptionDuringAChangeIsListenedToAfterIt) {
  const SubscriptionId a = listening_.subscribe("a");
  step();
  listening_.unsubscribe(a);
  const SubscriptionId b = listening_.subscribe("b");
  std::vector<Listening::Delivery> ignored;
  listening_.step(now_, ignored);  // UNLISTEN a, LISTEN b are sent
  const SubscriptionId again = listening_.subscribe("a");
  step();
  EXPECT_EQ(server_.channels, (std::set<std::string>{"a", "b"}));
  EXPECT_TRUE(server_.notify("a", "x"));
  step();
  EXPECT_EQ(told_[again], (Words{"ready", "x"}));
  EXPECT_EQ(told_[b], (Words{"ready"}));
}

// L4
TEST_F(ListeningTest, L4SilentServerIsGivenUpWithinTheBound) {
  const SubscriptionId id = listening_.subscribe("a");
  step();
  pass(Span::seconds(7));
  server_.notify("a", "x");
  step();
  const Instant heard = now_;
  server_.is_silent = true;
  server_.notify("a", "never arrives");
  while (told_[id].back() != "lost" && now_ < heard + Span::seconds(60)) pass(Span::millis(1));
  EXPECT_EQ(told_[id], (Words{"ready", "x", "lost"}));
  EXPECT_EQ((now_ - heard).ms(), 12'000) << "keepalive_idle + validation_timeout";
}

TEST_F(ListeningTest, L4ServerThatAnswersIsKeptHoweverLongItIsSilent) {
  const SubscriptionId id = listening_.subscribe("a");
  pass(Span::seconds(3600));
  EXPECT_EQ(told_[id], (Words{"ready"}));
  EXPECT_EQ(server_.connects, 1);
  EXPECT_NEAR(server_.pings, 360, 2);
}

TEST_F(ListeningTest, L4ListenWithoutAnAnswerIsGivenUp) {
  const SubscriptionId a = listening_.subscribe("a");
  step();
  server_.is_silent = true;
  const SubscriptionId b = listening_.subscribe("b");
  pass(Span::seconds(3));
  EXPECT_EQ(told_[a], (Words{"ready", "lost"}));
  EXPECT_EQ(told_[b], (Words{"lost"}));
}

TEST_F(ListeningTest, RefusedListenIsTriedAgainOnAnotherConnection) {
  server_.is_refusing_changes = true;  // as a standby does
  const SubscriptionId a = listening_.subscribe("a");
  pass(Span::seconds(2));
  EXPECT_EQ(told_[a], (Words{"lost"}));
  EXPECT_GT(server_.connects, 2);
  server_.is_refusing_changes = false;
  pass(Span::seconds(6));
  EXPECT_EQ(told_[a], (Words{"lost", "ready"}));
}

// L5
TEST_F(ListeningTest, L5AttemptsAreSeparatedByDelaysThatGrowToRetryMax) {
  server_.is_refusing = true;
  (void)listening_.subscribe("a");
  pass(Span::seconds(120));
  ASSERT_GE(server_.attempts.size(), 20u);
  Span late;
  for (size_t i = 1; i < server_.attempts.size(); ++i) {
    const Span delay = server_.attempts[i] - server_.attempts[i - 1];
    EXPECT_LE(delay, backoff_ceiling(static_cast<int>(i), Span::millis(100), Span::seconds(5)) + Span::millis(5)) << i;
    if (i > 7) late = late + delay;
  }
  const double average_s = late.seconds_exact() / static_cast<double>(server_.attempts.size() - 8);
  EXPECT_NEAR(average_s, 2.5, 1.0) << "random between 0 and retry_max";
}

TEST_F(ListeningTest, OptionRetryMaxIsUsedFromTheNextDelayOn) {
  server_.is_refusing = true;
  (void)listening_.subscribe("a");
  pass(Span::seconds(60));
  Policy changed = policy();
  changed.retry_max = Span::millis(200);
  listening_.set_policy(changed);
  pass(Span::seconds(5));
  const size_t before = server_.attempts.size();
  pass(Span::seconds(10));
  EXPECT_GT(server_.attempts.size() - before, 50u);
}

TEST(ListeningChannel, IsRefusedNamingWhatIsAccepted) {
  EXPECT_OK(check_channel("Orders: new, \"quoted\" \xC3\xA4"));
  EXPECT_OK(check_channel(std::string(63, 'x')));
  const Status longer = check_channel(std::string(100, 'x'));
  EXPECT_EQ(longer.code, Code::bad_argument);
  EXPECT_NE(longer.message().find("has 100 bytes"), std::string::npos) << longer.message();
  EXPECT_NE(longer.detail().find("1 to 63 bytes"), std::string::npos) << longer.detail();
  for (const std::string& bad : {std::string(), std::string("a\0b", 3), std::string("\xFF"), std::string(64, 'x')}) {
    const Status refused = check_channel(bad);
    EXPECT_EQ(refused.code, Code::bad_argument) << bad;
    EXPECT_NE(refused.detail().find("1 to 63 bytes"), std::string::npos) << refused.detail();
  }
}

// ---- random programs ------------------------------------------------------------------------------------------------

// Checks L1 to L3 of one subscription: the numbers that a channel's notifications carry are consecutive from ready or gap to
// lost, and begin with the next one at the latest.
struct Ear {
  std::string channel;
  bool is_hearing = false;
  bool was_hearing = false;
  bool is_told_lost = false;
  int64_t last = -1;
  int64_t due = 0;

  // `next`: the number of the channel's next notification.
  void tell(const ListenEvent& event, int64_t next) {
    ASSERT_EQ(event.channel, channel);
    switch (event.kind) {
      case Kind::ready:
      case Kind::gap:
        ASSERT_FALSE(is_hearing);
        ASSERT_EQ(event.kind == Kind::gap, was_hearing);
        ASSERT_TRUE(!was_hearing || is_told_lost);
        is_hearing = was_hearing = true;
        is_told_lost = false;
        last = -1;
        due = next;
        return;
      case Kind::lost:
        ASSERT_FALSE(is_told_lost);
        is_hearing = false;
        is_told_lost = true;
        return;
      case Kind::notification: break;
    }
    ASSERT_TRUE(is_hearing);
    const int64_t number = std::stoll(event.text);
    if (last < 0) {
      ASSERT_LE(number, due);
    } else {
      ASSERT_EQ(number, last + 1);
    }
    last = number;
  }
};

void play(uint64_t seed) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  Rng rng(seed);
  FakeNotifier server;
  Policy policy;
  policy.retry_base = Span::millis(50);
  policy.retry_max = Span::seconds(1);
  Listening listening(std::make_unique<FakeListeningPort>(server), policy, seed);
  Instant now = Instant::at_ns(Span::seconds(1000).ns());
  Instant next = now;
  const std::string channels[] = {"a", "b", "c"};
  std::map<std::string, int64_t> sent;
  std::map<SubscriptionId, Ear> ears;
  const auto step = [&] {
    std::vector<Listening::Delivery> out;
    next = listening.step(now, out);
    for (const Listening::Delivery& delivery : out) {
      const auto ear = ears.find(delivery.to);
      if (ear != ears.end()) ear->second.tell(delivery.event, sent[ear->second.channel]);
    }
  };
  const auto notify = [&](const std::string& channel) { server.notify(channel, std::to_string(sent[channel]++)); };
  for (int i = 0; i < 200 && !testing::Test::HasFatalFailure(); ++i) {
    const std::string& channel = channels[rng.below(3)];
    switch (rng.below(12)) {
      case 0: ears.emplace(listening.subscribe(channel), Ear{channel}); break;
      case 1:
        if (ears.empty()) break;
        listening.unsubscribe(ears.begin()->first);
        ears.erase(ears.begin());
        break;
      case 2: server.cut(rng.below(3)); break;
      case 3: server.is_refusing = rng.chance(0.3); break;
      case 4: server.is_silent = rng.chance(0.3); break;
      case 5: now += Span::millis(static_cast<int64_t>(rng.below(13'000))); break;
      case 6: now = std::max(now, std::min(next, now + Span::seconds(20))); break;
      case 7:
      case 8: step(); break;
      default: notify(channel);
    }
  }
  // The faults end: everything is heard again, to the last one.
  server.is_refusing = server.is_silent = false;
  for (int i = 0; i < 200; ++i, now += Span::millis(200)) step();
  for (const std::string& channel : channels) notify(channel);
  step();
  for (const auto& [id, ear] : ears) {
    EXPECT_TRUE(ear.is_hearing);
    EXPECT_EQ(ear.last, sent[ear.channel] - 1);
  }
}

// L1, L2
TEST(ListeningPrograms, L2EveryNotificationWhileConnectedArrivesOnceAndInOrder) {
  for (int seed = 1; seed <= rounds(2000) && !testing::Test::HasFailure(); ++seed) {
    play(static_cast<uint64_t>(seed));
  }
}

}  // namespace
}  // namespace tide::test
