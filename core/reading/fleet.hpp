// Fleet: all pools of this host that a reader may see, one segment after the other.
//
// Threads: any.
// Failure: none. A directory that cannot be read counts as empty, and a segment that cannot be opened is skipped: its
// owner may have just exited, or the file is not a segment.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "segment/attach.hpp"

namespace tide {

// Empty members match everything.
struct FleetFilter {
  std::string directory;  // of the segments; empty: see resolve_directory()
  std::string pool;
  std::string instance_id;  // 32 hex digits
};

// Pools of this process come first, whatever the directory, because no other process can show them; then those of the
// directory. Both are sorted by pool and instance_id. Few descriptors are open at a time.
void for_each_segment(const FleetFilter& filter, const std::function<void(Attachment&)>& visit);

}  // namespace tide
