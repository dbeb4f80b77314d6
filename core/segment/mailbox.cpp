#include "segment/mailbox.hpp"

#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>

#include "os/shortage.hpp"
#include "segment/mailbox_checksum.hpp"

namespace tide {

Mailbox::Mailbox(const std::string& path) {
  if (path.empty()) return;
  file_ = Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file_.is_open() && is_shortage(errno)) throw Shortage(shortage_status("cannot open the mailbox " + path, errno));
  watch_ = Descriptor(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (watch_.is_open() && ::inotify_add_watch(watch_.get(), path.c_str(), IN_MODIFY) < 0) watch_.close();
}

void Mailbox::abandon() noexcept {
  file_.close();
  watch_.close();
}

void Mailbox::drain_watch() {
  alignas(inotify_event) char buffer[4096];
  while (watch_.is_open() && ::read(watch_.get(), buffer, sizeof buffer) > 0) {
  }
}

std::vector<PostedCommand> Mailbox::take() {
  std::vector<PostedCommand> commands;
  if (!file_.is_open()) return commands;
  drain_watch();
  format::MailboxHeader header;
  if (::pread(file_.get(), &header, sizeof header, 0) != static_cast<ssize_t>(sizeof header)) return commands;
  if (header.sent <= taken_) return commands;
  // A wrong count does not tell how many commands there are: read at most the last kMailboxCommands.
  uint64_t first = taken_ + 1;
  if (header.sent - taken_ > format::kMailboxCommands) first = header.sent - format::kMailboxCommands + 1;
  uint64_t last_sound = taken_;
  for (uint64_t number = first; number <= header.sent && number >= first; ++number) {
    format::MailboxCommand command;
    const auto offset = static_cast<off_t>(sizeof header + number % format::kMailboxCommands * sizeof command);
    if (::pread(file_.get(), &command, sizeof command, offset) != static_cast<ssize_t>(sizeof command)) break;
    if (command.number != number || command.checksum != mailbox_checksum(command)) {
      ++damaged_;
      continue;
    }
    last_sound = number;
    commands.push_back(
        {number, command.issued_wall_ns, command.verb.str(), command.actor.str(), command.arguments.str()});
  }
  // Only valid commands advance the mark: after a count without commands, the next valid command must still be read.
  taken_ = last_sound;
  return commands;
}

}  // namespace tide
