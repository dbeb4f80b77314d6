// What is read while it is written is whole or missing, never torn; and the set of slots is that of one moment.
#include <sys/mman.h>

#include <atomic>
#include <set>
#include <thread>

#include "base/rng.hpp"
#include "plane/attach.hpp"
#include "plane/rings.hpp"
#include "unit/support/segment_maker.hpp"

namespace tide {
namespace {

using test::SegmentMaker;

constexpr int kReads = 3000;
// How much else an owner does between two changes: leases follow each other within less than a microsecond, connects
// within tens of them.
constexpr uint64_t kLeasesFollow = 100;
constexpr uint64_t kConnectsFollow = 10'000;

// A made segment in shared memory, written through its mapping as its owner does.
class LiveSegment {
 public:
  LiveSegment() : fd_(::memfd_create("tidepool-test", MFD_CLOEXEC)), bytes_(made_.bytes().size()) {
    EXPECT_EQ(::pwrite(fd_, made_.bytes().data(), bytes_, 0), static_cast<ssize_t>(bytes_));
    memory_ = static_cast<char*>(::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0));
  }
  ~LiveSegment() {
    is_over_ = true;
    if (writer_.joinable()) writer_.join();
    ::munmap(memory_, bytes_);
    ::close(fd_);
  }
  // `step(n)` again and again, n from 1, until the test is over; some other work in between, as owners have.
  template <typename Step>
  void write(uint64_t other_work, Step step) {
    writer_ = std::thread([this, other_work, step]() mutable {
      std::atomic<uint64_t> work{0};
      for (uint64_t n = 1; !is_over_; ++n) {
        step(n);
        steps_ = n;
        for (uint64_t i = 0; i < other_work; ++i) work.fetch_add(1, std::memory_order_relaxed);
      }
    });
    while (steps_ < 10) std::this_thread::yield();  // the race is on when this returns
  }
  template <typename Record>
  Record* at(const format::Region& region) {
    return reinterpret_cast<Record*>(memory_ + region.offset);
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

TEST(AttachRaceTest, AWholeSlotIsOfOneLease) {
  LiveSegment live;
  live.write(kLeasesFollow, [slots = live.slots()](uint64_t n) {
    format::Slot& slot = slots[n % 2];
    slot.word.store(SlotWord(SlotState::leased, n).bits, std::memory_order_seq_cst);
    const SeqWrite guard(slot.seq);
    put(slot.acquired_mono, n);
    put(slot.acquires_total, n);
    slot.thread_id.store(static_cast<uint32_t>(n), std::memory_order_relaxed);
    slot.tag.assign(std::string(n % 40, '.') + std::to_string(n));
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
      ASSERT_EQ(slots[s].acquired_mono, static_cast<int64_t>(n));
      ASSERT_EQ(slots[s].thread_id, static_cast<uint32_t>(n));
      ASSERT_EQ(slots[s].tag, std::string(n % 40, '.') + std::to_string(n));
    }
  }
  EXPECT_GT(whole, kReads / 2);
}

// I1: the cap holds for what a reader counts, although connections come and go between any two of its reads.
TEST(AttachRaceTest, SlotsAreNeverMoreThanThereEverWere) {
  constexpr uint32_t kOpen = 3;
  LiveSegment live;
  for (uint32_t i = 0; i < SegmentMaker::kSlots; ++i) {
    live.slots()[i].word = SlotWord(i < kOpen ? SlotState::idle : SlotState::empty, 1).bits;
    live.slots()[i].conn_id = i < kOpen ? i + 1 : 0;
  }
  live.vitals().slots_used = SegmentMaker::kSlots;
  format::Cell& topology = live.vitals().topology_seq;
  live.write(kConnectsFollow, [slots = live.slots(), &topology, random = Rng(7)](uint64_t n) mutable {
    const auto nth = [&](bool is_empty) -> format::Slot& {
      for (uint32_t i = static_cast<uint32_t>(random.below(8));; i = (i + 1) % 8) {
        if ((SlotWord(slots[i].word).state() == SlotState::empty) == is_empty) return slots[i];
      }
    };
    format::Slot& leaving = nth(false);
    add_to(topology);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    put(leaving.conn_id, 0);
    leaving.word.store(SlotWord(SlotState::empty, n).bits);
    add_to(topology);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    format::Slot& coming = nth(true);
    add_to(topology);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    put(coming.conn_id, n + 100);
    coming.word.store(SlotWord(SlotState::idle, n).bits);
    add_to(topology);
    std::atomic_thread_fence(std::memory_order_seq_cst);
  });
  const Attachment segment = live.attach();
  int exact = 0;
  for (int i = 0; i < kReads; ++i) {
    std::set<uint64_t> connections;
    uint32_t open = 0;
    for (const SlotCopy& slot : segment.read_slots()) {
      if (slot.word.state() == SlotState::empty) continue;
      ++open;
      connections.insert(slot.conn_id);
    }
    exact += open <= kOpen && connections.size() == open ? 1 : 0;
  }
  EXPECT_EQ(exact, kReads);
}

TEST(AttachRaceTest, ABlockIsOfOneMoment) {
  LiveSegment live;
  live.write(kLeasesFollow, [queue = live.at<format::QueueStats>(live.header().queue)](uint64_t n) {
    const SeqWrite guard(queue->seq);
    for (format::Cell* cell :
         {&queue->waiting, &queue->timeouts_total, &queue->rejected_total, &queue->waiting_peak}) {
      put(*cell, n & 0xFFFF);
    }
  });
  const Attachment segment = live.attach();
  int read = 0;
  for (int i = 0; i < kReads; ++i) {
    const auto queue = segment.read_queue();
    if (!queue) continue;
    ++read;
    ASSERT_EQ(queue->waiting, queue->timeouts_total);
    ASSERT_EQ(queue->waiting, queue->rejected_total);
    ASSERT_EQ(queue->waiting, queue->waiting_peak);
  }
  EXPECT_GT(read, kReads / 2);
}

TEST(AttachRaceTest, RecordsOfARingAreWholeAndInOrder) {
  LiveSegment live;
  const format::Region& region = live.header().journal;
  Ring<format::JournalRecord> ring(live.at<format::JournalRecord>(region), region.count);
  live.write(kLeasesFollow, [ring](uint64_t n) mutable {
    ring.append([&](format::JournalRecord& record) {
      record.at_wall_ns = static_cast<int64_t>(n);
      record.message.assign(std::to_string(n));
      record.detail.assign(std::to_string(n));
    });
    // Amending is what makes a stamp come back.
    ring.amend(n - 1, [&](format::JournalRecord& record) {
      record.at_wall_ns = -static_cast<int64_t>(n);
      record.message.assign("-" + std::to_string(n));
      record.detail.assign("-" + std::to_string(n));
    });
  });
  const Attachment segment = live.attach();
  for (int i = 0; i < kReads; ++i) {
    uint64_t last = 0;
    for (const JournalCopy& event : segment.read_journal()) {
      ASSERT_EQ(event.message, event.detail);
      ASSERT_EQ(event.message, std::to_string(event.at_wall_ns));
      ASSERT_GT(event.number + 1, last);
      last = event.number + 1;
    }
  }
}

}  // namespace
}  // namespace tide
