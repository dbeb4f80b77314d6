#include "plane/segment.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "plane/attach.hpp"
#include "plane/directory.hpp"
#include "plane/slot_word.hpp"

namespace tide {
namespace {

// How much of the past a segment keeps. Sizes are part of the file, not of the format.
constexpr uint32_t kWaiterRows = 128;
constexpr uint32_t kHistorySeconds = 600;
constexpr uint32_t kHistoryMinutes = 720;
constexpr uint32_t kHistoryHours = 336;
constexpr uint32_t kJournalRecords = 256;
constexpr uint32_t kScalingRecords = 128;
constexpr uint32_t kCommandRecords = 128;

uint64_t place(format::Region& region, uint64_t offset, uint32_t count, size_t stride) {
  region = {offset, count, static_cast<uint32_t>(stride)};
  return (offset + uint64_t{count} * stride + 63) / 64 * 64;
}

uint64_t lay_out(format::Header& h, uint32_t capacity) {
  uint64_t end = sizeof(format::Header);
  end = place(h.vitals, end, 1, sizeof(format::Vitals));
  end = place(h.queue, end, 1, sizeof(format::QueueStats));
  end = place(h.totals, end, 1, sizeof(format::KeeperStats));
  end = place(h.baseline, end, 1, sizeof(format::Baseline));
  end = place(h.slots, end, capacity, sizeof(format::Slot));
  end = place(h.slot_stats, end, capacity, sizeof(format::SlotStats));
  end = place(h.waiters, end, kWaiterRows, sizeof(format::Waiter));
  end = place(h.history_1s, end, kHistorySeconds, sizeof(format::HistoryRecord));
  end = place(h.history_1m, end, kHistoryMinutes, sizeof(format::HistoryRecord));
  end = place(h.history_1h, end, kHistoryHours, sizeof(format::HistoryRecord));
  end = place(h.journal, end, kJournalRecords, sizeof(format::JournalRecord));
  end = place(h.scaling, end, kScalingRecords, sizeof(format::ScalingRecord));
  end = place(h.commands, end, kCommandRecords, sizeof(format::CommandRecord));
  end = place(h.settings, end, 1, sizeof(format::SettingsBlock));
  return (end + 4095) / 4096 * 4096;
}

void fill_header(format::Header& h, const SegmentSpec& spec, uint64_t bytes) {
  std::memcpy(h.magic, format::kMagic, sizeof h.magic);
  h.layout_version = format::kLayoutVersion;
  h.header_bytes = sizeof(format::Header);
  h.total_bytes = bytes;
  std::memcpy(h.instance_id, spec.instance_id.data(), spec.instance_id.size());
  h.started_wall_ns = spec.started_wall_ns;
  h.pid = static_cast<uint32_t>(::getpid());
  h.uid = ::getuid();
  h.backend = spec.backend;
  h.pool.assign(spec.pool);
  h.app.assign(spec.app);
  h.host.assign(spec.host);
  h.db_user.assign(spec.db_user);
  h.version.assign(spec.version);
  h.target.assign(spec.target);
}

Status os_error(const std::string& what, int error) {
  const bool is_space = error == ENOSPC || error == EDQUOT || error == ENOMEM;
  return Status::error(is_space ? Code::no_memory : Code::bad_option, what + ": " + std::strerror(error), "",
                       "set plane_dir or TIDEPOOL_DIR to a directory this user may write to, or plane=off");
}

// The lock that says "the owner lives". An open-file-description lock, because a process-wide one would be dropped by
// any close() of the same file elsewhere in the process.
bool hold_owner_lock(int fd) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return ::fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

}  // namespace

std::string instance_hex(const InstanceId& id) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const uint8_t byte : id) {
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

InstanceId random_instance_id() {
  InstanceId id{};
  TIDE_ASSERT(::getrandom(id.data(), id.size(), 0) == static_cast<ssize_t>(id.size()));
  id[0] &= 0x7F;  // command ids carry these bits at the top of a positive 64-bit number
  return id;
}

Result<std::unique_ptr<Segment>> Segment::create(const SegmentSpec& spec) {
  TIDE_ASSERT(spec.capacity >= 1 && spec.capacity <= kSlotsMax);
  std::unique_ptr<Segment> segment(new Segment());
  auto header = std::make_unique<format::Header>();
  const uint64_t bytes = lay_out(*header, spec.capacity);
  fill_header(*header, spec, bytes);

  if (spec.directory.empty()) {
    segment->fd_ = ::memfd_create("tidepool", MFD_CLOEXEC);
    if (segment->fd_ < 0) return os_error("cannot create the pool's memory", errno);
    if (const int error = ::posix_fallocate(segment->fd_, 0, static_cast<off_t>(bytes)); error != 0) {
      return os_error("cannot reserve the pool's memory", error);
    }
  } else if (Status made = segment->create_file(spec, bytes); !made) {
    return made;
  }
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, segment->fd_, 0);
  if (memory == MAP_FAILED) return os_error("cannot map the pool's segment", errno);
  segment->memory_ = static_cast<std::byte*>(memory);
  segment->bytes_ = bytes;
  std::memcpy(memory, header.get(), sizeof *header);

  if (!spec.directory.empty()) {
    // Readers look for the final name only, so they never see a segment in the making.
    if (Status boxed = segment->create_mailbox(spec); !boxed) return boxed;
    const std::string final_path = segment_path(spec.directory, spec.pool, instance_hex(spec.instance_id));
    if (::rename(segment->path_.c_str(), final_path.c_str()) != 0) {
      return os_error("cannot name the segment " + final_path, errno);
    }
    segment->path_ = final_path;
  }
  return segment;
}

