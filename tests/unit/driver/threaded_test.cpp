// Calls that come back when they like, and a connector that does not wait for them.
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "driver/threaded/connector.hpp"
#include "unit/driver/support.hpp"

namespace tide::test {
namespace {

enum Gate : size_t { kOpen, kValidate, kReset, kClose, kCancel, kEnd, kDisarm, kWork, kGates };

// What the driver of a test shares with it; outlives both connector and driver.
struct Story {
  std::mutex mutex;
  std::condition_variable changed;
  std::array<bool, kGates> is_shut{};
  std::array<int, kGates> inside{};
  int opened = 0;
  int closed = 0;
  std::vector<Gate> passed;  // in that order
  bool is_driver_gone = false;
  bool is_work_wanted = false;
  std::function<void()> wake;

  void pass(Gate gate) {
    std::unique_lock lock(mutex);
    ++inside[gate];
    changed.notify_all();
    changed.wait(lock, [&] { return !is_shut[gate]; });
    --inside[gate];
    passed.push_back(gate);
  }
  void set(Gate gate, bool shut) {
    const std::lock_guard lock(mutex);
    is_shut[gate] = shut;
    changed.notify_all();
  }
  template <typename Condition>
  bool eventually(Condition condition) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(10), condition);
  }
  void count(int Story::*what) {
    const std::lock_guard lock(mutex);
    ++(this->*what);
    changed.notify_all();
  }
};

class Session final : public Connection {
 public:
  explicit Session(Story& story) : story_(story) { story_.count(&Story::opened); }
  ~Session() override {
    story_.pass(kClose);
    story_.count(&Story::closed);
  }
  void* native() noexcept override { return this; }
  Status begin_lease(LeaseMode, Instant) override { return Status::ok(); }
  Status query(const QueryRequest&, ResultTable&) override { return Status::ok(); }
  Settled settle(ResetMode) noexcept override { return Settled::clean; }
  void cancel(uint64_t) noexcept override { story_.pass(kCancel); }
  SessionFacts facts() const noexcept override { return {}; }
  bool end_transaction(std::string_view why, uint64_t) noexcept override {
    story_.pass(kEnd);
    return why != "is over";
  }
  void disarm() noexcept override {}
  void finish_disarm() noexcept override { story_.pass(kDisarm); }
  void abandon() noexcept override {}

 private:
  Story& story_;
};

class Driver final : public BlockingDriver {
 public:
  Driver(Story& story, bool may_overlap) : story_(story), may_overlap_(may_overlap) {}
  ~Driver() override {
    const std::lock_guard lock(story_.mutex);
    story_.is_driver_gone = true;
    story_.changed.notify_all();
  }
  Opened open(Instant) override {
    story_.pass(kOpen);
    Opened opened;
    opened.connection = std::make_unique<Session>(story_);
    return opened;
  }
  Status validate(Connection&, Instant) override {
    story_.pass(kValidate);
    return Status::ok();
  }
  Status reset(Connection&, ResetMode, Instant) override {
    story_.pass(kReset);
    return Status::ok();
  }
  void work() override {
    {
      const std::lock_guard lock(story_.mutex);
      story_.is_work_wanted = false;
    }
    story_.pass(kWork);
  }
  bool wants_work() const noexcept override {
    const std::lock_guard lock(story_.mutex);
    return story_.is_work_wanted;
  }
  void on_wanted(std::function<void()> wake) override {
    const std::lock_guard lock(story_.mutex);
    story_.wake = std::move(wake);
  }
  std::string whose() const override { return "the test's"; }
  std::string hint() const override { return "Open the gate."; }
  bool may_overlap() const noexcept override { return may_overlap_; }

 private:
  Story& story_;
  const bool may_overlap_;
};

