#include "plane/attach.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/owned_id.hpp"
#include "os/clock.hpp"
#include "plane/copying.hpp"
#include "plane/instance_id.hpp"

namespace tide {
namespace {

constexpr int64_t kStaleAfterNs = 5'000'000'000;

Status not_a_segment(const std::string& path, const std::string& why) {
  return Status::error(Code::not_found, (path.empty() ? "this segment" : path) + ": " + why);
}

struct RegionRule {
  size_t offset_in_header;
  uint32_t stride;
  uint32_t count_max;
  bool is_optional;  // an owner that is older than this region has zeros there
};

// Every region with the record it must hold and the most records that make sense.
constexpr uint32_t kRingMax = 1U << 16;
constexpr uint32_t kAlertsMax = 1U << 12;
#define TIDE_REGION(name, Record, most) \
  { offsetof(format::Header, name), sizeof(format::Record), most, false }
#define TIDE_YOUNGER_REGION(name, Record, most) \
  { offsetof(format::Header, name), sizeof(format::Record), most, true }
constexpr RegionRule kRegionRules[] = {
    TIDE_REGION(vitals, Vitals, 1),
    TIDE_REGION(queue, QueueStats, 1),
    TIDE_REGION(totals, KeeperStats, 1),
    TIDE_REGION(baseline, Baseline, 1),
    TIDE_REGION(slots, Slot, kSlotsMax),
    TIDE_REGION(slot_stats, SlotStats, kSlotsMax),
    TIDE_REGION(waiters, Waiter, kRingMax),
    TIDE_REGION(history_1s, HistoryRecord, kRingMax),
    TIDE_REGION(history_1m, HistoryRecord, kRingMax),
    TIDE_REGION(history_1h, HistoryRecord, kRingMax),
    TIDE_REGION(journal, JournalRecord, kRingMax),
    TIDE_REGION(scaling, ScalingRecord, kRingMax),
    TIDE_REGION(commands, CommandRecord, kRingMax),
    TIDE_REGION(settings, SettingsBlock, 1),
    TIDE_YOUNGER_REGION(alerts, AlertRecord, kAlertsMax),
    TIDE_YOUNGER_REGION(alert_rules, AlertRulesBlock, 1),
    TIDE_YOUNGER_REGION(health, HealthBlock, 1),
    TIDE_YOUNGER_REGION(forecasts, ForecastsBlock, 1),
    TIDE_YOUNGER_REGION(tallies, Tallies, 1),
};
#undef TIDE_YOUNGER_REGION
#undef TIDE_REGION

bool is_sound(const format::Region& region, const RegionRule& rule, uint64_t total_bytes) {
  if (rule.is_optional && region.offset == 0 && region.count == 0 && region.stride == 0) return true;
  if (region.stride != rule.stride || region.count == 0 || region.count > rule.count_max) return false;
  if (region.offset % 64 != 0 || region.offset < sizeof(format::Header) || region.offset > total_bytes) return false;
  return uint64_t{region.count} * region.stride <= total_bytes - region.offset;
}

}  // namespace

Result<Attachment> Attachment::open(const std::string& path) {
  // A FIFO, a device or a link is no segment; none of them may make the reader wait.
  const int fd = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return not_a_segment(path, std::strerror(errno));
  Attachment attachment(fd, true, path);
  if (Status sound = attachment.check(); !sound) return sound;
  return attachment;
}

Result<Attachment> Attachment::from_fd(int fd) {
  Attachment attachment(fd, false, "");
  if (Status sound = attachment.check(); !sound) return sound;
  return attachment;
}

Attachment::~Attachment() {
  if (is_owned_ && fd_ >= 0) ::close(fd_);
}

Attachment::Attachment(Attachment&& other) noexcept
    : fd_(other.fd_),
      is_owned_(other.is_owned_),
      path_(std::move(other.path_)),
      header_(std::move(other.header_)),
      regions_(other.regions_) {
  other.fd_ = -1;
}

bool Attachment::read_bytes(uint64_t offset, void* into, size_t bytes) const {
  auto* out = static_cast<std::byte*>(into);
  while (bytes > 0) {
    const ssize_t n = ::pread(fd_, out, bytes, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;  // truncated under our hands
    out += n;
    offset += static_cast<uint64_t>(n);
    bytes -= static_cast<size_t>(n);
  }
  return true;
}

Status Attachment::check() {
  struct stat info {};
  if (::fstat(fd_, &info) != 0 || !S_ISREG(info.st_mode)) return not_a_segment(path_, "not a regular file");
  auto raw = std::make_unique<Raw<format::Header>>();
  if (!read_bytes(0, raw->bytes, sizeof raw->bytes)) return not_a_segment(path_, "too short for a header");
  const format::Header& h = raw->get();
  if (std::memcmp(h.magic, format::kMagic, sizeof h.magic) != 0) return not_a_segment(path_, "no segment: wrong magic");
  if (h.layout_version != format::kLayoutVersion || h.header_bytes != sizeof(format::Header)) {
    return not_a_segment(path_, "layout version " + std::to_string(h.layout_version) + " is not known here");
  }
  const auto file_bytes = static_cast<uint64_t>(info.st_size < 0 ? 0 : info.st_size);
  if (h.total_bytes < sizeof(format::Header) || h.total_bytes > format::kSegmentBytesMax ||
      h.total_bytes > file_bytes) {
    return not_a_segment(path_, "the header claims another size than the file has");
  }
  for (const RegionRule& rule : kRegionRules) {
    format::Region region{};
    std::memcpy(&region, raw->bytes + rule.offset_in_header, sizeof region);
    if (!is_sound(region, rule, h.total_bytes)) return not_a_segment(path_, "a region is out of bounds");
  }
  std::memcpy(&regions_, raw->bytes + offsetof(format::Header, vitals), sizeof regions_);
  if (regions_.slots.count != regions_.slot_stats.count) return not_a_segment(path_, "slots without statistics");
  header_.instance_id = instance_hex(h.instance_id);
  header_.owner = owner_bits(h.instance_id);
  header_.pool = clean_text(h.pool);
  header_.app = clean_text(h.app);
  header_.host = clean_text(h.host);
  header_.db_user = clean_text(h.db_user);
  header_.version = clean_text(h.version);
  header_.target = clean_text(h.target);
  header_.pid = h.pid;
  header_.uid = static_cast<uint32_t>(info.st_uid);  // what the file system says, not what the file claims
  header_.backend = h.backend;
  header_.is_hosted = (h.flags & format::kHeaderHosted) != 0;
  header_.started_wall_ns = h.started_wall_ns;
  header_.slots = regions_.slots.count;
  return Status::ok();
}

Liveness Attachment::liveness() const {
  if (is_owned_) {
    struct flock lock {};
    lock.l_type = F_RDLCK;  // would a reader's lock be refused? then the owner holds its own
    lock.l_whence = SEEK_SET;
    if (::fcntl(fd_, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_UNLCK) return Liveness::dead;
  }
  const int64_t beat = last_heartbeat_wall_ns();
  return beat != 0 && wall_ns_now() - beat > kStaleAfterNs ? Liveness::stale : Liveness::alive;
}

int64_t Attachment::last_heartbeat_wall_ns() const {
  const auto vitals = read_vitals();
  if (!vitals || vitals->heartbeat_mono == 0) return 0;
  return std::max<int64_t>(0, wall_of_mono(*vitals, vitals->heartbeat_mono));  // ages are taken from this
}

bool Attachment::read_behind_seq(uint64_t offset, void* into, size_t bytes) const {
  for (int pass = 0; pass < kPassesMax; ++pass) {
    uint64_t before = 0;
    uint64_t after = 0;
    if (!read_bytes(offset, &before, sizeof before)) return false;
    if (!read_bytes(offset, into, bytes)) return false;
    if (!read_bytes(offset, &after, sizeof after)) return false;
    if (before == after && before % 2 == 0) return true;
    pause_before_pass(pass);
  }
  return false;
}

// A block behind a sequence number that stands first in it.
template <typename Block>
bool Attachment::read_block(const format::Region& region, Block& out) const {
  return read_behind_seq(region.offset, out.bytes, sizeof out.bytes);
}

std::optional<VitalsCopy> Attachment::read_vitals() const {
  Raw<format::Vitals> raw;
  if (!read_block(regions_.vitals, raw)) return std::nullopt;
  return copy_of(raw.get(), header_.slots);
}

std::optional<QueueCopy> Attachment::read_queue() const {
  Raw<format::QueueStats> raw;
  if (!read_block(regions_.queue, raw)) return std::nullopt;
  return copy_of(raw.get());
}

std::optional<KeeperStatsCopy> Attachment::read_totals() const {
  Raw<format::KeeperStats> raw;
  if (!read_block(regions_.totals, raw)) return std::nullopt;
  return copy_of(raw.get());
}

std::optional<BaselineCopy> Attachment::read_baseline() const {
  Raw<format::Baseline> raw;
  if (!read_block(regions_.baseline, raw)) return std::nullopt;
  return copy_of(raw.get());
}

std::vector<SettingCopy> Attachment::read_settings() const {
  std::vector<SettingCopy> out;
  auto raw = std::make_unique<Raw<format::SettingsBlock>>();
  if (!read_block(regions_.settings, *raw)) return out;
  const format::SettingsBlock& block = raw->get();
  for (uint64_t i = 0; i < block.count && i < format::kSettingsMax; ++i) {
    const format::SettingRecord& record = block.record[i];
    out.push_back({clean_text(record.name), clean_text(record.value), record.source, record.is_note == 1});
  }
  return out;
}

uint32_t Attachment::slots_used() const {
  uint64_t used = 0;
  if (!read_bytes(regions_.vitals.offset + offsetof(format::Vitals, slots_used), &used, sizeof used)) return 0;
  return used <= regions_.slots.count ? static_cast<uint32_t>(used) : regions_.slots.count;
}

uint64_t Attachment::topology() const {
  uint64_t seq = 1;
  (void)read_bytes(regions_.vitals.offset + offsetof(format::Vitals, topology_seq), &seq, sizeof seq);
  return seq;
}

// Three reads of all slots: a slot whose sequence number and word are the same in the first and the third, and even,
// was not touched during the second. Those that were are tried again; the set is taken anew when slots came or went.
std::vector<SlotCopy> Attachment::read_slots() const {
  std::vector<SlotCopy> out;
  std::vector<Raw<format::Slot>> first, second, third;
  for (int pass = 0; pass < kPassesMax; ++pass) {
    const uint64_t topology_before = topology();
    const uint32_t used = slots_used();
    const size_t bytes = size_t{used} * sizeof(format::Slot);
    first.resize(used);
    second.resize(used);
    third.resize(used);
    out.clear();
    if (used == 0) return out;
    if (!read_bytes(regions_.slots.offset, first.data(), bytes) ||
        !read_bytes(regions_.slots.offset, second.data(), bytes) ||
        !read_bytes(regions_.slots.offset, third.data(), bytes)) {
      return out;
    }
    const bool is_last = pass + 1 == kPassesMax;
    if (!is_last && (topology_before % 2 != 0 || topology() != topology_before)) {
      pause_before_pass(pass);
      continue;
    }
    // The words all come from one read, so that the states are those of one moment as far as there is one.
    for (uint32_t i = 0; i < used; ++i) {
      SlotCopy copy = copy_of(second[i].get(), i);
      copy.is_whole = is_untouched(first[i].get(), second[i].get(), third[i].get());
      if (!copy.is_whole) reread_slot(copy);
      out.push_back(std::move(copy));
    }
    return out;
  }
  return out;
}

// One slot that was being written: its facts from a quiet moment, if they are still about the same lease.
void Attachment::reread_slot(SlotCopy& copy) const {
  const uint64_t offset = regions_.slots.offset + uint64_t{copy.index} * sizeof(format::Slot);
  Raw<format::Slot> first, second, third;
  for (int pass = 0; pass < kPassesMax; ++pass) {
    if (!read_bytes(offset, first.bytes, sizeof first.bytes) ||
        !read_bytes(offset, second.bytes, sizeof second.bytes) ||
        !read_bytes(offset, third.bytes, sizeof third.bytes)) {
      return;
    }
    if (!is_untouched(first.get(), second.get(), third.get())) continue;
    SlotCopy whole = copy_of(second.get(), copy.index);
    if (whole.word.state() != copy.word.state()) {
      // Gone on meanwhile: the state counted stays that of the set, the facts would be of another moment.
      whole.word = copy.word;
      whole.is_whole = false;
      copy = std::move(whole);
      return;
    }
    copy = std::move(whole);
    return;
  }
}

std::vector<SlotStatsCopy> Attachment::read_slot_stats() const {
  std::vector<SlotStatsCopy> out;
  const uint32_t used = slots_used();
  // As read_block() does, but all at once: three system calls instead of three for each slot.
  std::vector<Raw<format::SlotStats>> before(used), blocks(used), after(used);
  const size_t bytes = size_t{used} * sizeof(format::SlotStats);
  const uint64_t offset = regions_.slot_stats.offset;
  if (!read_bytes(offset, before.data(), bytes) || !read_bytes(offset, blocks.data(), bytes) ||
      !read_bytes(offset, after.data(), bytes)) {
    return out;
  }
  out.reserve(used);
  for (uint32_t i = 0; i < used; ++i) {
    uint64_t seq = 0;
    uint64_t seq_after = 0;
    std::memcpy(&seq, before[i].bytes, sizeof seq);
    std::memcpy(&seq_after, after[i].bytes, sizeof seq_after);
    if (seq != seq_after || seq % 2 != 0) {
      format::Region one = regions_.slot_stats;
      one.offset += uint64_t{i} * sizeof(format::SlotStats);
      // Cells are whole each; a block that never comes to rest is still the best answer there is.
      (void)read_block(one, blocks[i]);
    }
    out.push_back(copy_of(blocks[i].get()));
  }
  return out;
}

std::vector<uint64_t> Attachment::read_query_counts() const {
  std::vector<Raw<format::SlotStats>> blocks(slots_used());
  std::vector<uint64_t> out;
  if (!read_bytes(regions_.slot_stats.offset, blocks.data(), blocks.size() * sizeof(format::SlotStats))) return out;
  out.reserve(blocks.size());
  for (const auto& block : blocks) out.push_back(block.get().queries_total.load(std::memory_order_relaxed));
  return out;
}

std::vector<WaiterCopy> Attachment::read_waiters() const {
  std::vector<WaiterCopy> out;
  std::vector<Raw<format::Waiter>> all(regions_.waiters.count);
  if (!read_bytes(regions_.waiters.offset, all.data(), all.size() * sizeof(format::Waiter))) return out;
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].get().ticket.load(std::memory_order_relaxed) == 0) continue;
    format::Region one = regions_.waiters;
    one.offset += i * sizeof(format::Waiter);
    Raw<format::Waiter> raw;
    if (!read_block(one, raw)) continue;
    WaiterCopy copy = copy_of(raw.get());
    if (copy.ticket != 0) out.push_back(std::move(copy));
  }
  std::sort(out.begin(), out.end(), [](const WaiterCopy& a, const WaiterCopy& b) { return a.ticket < b.ticket; });
  return out;
}

