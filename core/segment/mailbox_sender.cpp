#include "segment/mailbox_sender.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <set>

#include "base/owned_id.hpp"
#include "model/words.hpp"
#include "os/clock.hpp"
#include "segment/command_record.hpp"
#include "segment/directory.hpp"
#include "segment/instance_id.hpp"
#include "segment/mailbox_checksum.hpp"

namespace tide {
namespace {

constexpr Span kLockTimeout = Span::seconds(1);
constexpr Span kLockPause = Span::millis(2);
constexpr uint64_t kNumberMax = uint64_t{1} << 62;  // no pool reaches it; a larger number is forged

class File {
 public:
  File(const std::string& path, int flags) : fd_(::open(path.c_str(), flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);  // also releases the lock
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

Status refused(const Attachment& segment, const std::string& what, std::string detail = {}, std::string hint = {}) {
  return Status::error(Code::refused, "pool \"" + segment.header().pool + "\": " + what, std::move(detail),
                       std::move(hint));
}

Status cannot_open(const Attachment& segment, int error) {
  if (error == EACCES || error == EPERM || error == EROFS) {
    return refused(segment, "permission denied for its mailbox", std::strerror(error),
                   "the pool's own user and the group of the directory may write to the mailbox");
  }
  if (error == ENOENT) {
    return refused(segment, "its mailbox is missing", mailbox_path_of(segment.path()),
                   "close the pool and open it again, unless it was closed in the meantime");
  }
  if (error == ELOOP || error == EISDIR || error == ENXIO) {
    const char* const what = error == ELOOP    ? "a symbolic link"
                             : error == EISDIR ? "a directory"
                                               : "not a regular file";
    return refused(segment, std::string("its mailbox is ") + what, mailbox_path_of(segment.path()),
                   "it was replaced; reopen the pool");
  }
  return refused(segment, "its mailbox cannot be opened", std::strerror(error));
}

bool read_whole(int fd, void* into, size_t bytes, uint64_t offset) {
  return ::pread(fd, into, bytes, static_cast<off_t>(offset)) == static_cast<ssize_t>(bytes);
}

bool write_whole(int fd, const void* from, size_t bytes, uint64_t offset) {
  return ::pwrite(fd, from, bytes, static_cast<off_t>(offset)) == static_cast<ssize_t>(bytes);
}

uint64_t place_of(uint64_t number) {
  return sizeof(format::MailboxHeader) + number % format::kMailboxCommands * sizeof(format::MailboxCommand);
}

// The header, if the file is a mailbox and belongs to that pool.
std::optional<format::MailboxHeader> read_header(int fd, const Attachment& segment) {
  struct stat info {};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  if (info.st_size != static_cast<off_t>(format::kMailboxBytes)) return std::nullopt;
  format::MailboxHeader header{};
  if (!read_whole(fd, &header, sizeof header, 0)) return std::nullopt;
  if (std::memcmp(header.magic, format::kMailboxMagic, sizeof header.magic) != 0) return std::nullopt;
  if (header.layout_version != format::kLayoutVersion || header.header_bytes != sizeof header) return std::nullopt;
  if (instance_hex(header.instance_id) != segment.header().instance_id) return std::nullopt;
  return header;
}

// Another sender holds the lock only while it writes a page or two; one that is stopped while it holds the lock must not block us.
bool lock(int fd) {
  const int64_t give_up = monotonic_ns_now() + kLockTimeout.ns();
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if ((errno != EWOULDBLOCK && errno != EINTR) || monotonic_ns_now() > give_up) return false;
    pause_for(kLockPause);
  }
  return true;
}

// The valid commands in the ring, each at its own place.
class Posted {
 public:
  explicit Posted(int fd) {
    for (uint64_t place = 0; place < format::kMailboxCommands; ++place) {
      format::MailboxCommand command;
      if (!read_whole(fd, &command, sizeof command, place_of(place))) continue;
      if (command.number == 0 || command.number > kNumberMax || command.number % format::kMailboxCommands != place)
        continue;
      if (command.checksum == mailbox_checksum(command)) commands_[place] = command;
    }
  }
  // The command at the place of `number`; its own number may differ.
  const std::optional<format::MailboxCommand>& at_place_of(uint64_t number) const {
    return commands_[number % format::kMailboxCommands];
  }
  bool holds(uint64_t number) const { return at_place_of(number) && at_place_of(number)->number == number; }
  uint64_t highest() const {
    uint64_t highest = 0;
    for (const auto& command : commands_) highest = command ? std::max(highest, command->number) : highest;
    return highest;
  }

 private:
  std::array<std::optional<format::MailboxCommand>, format::kMailboxCommands> commands_;
};

// The answers of the pool: the numbers in its command ids, which are the lower halves of the commands' numbers.
class Answered {
 public:
  explicit Answered(const Attachment& segment) {
    for (const format::CommandRecord& command : segment.read_commands()) {
      if (owner_of(command.command_id) != segment.header().owner) continue;
      const uint32_t low = number_of(command.command_id);
      if (lows_.empty() || is_behind(low, highest_)) highest_ = low;
      lows_.insert(low);
    }
  }
  // Commands are answered in the order of their numbers, so numbers above the highest answer are unanswered.
  bool is_open(uint64_t number) const { return lows_.empty() || is_behind(static_cast<uint32_t>(number), highest_); }
  bool has(uint64_t number) const { return lows_.count(static_cast<uint32_t>(number)) != 0; }
  uint32_t highest() const { return highest_; }

