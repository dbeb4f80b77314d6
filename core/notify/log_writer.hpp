// LogWriter: writes lines to the log destination.
#pragma once

#include <string>
#include <string_view>

#include "base/status.hpp"
#include "brain/action.hpp"

namespace tide {

class LogWriter {
 public:
  // "stderr", "syslog", or the absolute path of a file.
  explicit LogWriter(std::string destination) : destination_(std::move(destination)) {}

  // Checks whether the file can be written, and creates it if it does not exist. Fails with bad_option.
  Status check() const;
  // May block as long as the destination does. False: the line is lost.
  bool write(std::string_view line, Severity severity) const;

 private:
  bool is_file() const { return !destination_.empty() && destination_.front() == '/'; }

  const std::string destination_;
};

}  // namespace tide
