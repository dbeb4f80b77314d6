// tide_format_at, tide_export, tide_export_with.
#include <tidepool/export.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "guard.hpp"
#include "os/clock.hpp"
#include "render/render.hpp"
#include "structs.hpp"
#include "texts.hpp"

using namespace tide;

namespace {

constexpr int64_t kNsPerMs = 1'000'000;

Status set_since(int64_t since_ms, RenderRequest& request) {
  const int64_t now_ms = request.wall_now_ns / kNsPerMs;
  const int64_t from_ms = since_ms >= 0 ? since_ms : std::max<int64_t>(1, now_ms + std::max(since_ms, -now_ms));
  if (from_ms > now_ms) {
    return Status::error(Code::bad_argument, "since_ms is " + std::to_string(since_ms) + ", which is in the future",
                         "accepted: ms since 1970 up to now, or a negative number of ms before now");
  }
  request.since_wall_ns = from_ms * kNsPerMs;
  return Status::ok();
}

Status export_to(const char* format, const tide_export_options* options, char** out, size_t* out_len) {
  if (format == nullptr) return Status::error(Code::bad_argument, "format is NULL", "", "such as \"prometheus\"");
  if (out == nullptr) return Status::error(Code::bad_argument, "out is NULL", "", "pass the address of a char *");
  tide_export_options wanted = TIDE_EXPORT_OPTIONS_INIT;
  if (Status read = read_struct(options, "tide_export_options", wanted); !read) return read;
  constexpr uint32_t kKnown =
      TIDE_EXPORT_MASKED | TIDE_EXPORT_LEGACY_NAMES | TIDE_EXPORT_CONNECTION_MAX | TIDE_EXPORT_FOR_SQLITE;
  if ((wanted.flags & ~kKnown) != 0) {
    return Status::error(Code::bad_argument, "flags is " + std::to_string(wanted.flags),
                         "accepted: a combination of TIDE_EXPORT_...");
  }
  RenderRequest request;
  request.which = {or_empty(wanted.directory), or_empty(wanted.pool), or_empty(wanted.instance_id)};
  request.wall_now_ns = wall_ns_now();
  request.is_masked = (wanted.flags & TIDE_EXPORT_MASKED) != 0;
  request.has_legacy_names = (wanted.flags & TIDE_EXPORT_LEGACY_NAMES) != 0;
  request.has_connection_max = (wanted.flags & TIDE_EXPORT_CONNECTION_MAX) != 0;
  request.is_for_sqlite = (wanted.flags & TIDE_EXPORT_FOR_SQLITE) != 0;
  if (Status possible = set_since(wanted.since_ms, request); !possible) return possible;
  std::string text;
  if (Status rendered = render(format, request, text); !rendered) return rendered;
  auto* const buffer = static_cast<char*>(std::malloc(text.size() + 1));  // freed by tide_free()
  if (buffer == nullptr) return Status::error(Code::no_memory, "no memory for the text");
  std::memcpy(buffer, text.c_str(), text.size() + 1);
  *out = buffer;
  if (out_len != nullptr) *out_len = text.size();
  return Status::ok();
}

}  // namespace

const tide_format* tide_format_at(int index) {
  try {
    // The texts are views of literals, which are NUL-terminated.
    static const auto formats = [] {
      std::vector<tide_format> all;
      for (const Format& each : formats_catalogue())
        all.push_back({each.name.data(), each.content_type.data(), each.meaning.data()});
      return all;
    }();
    return index >= 0 && static_cast<size_t>(index) < formats.size() ? &formats[static_cast<size_t>(index)] : nullptr;
  } catch (...) {
    return nullptr;  // no memory; the next call tries again
  }
}

tide_status tide_export(const char* format, const char* pool, int64_t since_ms, char** out, size_t* out_len,
                        tide_error* err) {
  tide_export_options options = TIDE_EXPORT_OPTIONS_INIT;
  options.pool = pool;
  options.since_ms = since_ms;
  return guarded(err, [&] { return export_to(format, &options, out, out_len); });
}

tide_status tide_export_with(const char* format, const tide_export_options* options, char** out, size_t* out_len,
                             tide_error* err) {
  return guarded(err, [&] { return export_to(format, options, out, out_len); });
}
