// The peak of leases held at once, against the count of the holders: never less, and never more than there are.
#include "race/storm.hpp"

#include "pool/in_use_peak.hpp"
#include "pool/pool.hpp"

namespace tide::race {
namespace {

struct Storm {
  uint32_t callers;
  uint32_t slots;
  uint32_t capacity;
};

class PeakStorm : public testing::TestWithParam<Storm> {};

// Counted after the acquire has returned and until the release begins, as a user would.
struct Oracle {
  std::atomic<uint32_t> held{0}, most{0};
  void began() {
    const uint32_t n = held.fetch_add(1) + 1;
    for (uint32_t seen = most.load(); seen < n && !most.compare_exchange_weak(seen, n);) {
    }
  }
  void ends() { held.fetch_sub(1); }
};

TEST_P(PeakStorm, MatchesCountOfHolders) {
  const Storm plan = GetParam();
  for (uint64_t round = 0; round < 60; ++round) {
    Deck deck(plan.slots, plan.capacity);
    format::Cell total{0};
    InUsePeak peak(deck.board, total);
    std::vector<uint64_t> marks(plan.slots, 0);
    Oracle oracle;
    std::atomic<uint32_t> callers_left{plan.callers}, highest_second{0};
    storm(plan.callers + 1, [&](uint32_t me) {
      Rng rng(me + round * 31);
      if (me == plan.callers) {  // the keeper: seconds of zero length
        while (callers_left.load() != 0) {
          highest_second = std::max(highest_second.load(), peak.take_second());
          for (uint64_t turns = rng.below(20); turns > 0; --turns) std::this_thread::yield();
        }
        return;
      }
      for (int i = 0; i < 150; ++i) {
        LeaseId lease = deck.board.claim(static_cast<uint32_t>((me + rng.below(2)) % plan.slots));
        if (lease.is_none()) lease = deck.board.claim_lowest();
        if (lease.is_none()) continue;
        uint64_t& mark = marks[lease.slot()];
        if (!peak.is_known(mark)) mark = peak.note(lease.slot());
        oracle.began();
        if (rng.below(8) == 0) std::this_thread::yield();
        oracle.ends();
        if (deck.board.end(lease)) {
          peak.ended();
          deck.board.put_back(lease);
        }
      }
      --callers_left;
    });
    highest_second = std::max(highest_second.load(), peak.take_second());
    ASSERT_GE(total.load(), oracle.most.load()) << "round " << round;
    ASSERT_LE(total.load(), std::min(plan.callers, plan.slots)) << "round " << round;
    ASSERT_EQ(total.load(), highest_second.load()) << "round " << round;
  }
}

INSTANTIATE_TEST_SUITE_P(Boards, PeakStorm,
                         testing::Values(Storm{2, 2, 8}, Storm{3, 8, 8}, Storm{4, 3, 64}, Storm{6, 8, 256},
                                         Storm{4, 8, 300}));

}  // namespace
}  // namespace tide::race
