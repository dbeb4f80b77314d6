#include "render/formats.hpp"

namespace tide {

Status render_health_json(const RenderRequest&, std::string&) {
  return Status::error(Code::unsupported, "format health_json");
}

}  // namespace tide
