// The segment directory: where the segments of this host's pools are, and what their files are called.
//
// Threads: any; nothing is kept.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.hpp"

namespace tide {

// `wanted` if it is not empty; else TIDEPOOL_DIR, /run/tidepool where it exists, $XDG_RUNTIME_DIR/tidepool, and
// /dev/shm/tidepool-<uid>, the first that applies.
std::string resolve_directory(std::string_view wanted);
std::string resolve_directory(std::string_view wanted, const std::function<const char*(const char*)>& environment);

// Make sure that an owner can put segments there. Creates the directory (not its parents); refuses what is not a
// directory, and one below /dev/shm that belongs to somebody else.
Status ensure_directory(const std::string& path);

// "<directory>/<pool>.<instance>.segment"; characters of the pool's name that do not belong into a file name become
// '_'.
std::string segment_path(const std::string& directory, std::string_view pool, std::string_view instance_hex);
// Is `path` where the segment of this instance lives? A copy in the directory bears another name.
bool is_home_of(const std::string& path, std::string_view pool, std::string_view instance_hex);
inline constexpr std::string_view kMailboxEnding = ".mailbox";  // in place of ".segment"
std::string mailbox_path_of(const std::string& segment_path);

// Files that look like segments by their name, sorted; at most kSegmentsMax. A directory that cannot be read has none.
inline constexpr size_t kSegmentsMax = 4096;
std::vector<std::string> list_segments(const std::string& directory);

}  // namespace tide
