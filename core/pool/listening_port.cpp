#include "pool/listening_port.hpp"

namespace tide {

Status listening_needs_direct_connection() {
  Status status = Status::error(Code::refused, "notifications cannot be received through a pooler in transaction mode",
                                "LISTEN belongs to a server session, which the pooler (option pooler) gives to another "
                                "client after each transaction.",
                                "Open a pool with the address of the server itself for listening, or set "
                                "pooler=session if that is the pool_mode of "
                                "the pooler.");
  status.text().sqlstate = "0A000";
  return status;
}

}  // namespace tide
