// The outbox: every change of an alert is delivered or counted, whatever the receiver does, and never more is queued than
// the limit.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "notify/outbox.hpp"

namespace tide::test {
namespace {

constexpr Instant kStart = Instant::at_ns(1'000'000'000'000);

AlertChange change_of(uint64_t id, AlertStep step = AlertStep::fired) {
  AlertChange change;
  change.alert_id = id;
  change.step = step;
  change.rule = "rule_" + std::to_string(id);
  change.message = "Too many.";
  change.since_wall_ns = 1;
  if (step == AlertStep::resolved) change.resolved_wall_ns = 2;
  return change;
}

DeliveryResult answer(int status, Span retry_after = {}) { return {status, retry_after}; }

class OutboxTest : public testing::Test {
 protected:
  explicit OutboxTest(WebhookFormat format = WebhookFormat::alertmanager) : outbox(format, 7) {}

  void put(uint64_t id, AlertStep step = AlertStep::fired) { outbox.put(change_of(id, step), now); }
  // Goes to the next time at which something is due, and takes it.
  std::vector<AlertChange> next() {
    now = latest(now, outbox.next_wakeup());
    return outbox.take(now);
  }
  // The time that the outbox waits after this answer.
  Span pause_after(const DeliveryResult& result) {
    outbox.settle(result, now);
    return outbox.next_wakeup() - now;
  }
  void expect_all_accounted(uint64_t put) const {
    const Outbox::Facts facts = outbox.facts();
    EXPECT_EQ(facts.sent + facts.dropped + facts.queued, put);  // O1
    EXPECT_LE(facts.queued, Outbox::kQueueMax);                 // O2
  }

