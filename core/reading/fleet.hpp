// Fleet: all pools of this host that a reader may see, one segment after the other.
//
// Threads: any; set_local_segments() may be called at any time.
// Failure: none. A directory that cannot be read is empty, and a segment that does not open is passed over: its owner
// may have gone that moment, or the file is none.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "segment/attach.hpp"

namespace tide {

// Empty members match everything.
struct FleetFilter {
  std::string directory;  // where the segments are; empty: see resolve_directory()
  std::string pool;
  std::string instance_id;  // 32 hex digits
};

// Pools of this process come first, whatever the directory, because nobody else can show them; then those of the
// directory. Both in the order of pool and instance_id. Few descriptors are open at a time.
void for_each_segment(const FleetFilter& filter, const std::function<void(Attachment&)>& visit);

// Descriptors of the segments of this process that have no file. A descriptor may be closed as soon as the function has
// returned: it is duplicated at once, and one that became something else meanwhile is passed over.
using LocalSegments = std::vector<int> (*)();
void set_local_segments(LocalSegments local_segments);

// The one place of this room that asks for the time.
int64_t wall_clock_ns();

}  // namespace tide
