// SystemProbe: what the process has left, read from Linux: /proc and the cgroups (version 2).
//
// Memory that counts: of an operator's memory_limit the process's resident bytes; else of the tightest memory.max between
// the process's cgroup and the root what that cgroup uses (less the file cache it could drop at once); else of the
// machine's memory the resident bytes. What cannot be read, or is not what was expected there, is unknown: NaN.
// Cost: some ten small files are opened, read once and closed; no allocation.
// Threads: one at a time. Failure: none.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

namespace tide {

// NaN: not measured.
struct ProcessResources {
  static constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
  double memory_bytes = kUnknown;        // resident, of the process or its cgroup: what the limit counts
  double memory_limit_bytes = kUnknown;  // memory_limit, else the cgroup's, else the machine's
  double memory_stall = kUnknown;        // PSI: share of the last 10 s in which some task waited for memory, 0..1
  double descriptors = kUnknown;
  double descriptors_max = kUnknown;  // RLIMIT_NOFILE
};

// Costs system calls: asked once a second at most, by the keeper.
class ResourceProbe {
 public:
  virtual ~ResourceProbe() = default;
  // `memory_limit` in bytes, 0: find the limit out.
  virtual ProcessResources sample(int64_t memory_limit) = 0;
};

class SystemProbe final : public ResourceProbe {
 public:
  // Everything is looked for below `root`: "" is the machine itself.
  explicit SystemProbe(std::string root = {}) : root_(std::move(root)) {}

  ProcessResources sample(int64_t memory_limit) override;

 private:
  const std::string root_;
};

}  // namespace tide
