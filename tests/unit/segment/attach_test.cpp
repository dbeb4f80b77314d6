// A valid segment is read field by field; files that are not segments are refused; incomplete records are omitted or
// marked.
#include "segment/attach.hpp"
#include "base/owned_id.hpp"

#include <sys/mman.h>

#include <cmath>

#include "segment/directory.hpp"
#include "unit/support/segment_maker.hpp"

namespace tide {
namespace {

using test::kMadeMonoNs;
using test::kMadeWallNs;
using test::SegmentFile;
using test::SegmentMaker;
using test::TemporaryFolder;

class AttachTest : public testing::Test {
 protected:
  // Writes the made segment in its current state and opens it. The file stays until the test ends.
  Attachment attach(bool is_alive = true) {
    file_.reset();
    file_ = std::make_unique<SegmentFile>(folder_.path() + "/" + made_.file_name(), made_.bytes(), is_alive);
    auto opened = Attachment::open(file_->path());
    TIDE_ASSERT(opened.is_ok());
    return opened.take();
  }
  bool opens() {
    file_.reset();
    file_ = std::make_unique<SegmentFile>(folder_.path() + "/" + made_.file_name(), made_.bytes(), true);
    return Attachment::open(file_->path()).is_ok();
  }

  TemporaryFolder folder_;
  SegmentMaker made_;
  std::unique_ptr<SegmentFile> file_;
};

TEST_F(AttachTest, HeaderIsCopied) {
  const Attachment segment = attach();
  const HeaderCopy& h = segment.header();
  EXPECT_EQ(h.instance_id, made_.instance_hex());
  EXPECT_EQ(h.owner, 0x011122U >> 3);
  EXPECT_EQ(h.pool, "app");
  EXPECT_EQ(h.app, "shop");
  EXPECT_EQ(h.host, "host-1");
  EXPECT_EQ(h.db_user, "");
  EXPECT_EQ(h.version, "0.1.0");
  EXPECT_EQ(h.target, "sqlite:///srv/app.db");
  EXPECT_EQ(h.pid, 4242U);
  EXPECT_EQ(h.uid, getuid());
  EXPECT_EQ(h.backend, 1U);
  EXPECT_EQ(h.slots, SegmentMaker::kSlots);
  EXPECT_EQ(h.started_wall_ns, made_.header().started_wall_ns);
  EXPECT_EQ(segment.path(), file_->path());
}

TEST_F(AttachTest, VitalsAndTimesAreCopied) {
  const Attachment segment = attach();
  const auto v = segment.read_vitals();
  ASSERT_TRUE(v.has_value());
  EXPECT_EQ(v->state, 1U);
  EXPECT_EQ(v->min_size, 2);
  EXPECT_EQ(v->max_size, 6);
  EXPECT_EQ(v->target_size, 5);
  EXPECT_EQ(v->limit_size, 6);
  EXPECT_EQ(v->generation, 3U);
  EXPECT_EQ(v->health, -1);
  EXPECT_EQ(v->memory_bytes, -1);
  EXPECT_EQ(v->slots_used, SegmentMaker::kUsed);
  EXPECT_EQ(v->lease_timeout_ns, 30'000'000'000);
  EXPECT_EQ(v->wait_p95_ms, 1.5);
  EXPECT_TRUE(std::isnan(v->query_p99_ms));
  EXPECT_EQ(v->breaker, 2U);
  EXPECT_EQ(v->breaker_probe_mono, kMadeMonoNs + 1'000'000'000);
  EXPECT_EQ(v->pooler, 3U);
  EXPECT_EQ(wall_of_mono(*v, kMadeMonoNs - 1'000'000'000), kMadeWallNs - 1'000'000'000);
  EXPECT_EQ(segment.last_heartbeat_wall_ns(), kMadeWallNs);
}

TEST_F(AttachTest, CountersAreCopied) {
  const Attachment segment = attach();
  const auto queue = segment.read_queue();
  const auto totals = segment.read_totals();
  const auto baseline = segment.read_baseline();
  ASSERT_TRUE(queue && totals && baseline);
  EXPECT_EQ(queue->waiting, 2U);
  EXPECT_EQ(queue->head_since_mono, static_cast<uint64_t>(kMadeMonoNs) - 500'000'000);
  EXPECT_EQ(queue->timeouts_total, 7U);
  EXPECT_EQ(queue->failed_wait_ns_total, 70'000'000'000U);
  EXPECT_EQ(totals->connects_total, 100U);
  EXPECT_EQ(totals->closed_error_total, 105U);
  EXPECT_EQ(totals->connect_ns_total, 115U);
  EXPECT_EQ(totals->last_error.view(), "the server said no");
  EXPECT_EQ(totals->recoveries_total, 11U);
  EXPECT_EQ(totals->alerts_fired_total, 13U);
  EXPECT_EQ(totals->connect.count[10], 100U);
  for (size_t i = 0; i < kCounters; ++i) EXPECT_EQ(baseline->counter[i], i);
  EXPECT_EQ(baseline->use.count[5], 1U);
  const auto tallies = segment.read_tallies();
  ASSERT_TRUE(tallies);
  EXPECT_EQ(tallies->bursts_total, 200U);
  EXPECT_EQ(tallies->lived_ns_total, 206U);
  made_.tallies().seq = 3;
  EXPECT_FALSE(attach().read_tallies().has_value());
}

TEST_F(AttachTest, SlotsAreCopiedUpToTheLastUsedOne) {
  const Attachment segment = attach();
  const std::vector<SlotCopy> slots = segment.read_slots();
  ASSERT_EQ(slots.size(), SegmentMaker::kUsed);
  const SlotCopy& leased = slots[2];
  EXPECT_EQ(leased.index, 2U);
  EXPECT_EQ(leased.word, SlotWord(SlotState::leased, 22));
  EXPECT_TRUE(leased.is_whole);
  EXPECT_EQ(leased.tag, "tag 2");
  EXPECT_EQ(leased.conn_id, 502U);
  EXPECT_EQ(leased.thread_id, 1002U);
  EXPECT_EQ(leased.acquired_mono, kMadeMonoNs - 40'000'000'000);
  EXPECT_EQ(leased.acquires_total - leased.acquires_before, 12U);
  EXPECT_EQ(leased.flags, format::kFlagOverdue | format::kFlagSuspect);
  EXPECT_EQ(leased.server_pid, 9002U);
  EXPECT_TRUE(slots[1].is_in_transaction);
  const std::vector<format::SlotStats> stats = segment.read_slot_stats();
  ASSERT_EQ(stats.size(), SegmentMaker::kUsed);
  EXPECT_EQ(stats[2].releases_total, 21U);
  EXPECT_EQ(stats[2].wait.count[20], 5U);
  EXPECT_EQ(stats[2].slow_total, 2U);
  EXPECT_EQ(stats[2].faults_total, 1U);
}

TEST_F(AttachTest, WaitersAreSortedByTicket) {
  const std::vector<format::Waiter> waiters = attach().read_waiters();
  ASSERT_EQ(waiters.size(), 2U);
  EXPECT_EQ(waiters[0].ticket, 11U);
  EXPECT_EQ(waiters[0].tag.view(), "first");
  EXPECT_EQ(waiters[1].ticket, 12U);
}

TEST_F(AttachTest, RingsAreReadOldestFirst) {
  const Attachment segment = attach();
  for (const int64_t resolution_ms : {1'000, 60'000, 3'600'000}) {
    const std::vector<format::HistoryRecord> history = segment.read_history(resolution_ms);
    ASSERT_EQ(history.size(), 3U);
    EXPECT_EQ(history[0].acquires, 10U);
    EXPECT_EQ(history[2].acquires, 12U);
    EXPECT_EQ(history[2].health, -1);
    EXPECT_TRUE(std::isnan(history[2].wait_p99_ms));
  }
  const std::vector<format::JournalRecord> journal = segment.read_journal();
  ASSERT_EQ(journal.size(), SegmentMaker::kRing);
  EXPECT_EQ(journal.front().stamp, 4U);
  EXPECT_EQ(journal.back().stamp, 11U);
  EXPECT_EQ(journal.back().message.view(), "event 10");
  EXPECT_EQ(journal.back().detail.view(), "{\"n\":10}");
  const std::vector<format::ScalingRecord> scaling = segment.read_scaling();
  ASSERT_EQ(scaling.size(), 1U);
  EXPECT_EQ(scaling[0].to_size, 5U);
  EXPECT_EQ(scaling[0].reason.view(), "callers wait");
  const std::vector<format::CommandRecord> commands = segment.read_commands();
  ASSERT_EQ(commands.size(), 2U);
  EXPECT_EQ(commands[1].command_id, owned_id(0x011122 >> 3, 2));
  EXPECT_EQ(commands[1].message.view(), "99 is above max_size 6");
}

TEST_F(AttachTest, SettingsAreCopied) {
  const auto block = attach().read_settings();
  ASSERT_TRUE(block);
  const auto settings = records_of(*block);
  ASSERT_EQ(settings.size(), 3U);
  EXPECT_EQ(settings[1].name.view(), "max_size");
  EXPECT_EQ(settings[1].value.view(), "6");
  EXPECT_EQ(settings[1].source, 2U);
}

TEST_F(AttachTest, LockDeterminesLiveness) {
  EXPECT_EQ(attach(false).liveness(), Liveness::dead);
  EXPECT_NE(attach(true).liveness(), Liveness::dead);
}

TEST_F(AttachTest, ReaderLockDoesNotMakeDeadOwnerAlive) {
  const Attachment segment = attach(false);
  const int other = ::open(file_->path().c_str(), O_RDONLY | O_CLOEXEC);
  struct flock lock {};
  lock.l_type = F_RDLCK;
  lock.l_whence = SEEK_SET;
  ASSERT_EQ(::fcntl(other, F_OFD_SETLK, &lock), 0);
  EXPECT_EQ(segment.liveness(), Liveness::dead);
  ::close(other);
}

TEST_F(AttachTest, LocalMemoryIsReadAndNotClosed) {
  const int fd = ::memfd_create("tidepool-test", MFD_CLOEXEC);
  ASSERT_EQ(::pwrite(fd, made_.bytes().data(), made_.bytes().size(), 0), static_cast<ssize_t>(made_.bytes().size()));
  {
    auto segment = Attachment::from_fd(fd);
    ASSERT_TRUE(segment.is_ok());
    EXPECT_EQ(segment->path(), "");
    EXPECT_EQ(segment->read_slots().size(), SegmentMaker::kUsed);
    EXPECT_NE(segment->liveness(), Liveness::dead);
  }
  EXPECT_NE(::fcntl(fd, F_GETFD), -1);
  ::close(fd);
}

TEST_F(AttachTest, TornSlotIsMarkedAndCounted) {
  made_.slot(1).seq = 3;  // its holder exited while writing
  const std::vector<SlotCopy> slots = attach().read_slots();
  ASSERT_EQ(slots.size(), SegmentMaker::kUsed);
  EXPECT_FALSE(slots[1].is_whole);
  EXPECT_EQ(slots[1].word, SlotWord(SlotState::leased, 21));
  EXPECT_EQ(slots[1].conn_id, 501U);
  EXPECT_TRUE(slots[0].is_whole);
  EXPECT_TRUE(slots[2].is_whole);
}

TEST_F(AttachTest, SlotsAreReadableAfterKeeperDiedDuringSwap) {
  made_.vitals().topology_seq = 9;
  EXPECT_EQ(attach(false).read_slots().size(), SegmentMaker::kUsed);
}

TEST_F(AttachTest, TornWaiterIsOmitted) {
  made_.waiter(0).seq = 3;
  const std::vector<format::Waiter> waiters = attach().read_waiters();
  ASSERT_EQ(waiters.size(), 1U);
  EXPECT_EQ(waiters[0].ticket, 11U);
}

TEST_F(AttachTest, TornStatisticsAreStillCounted) {
  made_.stats(1).seq = 3;
  const std::vector<format::SlotStats> stats = attach().read_slot_stats();
  ASSERT_EQ(stats.size(), SegmentMaker::kUsed);
  EXPECT_EQ(stats[1].releases_total, 20U);
}

TEST_F(AttachTest, BusyOrMisplacedRecordsAreOmitted) {
  auto& journal = made_.header().journal;
  made_.record<format::JournalRecord>(journal, 5).stamp = 7;
  made_.record<format::JournalRecord>(journal, 6).stamp = format::kStampBusy;
  std::vector<uint64_t> numbers;
  for (const format::JournalRecord& event : attach().read_journal()) numbers.push_back(event.stamp - 1);
  EXPECT_EQ(numbers, (std::vector<uint64_t>{3, 4, 7, 8, 9, 10}));
}

TEST_F(AttachTest, SlotsUsedBeyondCapacityAreNotRead) {
  made_.vitals().slots_used = ~uint64_t{0};
  const Attachment segment = attach();
  EXPECT_LE(segment.read_slots().size(), SegmentMaker::kSlots);
  EXPECT_EQ(segment.read_vitals()->slots_used, SegmentMaker::kSlots);
}

TEST_F(AttachTest, InvalidTextIsCleaned) {
  FixedText<64>& tag = made_.slot(1).tag;
  tag.length = 9;
  std::memcpy(tag.bytes, "a\x00\x1b\xff\xc3\xa9\xed\xa0\x80", 9);
  made_.slot(2).tag.length = 65535;
  const std::vector<SlotCopy> slots = attach().read_slots();
  EXPECT_EQ(slots[1].tag, "a???\xc3\xa9???");
  EXPECT_EQ(slots[2].tag.size(), FixedText<64>::kBytesMax);
}

TEST_F(AttachTest, ExtremeTimesDoNotOverflow) {
  constexpr auto kMost = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  for (const uint64_t wild : {uint64_t{1}, kMost, kMost + 1, kMost + 2, ~uint64_t{0}}) {
    for (const uint64_t anchor : {uint64_t{0}, kMost, kMost + 1, ~uint64_t{0} - 1}) {
      made_.vitals().heartbeat_mono = wild;
      made_.vitals().anchor_mono = anchor;
      made_.vitals().anchor_wall = wild;
      const Attachment segment = attach();
      (void)segment.last_heartbeat_wall_ns();
      (void)segment.liveness();
    }
  }
}

TEST_F(AttachTest, InvalidFilesAreRefused) {
  const std::string path = folder_.path() + "/x.segment";
  EXPECT_FALSE(Attachment::open(path).is_ok());
  EXPECT_FALSE(Attachment::open(folder_.path()).is_ok());
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_FALSE(Attachment::open(path).is_ok());  // and does not wait for a writer
  ::unlink(path.c_str());
  SegmentFile real(folder_.path() + "/real.segment", made_.bytes(), true);
  ASSERT_EQ(::symlink(real.path().c_str(), path.c_str()), 0);
  EXPECT_FALSE(Attachment::open(path).is_ok());
  EXPECT_FALSE(Attachment::open("/dev/zero").is_ok());
  EXPECT_FALSE(Attachment::from_fd(-1).is_ok());
  real.cut(0);
  EXPECT_FALSE(Attachment::open(real.path()).is_ok());
  real.rewrite(made_.bytes().substr(0, 4095));
  EXPECT_FALSE(Attachment::open(real.path()).is_ok());
}

TEST_F(AttachTest, EveryHeaderWordIsChecked) {
  ASSERT_TRUE(opens());
  const auto refuses = [&](auto&& spoil) {
    made_ = SegmentMaker();
    spoil(made_.header());
    return !opens();
  };
  EXPECT_TRUE(refuses([](format::Header& h) { h.magic[3] = 'x'; }));
  EXPECT_TRUE(refuses([](format::Header& h) { h.layout_version = format::kLayoutVersion + 1; }));
  EXPECT_TRUE(refuses([](format::Header& h) { h.header_bytes = 64; }));
  EXPECT_TRUE(refuses([](format::Header& h) { h.total_bytes += 1; }));
  EXPECT_TRUE(refuses([](format::Header& h) { h.total_bytes = 100; }));
  EXPECT_TRUE(refuses([](format::Header& h) { h.total_bytes = ~uint64_t{0}; }));
  EXPECT_TRUE(refuses([](format::Header& h) { h.slots.count = h.slot_stats.count = kSlotsMax + 1; }));
  EXPECT_TRUE(refuses([](format::Header& h) { h.slot_stats.count -= 1; }));
  for (size_t i = 0; i < format::kRegions; ++i) {
    const auto region = [i](format::Header& h) -> format::Region& {
      return *reinterpret_cast<format::Region*>(reinterpret_cast<char*>(&h.vitals) + i * sizeof(format::Region));
    };
    EXPECT_TRUE(refuses([&](format::Header& h) { region(h).stride += 64; })) << i;
    EXPECT_TRUE(refuses([&](format::Header& h) { region(h).offset += 8; })) << i;
    EXPECT_TRUE(refuses([&](format::Header& h) { region(h).offset = 0; })) << i;
    EXPECT_TRUE(refuses([&](format::Header& h) { region(h).offset = h.total_bytes; })) << i;
    EXPECT_TRUE(refuses([&](format::Header& h) { region(h).offset = ~uint64_t{63}; })) << i;
    EXPECT_TRUE(refuses([&](format::Header& h) { region(h).count = ~uint32_t{0}; })) << i;
  }
}

TEST_F(AttachTest, FileTruncatedWhileReadReturnsLess) {
  const Attachment segment = attach();
  file_->cut(made_.header().slots.offset + 100);
  EXPECT_TRUE(segment.read_vitals().has_value());
  EXPECT_TRUE(segment.read_slots().empty());
  EXPECT_TRUE(segment.read_journal().empty());
  EXPECT_FALSE(segment.read_settings().has_value());
  file_->cut(0);
  EXPECT_FALSE(segment.read_vitals().has_value());
  EXPECT_TRUE(segment.read_slots().empty());
  EXPECT_TRUE(segment.read_waiters().empty());
}

}  // namespace
}  // namespace tide
