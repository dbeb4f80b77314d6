// SystemProbe: memory and descriptors that are available to the process, read from Linux: /proc and cgroups (version
// 2).
//
// Which memory counts: with memory_limit set, the process's resident bytes; else, of the smallest memory.max between
// the process's cgroup and the root, the usage of that cgroup (without inactive page cache); else, of the machine's
// memory, the resident bytes. A value that cannot be read, or is not as expected, is NaN (unknown).
// Cost: about ten small files are opened and read once; no allocation.
// Threads: one at a time. Failure: none.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

namespace tide {

// NaN: not measured.
struct ProcessResources {
  static constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
  double memory_bytes = kUnknown;        // resident, of the process or its cgroup: what is compared with the limit
  double memory_limit_bytes = kUnknown;  // memory_limit, else the cgroup's, else the machine's
  double memory_stall = kUnknown;        // PSI: share of the last 10 s in which a task waited for memory, 0..1
  double descriptors = kUnknown;
  double descriptors_max = kUnknown;  // RLIMIT_NOFILE
};

// Makes system calls: the keeper calls it at most once a second.
class ResourceProbe {
 public:
  virtual ~ResourceProbe() = default;
  // `memory_limit` in bytes; 0: determine the limit.
  virtual ProcessResources sample(int64_t memory_limit) = 0;
};

class SystemProbe final : public ResourceProbe {
 public:
  // All files are read below `root`; "" is the machine itself.
  explicit SystemProbe(std::string root = {}) : root_(std::move(root)) {}

  ProcessResources sample(int64_t memory_limit) override;

 private:
  const std::string root_;
};

}  // namespace tide
