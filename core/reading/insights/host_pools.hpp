// HostPools: the few figures of every running pool of this host that rules about several pools need.
//
// Read when they are first asked for, once: a relation that is read pool by pool reads the others only one more time.
// Threads: one at a time.
// Failure: none. Pools that this reader may not see are missing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "reading/fleet.hpp"

namespace tide {

inline constexpr int64_t kHostCountMost = 1'000'000;  // larger numbers in a segment are cut

struct HostPool {
  std::string instance_id, pool;
  std::string target;  // host, port and database, or the file
  uint32_t backend = 0;
  int64_t in_use = 0, idle = 0, waiting = 0;
  int64_t max_size = 0;
};

class HostPools {
 public:
  explicit HostPools(std::string directory) : directory_(std::move(directory)) {}

  const std::vector<HostPool>& all();

 private:
  std::string directory_;
  std::optional<std::vector<HostPool>> pools_;
};

}  // namespace tide
