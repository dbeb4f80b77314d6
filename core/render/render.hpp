// Render: turns readings of pools into bytes that other programs and people read. No state.
//
// Threads: any.
// Failure: bad_argument for an unknown format (with the most similar one) or a time in the future; not_found if no pool
// matches a name that was given.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/status.hpp"
#include "reading/fleet.hpp"

namespace tide {

struct RenderRequest {
  FleetFilter which;
  int64_t since_wall_ns = 0;  // from when history is included; 0: no history
  int64_t wall_now_ns = 0;
  bool is_masked = false;           // leave out what columns of Privacy::masked contain
  bool has_legacy_names = false;    // metrics also under the names of older monitoring, see legacy.hpp
  bool has_connection_max = false;  // db.client.connection.max, the former name of .limit, too
  bool is_for_sqlite = false;       // commands in reports are written as for SQLite
};

struct Format {
  std::string_view name;                                             // "prometheus"
  std::string_view content_type;                                     // of HTTP
  std::string_view meaning;                                          // one sentence
  Status (*render)(const RenderRequest& request, std::string& out);  // appends to `out`
};

// In the order in which they are shown.
std::span<const Format> formats_catalogue();

Status render(std::string_view format, const RenderRequest& request, std::string& out);

}  // namespace tide