class ThreadedTest : public testing::Test {
 protected:
  void start(bool may_overlap) {
    connector_ = make_threaded_connector(std::make_unique<Driver>(story_, may_overlap), clock_);
  }
  ~ThreadedTest() override {
    for (size_t gate = 0; gate < kGates; ++gate) story_.set(static_cast<Gate>(gate), false);
    connector_.reset();
    EXPECT_TRUE(story_.eventually([this] { return story_.is_driver_gone && story_.opened == story_.closed; }));
  }
  Instant in(Span span) const { return clock_.now() + span; }
  // The next completion of the slot, within 10 s.
  Completion next(uint32_t slot) {
    const Instant give_up = in(Span::seconds(10));
    for (;;) {
      for (auto done = done_.begin(); done != done_.end(); ++done) {
        if (done->slot != slot) continue;
        Completion found = std::move(*done);
        done_.erase(done);
        return found;
      }
      if (clock_.now() >= give_up) break;
      const Instant wanted = connector_->step(clock_.now(), done_);
      if (!done_.empty()) continue;
      pollfd fd{connector_->fd(), POLLIN, 0};
      poll(&fd, 1, static_cast<int>(std::clamp((wanted - clock_.now()).ms() + 1, int64_t{0}, int64_t{100})));
    }
    ADD_FAILURE() << "no answer for slot " << slot;
    return {Completion::Kind::lost, slot, nullptr, Status::ok()};
  }
  std::unique_ptr<Connection> open(uint32_t slot) {
    connector_->open(slot, clock_.now(), in(Span::seconds(10)));
    Completion done = next(slot);
    EXPECT_EQ(done.kind, Completion::Kind::opened);
    return std::move(done.connection);
  }
  void close(uint32_t slot, std::unique_ptr<Connection> session) {
    connector_->close(slot, std::move(session), clock_.now());
    EXPECT_EQ(next(slot).kind, Completion::Kind::closed);
  }
  int closed() {
    const std::lock_guard lock(story_.mutex);
    return story_.closed;
  }
  int inside(Gate gate) {
    const std::lock_guard lock(story_.mutex);
    return story_.inside[gate];
  }
  bool is_inside(Gate gate, int n) {
    return story_.eventually([&] { return story_.inside[gate] == n; });
  }

  RealClock clock_;
  Story story_;
  std::unique_ptr<Connector> connector_;
  std::vector<Completion> done_;
};

TEST_F(ThreadedTest, PromptResultIsTakenInTheNextStep) {
  start(true);
  auto session = open(0);
  connector_->validate(0, *session, clock_.now(), in(Span::seconds(10)));
  EXPECT_EQ(next(0).kind, Completion::Kind::validated);
  connector_->reset(0, *session, ResetMode::full, clock_.now(), in(Span::seconds(10)));
  EXPECT_EQ(next(0).kind, Completion::Kind::reset_done);
  EXPECT_FALSE(connector_->is_at_work());
  close(0, std::move(session));
}

TEST_F(ThreadedTest, WorkOfTheDriverIsDoneWhenItIsWantedAndDelaysNoCall) {
  start(true);
  auto session = open(0);
  story_.set(kWork, true);
  const auto want = [this] {
    const std::lock_guard lock(story_.mutex);
    story_.is_work_wanted = true;
    story_.wake();
  };
  pollfd rung{connector_->fd(), POLLIN, 0};
  while (poll(&rung, 1, 10) == 1) connector_->step(clock_.now(), done_);
  want();
  EXPECT_EQ(poll(&rung, 1, 10000), 1);
  connector_->step(clock_.now(), done_);
  ASSERT_TRUE(is_inside(kWork, 1));
  want();
  connector_->validate(0, *session, clock_.now(), in(Span::seconds(10)));
  EXPECT_EQ(next(0).kind, Completion::Kind::validated);
  EXPECT_EQ(inside(kWork), 1);  // one at a time
  EXPECT_TRUE(connector_->is_at_work());
  story_.set(kWork, false);
  const auto passed = [this] {
    const std::lock_guard lock(story_.mutex);
    return std::count(story_.passed.begin(), story_.passed.end(), kWork);
  };
  while (passed() < 2) connector_->step(clock_.now(), done_);  // until the second one, which waited for the first
  while (connector_->is_at_work()) connector_->step(clock_.now(), done_);
  close(0, std::move(session));
  EXPECT_EQ(passed(), 2);
}

TEST_F(ThreadedTest, NoWorkIsBegunWhileThePoolCloses) {
  start(true);
  auto session = open(0);
  connector_->give_up_opens();
  {
    const std::lock_guard lock(story_.mutex);
    story_.is_work_wanted = true;
  }
  close(0, std::move(session));
  EXPECT_EQ(inside(kWork), 0);
  EXPECT_EQ(std::count(story_.passed.begin(), story_.passed.end(), kWork), 0);
}