  Instant now = kStart;
  Outbox outbox;
};

TEST_F(OutboxTest, ChangesOfOneMomentAreOneDelivery) {
  put(1);
  now += Span::millis(400);
  put(2);
  EXPECT_TRUE(outbox.take(now).empty());
  EXPECT_EQ(outbox.next_wakeup(), kStart + Outbox::kGatherFor);
  EXPECT_EQ(next().size(), 2U);
  EXPECT_TRUE(outbox.take(now + Span::seconds(9)).empty()) << "one delivery at a time";
  outbox.settle(answer(200), now);
  EXPECT_EQ(outbox.facts().sent, 2U);
  EXPECT_EQ(outbox.next_wakeup(), Instant::never());
}

TEST_F(OutboxTest, FailureIsRepeatedWithGrowingRandomPauses) {
  put(1);
  Span longest;
  std::set<int64_t> pauses;
  for (int attempt = 1; attempt <= 40; ++attempt) {
    ASSERT_EQ(next().size(), 1U) << attempt;
    const Span pause = pause_after(answer(attempt % 2 == 0 ? 500 : 0));
    EXPECT_GE(pause, Outbox::kRetryMin);
    EXPECT_LE(pause, attempt == 1 ? Outbox::kRetryBase : Outbox::kRetryMax);
    longest = std::max(longest, pause);
    pauses.insert(pause.ns());
  }
  EXPECT_GT(longest, Span::seconds(60));
  EXPECT_GT(pauses.size(), 20U) << "random, so that many pools do not come back at the same moment";
  EXPECT_EQ(outbox.facts().failures, 40U);
  ASSERT_EQ(next().size(), 1U);
  outbox.settle(answer(204), now);
  EXPECT_EQ(outbox.facts().failures_in_a_row, 0U);
  expect_all_accounted(1);
}

TEST_F(OutboxTest, RetryAfterIsHonouredUpToAnHour) {
  put(1);
  next();
  EXPECT_GE(pause_after(answer(429, Span::seconds(120))), Span::seconds(120));
  next();
  EXPECT_LE(pause_after(answer(503, Span::seconds(100'000'000))), Outbox::kRetryAfterMax);
}

TEST_F(OutboxTest, RedirectIsAFailure) {
  put(1);
  next();
  EXPECT_GT(pause_after(answer(302)), Span{});
  EXPECT_EQ(outbox.facts().sent, 0U);
  EXPECT_EQ(outbox.facts().failures, 1U);
}

TEST_F(OutboxTest, OnlyTheRefusedChangeIsDropped) {
  for (uint64_t id = 1; id <= 8; ++id) put(id);
  std::set<uint64_t> told;
  for (int i = 0; i < 100 && outbox.facts().queued != 0; ++i) {
    const auto sent = next();
    const bool is_refused =
        std::any_of(sent.begin(), sent.end(), [](const AlertChange& change) { return change.alert_id == 5; });
    if (!is_refused) {
      for (const AlertChange& change : sent) told.insert(change.alert_id);
    }
    outbox.settle(answer(is_refused ? 400 : 200), now);
  }
  EXPECT_EQ(told, (std::set<uint64_t>{1, 2, 3, 4, 6, 7, 8}));
  EXPECT_EQ(outbox.facts().dropped, 1U);
  EXPECT_LT(now - kStart, Span::seconds(10)) << "the others do not wait long";
}

TEST_F(OutboxTest, WrongPasswordDropsNothing) {
  put(1);
  for (const int status : {401, 403, 404, 405, 408, 429, 500, 503}) {
    ASSERT_EQ(next().size(), 1U);
    outbox.settle(answer(status), now);
  }
  EXPECT_EQ(outbox.facts().dropped, 0U);
}

TEST_F(OutboxTest, FullQueueDropsFirstWhatALaterChangeIncludes) {
  put(1);
  put(2);
  put(2, AlertStep::resolved);
  for (uint64_t id = 3; id <= Outbox::kQueueMax; ++id) put(id);
  EXPECT_EQ(outbox.facts().dropped, 1U);
  std::vector<AlertChange> all;
  for (auto some = next(); !some.empty(); some = next()) {
    all.insert(all.end(), some.begin(), some.end());
    outbox.settle(answer(200), now);
  }
  ASSERT_EQ(all.size(), Outbox::kQueueMax);
  EXPECT_EQ(all[0].alert_id, 1U) << "the oldest, of which nothing else is known";
  EXPECT_EQ(all[1].alert_id, 2U);
  EXPECT_TRUE(all[1].is_resolved()) << "it was said that it fired, and that it ended";
  expect_all_accounted(Outbox::kQueueMax + 1);
}

TEST_F(OutboxTest, FullQueueDropsTheOldest) {
  for (uint64_t id = 1; id <= Outbox::kQueueMax + 10; ++id) put(id);
  EXPECT_EQ(next().front().alert_id, 11U);
  expect_all_accounted(Outbox::kQueueMax + 10);
  for (uint64_t id = 1; id <= 300; ++id) put(1000 + id);  // one delivery is under way
  outbox.settle(answer(200), now);
  expect_all_accounted(Outbox::kQueueMax + 310);
}

TEST_F(OutboxTest, AfterADayOnlyFiringAlertsAreKept) {
  put(1);
  put(2);
  put(2, AlertStep::resolved);
  now += Outbox::kKeepFor + Span::seconds(1);
  const auto sent = next();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent.front().alert_id, 1U);
  EXPECT_EQ(outbox.facts().dropped, 2U);
}

TEST_F(OutboxTest, ClosingTellsThatFiringAlertsEnd) {
  put(1);
  put(2);
  put(2, AlertStep::resolved);
  next();
  outbox.settle(answer(200), now);
  outbox.begin_close(now, 99);
  const auto sent = next();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent.front().alert_id, 1U);
  EXPECT_TRUE(sent.front().is_resolved());
  EXPECT_EQ(sent.front().resolved_wall_ns, 99);
  EXPECT_NE(sent.front().message.find("closed"), std::string::npos);
  outbox.settle(answer(200), now);
  EXPECT_TRUE(outbox.is_done());
}

TEST_F(OutboxTest, ClosingDoesNotRepeat) {
  put(1);
  outbox.begin_close(now, 99);
  EXPECT_EQ(outbox.take(now).size(), 2U) << "at once";
  outbox.settle(answer(500), now);
  EXPECT_TRUE(outbox.is_done());
  EXPECT_EQ(outbox.facts().dropped, 2U);
}

class SlackOutbox : public OutboxTest {
 protected:
  SlackOutbox() : OutboxTest(WebhookFormat::slack) {}
};

TEST_F(SlackOutbox, OneMessageASecond) {
  for (uint64_t id = 1; id <= 50; ++id) put(id);
  Instant before;
  int deliveries = 0;
  for (auto sent = next(); !sent.empty(); sent = next(), ++deliveries) {
    EXPECT_LE(sent.size(), changes_max(WebhookFormat::slack));
    if (before.is_set()) EXPECT_GE(now - before, Span::seconds(1));
    before = now;
    outbox.settle(answer(200), now);
  }
  EXPECT_EQ(deliveries, 5);
}

