#include "render/formats.hpp"

namespace tide {

Status render_csv(const RenderRequest&, std::string&) { return Status::error(Code::unsupported, "format csv"); }

}  // namespace tide
