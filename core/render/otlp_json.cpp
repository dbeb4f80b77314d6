#include "render/formats.hpp"

namespace tide {

Status render_otlp_json(const RenderRequest&, std::string&) {
  return Status::error(Code::unsupported, "format otlp_json");
}

}  // namespace tide
