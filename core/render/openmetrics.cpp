#include "render/exposition.hpp"
#include "render/formats.hpp"

namespace tide {

Status render_openmetrics(const RenderRequest& request, std::string& out) {
  expose(Dialect::openmetrics, request, out);
  return Status::ok();
}

}  // namespace tide
