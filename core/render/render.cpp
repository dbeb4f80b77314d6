#include "render/render.hpp"

#include <vector>

#include "base/nearest.hpp"
#include "base/text.hpp"
#include "render/formats.hpp"

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

}  // namespace

std::span<const Format> formats_catalogue() { return kFormats; }

Status render(std::string_view format, const RenderRequest& request, std::string& out) {
  std::vector<std::string_view> names;
  std::string list;
  for (const Format& each : kFormats) {
    if (each.name == format) return each.render(request, out);
    names.push_back(each.name);
    list.append(list.empty() ? "" : ", ").append(each.name);
  }
  return Status::error(Code::bad_argument, "no format " + in_quotes(format), "formats: " + list,
                       did_you_mean(format, names));
}

}  // namespace tide
