// Readers of a segment while its owner writes: consistent copies, counters that never decrease, intact records.
#include <map>

#include "race/pool_rig.hpp"

namespace tide::race {
namespace {

TEST(ReadingStorm, TagBelongsToItsLease) {
  constexpr uint32_t kSlots = 2;
  Deck deck(kSlots);
  put(deck.segment->vitals().slots_used, kSlots);
  std::atomic<uint32_t> writers_left{2};
  std::atomic<uint64_t> whole{0}, looks{0};
  storm(4, [&](uint32_t me) {
    if (me < 2) {
      for (uint64_t i = 0; i < 4000 || looks.load() < 200; ++i) {
        const LeaseId lease = deck.board.claim_lowest();
        if (lease.is_none()) continue;
        const uint64_t n = read(deck.board.slot(lease.slot()).acquires_total) + 1;
        deck.board.write_holder(lease, ("lease " + std::to_string(n)).c_str(), static_cast<uint32_t>(n), now());
        if (i % 16 == 0) std::this_thread::yield();
        EXPECT_TRUE(deck.board.end(lease));
        deck.board.write_use(lease.slot(), now());
        deck.board.give_back(lease);
      }
      --writers_left;
      return;
    }
    auto attached = Attachment::from_fd(deck.segment->fd());
    ASSERT_TRUE(attached.is_ok());
    std::map<uint32_t, uint64_t> acquires, releases;
    while (writers_left.load() != 0) {
      for (const SlotCopy& slot : attached->read_slots()) {
        if (!slot.is_whole) continue;
        ++whole;
        EXPECT_GE(slot.acquires_total, acquires[slot.index]) << "a counter decreased";
        acquires[slot.index] = slot.acquires_total;
        if (slot.acquires_total == 0) continue;
        EXPECT_EQ(slot.tag, "lease " + std::to_string(slot.acquires_total));
        EXPECT_EQ(slot.thread_id, static_cast<uint32_t>(slot.acquires_total));
        EXPECT_TRUE(slot.acquires_total == slot.word.generation() || slot.acquires_total + 1 == slot.word.generation());
      }
      const std::vector<format::SlotStats> stats = attached->read_slot_stats();
      for (uint32_t i = 0; i < stats.size(); ++i) {
        EXPECT_GE(stats[i].releases_total, releases[i]);
        releases[i] = stats[i].releases_total;
      }
      ++looks;
    }
  });
  EXPECT_GT(whole, 0U);
}

TEST(ReadingStorm, RingRecordsAreIntact) {
  const auto segment = private_segment(8);
  Ring<format::JournalRecord> ring = segment->ring(segment->header().journal);
  std::atomic<uint64_t> looks{0};
  std::atomic<bool> is_over{false};
  storm(3, [&](uint32_t me) {
    if (me == 0) {
      for (uint64_t i = 0; i < 4000 || looks.load() < 40; ++i) {
        const auto fill = [i](format::JournalRecord& r) {
          r.at_wall_ns = static_cast<int64_t>(i);
          r.kind = static_cast<uint32_t>(i % 7);
          r.message.assign("message " + std::to_string(i));
          r.detail.assign("detail " + std::to_string(i));
        };
        const uint64_t number = ring.append(fill);
        EXPECT_EQ(number, i);
        if (i % 5 == 0) EXPECT_TRUE(ring.amend(number, fill));
      }
      is_over.store(true);
      return;
    }
    auto attached = Attachment::from_fd(segment->fd());
    ASSERT_TRUE(attached.is_ok());
    uint64_t last = 0;
    while (!is_over.load()) {
      const std::vector<format::JournalRecord> records = attached->read_journal();
      uint64_t previous = 0;
      for (const format::JournalRecord& r : records) {
        const uint64_t number = r.stamp - 1;
        EXPECT_TRUE(previous == 0 || number > previous);
        previous = number;
        EXPECT_EQ(r.at_wall_ns, static_cast<int64_t>(number));
        EXPECT_EQ(r.message.view(), "message " + std::to_string(number));
        EXPECT_EQ(r.detail.view(), "detail " + std::to_string(number));
      }
      if (!records.empty()) {
        EXPECT_GE(records.back().stamp + ring.count(), last);
        last = records.back().stamp;
      }
      ++looks;
    }
  });
}

// The set of slots is consistent: none is counted twice or missing while connections are opened and closed.
TEST(ReadingStorm, SlotsAreReadConsistently) {
  PoolRig rig(storm_policy());
  std::atomic<uint32_t> callers_left{3};
  std::atomic<uint64_t> looks{0};
  storm(5, [&](uint32_t me) {
    Rng rng(me);
    if (me < 3) {
      for (int i = 0; i < 400 || looks.load() < 30; ++i) {
        LeaseId lease;
        ASSERT_EQ(rig.acquire(lease, Span::nanos(-1), "reader's prey"), Code::ok);
        if (i % 64 == 0) rig.order("recycle", "{\"spread\":0}");
        EXPECT_EQ(rig.query(lease, "one"), Code::ok);
        EXPECT_EQ(rig.release(lease), Code::ok);
      }
      --callers_left;
      return;
    }
    auto attached = Attachment::from_fd(rig.segment().fd());
    ASSERT_TRUE(attached.is_ok());
    format::CounterSums before{};
    while (callers_left.load() != 0) {
      uint32_t open = 0;
      std::map<uint64_t, int> connections;
      for (const SlotCopy& slot : attached->read_slots()) {
        if (slot.word.state() == SlotState::empty) continue;
        ++open;
        if (slot.conn_id != 0) EXPECT_EQ(++connections[slot.conn_id], 1) << "seen twice";
        if (slot.is_whole && slot.word.state() == SlotState::leased && slot.acquires_total == slot.word.generation()) {
          EXPECT_EQ(slot.tag, "reader's prey");
        }
      }
      EXPECT_LE(open, 3U) << "I1, as a reader sees it";
      if (const auto totals = attached->read_totals()) {
        format::CounterSums now{};
        format::add_counters(now, *totals);
        for (size_t i = 0; i < before.size(); ++i) EXPECT_GE(now[i], before[i]);
        before = now;
      }
      ++looks;
    }
  });
  rig.close();
  rig.expect_all_gone();
}

}  // namespace
}  // namespace tide::race
