#include "render/formats.hpp"

namespace tide {

Status render_json(const RenderRequest&, std::string&) { return Status::error(Code::unsupported, "format json"); }

}  // namespace tide
