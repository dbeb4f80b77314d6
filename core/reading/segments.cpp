// The relation "segments": the files of the segment directory, also those that are not read.
#include <sys/stat.h>

#include <cstdio>

#include "os/user.hpp"
#include "reading/cell.hpp"
#include "reading/source.hpp"
#include "segment/directory.hpp"
#include "segment/inspect.hpp"

namespace tide {
namespace {

using enum ColumnType;
using enum Privacy;

constexpr Column kSegmentColumns[] = {
    {"path", text, "", "The file.", masked},
    {"pool", text, "", "Name of its pool; of a file that cannot be read as far as its name tells it.", open},
    {"instance_id", text, "", "Identifier of the pool's instance; null if the file's name has none.", open},
    {"status", text, "",
     "live, stale (not updated for 5 s), dead (its owner has exited), unreadable (this user may not read it), damaged, "
     "other_version (of another version of tidepool), not_a_segment, or leftover (without its segment).",
     open},
    {"layout_version", integer, "", "Version of the file's layout; null if it could not be read."},
    {"size_bytes", integer, "bytes", "Size of the file."},
    {"owner", text, "", "User to whom the file belongs.", masked},
    {"mode", text, "", "Permissions of the file, in octal digits such as 0640.", open},
    {"message", text, "", "Why the file is not read; null if it is.", masked},
    {"controllable", boolean, "",
     "True if this user may send commands to the pool; null if the pool does not run, or its file is not read."},
};

Row row_of(const InspectedFile& file) {
  char mode[8];
  std::snprintf(mode, sizeof mode, "%04o", file.mode & 07777U);
  return {
      cell::text(clean_text(file.path, "")),
      cell::text_or_null(file.pool),
      cell::text_or_null(file.instance_id),
      cell::text(kFileStatusWords[static_cast<size_t>(file.status)]),
      cell::count_or_null(file.layout_version),
      cell::integer(file.size_bytes),
      cell::text(user_name(file.uid)),
      cell::text(mode),
      cell::text_or_null(clean_text(file.message, "")),
      file.is_controllable ? cell::truth(*file.is_controllable) : cell::none(),
  };
}

void add_segments(const FleetFilter& filter, std::vector<Row>& out) {
  for (const InspectedFile& file : inspect_directory(resolve_directory(filter.directory))) {
    if (!filter.pool.empty() && filter.pool != file.pool) continue;
    if (!filter.instance_id.empty() && filter.instance_id != file.instance_id) continue;
    out.push_back(row_of(file));
  }
}

}  // namespace

const Source& segments_source() {
  static constexpr Source kSource{
      .relation = {"segments", "The files of the segment directory, also those that cannot be read.", kSegmentColumns},
      .add_directory_rows = add_segments};
  return kSource;
}

}  // namespace tide
