// Presence: an object that is unreachable and has no visitors may be freed.
#include "pool/presence.hpp"

#include <array>

#include "race/storm.hpp"

namespace tide::race {
namespace {

constexpr uint64_t kPool = 77;

// Two halves that differ only during destruction.
struct Thing {
  explicit Thing(uint64_t n) : first(n), second(n) {}
  ~Thing() { first = 0, second = ~uint64_t{0}; }
  uint64_t first, second;
};

void storm_over(bool is_with_new_threads) {
  const int things = is_with_new_threads ? 100 : 1500;
  std::atomic<Thing*> shared{new Thing(1)};
  std::atomic<bool> is_over{false};
  std::atomic<uint64_t> visits{0};
  const auto look = [&] {
    const Visit visit(Presence::key_of_slot(kPool, 3));
    Thing* thing = shared.load(std::memory_order_acquire);
    if (thing == nullptr) return;
    for (int i = 0; i < 4; ++i) ASSERT_EQ(thing->first, thing->second) << "a freed object was seen";
    visits.fetch_add(1, std::memory_order_relaxed);
  };
  storm(3, [&](uint32_t me) {
    if (me == 0) {
      for (int i = 0; i < things || visits.load() < 50; ++i) {
        Thing* old = shared.exchange(nullptr, std::memory_order_acq_rel);
        if (!comes_true([] { return !Presence::is_anyone_at(Presence::key_of_slot(kPool, 3)); })) break;
        delete old;
        shared.store(new Thing(static_cast<uint64_t>(i) + 2), std::memory_order_release);
      }
      is_over.store(true);
      return;
    }
    while (!is_over.load()) {
      if (is_with_new_threads && me == 2) {
        std::thread(look).join();  // its record is reused by the next one
      } else {
        look();
      }
    }
  });
  EXPECT_FALSE(Presence::is_anyone_in(kPool));
  delete shared.load();
}

TEST(PresenceStorm, NoVisitorSeesFreedObject) { storm_over(false); }
TEST(PresenceStorm, RecordsOfEndedThreadsAreReused) { storm_over(true); }

TEST(PresenceStorm, NestedVisitsAreVisibleOutside) {
  std::atomic<int> phase{0};
  storm(2, [&](uint32_t me) {
    if (me == 0) {
      {
        const Visit outer(Presence::key_of_pool(kPool));
        {
          const Visit inner(Presence::key_of_slot(kPool, 1));
          EXPECT_TRUE(Presence::am_i_in(kPool));
          phase.store(1);
          comes_true([&] { return phase.load() == 2; });
        }
        phase.store(3);
        comes_true([&] { return phase.load() == 4; });
      }
      EXPECT_FALSE(Presence::am_i_in(kPool));
      return;
    }
    ASSERT_TRUE(comes_true([&] { return phase.load() == 1; }));
    EXPECT_TRUE(Presence::is_anyone_at(Presence::key_of_slot(kPool, 1)));
    EXPECT_FALSE(Presence::is_anyone_at(Presence::key_of_slot(kPool, 2)));
    phase.store(2);
    ASSERT_TRUE(comes_true([&] { return phase.load() == 3; }));
    EXPECT_FALSE(Presence::is_anyone_at(Presence::key_of_slot(kPool, 1)));
    EXPECT_TRUE(Presence::is_anyone_in(kPool));
    phase.store(4);
  });
  EXPECT_FALSE(Presence::is_anyone_in(kPool));
}

TEST(Presence, AnyDepthOfVisits) {
  constexpr uint32_t kDeep = 100;
  std::vector<std::unique_ptr<Visit>> visits;
  for (uint32_t i = 0; i < kDeep; ++i) visits.push_back(std::make_unique<Visit>(Presence::key_of_slot(kPool + 7, i)));
  for (uint32_t i = 0; i < kDeep; ++i) EXPECT_TRUE(Presence::is_anyone_at(Presence::key_of_slot(kPool + 7, i)));
  EXPECT_TRUE(Presence::am_i_in(kPool + 7));
  while (!visits.empty()) visits.pop_back();
  EXPECT_FALSE(Presence::is_anyone_in(kPool + 7));
  EXPECT_FALSE(Presence::am_i_in(kPool + 7));
}

}  // namespace
}  // namespace tide::race
