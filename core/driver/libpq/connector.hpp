// The connector of the PostgreSQL driver, for one target.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "policy/policy.hpp"
#include "pool/ports.hpp"

namespace tide {

struct PostgresqlTarget {
  std::string connect_text;  // URL or keywords, as for libpq
  std::string application;   // application_name, unless the target sets it
  // Called at every connection attempt: writes the current password. Not set: the password of the target.
  std::function<Status(std::string& password)> credentials;
  std::string session_attrs = {};  // target_session_attrs, unless the target sets it; empty: any server
};

// Never fails: errors in the target are reported by open().
// Threads  any; the clock must outlive connector and sessions.
std::unique_ptr<Connector> make_postgresql_connector(PostgresqlTarget target, const Policy& policy, const Clock& clock);

}  // namespace tide
