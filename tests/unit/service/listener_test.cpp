// The thread that listens: N1 to N3 of service/listener.hpp, and its end.
#include "service/listener.hpp"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "os/descriptor.hpp"
#include "unit/service/service_rig.hpp"

namespace tide::test {
namespace {

// A server that connects at once and passes on what the test notifies, from any thread.
class Wire {
 public:
  void notify(std::string channel, std::string payload) {
    put({.kind = ListeningNews::Kind::notified, .channel = std::move(channel), .payload = std::move(payload)});
  }
  void lose() { put({.kind = ListeningNews::Kind::lost, .status = Status::error(Code::unavailable, "cut")}); }
  void put(ListeningNews news) {
    const std::lock_guard lock(mutex_);
    news_.push_back(std::move(news));
    bell_.ring();
  }
  void take(std::vector<ListeningNews>& out) {
    const std::lock_guard lock(mutex_);
    bell_.clear();
    for (ListeningNews& news : std::exchange(news_, {})) out.push_back(std::move(news));
  }
  int fd() const { return bell_.fd(); }

 private:
  std::mutex mutex_;
  std::deque<ListeningNews> news_;
  Bell bell_{"test"};
};

class WirePort final : public ListeningPort {
 public:
  explicit WirePort(Wire& wire) : wire_(wire) {}
  void open(Instant, Instant) override { wire_.put({.kind = ListeningNews::Kind::opened, .server_pid = 1}); }
  void change(const std::vector<std::string>&, const std::vector<std::string>&) override { ping(); }
  void ping() override { wire_.put({.kind = ListeningNews::Kind::done}); }
  void close() noexcept override {}
  Instant step(Instant, std::vector<ListeningNews>& out) override {
    wire_.take(out);
    return Instant::never();
  }
  int fd() const noexcept override { return wire_.fd(); }
  void set_policy(const Policy&) override {}
  void abandon() noexcept override {}

 private:
  Wire& wire_;
};

// What the calls of a subscription did.
class Heard {
 public:
  void add(const ListenEvent& event) {
    const std::lock_guard lock(mutex_);
    static constexpr const char* kWords[] = {"ready", "", "lost", "gap"};
    words_.push_back(event.kind == ListenEvent::Kind::notification ? event.text
                                                                   : kWords[static_cast<size_t>(event.kind)]);
    changed_.notify_all();
  }
  std::vector<std::string> await(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(20), [&] { return words_.size() >= count; });
    return words_;
  }
  size_t size() {
    const std::lock_guard lock(mutex_);
    return words_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> words_;
};

class ListenerTest : public ServiceRig {
 protected:
  using Words = std::vector<std::string>;

  void SetUp() override {
    ServiceRig::SetUp();
    make({});
  }
  void TearDown() override {
    EXPECT_TRUE(listener_->finish(clock_.now() + Span::seconds(60)));
    ServiceRig::TearDown();
  }
  void make(std::function<void(std::function<void()>)> call_program) {
    ListenerNeeds needs;
    needs.make_port = [this](const Policy&) { return std::make_unique<WirePort>(wire_); };
    needs.call_program = std::move(call_program);
    listener_ = std::make_unique<Listener>(*pool_, std::move(needs));
  }
  SubscriptionId subscribe(Heard& heard, Listener::Side side = Listener::Side::program) {
    const auto made =
        listener_->subscribe("a", side, [&heard](SubscriptionId, const ListenEvent& event) { heard.add(event); });
    EXPECT_OK(made.status());
    return made.value();
  }

