// The formats, each in a file of its own. See Format::render.
#pragma once

#include "render/render.hpp"

namespace tide {

Status render_json(const RenderRequest& request, std::string& out);
Status render_csv(const RenderRequest& request, std::string& out);
Status render_prometheus(const RenderRequest& request, std::string& out);
Status render_openmetrics(const RenderRequest& request, std::string& out);
Status render_otlp_json(const RenderRequest& request, std::string& out);
Status render_dashboard(const RenderRequest& request, std::string& out);
Status render_health_text(const RenderRequest& request, std::string& out);
Status render_health_json(const RenderRequest& request, std::string& out);

}  // namespace tide
