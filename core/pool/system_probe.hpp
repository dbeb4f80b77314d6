// SystemProbe: what the process has left, read from Linux: /proc and the cgroups (version 2).
//
// Memory that counts: of an operator's memory_limit the process's resident bytes; else of the tightest memory.max between
// the process's cgroup and the root what that cgroup uses (less the file cache it could drop at once); else of the
// machine's memory the resident bytes. What cannot be read, or is not what was expected there, is unknown: NaN.
// Cost: some ten small files are opened, read once and closed; no allocation.
// Threads: one at a time. Failure: none.
#pragma once

#include <string>

#include "pool/ports.hpp"

namespace tide {

class SystemProbe final : public ResourceProbe {
 public:
  // Everything is looked for below `root`: "" is the machine itself.
  explicit SystemProbe(std::string root = {}) : root_(std::move(root)) {}

  Resources sample(int64_t memory_limit) override;

 private:
  const std::string root_;
};

}  // namespace tide
