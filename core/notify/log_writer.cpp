#include "notify/log_writer.hpp"

#include <errno.h>
#include <fcntl.h>
#include <syslog.h>
#include <unistd.h>
#include <system_error>

#include "os/descriptor.hpp"

namespace tide {
namespace {

constexpr mode_t kFileMode = 0640;  // like a segment: tags and messages may be confidential

Descriptor open_file(const std::string& path) {
  return Descriptor(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, kFileMode));
}

// In one call if possible, so that lines of several processes are not mixed.
bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

int priority_of(Severity severity) {
  switch (severity) {
    case Severity::info: return LOG_INFO;
    case Severity::warning: return LOG_WARNING;
    case Severity::critical: return LOG_CRIT;
  }
  return LOG_INFO;
}

}  // namespace

Status LogWriter::check() const {
  if (!is_file() || open_file(destination_).is_open()) return Status::ok();
  return Status::error(
      Code::bad_option,
      "could not write to log_destination \"" + destination_ + "\": " + std::generic_category().message(errno),
      "The value must be stderr, syslog, or the absolute path of a file.",
      "Create the directory, or specify a file that this user may write.");
}

bool LogWriter::write(std::string_view line, Severity severity) const {
  if (destination_ == "syslog") {
    ::syslog(LOG_USER | priority_of(severity), "tidepool: %.*s", static_cast<int>(line.size()), line.data());
    return true;
  }
  if (!is_file()) return write_all(STDERR_FILENO, "tidepool: " + std::string(line) + "\n");
  const Descriptor file = open_file(destination_);
  return file.is_open() && write_all(file.get(), std::string(line) + "\n");
}

}  // namespace tide
