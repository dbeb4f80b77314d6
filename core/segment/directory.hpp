// The segment directory: the location of the segments of this host's pools, and the names of their files.
//
// Threads: any; nothing is kept.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.hpp"

namespace tide {

// `wanted` if it is not empty; else the first that applies of TIDEPOOL_DIR, /run/tidepool if it exists,
// $XDG_RUNTIME_DIR/tidepool, and /dev/shm/tidepool-<uid>.
std::string resolve_directory(std::string_view wanted);
std::string resolve_directory(std::string_view wanted, const std::function<const char*(const char*)>& environment);

// The name of a file that is not complete yet.
inline constexpr std::string_view kUnfinishedEnding = ".new";
std::string unfinished_path(const std::string& directory, std::string_view instance_hex);

// Makes sure that an owner can create segments there. Creates the directory (not its parents); refuses a path that is
// not a directory, and a directory below /dev/shm that belongs to another user.
Status ensure_directory(const std::string& path);

// "<directory>/<pool>.<instance>.segment"; characters of the pool's name that are not allowed in a file name are
// replaced by '_'.
std::string segment_path(const std::string& directory, std::string_view pool, std::string_view instance_hex);
// True if `path` is the segment file of this instance. A copy in the directory has another name.
bool is_home_of(const std::string& path, std::string_view pool, std::string_view instance_hex);
inline constexpr std::string_view kSegmentEnding = ".segment";
// In place of ".segment":
inline constexpr std::string_view kMailboxEnding = ".mailbox";
std::string mailbox_path_of(const std::string& segment_path);
inline constexpr std::string_view kHistoryEnding = ".history";  // what a closed pool leaves for the next one
std::string history_path_of(const std::string& segment_path);

// Of an absolute path.
std::string directory_of(const std::string& path);

// Files whose names are those of segments, sorted; at most kSegmentsMax. None for a directory that cannot be read.
inline constexpr size_t kSegmentsMax = 4096;
std::vector<std::string> list_segments(const std::string& directory);
std::vector<std::string> list_histories(const std::string& directory);
// The instance in such a name.
std::string instance_hex_of(const std::string& path);

}  // namespace tide
