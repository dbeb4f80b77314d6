#include "segment/segment.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <string_view>
#include <vector>

#include "os/clock.hpp"
#include "os/descriptor.hpp"
#include "os/shortage.hpp"
#include "segment/attach.hpp"
#include "segment/directory.hpp"
#include "segment/history_leftovers.hpp"
#include "segment/owner_lock.hpp"
#include "segment/slot_word.hpp"

namespace tide {
namespace {

uint64_t lay_out(format::Header& h, const SegmentSpec& spec) {
  uint64_t end = sizeof(format::Header);
  const auto place = [&](format::Region& region, uint32_t count, size_t stride) {
    const uint32_t records = count == kPerSlot  ? spec.capacity
                             : count == kPerLog ? std::max(spec.query_log_size, 1U)
                                                : count;
    region = {end, records, static_cast<uint32_t>(stride)};
    end = (end + uint64_t{region.count} * stride + 63) / 64 * 64;
  };
#define TIDE_PLACE(name, Record, count, meaning) place(h.name, count, sizeof(format::Record));
  TIDE_REGIONS(TIDE_PLACE)
#undef TIDE_PLACE
  return (end + 4095) / 4096 * 4096;
}

// The rings of the history are most of a segment, and are used slowly: their pages are reserved when they are needed.
constexpr bool are_neighbours(std::string_view first, std::string_view last) {
  constexpr std::string_view kNames[] = {
#define TIDE_NAME(name, Record, count, meaning) #name,
      TIDE_REGIONS(TIDE_NAME)
#undef TIDE_NAME
  };
  for (size_t i = 0; i + 2 < std::size(kNames); ++i) {
    if (kNames[i] == first) return kNames[i + 2] == last;
  }
  return false;
}
static_assert(are_neighbours("history_1s", "history_1h"));

// Returns the error.
int reserve_pages(int fd, const format::Header& h, uint64_t bytes) {
  if (::ftruncate(fd, static_cast<off_t>(bytes)) != 0) return errno;
  const uint64_t after = h.history_1h.offset + uint64_t{h.history_1h.count} * h.history_1h.stride;
  const int error = ::posix_fallocate(fd, 0, static_cast<off_t>(h.history_1s.offset));
  return error != 0 ? error : ::posix_fallocate(fd, static_cast<off_t>(after), static_cast<off_t>(bytes - after));
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
  h.flags = spec.is_hosted ? format::kHeaderHosted : 0;
  h.pool.assign(spec.pool);
  h.app.assign(spec.app);
  h.host.assign(spec.host);
  h.db_user.assign(spec.db_user);
  h.version.assign(spec.version);
  h.target.assign(spec.target);
}

Status os_error(const std::string& what, int error) {
  if (error == EMFILE || error == ENFILE || error == ENOMEM) return shortage_status(what, error);
  const bool is_space = error == ENOSPC || error == EDQUOT;
  return Status::error(is_space ? Code::no_memory : Code::bad_option, what + ": " + std::strerror(error), "",
                       is_space ? "free some space, set dir or TIDEPOOL_DIR to another file system, or publish=off"
                                : "set dir or TIDEPOOL_DIR to a directory this user may write to, or publish=off");
}

// When a dead owner was last known to be alive. Vitals that it was writing when it exited cannot be read; then the
// start time is used.
int64_t last_sign_of(const Attachment& segment) {
  const int64_t beat = segment.last_heartbeat_wall_ns();
  return beat != 0 ? beat : segment.header().started_wall_ns;
}

constexpr size_t kHexBytes = 32;
constexpr int64_t kDayNs = 86'400'000'000'000;

bool exists(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 || errno != ENOENT;
}

bool is_hex(std::string_view text) {
  return text.size() == kHexBytes && text.find_first_not_of("0123456789abcdef") == text.npos;
}

// An unfinished file of this user. Holding the lock proves that no owner holds it. The lock is kept until the file is
// unlinked, so that an owner that was about to lock its new file detects that the file has lost its name.
void remove_unfinished(const std::string& path) {
  const Result<Descriptor> file = open_own_file(path);
  if (file && hold_owner_lock(file->get()) && is_named(file->get())) ::unlink(path.c_str());
}

// A file of this user that has no owner and was not written for a day.
void remove_old_file(const std::string& path, int64_t wall_now_ns) {
  const Result<Descriptor> file = open_own_file(path);
  struct stat info {};
  if (!file || ::fstat(file->get(), &info) != 0) return;
  const int64_t written_ns = int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
  if (wall_now_ns - written_ns < kDayNs || !hold_owner_lock(file->get()) || !is_named(file->get())) return;
  ::unlink(path.c_str());
}

// A mailbox is created after the .new file and before that is renamed to the segment, and is removed after it. So a
// mailbox without either has no owner, provided that the .new file is looked up first.
void remove_orphan(const std::string& mailbox, const std::string& unfinished, const std::string& segment) {
  struct stat info {};
  if (::lstat(mailbox.c_str(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_uid != ::getuid()) return;
  if (!exists(unfinished) && !exists(segment)) ::unlink(mailbox.c_str());
}

// Removes the files of owners that were killed while they opened or closed a pool.
void remove_leftovers(const std::string& directory) {
  std::vector<std::string> unfinished, mailboxes;
  DIR* dir = ::opendir(directory.c_str());
  if (dir == nullptr) return;
  while (const dirent* entry = ::readdir(dir)) {
    const std::string_view name = entry->d_name;
    if (name.front() == '.' && name.ends_with(kUnfinishedEnding)) {
      if (is_hex(name.substr(1, name.size() - 1 - kUnfinishedEnding.size()))) unfinished.emplace_back(name);
    } else if (name.ends_with(kMailboxEnding) && name.size() > kMailboxEnding.size() + kHexBytes + 1) {
      if (is_hex(name.substr(name.size() - kMailboxEnding.size() - kHexBytes, kHexBytes))) mailboxes.emplace_back(name);
    }
  }
  ::closedir(dir);
  for (const std::string& name : unfinished) remove_unfinished(directory + "/" + name);
  for (const std::string& name : mailboxes) {
    const std::string stem = name.substr(0, name.size() - kMailboxEnding.size());
    const std::string hex = stem.substr(stem.size() - kHexBytes);
    const std::string pool = stem.substr(0, stem.size() - kHexBytes - 1);
    remove_orphan(directory + "/" + name, unfinished_path(directory, hex), segment_path(directory, pool, hex));
  }
}

}  // namespace

InstanceId random_instance_id() {
  InstanceId id{};
  TIDE_ASSERT(::getrandom(id.data(), id.size(), 0) == static_cast<ssize_t>(id.size()));
  id[0] &= 0x7F;  // command ids have these bits at the top of a positive 64-bit number
  return id;
}

Result<std::unique_ptr<Segment>> Segment::create(const SegmentSpec& spec) {
  TIDE_ASSERT(spec.capacity >= 1 && spec.capacity <= kSlotsMax);
  std::unique_ptr<Segment> segment(new Segment());
  auto header = std::make_unique<format::Header>();
  const uint64_t bytes = lay_out(*header, spec);
  fill_header(*header, spec, bytes);

  if (spec.directory.empty()) {
    segment->fd_ = ::memfd_create("tidepool", MFD_CLOEXEC);
    if (segment->fd_ < 0) return os_error("cannot create the pool's memory", errno);
    if (const int error = reserve_pages(segment->fd_, *header, bytes); error != 0) {
      return os_error("cannot reserve the pool's memory", error);
    }
  } else if (Status made = segment->create_file(spec, *header, bytes); !made) {
    return made;
  }
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, segment->fd_, 0);
  if (memory == MAP_FAILED) return os_error("cannot map the pool's segment", errno);
  segment->memory_ = static_cast<std::byte*>(memory);
  segment->bytes_ = bytes;
  std::memcpy(memory, header.get(), sizeof *header);

  if (!spec.directory.empty()) {
    // Readers look for the final name only, so they never see an incomplete segment.
    if (Status boxed = segment->create_mailbox(spec); !boxed) return boxed;
    const std::string final_path = segment_path(spec.directory, spec.pool, instance_hex(spec.instance_id));
    if (::rename(segment->path_.c_str(), final_path.c_str()) != 0) {
      return os_error("cannot name the segment " + final_path, errno);
    }
    segment->path_ = final_path;
  }
  return segment;
}

Status Segment::create_file(const SegmentSpec& spec, const format::Header& header, uint64_t bytes) {
  const std::string path = unfinished_path(spec.directory, instance_hex(spec.instance_id));
  // Before it is locked, a process that cleans up may take the file for a dead owner's and remove it; then it is
  // created again.
  while (path_.empty()) {
    fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd_ < 0) return os_error("cannot create a segment in " + spec.directory, errno);
    if (!gain_owner_lock(fd_)) {
      const int error = errno;
      ::unlink(path.c_str());
      return os_error("cannot lock " + path, error);
    }
    if (is_named(fd_)) {
      path_ = path;
    } else {
      ::close(fd_);
    }
  }
  if (::fchmod(fd_, 0640) != 0) return os_error("cannot set the mode of " + path, errno);
  if (const int error = reserve_pages(fd_, header, bytes); error != 0) {
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
  int error = ::fchmod(fd, mode) == 0 ? 0 : errno;
  if (error == 0) error = ::posix_fallocate(fd, 0, format::kMailboxBytes);  // returns the error, does not set errno
  if (error == 0) {
    const ssize_t written = ::pwrite(fd, &header, sizeof header, 0);
    if (written != static_cast<ssize_t>(sizeof header)) error = written < 0 ? errno : ENOSPC;
  }
  if (error != 0) status = os_error("cannot prepare the mailbox " + path, error);
  ::close(fd);
  return status;
}

Segment::~Segment() {
  // Without space for the history the segment remains, as a dead owner's.
  if (!path_.empty() && leave_own_history()) ::unlink(path_.c_str());
  if (!mailbox_path_.empty()) ::unlink(mailbox_path_.c_str());
  if (memory_ != nullptr) ::munmap(memory_, bytes_);
  if (fd_ >= 0) ::close(fd_);
}

bool Segment::reserve(const format::HistoryRecord& record) noexcept {
  const auto offset = reinterpret_cast<const std::byte*>(&record) - memory_;
  return ::posix_fallocate(fd_, offset, sizeof record) == 0;
}

bool Segment::leave_own_history() noexcept {
  if (memory_ == nullptr) return true;
  try {
    const auto seen = Attachment::from_fd(fd_);
    if (!seen) return true;  // it is not complete
    const int64_t now_ns = wall_ns_now();
    HistoryOwner owner{{}, seen->header().pool};
    std::copy(std::begin(header().instance_id), std::end(header().instance_id), owner.instance_id.begin());
    return leave_history(path_, History::of(*seen, now_ns), owner, now_ns);
  } catch (const std::exception&) {
    return false;
  }
}

void Segment::abandon() noexcept {
  // The lock belongs to the open file description, which the parent shares: closing here does not release it. But a
  // mapping kept here would keep the description open, and the parent would look alive after its death.
  if (memory_ != nullptr) ::munmap(memory_, bytes_);
  if (fd_ >= 0) ::close(fd_);
  memory_ = nullptr;
  fd_ = -1;
  path_.clear();
  mailbox_path_.clear();
}

void remove_dead_segments(const std::string& directory, const std::string& name, int64_t wall_now_ns) {
  for (const std::string& path : list_segments(directory)) {
    auto attached = Attachment::open(path);
    if (!attached) {
      remove_old_file(path, wall_now_ns);  // of another version
      continue;
    }
    const Attachment& segment = *attached;
    if (segment.header().uid != ::getuid() || segment.liveness() != Liveness::dead) continue;
    if (segment.header().pool != name && wall_now_ns - last_sign_of(segment) < kDayNs) continue;
    ::unlink(path.c_str());
    ::unlink(mailbox_path_of(path).c_str());
  }
  for (const std::string& path : list_histories(directory)) remove_old_file(path, wall_now_ns);
  remove_leftovers(directory);
}

}  // namespace tide