Status Segment::create_file(const SegmentSpec& spec, uint64_t bytes) {
  const std::string path = spec.directory + "/." + instance_hex(spec.instance_id) + ".new";
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
  if (fd_ < 0) return os_error("cannot create a segment in " + spec.directory, errno);
  path_ = path;
  if (::fchmod(fd_, 0640) != 0) return os_error("cannot set the mode of " + path, errno);
  if (!hold_owner_lock(fd_)) return os_error("cannot lock " + path, errno);
  if (const int error = ::posix_fallocate(fd_, 0, static_cast<off_t>(bytes)); error != 0) {
    return os_error("cannot reserve " + std::to_string(bytes) + " bytes in " + spec.directory, error);
  }
  return Status::ok();
}

Status Segment::create_mailbox(const SegmentSpec& spec) {
  const std::string path = mailbox_path_of(segment_path(spec.directory, spec.pool, instance_hex(spec.instance_id)));
  const mode_t mode = spec.is_group_steerable ? 0660 : 0600;
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
  if (fd < 0) return os_error("cannot create the mailbox " + path, errno);
  mailbox_path_ = path;
  format::MailboxHeader header{};
  std::memcpy(header.magic, format::kMailboxMagic, sizeof header.magic);
  header.layout_version = format::kLayoutVersion;
  header.header_bytes = sizeof header;
  std::memcpy(header.instance_id, spec.instance_id.data(), spec.instance_id.size());
  Status status;
  if (::fchmod(fd, mode) != 0 || ::posix_fallocate(fd, 0, format::kMailboxBytes) != 0 ||
      ::pwrite(fd, &header, sizeof header, 0) != static_cast<ssize_t>(sizeof header)) {
    status = os_error("cannot prepare the mailbox " + path, errno != 0 ? errno : ENOSPC);
  }
  ::close(fd);
  return status;
}

Segment::~Segment() {
  if (!path_.empty()) ::unlink(path_.c_str());
  if (!mailbox_path_.empty()) ::unlink(mailbox_path_.c_str());
  if (memory_ != nullptr) ::munmap(memory_, bytes_);
  if (fd_ >= 0) ::close(fd_);
}

void Segment::abandon() noexcept {
  // The lock belongs to the open file description, which the parent shares: closing here does not release it. But a
  // mapping kept here would keep the description, and the parent would look alive after its death.
  if (memory_ != nullptr) ::munmap(memory_, bytes_);
  if (fd_ >= 0) ::close(fd_);
  memory_ = nullptr;
  fd_ = -1;
  path_.clear();
  mailbox_path_.clear();
}

void remove_dead_segments(const std::string& directory, const std::string& name, int64_t wall_now_ns) {
  constexpr int64_t kDayNs = 86'400'000'000'000;
  for (const std::string& path : list_segments(directory)) {
    auto attached = Attachment::open(path);
    if (!attached) continue;
    const Attachment& segment = *attached;
    if (segment.header().uid != ::getuid() || segment.liveness() != Liveness::dead) continue;
    if (segment.header().pool != name && wall_now_ns - segment.last_heartbeat_wall_ns() < kDayNs) continue;
    ::unlink(path.c_str());
    ::unlink(mailbox_path_of(path).c_str());
  }
}

}  // namespace tide