TEST_F(ThreadedTest, LateOpenFailsAndItsSessionIsClosed) {
  start(false);
  story_.set(kOpen, true);
  connector_->open(0, clock_.now(), in(Span::millis(20)));
  ASSERT_TRUE(is_inside(kOpen, 1));
  const Completion late = next(0);
  EXPECT_EQ(late.kind, Completion::Kind::open_failed);
  EXPECT_NE(late.status.message().find("the test's open has not returned after"), std::string::npos);
  EXPECT_EQ(late.status.hint(), "Open the gate.");
  EXPECT_TRUE(connector_->is_at_work());
  // The slot may be used again meanwhile, and gets only what was opened for it.
  connector_->open(0, clock_.now(), in(Span::seconds(10)));
  (void)connector_->step(clock_.now(), done_);
  ASSERT_TRUE(is_inside(kOpen, 2));
  story_.set(kOpen, false);
  Completion second = next(0);
  EXPECT_EQ(second.kind, Completion::Kind::opened);
  EXPECT_TRUE(story_.eventually([this] { return story_.opened == 2 && story_.closed == 1; }));
  close(0, std::move(second.connection));
}

TEST_F(ThreadedTest, SessionIsClosedAfterItsLateCall) {
  start(true);
  auto session = open(0);
  story_.set(kValidate, true);
  connector_->validate(0, *session, clock_.now(), in(Span::millis(20)));
  ASSERT_TRUE(is_inside(kValidate, 1));
  EXPECT_EQ(next(0).kind, Completion::Kind::validation_failed);
  connector_->close(0, std::move(session), clock_.now());
  close(1, open(1));  // others come and go
  EXPECT_EQ(closed(), 1);
  story_.set(kValidate, false);
  EXPECT_EQ(next(0).kind, Completion::Kind::closed);
  EXPECT_EQ(closed(), 2);
}

// One call at a time: who waits for another's call, which keeps its time, loses nothing but time.
TEST_F(ThreadedTest, WaitingForAnotherCallKeepsTheSession) {
  start(false);
  auto session = open(0);
  story_.set(kOpen, true);
  connector_->open(1, clock_.now(), in(Span::seconds(10)));
  ASSERT_TRUE(is_inside(kOpen, 1));
  const Instant deadline = in(Span::millis(1));
  connector_->reset(0, *session, ResetMode::full, clock_.now(), deadline);
  while (clock_.now() < deadline + Span::millis(80)) (void)connector_->step(clock_.now(), done_);
  EXPECT_TRUE(done_.empty());
  story_.set(kOpen, false);
  EXPECT_EQ(next(0).kind, Completion::Kind::reset_done);
  close(0, std::move(session));
  close(1, next(1).connection);
}

TEST_F(ThreadedTest, WithoutHelpersErrorsNameTheLateCall) {
  start(true);
  story_.set(kOpen, true);
  for (uint32_t slot = 0; slot < 4; ++slot) {
    connector_->open(slot, clock_.now(), in(Span::millis(1)));
    ASSERT_TRUE(is_inside(kOpen, static_cast<int>(slot) + 1));
    EXPECT_EQ(next(slot).kind, Completion::Kind::open_failed);
  }
  connector_->open(4, clock_.now(), in(Span::millis(1)));
  const Completion refused = next(4);
  EXPECT_EQ(refused.kind, Completion::Kind::open_failed);
  EXPECT_NE(refused.status.message().find("the test's open has not returned after"), std::string::npos);
  EXPECT_EQ(refused.status.detail(), "A call of open had to wait for it.");
  story_.set(kOpen, false);
  close(4, open(4));
}

