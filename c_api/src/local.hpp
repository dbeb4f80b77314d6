// What the observing part of the library cannot know by itself: pools of this very process that have no files
// (plane=off). The engine sets both hooks when it opens its first pool; without it (in the SQLite extension) they stay
// empty and there are no such pools.
//
// Threads: any; set once, read often.
// Failure: none.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/status.hpp"

namespace tide {

// Call `visit(context, fd)` for the segment of every open pool of this process that has no file. The descriptor must
// stay open during the call; who wants it longer duplicates it.
using SegmentVisit = void (*)(void* context, int fd);
using LocalSegments = void (*)(SegmentVisit visit, void* context);

// Give the pool with this instance id (32 hex digits) an order, form already checked. The command id, or not_found when
// no open pool without files bears the id.
using LocalControl = Result<uint64_t> (*)(const std::string& instance_id, const std::string& verb,
                                          const std::string& arguments, const std::string& actor);

namespace local {
inline std::atomic<LocalSegments> segments{nullptr};
inline std::atomic<LocalControl> control{nullptr};
}  // namespace local

inline void set_local_segments(LocalSegments hook) { local::segments.store(hook, std::memory_order_release); }
inline void set_local_control(LocalControl hook) { local::control.store(hook, std::memory_order_release); }
inline LocalSegments local_segments() { return local::segments.load(std::memory_order_acquire); }
inline LocalControl local_control() { return local::control.load(std::memory_order_acquire); }

}  // namespace tide
