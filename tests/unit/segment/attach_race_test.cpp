// A record that is read while it is written is consistent or missing, never torn; the set of slots is that of one
// moment.
#include <sys/mman.h>

#include <atomic>
#include <set>
#include <thread>

#include "base/rng.hpp"
#include "segment/attach.hpp"
#include "segment/rings.hpp"
#include "unit/support/rounds.hpp"
#include "unit/support/segment_maker.hpp"

namespace tide {
namespace {

using test::SegmentMaker;

constexpr int kReads = test::rounds(3000);

// Simulates other work of an owner, some nanoseconds each: between two changes, and within one, so that a reader that
// does not check twice is detected.
void work(uint64_t amount) {
  static std::atomic<uint64_t> done{0};
  for (uint64_t i = 0; i < amount; ++i) done.fetch_add(1, std::memory_order_relaxed);
}

// A made segment in shared memory, written through its mapping as by an owner.
class LiveSegment {
 public:
  explicit LiveSegment(uint32_t slots = SegmentMaker::kSlots)
      : made_("app", 1, slots), fd_(::memfd_create("tidepool-test", MFD_CLOEXEC)), bytes_(made_.bytes().size()) {
    EXPECT_EQ(::pwrite(fd_, made_.bytes().data(), bytes_, 0), static_cast<ssize_t>(bytes_));
    memory_ = static_cast<char*>(::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0));
  }
  ~LiveSegment() {
    is_over_ = true;
    if (writer_.joinable()) writer_.join();
    ::munmap(memory_, bytes_);
    ::close(fd_);
  }
  // Calls `step(n)` repeatedly, with n from 1, until the test is over.
  template <typename Step>
  void write(Step step) {
    writer_ = std::thread([this, step]() mutable {
      for (uint64_t n = 1; !is_over_; ++n) {
        step(n);
        steps_ = n;
      }
    });
    while (steps_ < 10) std::this_thread::yield();  // the race has begun when this returns
  }
  template <typename Record>
  Record* at(const format::Region& region) {
    return reinterpret_cast<Record*>(memory_ + region.offset);
  }
  template <typename Record>
  Record* empty_ring(const format::RegionOf<Record>& region) {
    auto* records = at<Record>(region);
    for (uint32_t i = 0; i < region.count; ++i) records[i].stamp = 0;
    return records;
  }
  const format::Header& header() { return made_.header(); }
  format::Vitals& vitals() { return *at<format::Vitals>(header().vitals); }
  format::Slot* slots() { return at<format::Slot>(header().slots); }
  Attachment attach() { return Attachment::from_fd(fd_).take(); }