class PagerDutyOutbox : public OutboxTest {
 protected:
  PagerDutyOutbox() : OutboxTest(WebhookFormat::pagerduty) {}
};

TEST_F(PagerDutyOutbox, OneEventEachInOrder) {
  put(1);
  put(1, AlertStep::acknowledged);
  put(1, AlertStep::resolved);
  for (const AlertStep step : {AlertStep::fired, AlertStep::acknowledged, AlertStep::resolved}) {
    const auto sent = next();
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent.front().step, step);
    outbox.settle(answer(202), now);
  }
  EXPECT_EQ(outbox.facts().sent, 3U);
}

class ApiOutbox : public OutboxTest {
 protected:
  ApiOutbox() : OutboxTest(WebhookFormat::alertmanager_api) {}
};

TEST_F(ApiOutbox, RepeatsWhileFiringAndFiveMinutesLonger) {
  put(1);
  std::map<bool, int> told;  // by is_resolved()
  Instant last;
  const Instant resolved_at = kStart + Span::seconds(600);
  bool is_resolved = false;
  while (now < kStart + Span::seconds(2000)) {
    const Instant due = outbox.next_wakeup();
    if (!is_resolved && due >= resolved_at) {
      now = resolved_at;
      put(1, AlertStep::resolved);
      is_resolved = true;
      continue;
    }
    if (due == Instant::never()) break;
    const auto sent = next();
    if (sent.empty()) continue;  // there was only something to forget
    if (last.is_set()) EXPECT_LE(now - last, Outbox::kRepeatEvery + Span::seconds(1));
    last = now;
    ++told[sent.back().is_resolved()];
    outbox.settle(answer(200), now);
  }
  EXPECT_GE(told[false], 10);
  EXPECT_GE(told[true], 5);
  EXPECT_LE(last, resolved_at + Outbox::kRepeatResolvedFor + Span::seconds(1));
  EXPECT_EQ(outbox.facts().sent, 2U) << "repetitions are not counted";
  EXPECT_EQ(outbox.next_wakeup(), Instant::never());
}

TEST_F(ApiOutbox, OtherChangesDoNotPutOffRepetitions) {
  put(1);
  next();
  outbox.settle(answer(200), now);
  int told = 0;
  for (uint64_t id = 2; id < 20; ++id) {
    put(id);
    for (const AlertChange& change : next()) told += change.alert_id == 1 ? 1 : 0;
    outbox.settle(answer(200), now);
    now += Span::seconds(20);
  }
  EXPECT_GE(told, 5);
}

TEST_F(ApiOutbox, FailedRepetitionIsRepeatedSoon) {
  put(1);
  next();
  outbox.settle(answer(200), now);
  next();
  EXPECT_LE(pause_after(answer(500)), Outbox::kRetryBase);
  EXPECT_EQ(next().size(), 1U);
}

// ---- a receiver with every fault, by seed

enum class Mood : uint8_t { good, slow, refusing, closing_early, failing, busy, redirecting, gone };

class Receiver {
 public:
  explicit Receiver(uint64_t seed) : rng_(seed) {}

  DeliveryResult take(const std::vector<AlertChange>& changes, Instant& now) {
    if (now >= mood_until_) change_mood(now);
    now += Span::millis(static_cast<int64_t>(rng_.below(50)));
    switch (mood_) {
      case Mood::good: return accept(changes);
      case Mood::slow: now += Span::seconds(5); return rng_.chance(0.5) ? accept(changes) : answer(0);
      case Mood::closing_early: (void)accept(changes); return answer(0);  // it took them, but did not say so
      case Mood::failing: return answer(500);
      case Mood::busy: return answer(429, Span::seconds(static_cast<int64_t>(rng_.below(60))));
      case Mood::redirecting: return answer(302);
      case Mood::refusing:
      case Mood::gone: return answer(0);
    }
    return answer(0);
  }
  void be_good() {
    mood_ = Mood::good;
    mood_until_ = Instant::never();
  }
  const std::map<uint64_t, std::vector<AlertStep>>& told() const { return told_; }

 private:
  void change_mood(Instant now) {
    mood_ = static_cast<Mood>(rng_.below(8));
    mood_until_ = now + (mood_ == Mood::gone ? Span::seconds(3600) : Span::seconds(30));
  }
  DeliveryResult accept(const std::vector<AlertChange>& changes) {
    std::map<uint64_t, AlertStep> last;  // in this delivery, which says only that
    for (const AlertChange& change : changes) last[change.alert_id] = change.step;
    for (const auto& [id, step] : last) told_[id].push_back(step);
    return answer(200);
  }
  Rng rng_;
  Mood mood_ = Mood::good;
  Instant mood_until_;
  std::map<uint64_t, std::vector<AlertStep>> told_;
};