// Records whose stamp fits their place, before and after the copy; oldest first.
template <typename Record, typename Copy, typename Make>
std::vector<Copy> Attachment::read_ring(const format::Region& region, Make&& make) const {
  std::vector<Raw<Record>> all(region.count);
  std::vector<Raw<Record>> again(region.count);
  std::vector<std::pair<uint64_t, Copy>> kept;
  const size_t bytes = all.size() * sizeof(Record);
  if (!read_bytes(region.offset, all.data(), bytes) || !read_bytes(region.offset, again.data(), bytes)) return {};
  for (size_t i = 0; i < all.size(); ++i) {
    const uint64_t stamp = all[i].get().stamp.load(std::memory_order_relaxed);
    if (stamp == 0 || (stamp - 1) % region.count != i) continue;
    if (std::memcmp(all[i].bytes, again[i].bytes, sizeof(Record)) != 0) continue;
    kept.emplace_back(stamp, make(all[i].get()));
  }
  std::sort(kept.begin(), kept.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Copy> out;
  out.reserve(kept.size());
  for (auto& [stamp, copy] : kept) out.push_back(std::move(copy));
  return out;
}

std::vector<HistoryCopy> Attachment::read_history(int64_t resolution_ms) const {
  const format::Region& region = resolution_ms == 1000    ? regions_.history_1s
                                 : resolution_ms == 60000 ? regions_.history_1m
                                                          : regions_.history_1h;
  return read_ring<format::HistoryRecord, HistoryCopy>(region, [](const auto& r) { return copy_of(r); });
}

std::vector<JournalCopy> Attachment::read_journal() const {
  return read_ring<format::JournalRecord, JournalCopy>(regions_.journal, [](const auto& r) { return copy_of(r); });
}

std::vector<ScalingCopy> Attachment::read_scaling() const {
  return read_ring<format::ScalingRecord, ScalingCopy>(regions_.scaling, [](const auto& r) { return copy_of(r); });
}

std::vector<CommandCopy> Attachment::read_commands() const {
  return read_ring<format::CommandRecord, CommandCopy>(regions_.commands, [](const auto& r) { return copy_of(r); });
}

}  // namespace tide
