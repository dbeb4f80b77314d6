// The PostgreSQL driver's door: a connector for one target.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "policy/policy.hpp"
#include "pool/ports.hpp"

namespace tide {

struct PostgresqlTarget {
  std::string connect_text;  // URL or key words, as libpq takes them
  std::string application;   // what the server shows as application_name where the target names none
  // Asked on the keeper at every connect: writes the password of the moment. Not set: the target's own.
  std::function<Status(std::string& password)> credentials;
};

// Never fails: what is wrong with the target is told by open().
// Threads  any; the clock must outlive connector and sessions.
std::unique_ptr<Connector> make_postgresql_connector(PostgresqlTarget target, const Policy& policy, const Clock& clock);

}  // namespace tide
