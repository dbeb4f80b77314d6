#include "render/formats.hpp"

namespace tide {

Status render_dashboard(const RenderRequest&, std::string&) {
  return Status::error(Code::unsupported, "format dashboard");
}

}  // namespace tide