void run_with_seed(uint64_t seed, WebhookFormat format) {
  SCOPED_TRACE("seed " + std::to_string(seed) + ", format " + std::to_string(static_cast<int>(format)));
  Rng rng(seed);
  Outbox outbox(format, seed);
  Receiver receiver(seed + 1);
  Instant now = kStart;
  std::map<uint64_t, AlertStep> alerts;  // the last step of each
  uint64_t put = 0, last_id = 0;
  const auto step = [&] {
    const auto changes = outbox.take(now);
    if (!changes.empty()) {
      const DeliveryResult result = receiver.take(changes, now);
      outbox.settle(result, now);
    }
    const Outbox::Facts facts = outbox.facts();
    ASSERT_EQ(facts.sent + facts.dropped + facts.queued, put);  // O1
    ASSERT_LE(facts.queued, Outbox::kQueueMax);                 // O2
  };
  const auto raise = [&] {
    const bool is_new = alerts.empty() || rng.chance(0.4);
    const uint64_t id = is_new ? ++last_id : 1 + rng.below(last_id);
    if (is_new) {
      alerts[id] = AlertStep::fired;
    } else if (alerts[id] == AlertStep::resolved) {
      return;
    } else {
      alerts[id] = alerts[id] == AlertStep::fired && rng.chance(0.2) ? AlertStep::acknowledged : AlertStep::resolved;
    }
    outbox.put(change_of(id, alerts[id]), now);
    ++put;
  };
  for (int i = 0; i < 2000; ++i) {
    if (rng.chance(0.1)) raise();
    now += Span::millis(static_cast<int64_t>(rng.below(20'000)));
    step();
  }
  receiver.be_good();
  const Instant back = now;
  while (outbox.facts().queued != 0 && now < back + Span::seconds(7200)) {
    now = latest(now, outbox.next_wakeup());
    step();
  }
  // At the longest pause, and then at the pace of the format.
  EXPECT_EQ(outbox.facts().queued, 0U);
  EXPECT_LE(now - back, Outbox::kRetryMax + Span::seconds(300));
  uint64_t missing = 0;
  for (const auto& [id, last] : alerts) {
    const auto found = receiver.told().find(id);
    if (found == receiver.told().end() || found->second.back() != last) {
      ++missing;
      continue;
    }
    std::vector<AlertStep> first_told;  // a step may be told twice
    for (const AlertStep each : found->second) {
      if (std::find(first_told.begin(), first_told.end(), each) == first_told.end()) first_told.push_back(each);
    }
    EXPECT_TRUE(std::is_sorted(first_told.begin(), first_told.end())) << "alert " << id;  // O4
  }
  EXPECT_LE(missing, outbox.facts().dropped) << "every alert is told, or counted as dropped";
}

TEST(OutboxSeeds, EveryChangeIsToldOrCounted) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    for (const WebhookFormat format : {WebhookFormat::alertmanager, WebhookFormat::alertmanager_api,
                                       WebhookFormat::slack, WebhookFormat::pagerduty}) {
      run_with_seed(seed, format);
    }
  }
}

TEST(OutboxSeeds, ReceiverThatIsGoneForAnHourMissesNothing) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Outbox outbox(WebhookFormat::alertmanager, seed);
    std::set<uint64_t> told;
    const Instant back = kStart + Span::seconds(3600);
    Instant now = kStart;
    for (uint64_t id = 1; id <= 60; ++id) outbox.put(change_of(id), now + Span::seconds(static_cast<int64_t>(id) * 50));
    int attempts = 0;
    while (outbox.facts().queued != 0) {
      now = latest(now, outbox.next_wakeup());
      const auto sent = outbox.take(now);
      ++attempts;
      if (now >= back) {
        for (const AlertChange& change : sent) told.insert(change.alert_id);
      }
      outbox.settle(answer(now >= back ? 200 : 0), now);
    }
    EXPECT_EQ(told.size(), 60U);
    EXPECT_EQ(outbox.facts().dropped, 0U);
    EXPECT_LE(now, back + Outbox::kRetryMax);
    EXPECT_LE(attempts, 60) << "it is not hammered";
  }
}

}  // namespace
}  // namespace tide::test
