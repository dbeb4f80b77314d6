#include "render/exposition.hpp"
#include "render/formats.hpp"

namespace tide {

Status render_prometheus(const RenderRequest& request, std::string& out) {
  expose(Dialect::prometheus, request, out);
  return Status::ok();
}

}  // namespace tide
