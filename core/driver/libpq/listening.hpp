// The connection to a PostgreSQL server that listens for notifications, for one pool.
#pragma once

#include <memory>

#include "driver/libpq/connector.hpp"
#include "pool/listening_port.hpp"

namespace tide {

// It connects as the connections of the pool do; its application_name ends with "(listen)". A pooler in transaction mode is
// refused, because it passes no notifications on.
// Throws Shortage if no descriptors are left. Errors in the target are reported as lost.
std::unique_ptr<ListeningPort> make_postgresql_listening_port(PostgresqlTarget target, const Policy& policy);

}  // namespace tide
