#include "render/formats.hpp"

namespace tide {

Status render_openmetrics(const RenderRequest&, std::string&) {
  return Status::error(Code::unsupported, "format openmetrics");
}

}  // namespace tide
