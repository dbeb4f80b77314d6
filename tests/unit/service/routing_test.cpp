// To which server of a group reads go: lag, load, failures, promotion, positions. All in virtual time.
#include <optional>
#include <string>
#include <vector>

#include "service/routing.hpp"
#include "unit/driver/support.hpp"

namespace tide::test {
namespace {

constexpr Instant at(int64_t ms) { return Instant::at_ns((1000 + ms) * 1'000'000); }

// ---- the lag

TEST(LagBook, ALagIsTheTimeSinceThePrimaryWasThere) {
  LagBook book(Span::millis(1));
  EXPECT_EQ(book.lag(100, at(0)), std::nullopt);  // nothing is known of the primary
  book.note(at(0), 100);
  book.note(at(10), 200);
  book.note(at(20), 300);
  EXPECT_EQ(book.lag(300, at(25)), Span{});
  EXPECT_EQ(book.lag(200, at(25)), Span::millis(15));
  EXPECT_EQ(book.lag(250, at(25)), Span::millis(15));
  EXPECT_EQ(book.lag(99, at(25)), std::nullopt);
}

TEST(LagBook, APrimaryThatWritesNothingDoesNotMakeAReplicaOld) {
  LagBook book(Span::millis(1));
  for (int64_t ms = 0; ms < 60'000; ms += 100) book.note(at(ms), 100);
  EXPECT_EQ(book.lag(100, at(60'000)), Span{});
  book.note(at(60'000), 200);
  EXPECT_EQ(book.lag(100, at(60'001)), Span::millis(101));
}

TEST(LagBook, LongMemoryHasTheResolutionThatWasGiven) {
  LagBook book(Span::millis(100));
  for (int64_t ms = 0; ms <= 20'000; ++ms) book.note(at(ms), 1000 + static_cast<uint64_t>(ms));
  EXPECT_EQ(book.lag(1000 + 20'000, at(20'000)), Span{});
  for (const int64_t behind : {1, 99, 1000, 19'000}) {
    const auto lag = book.lag(static_cast<uint64_t>(21'000 - behind), at(20'000));
    ASSERT_TRUE(lag) << behind;
    EXPECT_GE(lag->ms(), behind);
    EXPECT_LE(lag->ms(), behind + 100);
  }
}

TEST(LagBook, AnotherHistoryBeginsANewBook) {
  LagBook book(Span::millis(1));
  book.note(at(0), 50);
  book.note(at(10), 500);
  book.note(at(20), 100);
  EXPECT_EQ(book.lag(60, at(30)), std::nullopt);
  EXPECT_EQ(book.lag(100, at(30)), Span{});
}

// ---- the choice

class Choice : public testing::Test {
 protected:
  static TargetReport standby(uint64_t position) { return {true, position, position, "", ""}; }
  static TargetReport primary(uint64_t position) { return {false, position, position, "", ""}; }
  void SetUp() override {
    routing_.set_lag_max(Span::millis(1000), at(0));
    routing_.saw(0, primary(100), at(0));
    routing_.saw(1, standby(100), at(0));
    routing_.saw(2, standby(100), at(0));
    (void)routing_.take_changes();
  }
  size_t chosen(uint64_t tried = 0, uint64_t position = 0) { return routing_.choose(loads_, tried, position, 0); }
  std::string changes() {
    std::string out;
    for (const Routing::Told& told : routing_.take_changes()) {
      out += std::to_string(told.target) + (told.change == Routing::Change::back ? "+" : "-");
    }
    return out;
  }

  Routing routing_{3, at(0)};
  std::vector<TargetLoad> loads_ = {{0, 0, 10}, {0, 0, 10}, {0, 0, 10}};
};

TEST_F(Choice, TheLeastLoadedReplica) {
  loads_[1] = {3, 0, 10};
  loads_[2] = {5, 0, 20};
  EXPECT_EQ(chosen(), 2U);
  loads_[2].waiting = 4;
  EXPECT_EQ(chosen(), 1U);
  EXPECT_EQ(chosen(uint64_t{1} << 1), 2U);
  EXPECT_EQ(chosen(uint64_t{1} << 1 | uint64_t{1} << 2), Routing::kPrimary);
}

TEST_F(Choice, EquallyLoadedReplicasTakeTurns) {
  EXPECT_EQ(routing_.choose(loads_, 0, 0, 0), 1U);
  EXPECT_EQ(routing_.choose(loads_, 0, 0, 1), 2U);
}

TEST_F(Choice, NobodyWhoWasNotSeen) {
  Routing fresh(3, at(0));
  EXPECT_EQ(fresh.choose(loads_, 0, 0, 0), Routing::kPrimary);
  EXPECT_EQ(fresh.view(1).why, "it was not checked yet");
  fresh.saw(1, standby(100), at(1));
  EXPECT_EQ(fresh.choose(loads_, 0, 0, 0), 1U);  // any lag is accepted
}

TEST_F(Choice, AReplicaThatLagsIsLeftOutUntilItHasCaughtUp) {
  for (int64_t ms = 100; ms <= 1500; ms += 100) {
    routing_.saw(0, primary(100 + static_cast<uint64_t>(ms)), at(ms));
    routing_.saw(2, standby(100 + static_cast<uint64_t>(ms)), at(ms));
    routing_.saw(1, standby(100), at(ms));
    EXPECT_EQ(routing_.view(1).is_serving, ms <= 1000) << ms;
  }
  EXPECT_EQ(chosen(), 2U);
  EXPECT_NE(routing_.view(1).why.find("behind the primary, more than max_replica_lag"), std::string::npos)
      << routing_.view(1).why;
  EXPECT_EQ(changes(), "1-");
  routing_.saw(1, standby(1600), at(1600));
  EXPECT_EQ(routing_.view(1).lag, Span{});
  EXPECT_EQ(changes(), "1+");
}

TEST_F(Choice, ALagBecomesTooLongWithoutNewsOfTheReplica) {
  for (int64_t ms = 100; ms <= 1200; ms += 100) routing_.saw(0, primary(200), at(ms));
  EXPECT_FALSE(routing_.view(1).is_serving);
}

TEST_F(Choice, ReplicasGoOnServingWhileThePrimaryIsDown) {
  routing_.saw(0, primary(200), at(900));
  routing_.saw(1, standby(200), at(900));
  routing_.missed(0, "it does not answer", at(1000));
  routing_.set_primary_gone(true, at(1000));
  for (int64_t ms = 1000; ms < 100'000; ms += 1000) {
    routing_.saw(1, standby(200), at(ms));
    routing_.saw(2, standby(100), at(ms));
  }
  EXPECT_EQ(routing_.view(1).lag, Span{});
  EXPECT_EQ(routing_.view(2).lag, Span::millis(900));  // as of the last answer of the primary
  EXPECT_EQ(changes(), "0-");
  EXPECT_NE(chosen(), Routing::kPrimary);
}

TEST_F(Choice, ALagGrowsIfThePrimaryOnlyDoesNotTellItsPosition) {
  routing_.missed(0, "too many connections", at(10));
  for (int64_t ms = 100; ms <= 1200; ms += 100) {
    routing_.saw(1, standby(100), at(ms));
    EXPECT_EQ(routing_.view(1).is_serving, ms <= 1000) << ms;
  }
  routing_.saw(0, primary(100), at(1300));
  EXPECT_TRUE(routing_.view(1).is_serving);
}

TEST_F(Choice, APromotedReplicaIsLeftOut) {
  routing_.saw(1, primary(300), at(10));
  EXPECT_EQ(chosen(), 2U);
  EXPECT_NE(routing_.view(1).why.find("promoted"), std::string::npos);
  EXPECT_EQ(changes(), "1-");
}

TEST_F(Choice, APrimaryThatBecameAStandbyTakesNoWrites) {
  routing_.saw(0, standby(300), at(10));
  EXPECT_FALSE(routing_.view(0).is_serving);
  EXPECT_NE(routing_.view(0).why.find("standby"), std::string::npos);
}

TEST_F(Choice, AFailedReplicaIsTriedAgainWithABackoff) {
  routing_.failed(1, "connection lost", at(10));
  EXPECT_EQ(chosen(), 2U);
  EXPECT_EQ(routing_.view(1).why, "connection lost");
  routing_.saw(1, standby(100), at(50));  // it answers, but the backoff of 100 ms has not passed
  EXPECT_FALSE(routing_.view(1).is_serving);
  routing_.saw(1, standby(100), at(111));
  EXPECT_TRUE(routing_.view(1).is_serving);
  routing_.failed(1, "connection lost", at(120));
  routing_.saw(1, standby(100), at(319));
  EXPECT_FALSE(routing_.view(1).is_serving);
  routing_.saw(1, standby(100), at(321));
  EXPECT_TRUE(routing_.view(1).is_serving);
  EXPECT_EQ(changes(), "1-1+1-1+");
}

TEST_F(Choice, AfterAFailureItMustAnswerBeforeItServes) {
  routing_.failed(1, "connection lost", at(10));
  for (int64_t ms = 100; ms < 5000; ms += 100) routing_.saw(0, primary(100), at(ms));
  EXPECT_FALSE(routing_.view(1).is_serving);
  EXPECT_EQ(routing_.view(1).left_out_since, at(10));
}

TEST_F(Choice, AReplicaThatDoesNotAnswerIsLeftOut) {
  routing_.missed(1, "no route", at(10));
  EXPECT_EQ(chosen(), 2U);
  EXPECT_EQ(routing_.view(1).lag, std::nullopt);
  routing_.saw(1, standby(100), at(20));
  EXPECT_TRUE(routing_.view(1).is_serving);
}

TEST_F(Choice, AReadGetsAReplicaThatHasReplayedItsPosition) {
  routing_.saw(0, primary(200), at(10));
  routing_.saw(2, standby(200), at(10));
  EXPECT_EQ(chosen(0, 200), 2U);
  EXPECT_EQ(chosen(0, 201), Routing::kPrimary);
  EXPECT_TRUE(routing_.is_any_serving(0));
}

// ---- a group before it is opened

using Reports = std::vector<std::optional<TargetReport>>;
const std::vector<std::string> kShown = {"a:5432/db", "b:5432/db", "c:5432/db"};

TargetReport report(bool is_in_recovery, const std::string& incarnation, const std::string& cluster = "77") {
  return {is_in_recovery, 1, 1, incarnation, cluster};
}

TEST(Group, WhatIsRightIsAccepted) {
  EXPECT_OK(check_group(Reports{report(false, "1"), report(true, "2"), std::nullopt}, kShown));
  EXPECT_OK(check_group(Reports{std::nullopt, std::nullopt, std::nullopt}, kShown));
  EXPECT_OK(check_group(Reports{report(false, "", ""), report(true, ""), report(true, "")}, kShown));
}

TEST(Group, AReplicaThatIsAPrimaryIsRefused) {
  const Status status = check_group(Reports{report(false, "1"), report(true, "2"), report(false, "3")}, kShown);
  EXPECT_EQ(status.code, Code::bad_option);
  EXPECT_EQ(status.message(), "replica \"c:5432/db\" is a primary");
}

TEST(Group, TwoTargetsThatAreOneServerAreRefused) {
  const Status status = check_group(Reports{report(false, "1"), report(true, "2"), report(true, "2")}, kShown);
  EXPECT_EQ(status.message(), "\"b:5432/db\" and \"c:5432/db\" are the same server");
  EXPECT_EQ(check_group(Reports{report(false, "1"), report(false, "1"), std::nullopt}, kShown).message(),
            "\"a:5432/db\" and \"b:5432/db\" are the same server");
}

TEST(Group, AReplicaOfAnotherPrimaryIsRefused) {
  const Status status = check_group(Reports{report(false, "1", "77"), report(true, "2", "78"), std::nullopt}, kShown);
  EXPECT_EQ(status.message(), "replica \"b:5432/db\" is not a replica of \"a:5432/db\"");
}

TEST(Group, ThePrimaryOfAListIsFound) {
  EXPECT_EQ(actual_primary(Reports{report(false, "1"), report(true, "2")}), 0U);
  EXPECT_EQ(actual_primary(Reports{report(true, "1"), report(true, "2"), report(false, "3")}), 2U);
  EXPECT_EQ(actual_primary(Reports{report(true, "1"), report(false, "2"), report(false, "3")}), 0U);
  EXPECT_EQ(actual_primary(Reports{std::nullopt, report(false, "2")}), 0U);
}

TEST(Positions, AsPostgresqlPrintsThem) {
  EXPECT_EQ(position_text(0x16B374D848), "16/B374D848");
  EXPECT_EQ(end_of_record(0x2000 + 24), 0x2000U);
  EXPECT_EQ(end_of_record(0x2000 + 32), 0x2000U + 32);
}

}  // namespace
}  // namespace tide::test
