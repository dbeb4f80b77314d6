// Exposition: the text formats of Prometheus (0.0.4) and OpenMetrics (1.0), which differ in a few rules.
#pragma once

#include <string>

#include "render/render.hpp"

namespace tide {

enum class Dialect : uint8_t { prometheus, openmetrics };

void expose(Dialect dialect, const RenderRequest& request, std::string& out);

}  // namespace tide
