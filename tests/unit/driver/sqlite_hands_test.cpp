// Who uses a database handle.
#include "driver/sqlite/hands.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace tide::sqlite {
namespace {

using Use = Hands::Use;

void take(Hands& hands, Use use) {
  if (hands.try_take(use)) return;
  Hands::Look look(hands);
  look.wait_until_free();
  look.set(use);
}

void give(Hands& hands) {
  if (!hands.try_give()) Hands::Look(hands).set(Use::free);
}

// N1
TEST(Hands, N1OneUserAtATimeAmongTakersAndLookers) {
  Hands hands;
  int64_t unguarded = 0;  // ThreadSanitizer sees a second user, and so does the sum
  std::atomic<bool> is_over{false};
  std::vector<std::thread> crew;
  constexpr int kThreads = 3, kTurns = 100'000;
  for (int t = 0; t < kThreads; ++t) {
    crew.emplace_back([&] {
      for (int i = 0; i < kTurns; ++i) {
        take(hands, Use::query);
        ++unguarded;
        give(hands);
      }
    });
  }
  int64_t looks = 0;
  std::thread looker([&] {
    while (!is_over.load()) {
      const Hands::Look look(hands);
      EXPECT_NE(look.use(), Use::inner);
      if (look.is_free()) ++unguarded, ++looks;  // nobody can take them while somebody looks
    }
  });
  for (std::thread& thread : crew) thread.join();
  is_over.store(true);
  looker.join();
  EXPECT_EQ(unguarded, kThreads * kTurns + looks);
  EXPECT_TRUE(hands.try_take(Use::query));
}

TEST(Hands, AUserIsNotDisturbedByALook) {
  Hands hands;
  ASSERT_TRUE(hands.try_take(Use::query));
  {
    const Hands::Look look(hands);
    EXPECT_EQ(look.use(), Use::query);
    EXPECT_FALSE(hands.try_give());
  }
  EXPECT_FALSE(hands.try_take(Use::inner));
  EXPECT_TRUE(hands.try_give());
}

// N2
TEST(Hands, N2NothingIsFastAfterClose) {
  Hands hands;
  ASSERT_TRUE(hands.try_take(Use::query));
  Hands::Look(hands).close();
  EXPECT_FALSE(hands.try_give());
  Hands::Look(hands).set(Use::free);
  EXPECT_FALSE(hands.try_take(Use::query));
}

}  // namespace
}  // namespace tide::sqlite