 private:
  // The comparison is also right after the numbers have wrapped around.
  static bool is_behind(uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b) > 0; }
  std::set<uint32_t> lows_;
  uint32_t highest_ = 0;
};

// The last number that was issued. The count in the header is trusted only if the command with that number is there.
uint64_t last_number(const format::MailboxHeader& header, const Posted& posted, const Answered& answered) {
  uint64_t last = header.sent;
  if (last != 0 && !posted.holds(last)) last = posted.highest();
  if (last <= UINT32_MAX) last = std::max<uint64_t>(last, answered.highest());
  return last;
}

// The number for the next command, if there is room for the command.
Result<uint64_t> next_number(const Attachment& segment, const format::MailboxHeader& header, const Posted& posted) {
  const Answered answered(segment);
  uint64_t number = last_number(header, posted, answered) + 1;
  while (answered.has(number)) ++number;  // terminates: there are fewer answers than numbers
  if (number > kNumberMax) return refused(segment, "its mailbox is damaged", "command number out of range");
  const auto& before = posted.at_place_of(number);
  if (before && before->number < number && answered.is_open(before->number)) {
    return refused(segment, "its mailbox is full", "64 commands wait for an answer",
                   "see `commands`; check whether the pool's process is stopped");
  }
  return number;
}

uint64_t command_id_of(const Attachment& segment, uint64_t number) { return owned_id(segment.header().owner, number); }

}  // namespace

Status check_mailbox(const Attachment& segment) {
  if (segment.path().empty())
    return refused(segment, "it has no mailbox", "", "it can be controlled only from its own process");
  const File file(mailbox_path_of(segment.path()), O_RDWR);
  if (file.fd() < 0) return cannot_open(segment, errno);
  const auto header = read_header(file.fd(), segment);
  if (!header) return refused(segment, "its mailbox is damaged, or another pool's");
  return next_number(segment, *header, Posted(file.fd())).status();
}

Result<uint64_t> post_command(const Attachment& segment, std::string_view verb, std::string_view arguments,
                              std::string_view actor) {
  format::MailboxCommand command{};
  if (verb.size() > command.verb.kBytesMax || arguments.size() > command.arguments.kBytesMax) {
    return Status::error(Code::bad_argument, "the command is too long for a mailbox",
                         "accepted: arguments of up to " + std::to_string(command.arguments.kBytesMax) + " bytes");
  }
  if (segment.path().empty())
    return refused(segment, "it has no mailbox", "", "it can be controlled only from its own process");
  const File file(mailbox_path_of(segment.path()), O_RDWR);
  if (file.fd() < 0) return cannot_open(segment, errno);
  if (!read_header(file.fd(), segment)) return refused(segment, "its mailbox is damaged, or another pool's");
  if (!lock(file.fd()))
    return refused(segment, "its mailbox is busy", "another process has locked it for a second", "try again");
  auto header = read_header(file.fd(), segment);
  if (!header) return refused(segment, "its mailbox is damaged, or another pool's");

  const auto free = next_number(segment, *header, Posted(file.fd()));
  if (!free) return free.status();
  const uint64_t number = *free;
  command.number = number;
  command.issued_wall_ns = wall_ns_now();
  command.verb.assign(verb);
  command.actor.assign(actor);
  command.arguments.assign(arguments);
  command.checksum = mailbox_checksum(command);
  header->sent = number;
  // The count is written last: the owner reads a command only once the count includes it.
  if (!write_whole(file.fd(), &command, sizeof command, place_of(number)) ||
      !write_whole(file.fd(), &header->sent, sizeof header->sent, offsetof(format::MailboxHeader, sent))) {
    return refused(segment, "its mailbox cannot be written", std::strerror(errno));
  }
  return command_id_of(segment, number);
}

std::vector<format::CommandRecord> read_posted_commands(const Attachment& segment) {
  std::vector<format::CommandRecord> waiting;
  if (segment.path().empty()) return waiting;
  const File file(mailbox_path_of(segment.path()), O_RDONLY);
  if (file.fd() < 0) return waiting;
  const auto header = read_header(file.fd(), segment);
  if (!header) return waiting;
  const Posted posted(file.fd());
  const Answered answered(segment);
  const uint64_t last = last_number(*header, posted, answered);
  const uint64_t first = last >= format::kMailboxCommands ? last - format::kMailboxCommands + 1 : 1;
  for (uint64_t number = first; number <= last && number - first < format::kMailboxCommands; ++number) {
    if (!posted.holds(number) || !answered.is_open(number)) continue;
    const format::MailboxCommand& command = *posted.at_place_of(number);
    format::CommandRecord copy{};
    copy.command_id = command_id_of(segment, number);
    copy.issued_wall_ns = command.issued_wall_ns;
    copy.status = static_cast<uint32_t>(CommandStatus::queued);
    copy.actor.assign(clean_text(command.actor));
    copy.verb.assign(recorded_verb(command.verb.view()));
    copy.arguments.assign(recorded_arguments(command.arguments.view(), command.arguments.kBytesMax));
    waiting.push_back(std::move(copy));
  }
  return waiting;
}

}  // namespace tide
