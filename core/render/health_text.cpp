#include "render/formats.hpp"

namespace tide {

Status render_health_text(const RenderRequest&, std::string&) {
  return Status::error(Code::unsupported, "format health_text");
}

}  // namespace tide
