#include "base/status.hpp"

namespace tide {

const char* code_name(Code code) noexcept {
  switch (code) {
    case Code::ok: return "ok";
    case Code::timeout: return "timeout";
    case Code::closed: return "closed";
    case Code::queue_full: return "queue_full";
    case Code::unavailable: return "unavailable";
    case Code::bad_argument: return "bad_argument";
    case Code::bad_option: return "bad_option";
    case Code::stale_lease: return "stale_lease";
    case Code::database: return "database";
    case Code::not_found: return "not_found";
    case Code::refused: return "refused";
    case Code::forked: return "forked";
    case Code::no_memory: return "no_memory";
    case Code::unsupported: return "unsupported";
    case Code::internal: return "internal";
    case Code::rolled_back: return "rolled_back";
    case Code::unknown_outcome: return "unknown_outcome";
  }
  return "unknown";
}

}  // namespace tide