 private:
  SegmentMaker made_;
  int fd_;
  size_t bytes_;
  char* memory_ = nullptr;
  std::atomic<bool> is_over_{false};
  std::atomic<uint64_t> steps_{0};
  std::thread writer_;
};

TEST(AttachRaceTest, ConsistentSlotBelongsToOneLease) {
  LiveSegment live;
  live.write([slots = live.slots()](uint64_t n) {
    format::Slot& slot = slots[n % 2];
    slot.word.store(SlotWord(SlotState::leased, n).bits, std::memory_order_seq_cst);
    {
      const SeqWrite guard(slot.seq);
      put(slot.acquired_mono, n);
      put(slot.holder_generation, n);
      put(slot.acquires_total, n);
      work(200);
      slot.thread_id.store(static_cast<uint32_t>(n), std::memory_order_relaxed);
      slot.tag.assign(std::string(n % 40, '.') + std::to_string(n));
    }
    work(600);
  });
  const Attachment segment = live.attach();
  int whole = 0;
  for (int i = 0; i < kReads; ++i) {
    const std::vector<SlotCopy> slots = segment.read_slots();
    ASSERT_EQ(slots.size(), SegmentMaker::kUsed);
    for (uint32_t s = 0; s < 2; ++s) {
      if (!slots[s].is_whole) continue;
      ++whole;
      const uint64_t n = slots[s].acquires_total;
      ASSERT_EQ(slots[s].word.generation(), n) << "data of another lease";
      ASSERT_EQ(slots[s].acquired_mono, static_cast<int64_t>(n));
      ASSERT_EQ(slots[s].thread_id, static_cast<uint32_t>(n));
      ASSERT_EQ(slots[s].tag, std::string(n % 40, '.') + std::to_string(n));
    }
  }
  EXPECT_GT(whole, kReads / 2);
}

// Alerts and rules whose fields are written together are read together.
TEST(AttachRaceTest, AlertAndRuleAreConsistent) {
  LiveSegment live;
  auto* alerts = live.at<format::AlertRecord>(live.header().alerts);
  auto* rules = live.at<format::AlertRulesBlock>(live.header().alert_rules);
  live.write([alerts, rules, made_id = alerts[0].alert_id](uint64_t n) {
    const auto figure = static_cast<double>(n);
    {
      const SeqWrite guard(alerts[0].seq);
      alerts[0].alert_id = made_id;
      alerts[0].value = figure;
      work(200);
      alerts[0].occurrences = n;
      alerts[0].message.assign(std::string(n % 100, '.') + std::to_string(n));
    }
    work(600);
    {
      const SeqWrite guard(rules->seq);
      rules->record[0].threshold = figure;
      work(200);
      rules->record[1].clear_at = figure;
    }
    work(600);
  });
  const Attachment segment = live.attach();
  int whole = 0;
  for (int i = 0; i < kReads; ++i) {
    for (const format::AlertRecord& alert : segment.read_alerts()) {
      if (alert.rule.view() != "high_utilization" || alert.occurrences == 40) continue;
      ++whole;
      ASSERT_EQ(alert.value, static_cast<double>(alert.occurrences));
      ASSERT_EQ(alert.message.view(), std::string(alert.occurrences % 100, '.') + std::to_string(alert.occurrences));
    }
    const auto block = segment.read_alert_rules();
    if (!block) continue;
    const auto read = records_of(*block);
    ASSERT_EQ(read.size(), 2U);
    ASSERT_EQ(read[0].threshold, read[1].clear_at);
  }
  EXPECT_GT(whole, kReads / 2);
}

// I1: the number of slots that a reader counts never exceeds the cap, although connections are opened and closed while
// it reads. Many slots, so that reading takes a while.
TEST(AttachRaceTest, SlotSetNeverExceedsCap) {
  constexpr uint32_t kSlots = 512;
  constexpr uint32_t kOpen = 16;
  LiveSegment live(kSlots);
  for (uint32_t i = 0; i < kSlots; ++i) {
    live.slots()[i].word = SlotWord(i < kOpen ? SlotState::idle : SlotState::empty, 1).bits;
    live.slots()[i].conn_id = i < kOpen ? i + 1 : 0;
  }
  live.vitals().slots_used = kSlots;
  format::Cell& topology = live.vitals().topology_seq;
  live.write([slots = live.slots(), &topology, random = Rng(7)](uint64_t n) mutable {
    const auto change = [&](SlotState from, SlotState to, uint64_t conn_id) {
      auto i = static_cast<uint32_t>(random.below(kSlots));
      while (SlotWord(slots[i].word).state() != from) i = (i + 1) % kSlots;
      topology.store(topology + 1, std::memory_order_seq_cst);
      put(slots[i].conn_id, conn_id);
      slots[i].word.store(SlotWord(to, n).bits, std::memory_order_seq_cst);
      topology.store(topology + 1, std::memory_order_seq_cst);
    };
    // In bursts, as when a whole generation of connections is replaced.
    for (int i = 0; i < 20; ++i) {
      change(SlotState::idle, SlotState::empty, 0);
      change(SlotState::empty, SlotState::idle, n * 100 + static_cast<uint64_t>(i));
    }
    work(50'000);
  });
  const Attachment segment = live.attach();
  for (int i = 0; i < kReads; ++i) {
    std::set<uint64_t> connections;
    uint32_t open = 0;
    for (const SlotCopy& slot : segment.read_slots()) {
      if (slot.word.state() == SlotState::empty) continue;
      ++open;
      connections.insert(slot.conn_id);
    }
    ASSERT_LE(open, kOpen);
    ASSERT_GE(open, kOpen - 1);
    ASSERT_EQ(connections.size(), open);
  }
}

TEST(AttachRaceTest, BlockIsConsistent) {
  LiveSegment live;
  live.write([baseline = live.at<format::Baseline>(live.header().baseline)](uint64_t n) {
    {
      const SeqWrite guard(baseline->seq);
      for (size_t i = 0; i < kCounters; ++i) {
        put(baseline->counter[i], n);
        if (i == 3) work(100);
      }
      for (format::Cell& cell : baseline->connect.count) put(cell, n);
    }
    work(600);
  });
  const Attachment segment = live.attach();
  int read = 0;
  for (int i = 0; i < kReads; ++i) {
    const auto baseline = segment.read_baseline();
    if (!baseline) continue;
    ++read;
    ASSERT_EQ(baseline->counter[0], baseline->counter[3]);
    ASSERT_EQ(baseline->counter[0], baseline->counter[4]);
    ASSERT_EQ(baseline->counter[0], baseline->counter[kCounters - 1]);
    ASSERT_EQ(baseline->counter[0], baseline->connect.count[53]);
  }
  EXPECT_GT(read, kReads / 2);
}

TEST(AttachRaceTest, RingRecordsAreCompleteAndInOrder) {
  LiveSegment live;
  const format::Region& region = live.header().journal;
  const auto ring = std::make_shared<Ring<format::JournalRecord>>(live.empty_ring(live.header().journal), region.count);
  live.write([ring](uint64_t n) {
    const auto fill = [n](int64_t sign) {
      return [n, sign](format::JournalRecord& record) {
        const int64_t value = sign * static_cast<int64_t>(n);
        record.at_wall_ns = value;
        record.message.assign(std::to_string(value));
        work(200);
        record.detail.assign(std::to_string(value));
      };
    };
    ring->append(fill(1));
    // Amending is what makes a stamp return to an earlier value.
    for (int i = 0; i < 20; ++i) ring->amend(n - 1, fill(i % 2 == 0 ? -1 : 1));
  });
  const Attachment segment = live.attach();
  for (int i = 0; i < kReads; ++i) {
    uint64_t last = 0;
    for (const format::JournalRecord& event : segment.read_journal()) {
      ASSERT_EQ(event.message.view(), event.detail.view());
      ASSERT_EQ(event.message.view(), std::to_string(event.at_wall_ns));
      ASSERT_GT(event.stamp, last);
      last = event.stamp;
    }
  }
}

// Several threads, and a ring so short that they always collide.
TEST(AttachRaceTest, RecordsOfSeveralWritersAreComplete) {
  constexpr int kWriters = 4;
  LiveSegment live;
  const format::Region& region = live.header().journal;
  Ring<format::JournalRecord> ring(live.empty_ring(live.header().journal), region.count);
  std::atomic<bool> is_over{false};
  std::vector<std::set<uint64_t>> numbers(kWriters);
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([&, writer] {
      for (int64_t n = 0; !is_over || n < 100; ++n) {
        const int64_t value = n * kWriters + writer;
        const uint64_t number = ring.append([&](format::JournalRecord& record) {
          record.at_wall_ns = value;
          record.message.assign(std::to_string(value));
          work(n % 50 == 0 ? 5'000 : 50);
          record.detail.assign(std::to_string(value));
        });
        if (n < 5'000) numbers[static_cast<size_t>(writer)].insert(number);
      }
    });
  }
  const Attachment segment = live.attach();
  size_t whole = 0;
  const auto look = [&] {
    uint64_t last = 0;
    const auto events = segment.read_journal();
    for (const format::JournalRecord& event : events) {
      EXPECT_EQ(event.message.view(), event.detail.view());
      EXPECT_EQ(event.message.view(), std::to_string(event.at_wall_ns));
      EXPECT_GT(event.stamp, last);
      last = event.stamp;
    }
    return events.size();
  };
  for (int i = 0; (i < kReads || whole < kReads) && !HasFailure(); ++i) whole += look();
  is_over = true;
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(look(), region.count) << "without writers every place contains a complete record";
  std::set<uint64_t> all;
  size_t appended = 0;
  for (const auto& one : numbers) {
    all.insert(one.begin(), one.end());
    appended += one.size();
  }
  EXPECT_EQ(all.size(), appended) << "two records under one number";
}

}  // namespace
}  // namespace tide
