// LogWriter: where lines go.
#pragma once

#include <string>
#include <string_view>

#include "base/status.hpp"
#include "brain/action.hpp"

namespace tide {

class LogWriter {
 public:
  // "stderr", "syslog", or a file's absolute path.
  explicit LogWriter(std::string destination) : destination_(std::move(destination)) {}

  // Whether a file can be written: bad_option with the reason. Makes it where there is none.
  Status check() const;
  // May block for as long as the destination does. False: the line is lost.
  bool write(std::string_view line, Severity severity) const;

 private:
  bool is_file() const { return !destination_.empty() && destination_.front() == '/'; }

  const std::string destination_;
};

}  // namespace tide
