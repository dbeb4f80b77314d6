#include "render/render.hpp"

#include <algorithm>
#include <vector>

#include "base/nearest.hpp"
#include "base/text.hpp"
#include "render/formats.hpp"
#include "segment/directory.hpp"

namespace tide {
namespace {

constexpr Format kFormats[] = {
    {"json", "application/json", "Relations as JSON: one object, with an array of objects for each relation.",
     render_json},
    {"csv", "text/csv; charset=utf-8", "Metrics as CSV (RFC 4180): a header, then a row for each value.", render_csv},
    {"prometheus", "text/plain; version=0.0.4; charset=utf-8", "Metrics in the text format of Prometheus.",
     render_prometheus},
    {"openmetrics", "application/openmetrics-text; version=1.0.0; charset=utf-8",
     "Metrics in the text format of OpenMetrics, with exemplars.", render_openmetrics},
    {"otlp_json", "application/json", "Metrics as the body of a request to an OTLP/HTTP receiver (/v1/metrics).",
     render_otlp_json},
    {"dashboard", "application/json", "What a dashboard shows of each pool, as JSON.", render_dashboard},
    {"health_text", "text/plain; charset=utf-8", "Report on the health of each pool, for people.", render_health_text},
    {"health_json", "application/json", "The same report as JSON.", render_health_json},
};

// No pool matches a name: says where it was looked for, and what is there.
Status no_such_pool(const FleetFilter& which) {
  std::vector<std::string> there;
  for_each_segment({which.directory, {}, {}}, [&](Attachment& segment) { there.push_back(segment.header().pool); });
  there.erase(std::unique(there.begin(), there.end()), there.end());
  std::string list;
  for (const std::string& name : there) list.append(list.empty() ? "" : ", ").append(name);
  const std::vector<std::string_view> names(there.begin(), there.end());
  std::string message = which.pool.empty() ? "no pool has the instance_id " + in_quotes(which.instance_id)
                                           : "no pool is called " + in_quotes(which.pool);
  if (!which.pool.empty() && !which.instance_id.empty())
    message += " with the instance_id " + in_quotes(which.instance_id);
  std::string hint = did_you_mean(which.pool, names);
  if (hint.empty()) hint = "Set TIDEPOOL_DIR to the directory that the pools use, if it is another one.";
  return Status::error(Code::not_found, std::move(message),
                       "Pools of this process and of " + resolve_directory(which.directory) + ": " +
                           (list.empty() ? "none" : list) + ".",
                       std::move(hint));
}

// A name that was given must be that of a pool; without one there need not be any.
Status check_pool(const FleetFilter& which) {
  if (which.pool.empty() && which.instance_id.empty()) return Status::ok();
  bool is_there = false;
  for_each_segment(which, [&](Attachment&) { is_there = true; });
  return is_there ? Status::ok() : no_such_pool(which);
}

}  // namespace

std::span<const Format> formats_catalogue() { return kFormats; }

Status render(std::string_view format, const RenderRequest& request, std::string& out) {
  std::vector<std::string_view> names;
  std::string list;
  for (const Format& each : kFormats) {
    if (each.name == format) {
      if (Status found = check_pool(request.which); !found) return found;
      return each.render(request, out);
    }
    names.push_back(each.name);
    list.append(list.empty() ? "" : ", ").append(each.name);
  }
  return Status::error(Code::bad_argument, "no format " + in_quotes(format), "formats: " + list,
                       did_you_mean(format, names));
}

}  // namespace tide
