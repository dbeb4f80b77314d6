// The board under callers and its keeper: a slot has one owner at any moment (I2), and a lease ends once (I3).
#include <mutex>

#include "race/storm.hpp"

namespace tide::race {
namespace {

constexpr uint32_t kBoardSlots = 3;
constexpr uint32_t kBoardCallers = 4;
constexpr int kCycles = 2000;

// Written only by the owner of the slot: ThreadSanitizer reports it if there are two.
struct Desks {
  uint64_t owner[kBoardSlots] = {};
};

TEST(BoardStorm, SlotHasOneOwner) {
  Deck deck(kBoardSlots);
  Desks desks;
  std::atomic<uint64_t> claims{0}, ends{0}, lost{0}, revoked{0};
  std::atomic<uint32_t> callers_left{kBoardCallers};
  std::mutex keeper;
  storm(kBoardCallers + 1, [&](uint32_t me) {
    Rng rng(me + 1);
    if (me == kBoardCallers) {  // the keeper
      while (callers_left.load() != 0) {
        const auto slot = static_cast<uint32_t>(rng.below(kBoardSlots));
        const SlotWord seen = deck.board.word(slot);
        switch (seen.state()) {
          case SlotState::idle:
          case SlotState::soiled:
            if (!deck.board.advance(slot, seen, SlotState::held)) break;
            desks.owner[slot] = me;
            EXPECT_TRUE(deck.board.advance(slot, seen.with(SlotState::held), SlotState::idle));
            break;
          case SlotState::leased:
            // Revoked ones stay with their holder, which may still be writing, until it returns them: see the storm of
            // the pool.
            if (rng.below(64) == 0 && deck.board.advance(slot, seen, SlotState::revoked)) ++revoked;
            break;
          default: break;
        }
        std::this_thread::yield();
      }
      return;
    }
    for (int i = 0; i < kCycles; ++i) {
      LeaseId lease = rng.below(2) == 0 ? deck.board.claim_lowest()
                                        : deck.board.claim(static_cast<uint32_t>(rng.below(kBoardSlots)));
      if (lease.is_none()) {
        std::this_thread::yield();
        continue;
      }
      ++claims;
      deck.board.write_holder(lease, "storm", me, now());
      for (uint64_t turns = rng.below(3); turns > 0; --turns) {
        desks.owner[lease.slot()] = me;
        EXPECT_EQ(desks.owner[lease.slot()], me);
        if (!deck.board.end(lease)) break;
        EXPECT_FALSE(deck.board.end(lease)) << "an ended lease ended again";
        const LeaseId next = deck.board.hand_over(lease);  // to itself: the next generation
        ++claims, ++ends;
        deck.board.write_holder(next, "storm again", me, now());
        lease = next;
      }
      const bool is_ended = deck.board.end(lease);
      if (is_ended && rng.below(4) == 0) {
        deck.board.soil(lease);
      } else if (is_ended) {
        deck.board.give_back(lease);
      }
      ++(is_ended ? ends : lost);
      EXPECT_FALSE(deck.board.end(lease));
      if (is_ended) continue;
      // I3: a holder that lost its lease lost it to the keeper, and this thread puts the slot back, because no other
      // touches a revoked slot. In a pool the keeper does that, so the board's record of the lowest empty slot is used
      // by one thread at a time.
      const std::lock_guard lock(keeper);
      SlotWord word = deck.board.word(lease.slot());
      ASSERT_EQ(word, lease.word().with(SlotState::revoked));
      for (const SlotState to : {SlotState::closing, SlotState::empty, SlotState::opening, SlotState::idle}) {
        ASSERT_TRUE(deck.board.advance(lease.slot(), word, to));
        word = word.with(to);
      }
    }
    --callers_left;
  });
  EXPECT_EQ(claims, ends + lost);
  EXPECT_EQ(lost, revoked);
  EXPECT_EQ(deck.acquires(), claims);
  EXPECT_EQ(deck.generations(), claims);
}

}  // namespace
}  // namespace tide::race
