// Inspect: every file of a segment directory and what it is, also those that a reader of pools skips.
//
// Threads: any; nothing is kept.
// Failure: none. A directory that cannot be read has no files; a file that disappears meanwhile is left out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "segment/attach.hpp"

namespace tide {

enum class FileStatus : uint8_t {
  live,
  stale,          // its owner has not updated it for 5 s
  dead,           // its owner has exited
  unreadable,     // this user may not read it
  damaged,        // a segment, but not a sound one
  other_version,  // of a tidepool with another layout
  not_a_segment,  // written by another program
  leftover,       // a file that belongs to a pool without a segment
};
inline constexpr std::string_view kFileStatusWords[] = {"live",    "stale",         "dead",          "unreadable",
                                                        "damaged", "other_version", "not_a_segment", "leftover"};

struct InspectedFile {
  std::string path;
  FileStatus status = FileStatus::not_a_segment;
  std::string pool;             // of a segment that cannot be read: as far as the file's name tells it; may be ""
  std::string instance_id;      // 32 hex digits; "": the file's name has none
  uint32_t layout_version = 0;  // 0: unknown
  int64_t size_bytes = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t mode = 0;                    // as of stat(), with the kind of file
  std::optional<bool> is_controllable;  // of a live or stale segment: this user may send commands to it
  std::string message;                  // why it is not read; "" for one that is
};

// Sorted by path; at most kSegmentsMax files. Mailboxes of segments are not listed.
std::vector<InspectedFile> inspect_directory(const std::string& directory);

}  // namespace tide
