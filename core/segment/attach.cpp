#include "segment/attach.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

#include "base/owned_id.hpp"
#include "base/text.hpp"
#include "os/clock.hpp"
#include "segment/instance_id.hpp"

namespace tide {
namespace {

constexpr int64_t kStaleAfterNs = 5'000'000'000;

Status not_a_segment(const std::string& path, const std::string& why) {
  return Status::error(Code::not_found, (path.empty() ? "this segment" : path) + ": " + why);
}

// The largest number of records in a region. Owners of other releases may keep longer histories, but within a limit:
// each record may cost a reader several retries.
constexpr uint32_t records_max(uint32_t usual_count) {
  return usual_count == kPerSlot ? kSlotsMax : usual_count == 1 ? 1 : 32 * usual_count;
}

bool is_sound(const format::Region& region, size_t stride, uint32_t usual_count, uint64_t total_bytes) {
  if (region.stride != stride || region.count == 0 || region.count > records_max(usual_count)) return false;
  if (region.offset % 64 != 0 || region.offset < sizeof(format::Header) || region.offset > total_bytes) return false;
  return uint64_t{region.count} * region.stride <= total_bytes - region.offset;
}

bool are_regions_sound(const format::Header& h) {
  bool are_sound = h.slots.count == h.slot_stats.count;
#define TIDE_CHECK(name, Record, count, meaning) \
  are_sound = are_sound && is_sound(h.name, sizeof(format::Record), count, h.total_bytes);
  TIDE_REGIONS(TIDE_CHECK)
#undef TIDE_CHECK
  return are_sound;
}

// How often a reader retries when a record is being written, and how it yields in between.
constexpr int kPassesMax = 50;
void pause_before_pass(int pass) {
  // The writer may be waiting for this processor. Only every few retries: on a busy host each yield can cost
  // milliseconds, and a writer that exited in the middle of a write never finishes it.
  if (pass % 8 == 3) sched_yield();
}

uint64_t get(const format::Cell& cell) { return cell.load(std::memory_order_relaxed); }
int64_t get_signed(const format::Cell& cell) { return static_cast<int64_t>(get(cell)); }
// Limits sizes and counts that are shown to a plausible range, whatever the segment contains.
int64_t get_count(const format::Cell& cell) {
  return static_cast<int64_t>(std::min<uint64_t>(get(cell), 1'000'000'000));
}

VitalsCopy copy_of(const format::Vitals& from, uint32_t slots) {
  VitalsCopy to;
  to.heartbeat_mono = get_signed(from.heartbeat_mono);
  to.anchor_mono = get_signed(from.anchor_mono);
  to.anchor_wall = get_signed(from.anchor_wall);
  to.state = static_cast<uint32_t>(std::min<uint64_t>(get(from.state), 255));
  to.size_source = static_cast<uint32_t>(std::min<uint64_t>(get(from.size_source), 255));
  to.min_size = get_count(from.min_size);
  to.max_size = get_count(from.max_size);
  to.target_size = get_count(from.target_size);
  to.limit_size = get_count(from.limit_size);
  to.burst_until_mono = get_signed(from.burst_until_mono);
  to.generation = get(from.generation) & std::numeric_limits<int64_t>::max();
  to.health = get(from.health) <= 100 ? get_signed(from.health) : -1;
  to.slots_used = static_cast<uint32_t>(std::min<uint64_t>(get(from.slots_used), slots));
  to.lease_timeout_ns = std::max<int64_t>(0, get_signed(from.lease_timeout_ns));
  to.memory_bytes = get_signed(from.memory_bytes) < 0 ? -1 : get_signed(from.memory_bytes);
  to.wal_bytes = std::max<int64_t>(0, get_signed(from.wal_bytes)) - 1;
  to.server_sessions = get_count(from.server_sessions) - 1;
  to.server_sessions_max = get_count(from.server_sessions_max) - 1;
  to.wait_p50_ms = from.wait_p50_ms.load(std::memory_order_relaxed);
  to.wait_p95_ms = from.wait_p95_ms.load(std::memory_order_relaxed);
  to.wait_p99_ms = from.wait_p99_ms.load(std::memory_order_relaxed);
  to.wait_max_ms = from.wait_max_ms.load(std::memory_order_relaxed);
  to.use_p50_ms = from.use_p50_ms.load(std::memory_order_relaxed);
  to.use_p99_ms = from.use_p99_ms.load(std::memory_order_relaxed);
  to.query_p50_ms = from.query_p50_ms.load(std::memory_order_relaxed);
  to.query_p99_ms = from.query_p99_ms.load(std::memory_order_relaxed);
  to.breaker = static_cast<uint32_t>(std::min<uint64_t>(get(from.breaker), 255));
  to.breaker_probe_mono = get_signed(from.breaker_probe_mono);
  to.pooler = static_cast<uint32_t>(std::min<uint64_t>(get(from.pooler), 255));
  return to;
}

SlotCopy copy_of(const format::Slot& from, uint32_t index) {
  SlotCopy to;
  to.index = index;
  to.word = SlotWord(get(from.word));
  if (!to.word.is_sane()) to.word = SlotWord();
  to.acquired_mono = get_signed(from.acquired_mono);
  to.last_used_mono = get_signed(from.last_used_mono);
  to.expires_mono = get_signed(from.expires_mono);
  to.born_mono = get_signed(from.born_mono);
  to.since_mono = get_signed(from.since_mono);
  to.validated_mono = get_signed(from.validated_mono);
  to.acquires_total = get(from.acquires_total);
  to.acquires_before = get(from.acquires_before);
  to.queries_before = get(from.queries_before);
  to.thread_id = from.thread_id.load(std::memory_order_relaxed);
  to.flags = from.flags.load(std::memory_order_relaxed);
  to.server_pid = from.server_pid.load(std::memory_order_relaxed);
  to.is_in_transaction = from.is_in_transaction.load(std::memory_order_relaxed) != 0;
  to.statements = from.statements.load(std::memory_order_relaxed);
  to.conn_id = get(from.conn_id) & std::numeric_limits<int64_t>::max();
  to.tag = clean_text(from.tag);
  to.last_error = clean_text(from.last_error);
  return to;
}

bool is_untouched(const format::Slot& first, const format::Slot& second, const format::Slot& third) {
  const uint64_t seq = get(first.seq);
  // Until the holder of a lease has written its data, the slot still contains the data of the previous lease.
  const SlotWord word(get(first.word));
  if (word.state() == SlotState::leased && get(first.holder_generation) != word.generation()) return false;
  return seq % 2 == 0 && seq == get(second.seq) && seq == get(third.seq) && get(first.word) == get(second.word) &&
         get(second.word) == get(third.word);
}

}  // namespace

int64_t wall_of_mono(const VitalsCopy& vitals, int64_t mono_ns) {
  int64_t distance = 0;
  int64_t wall = 0;
  if (__builtin_sub_overflow(mono_ns, vitals.anchor_mono, &distance)) return 0;
  if (__builtin_add_overflow(vitals.anchor_wall, distance, &wall)) return 0;
  return wall;
}

Result<Attachment> Attachment::open(const std::string& path) {
  // A FIFO, a device or a link is not a segment; opening one must not block the reader.
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
      layout_(std::move(other.layout_)) {
  other.fd_ = -1;
}

bool Attachment::read_bytes(uint64_t offset, void* into, size_t bytes) const {
  auto* out = static_cast<std::byte*>(into);
  while (bytes > 0) {
    const ssize_t n = ::pread(fd_, out, bytes, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;  // truncated by the owner during the read
    out += n;
    offset += static_cast<uint64_t>(n);
    bytes -= static_cast<size_t>(n);
  }
  return true;
}

Status Attachment::check() {
  struct stat info {};
  if (::fstat(fd_, &info) != 0 || !S_ISREG(info.st_mode)) return not_a_segment(path_, "not a regular file");
  layout_ = std::make_unique<format::Header>();
  if (!read_bytes(0, layout_.get(), sizeof *layout_)) return not_a_segment(path_, "too short for a header");
  const format::Header& h = *layout_;
  if (std::memcmp(h.magic, format::kMagic, sizeof h.magic) != 0) return not_a_segment(path_, "no segment: wrong magic");
  if (h.layout_version != format::kLayoutVersion || h.header_bytes != sizeof(format::Header)) {
    return not_a_segment(path_, "unsupported layout version " + std::to_string(h.layout_version));
  }
  const auto file_bytes = static_cast<uint64_t>(info.st_size < 0 ? 0 : info.st_size);
  if (h.total_bytes < sizeof(format::Header) || h.total_bytes > format::kSegmentBytesMax ||
      h.total_bytes > file_bytes) {
    return not_a_segment(path_, "the size in the header differs from the file's size");
  }
  if (!are_regions_sound(h)) return not_a_segment(path_, "a region is out of bounds");
  header_.instance_id = instance_hex(h.instance_id);
  header_.owner = owner_bits(h.instance_id);
  header_.pool = clean_text(h.pool);
  header_.app = clean_text(h.app);
  header_.host = clean_text(h.host);
  header_.db_user = clean_text(h.db_user);
  header_.version = clean_text(h.version);
  header_.target = clean_text(h.target);
  header_.pid = h.pid;
  header_.uid = static_cast<uint32_t>(info.st_uid);  // from the file system, not from the contents of the file
  header_.backend = h.backend;
  header_.is_hosted = (h.flags & format::kHeaderHosted) != 0;
  header_.started_wall_ns = h.started_wall_ns;
  header_.slots = layout_->slots.count;
  return Status::ok();
}

Liveness Attachment::liveness() const {
  if (is_owned_) {
    struct flock lock {};
    lock.l_type = F_RDLCK;  // if a reader's lock would be refused, the owner holds its lock
    lock.l_whence = SEEK_SET;
    if (::fcntl(fd_, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_UNLCK) return Liveness::dead;
  }
  const int64_t beat = last_heartbeat_wall_ns();
  return beat != 0 && wall_ns_now() - beat > kStaleAfterNs ? Liveness::stale : Liveness::alive;
}

int64_t Attachment::last_heartbeat_wall_ns() const {
  const auto vitals = read_vitals();
  if (!vitals || vitals->heartbeat_mono == 0) return 0;
  return std::max<int64_t>(0, wall_of_mono(*vitals, vitals->heartbeat_mono));  // ages are computed from this
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

std::optional<VitalsCopy> Attachment::read_vitals() const {
  const auto vitals = read_block(layout_->vitals);
  if (!vitals) return std::nullopt;
  return copy_of(*vitals, header_.slots);
}

std::optional<format::ForecastsBlock> Attachment::read_forecasts() const {
  auto block = read_block(layout_->forecasts);
  if (block && block->seq == 0) block.reset();  // zeros that no owner wrote
  return block;
}

std::vector<format::HistoryRecord> Attachment::read_history(int64_t resolution_ms) const {
  return read_ring(resolution_ms == kResolutionsMs[0]   ? layout_->history_1s
                   : resolution_ms == kResolutionsMs[1] ? layout_->history_1m
                                                        : layout_->history_1h);
}

uint32_t Attachment::slots_used() const {
  uint64_t used = 0;
  if (!read_bytes(layout_->vitals.offset + offsetof(format::Vitals, slots_used), &used, sizeof used)) return 0;
  return used <= layout_->slots.count ? static_cast<uint32_t>(used) : layout_->slots.count;
}

uint64_t Attachment::topology() const {
  uint64_t seq = 1;
  (void)read_bytes(layout_->vitals.offset + offsetof(format::Vitals, topology_seq), &seq, sizeof seq);
  return seq;
}

// Three reads of all slots: a slot whose sequence number and word are even and equal in the first and the third did not
// change during the second. Slots that changed are retried; the whole set is read again if slots were filled or
// emptied.
std::vector<SlotCopy> Attachment::read_slots() const {
  std::vector<SlotCopy> out;
  std::vector<format::Slot> first, second, third;
  for (int pass = 0; pass < kPassesMax; ++pass) {
    const uint64_t topology_before = topology();
    const uint32_t used = slots_used();
    const size_t bytes = size_t{used} * sizeof(format::Slot);
    first.resize(used);
    second.resize(used);
    third.resize(used);
    out.clear();
    if (used == 0) return out;
    if (!read_bytes(layout_->slots.offset, first.data(), bytes) ||
        !read_bytes(layout_->slots.offset, second.data(), bytes) ||
        !read_bytes(layout_->slots.offset, third.data(), bytes)) {
      return out;
    }
    const bool is_last = pass + 1 == kPassesMax;
    if (!is_last && (topology_before % 2 != 0 || topology() != topology_before)) {
      pause_before_pass(pass);
      continue;
    }
    // All words come from one read, so that the states are as close to one moment as possible.
    for (uint32_t i = 0; i < used; ++i) {
      SlotCopy copy = copy_of(second[i], i);
      copy.is_whole = is_untouched(first[i], second[i], third[i]);
      if (!copy.is_whole) reread_slot(copy);
      out.push_back(std::move(copy));
    }
    return out;
  }
  return out;
}

// A slot that was being written: reads its data at a quiet moment, if they still belong to the same lease.
void Attachment::reread_slot(SlotCopy& copy) const {
  const uint64_t offset = layout_->slots.offset + uint64_t{copy.index} * sizeof(format::Slot);
  format::Slot first, second, third;
  for (int pass = 0; pass < kPassesMax; ++pass) {
    for (format::Slot* look : {&first, &second, &third}) {
      if (!read_bytes(offset, look, sizeof *look)) return;
    }
    if (!is_untouched(first, second, third)) continue;
    SlotCopy whole = copy_of(second, copy.index);
    if (whole.word.state() != copy.word.state()) {
      // Changed in the meantime: the state must remain that of the set, and these data belong to a later moment.
      whole.word = copy.word;
      whole.is_whole = false;
      copy = std::move(whole);
      return;
    }
    copy = std::move(whole);
    return;
  }
}

std::vector<format::CacheStats> Attachment::read_cache() const {
  std::vector<format::CacheStats> stripes(layout_->cache.count);
  if (!read_bytes(layout_->cache.offset, stripes.data(), stripes.size() * sizeof(format::CacheStats))) stripes.clear();
  return stripes;
}

std::vector<uint64_t> Attachment::read_query_counts() const {
  std::vector<format::SlotStats> blocks(slots_used());
  std::vector<uint64_t> out;
  if (!read_bytes(layout_->slot_stats.offset, blocks.data(), blocks.size() * sizeof(format::SlotStats))) return out;
  out.reserve(blocks.size());
  for (const auto& block : blocks) out.push_back(block.queries_total);
  return out;
}

}  // namespace tide