  Wire wire_;
  std::unique_ptr<Listener> listener_;
};

TEST_F(ListenerTest, PassesOnInOrder) {
  Heard heard;
  subscribe(heard);
  heard.await(1);
  for (int i = 0; i < 3; ++i) wire_.notify("a", std::to_string(i));
  EXPECT_EQ(heard.await(4), (Words{"ready", "0", "1", "2"}));
}

// N2
TEST_F(ListenerTest, N2UnsubscribeWaitsForTheCallThatRuns) {
  Heard entered;
  std::atomic<bool> may_return{false};
  std::atomic<bool> has_returned{false};
  const auto made = listener_->subscribe("a", Listener::Side::program, [&](SubscriptionId, const ListenEvent& event) {
    entered.add(event);
    while (!may_return) std::this_thread::yield();
    has_returned = true;
  });
  entered.await(1);
  std::thread other([&] {
    std::this_thread::yield();
    may_return = true;
  });
  EXPECT_OK(listener_->unsubscribe(made.value()));
  EXPECT_TRUE(has_returned);
  other.join();
  EXPECT_EQ(listener_->unsubscribe(made.value()).code, Code::not_found);
}

TEST_F(ListenerTest, N2UnsubscribeInsideTheCallMakesItTheLastOne) {
  Heard heard;
  Heard other;
  const auto made =
      listener_->subscribe("a", Listener::Side::program, [&](SubscriptionId id, const ListenEvent& event) {
        if (event.kind == ListenEvent::Kind::notification) {
          EXPECT_OK(listener_->unsubscribe(id));
        }
        heard.add(event);
      });
  ASSERT_OK(made.status());
  subscribe(other);
  other.await(1);
  heard.await(1);
  for (const char* payload : {"1", "2", "3"}) wire_.notify("a", payload);
  EXPECT_EQ(other.await(4), (Words{"ready", "1", "2", "3"}));
  EXPECT_EQ(heard.await(2), (Words{"ready", "1"}));
}

TEST_F(ListenerTest, N2CallsThatWaitAreNotMadeAfterUnsubscribe) {
  std::mutex mutex;
  std::vector<std::function<void()>> calls;
  make([&](std::function<void()> call) {
    const std::lock_guard lock(mutex);
    calls.push_back(std::move(call));
  });
  Heard heard;
  const SubscriptionId id = subscribe(heard);
  for (size_t waiting = 0; waiting == 0; std::this_thread::yield()) {
    const std::lock_guard lock(mutex);
    waiting = calls.size();
  }
  EXPECT_OK(listener_->unsubscribe(id));
  const std::lock_guard lock(mutex);
  for (const std::function<void()>& call : calls) call();
  EXPECT_EQ(heard.size(), 0u);
}

// N3
TEST_F(ListenerTest, N3ReadingStopsWhileTheProgramDoesNotKeepUp) {
  std::mutex mutex;
  std::deque<std::function<void()>> calls;
  make([&](std::function<void()> call) {
    const std::lock_guard lock(mutex);
    calls.push_back(std::move(call));
  });
  const auto waiting = [&] {
    const std::lock_guard lock(mutex);
    return calls.size();
  };
  Heard slow;
  Heard ours;
  subscribe(slow);
  subscribe(ours, Listener::Side::ours);
  ours.await(1);
  constexpr size_t kMany = Listener::kOutstandingMax + 100;
  for (size_t i = 0; i < Listener::kOutstandingMax; ++i) wire_.notify("a", std::to_string(i));
  while (waiting() < Listener::kOutstandingMax + 1) std::this_thread::yield();  // and ready
  for (size_t i = Listener::kOutstandingMax; i < kMany; ++i) wire_.notify("a", std::to_string(i));
  EXPECT_EQ(ours.await(Listener::kOutstandingMax + 2).back(), "lost") << "they are not read";
  EXPECT_EQ(waiting(), Listener::kOutstandingMax + 1);
  while (slow.size() < kMany + 1) {
    std::function<void()> call;
    {
      const std::lock_guard lock(mutex);
      if (!calls.empty()) {
        call = std::move(calls.front());
        calls.pop_front();
      }
    }
    call ? call() : std::this_thread::yield();
  }
  const Words words = slow.await(kMany + 1);
  for (size_t i = 0; i < kMany; ++i) ASSERT_EQ(words[i + 1], std::to_string(i));
  EXPECT_EQ(ours.await(kMany + 3)[Listener::kOutstandingMax + 2], "gap");
}

TEST_F(ListenerTest, EndOfThePoolEndsSubscriptions) {
  Heard heard;
  const SubscriptionId id = subscribe(heard);
  heard.await(1);
  EXPECT_EQ(pool_->segment().listener().state.load(), static_cast<uint64_t>(ListenerState::listening));
  EXPECT_TRUE(listener_->finish(clock_.now() + Span::seconds(60)));
  wire_.notify("a", "late");
  EXPECT_EQ(heard.size(), 1u);
  EXPECT_EQ(pool_->segment().listener().state.load(), static_cast<uint64_t>(ListenerState::off));
  EXPECT_EQ(listener_->unsubscribe(id).code, Code::not_found);
  EXPECT_EQ(listener_->subscribe("a", Listener::Side::ours, {}).status().code, Code::closed);
}

TEST_F(ListenerTest, LostAndFoundAreEvents) {
  Heard heard;
  subscribe(heard);
  heard.await(1);
  wire_.lose();
  heard.await(2);
  clock_.advance(Span::seconds(1));  // the delay before the next attempt
  Heard another;
  subscribe(another);  // looks at the clock
  EXPECT_EQ(heard.await(3), (Words{"ready", "lost", "gap"}));
  pool_->keeper().step();
  std::vector<EventKind> kinds;
  Segment& segment = pool_->segment();
  for (uint32_t i = 0; i < segment.header().journal.count; ++i) {
    const format::JournalRecord& record = segment.journal()[i];
    const auto kind = static_cast<EventKind>(record.kind);
    if (record.stamp != 0 && (kind == EventKind::listen_ready || kind == EventKind::listen_lost)) kinds.push_back(kind);
  }
  EXPECT_EQ(kinds, (std::vector<EventKind>{EventKind::listen_ready, EventKind::listen_lost, EventKind::listen_ready}));
}

TEST_F(ListenerTest, DatabaseWithoutNotificationsAndPoolersAreRefused) {
  Listener none(*pool_, {});
  EXPECT_EQ(none.subscribe("a", Listener::Side::ours, {}).status().code, Code::unsupported);
  put(pool_->segment().vitals().pooler, static_cast<uint64_t>(Pooler::transaction));
  const Status refused = listener_->subscribe("a", Listener::Side::ours, {}).status();
  EXPECT_EQ(refused.code, Code::refused);
  EXPECT_NE(refused.hint().find("pooler=session"), std::string::npos) << refused.hint();
}

}  // namespace
}  // namespace tide::test
