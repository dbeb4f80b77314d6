// Cancel tokens: what happens when they are tripped, and requests that leave the queue.
#include <memory>
#include <thread>
#include <vector>

#include "pool/cancel_token.hpp"
#include "unit/pool/timed_pool.hpp"

namespace tide::test {
namespace {

struct FreeToken {
  void operator()(CancelToken* token) const { token->free(); }
};
using Token = std::unique_ptr<CancelToken, FreeToken>;

Token make_token() { return Token(CancelToken::make()); }

struct Counting : OnTrip {
  Counting() : OnTrip([](OnTrip& self) noexcept { ++static_cast<Counting&>(self).calls; }) {}
  int calls = 0;
};

TEST(CancelToken, CallsWhatWatchesItOnce) {
  const Token token = make_token();
  Counting first, second, left;
  EXPECT_TRUE(first.watch(*token));
  EXPECT_TRUE(second.watch(*token));
  EXPECT_TRUE(left.watch(*token));
  left.unwatch();
  EXPECT_FALSE(token->is_tripped());
  token->trip();
  token->trip();
  EXPECT_TRUE(token->is_tripped());
  EXPECT_EQ(first.calls, 1);
  EXPECT_EQ(second.calls, 1);
  EXPECT_EQ(left.calls, 0);
  Counting late;
  EXPECT_FALSE(late.watch(*token)) << "C1";
  EXPECT_EQ(late.calls, 0);
}

// The function destroys what watches, and frees the token.
TEST(CancelToken, MayBeFreedByWhatItCalls) {
  struct Last : OnTrip {
    explicit Last(CancelToken* of) : OnTrip(&Last::tripped), token(of) {}
    static void tripped(OnTrip& self) noexcept {
      auto* last = static_cast<Last*>(&self);
      CancelToken* const own = last->token;
      delete last;
      own->free();
    }
    CancelToken* const token;
  };
  CancelToken* const token = CancelToken::make();
  auto* const last = new Last(token);
  ASSERT_TRUE(last->watch(*token));
  token->trip();
}

// C2: the stack of the watching thread may go as soon as unwatch() has returned.
TEST(CancelToken, UnwatchWaitsForARunningFunction) {
  struct Slow : OnTrip {
    Slow() : OnTrip(&Slow::tripped) {}
    static void tripped(OnTrip& self) noexcept {
      auto& slow = static_cast<Slow&>(self);
      slow.has_begun = true;
      while (!slow.is_leaving) std::this_thread::yield();
      for (int i = 0; i < 1000; ++i) std::this_thread::yield();
      slow.has_ended = true;
    }
    std::atomic<bool> has_begun{false}, is_leaving{false}, has_ended{false};
  };
  const Token token = make_token();
  Slow slow;
  ASSERT_TRUE(slow.watch(*token));
  std::thread tripper([&] { token->trip(); });
  while (!slow.has_begun) std::this_thread::yield();
  slow.is_leaving = true;
  slow.unwatch();
  EXPECT_TRUE(slow.has_ended) << "it still runs";
  tripper.join();
}

class CancelledRequests : public TimedPool {
 protected:
  struct Answer {
    Code code = Code::internal;
    LeaseId lease;
    std::string message;
    int count = 0;
  };
  Code ask(Answer& answer, CancelToken* token, Priority priority = Priority::normal) {
    const Visit visit(Presence::key_of_pool(kKey));
    AcquireRequest request{"asks", LeaseMode::read_write, Span::seconds(10), priority, token};
    return pool_->acquire_async(request, [&answer](Code code, LeaseId lease, const Status& why) {
      answer = {code, lease, std::string(why.message()), answer.count + 1};
    });
  }
  uint64_t cancelled() { return read(pool_->segment().queue().cancelled_total); }
};

TEST_F(CancelledRequests, LeavesTheQueueAtOnce) {
  open(of_size(1));
  const LeaseId held = acquire();
  const Token gone = make_token();
  Answer first, second, third;
  EXPECT_EQ(ask(first, gone.get()), Code::ok);
  EXPECT_EQ(ask(second, nullptr), Code::ok);
  EXPECT_EQ(ask(third, gone.get()), Code::ok);
  gone->trip();
  EXPECT_EQ(first.code, Code::cancelled);
  EXPECT_EQ(third.code, Code::cancelled);
  EXPECT_NE(first.message.find("cancelled by its token"), std::string::npos) << first.message;
  EXPECT_EQ(second.count, 0);
  EXPECT_EQ(read(pool_->segment().queue().waiting), 1U);
  EXPECT_EQ(cancelled(), 2U);
  release(held);
  EXPECT_EQ(second.code, Code::ok) << "the next one was not served";
  EXPECT_EQ(first.count + second.count + third.count, 3);
  release(second.lease);
}

TEST_F(CancelledRequests, FailsBeforeAnythingIsDone) {
  open(of_size(1));
  const Token gone = make_token();
  gone->trip();
  Answer answer;
  EXPECT_EQ(ask(answer, gone.get()), Code::cancelled);
  EXPECT_EQ(answer.count, 0);
  const Visit visit(Presence::key_of_pool(kKey));
  LeaseId lease;
  EXPECT_EQ(pool_->acquire({"asks", LeaseMode::read_write, Span{}, Priority::normal, gone.get()}, lease),
            Code::cancelled);
  release(acquire());  // the connection is idle
}

// I8: what was granted is the caller's, also if its token is tripped at that moment.
TEST_F(CancelledRequests, KeepsWhatItWasGranted) {
  open(of_size(1));
  const LeaseId held = acquire();
  const Token gone = make_token();
  Answer answer;
  EXPECT_EQ(ask(answer, gone.get()), Code::ok);
  release(held);
  gone->trip();
  EXPECT_EQ(answer.code, Code::ok);
  EXPECT_EQ(cancelled(), 0U);
  release(answer.lease);
}

// After the request has ended the token is of no more use to it, and the other way round.
TEST_F(CancelledRequests, TokenMayBeFreedWhileItWaits) {
  open(of_size(1));
  const LeaseId held = acquire();
  Answer answer;
  {
    const Token freed = make_token();
    EXPECT_EQ(ask(answer, freed.get()), Code::ok);
  }
  release(held);
  EXPECT_EQ(answer.code, Code::ok);
  release(answer.lease);
}

// A request that timed out in a thread is not taken from the queue again.
TEST_F(CancelledRequests, AlsoAtItsDeadline) {
  open(of_size(1));
  const LeaseId held = acquire();
  const Token gone = make_token();
  Answer answer;
  EXPECT_EQ(ask(answer, gone.get()), Code::ok);
  pass(Span::seconds(11));
  EXPECT_EQ(answer.code, Code::timeout);
  gone->trip();
  EXPECT_EQ(answer.count, 1);
  EXPECT_EQ(read(pool_->segment().queue().waiting), 0U);
  release(held);
}

}  // namespace
}  // namespace tide::test