TEST_F(ThreadedTest, ConnectorMayBeDestroyedDuringCalls) {
  start(true);
  auto session = open(0);
  story_.set(kReset, true);
  connector_->reset(0, *session, ResetMode::full, clock_.now(), in(Span::seconds(100)));
  story_.set(kOpen, true);
  connector_->open(1, clock_.now(), in(Span::seconds(100)));
  ASSERT_TRUE(is_inside(kReset, 1));
  // The second helper comes when the first has been busy for a while.
  for (const Instant give_up = in(Span::seconds(10)); clock_.now() < give_up && inside(kOpen) == 0;) {
    (void)connector_->step(clock_.now(), done_);
  }
  ASSERT_EQ(inside(kOpen), 1);
  connector_->give_up();
  EXPECT_EQ(next(0).kind, Completion::Kind::reset_failed);
  EXPECT_EQ(next(1).kind, Completion::Kind::open_failed);
  connector_->close(0, std::move(session), clock_.now());
  EXPECT_FALSE(connector_->left_behind());
  connector_.reset();
  EXPECT_EQ(inside(kReset), 1);
  EXPECT_EQ(closed(), 0);
  // The rest is in the destructor of the test: both sessions are closed, and the driver goes.
}

// What reaches into a lease waits neither for calls about other sessions nor in the step that asks for it, and keeps the
// order in which it was asked for.
TEST_F(ThreadedTest, LeaseCallsDoNotWaitForOtherSessions) {
  start(false);
  auto session = open(0);
  story_.set(kOpen, true);
  connector_->open(1, clock_.now(), in(Span::seconds(10)));
  ASSERT_TRUE(is_inside(kOpen, 1));
  connector_->cancel(0, *session, 1, clock_.now());
  EXPECT_FALSE(connector_->end_transaction(0, *session, "is over", 1, clock_.now()));
  EXPECT_FALSE(connector_->end_transaction(0, *session, "idle for 61 s", 1, clock_.now()));
  EXPECT_FALSE(connector_->finish_disarm(0, *session, clock_.now()));
  const Completion ended = next(0);
  EXPECT_EQ(ended.kind, Completion::Kind::transaction_ended);
  EXPECT_EQ(ended.status.message(), "idle for 61 s");
  const Completion disarmed = next(0);
  EXPECT_EQ(disarmed.kind, Completion::Kind::disarmed);
  EXPECT_OK(disarmed.status);
  EXPECT_EQ(inside(kOpen), 1);
  story_.set(kOpen, false);
  close(1, next(1).connection);
  close(0, std::move(session));
  const std::vector<Gate> wanted{kOpen, kCancel, kEnd, kEnd, kDisarm, kOpen, kClose, kClose};
  EXPECT_EQ(story_.passed, wanted);
}

// Its slot is told after a while, and what is asked for the session later comes after it.
TEST_F(ThreadedTest, BlockedCancelAffectsOnlyItsSession) {
  start(true);
  auto session = open(0);
  story_.set(kCancel, true);
  connector_->cancel(0, *session, 1, clock_.now());
  ASSERT_TRUE(is_inside(kCancel, 1));
  connector_->finish_disarm(0, *session, clock_.now());
  close(1, open(1));
  const Completion disarmed = next(0);
  EXPECT_EQ(disarmed.kind, Completion::Kind::disarmed);
  EXPECT_EQ(disarmed.status.code, Code::timeout);
  EXPECT_NE(disarmed.status.message().find("the test's cancel has not returned"), std::string::npos)
      << disarmed.status.message();
  connector_->close(0, std::move(session), clock_.now());
  (void)connector_->step(clock_.now(), done_);
  EXPECT_EQ(closed(), 1);
  connector_.reset();  // also where the pool is gone meanwhile, everything ends in order
  EXPECT_EQ(closed(), 1);
  story_.set(kCancel, false);
  EXPECT_TRUE(story_.eventually([this] { return story_.closed == 2; }));
  const std::vector<Gate> wanted{kOpen, kOpen, kClose, kCancel, kDisarm, kClose};
  EXPECT_EQ(story_.passed, wanted);
}

TEST_F(ThreadedTest, LongCloseFreesItsSlot) {
  start(true);
  auto session = open(0);
  story_.set(kClose, true);
  connector_->close(0, std::move(session), clock_.now());
  ASSERT_TRUE(is_inside(kClose, 1));
  EXPECT_FALSE(connector_->is_held_up());
  EXPECT_EQ(next(0).kind, Completion::Kind::closed);
  EXPECT_EQ(closed(), 0);
  EXPECT_TRUE(connector_->is_at_work());
  EXPECT_TRUE(connector_->is_held_up());
}

}  // namespace
}  // namespace tide::test
