#include "render/formats.hpp"

namespace tide {

Status render_prometheus(const RenderRequest&, std::string&) {
  return Status::error(Code::unsupported, "format prometheus");
}

}  // namespace tide
