// The SQLite driver's door: a connector for one database file, or for one database in memory.
#pragma once

#include <memory>
#include <string>

#include "policy/policy.hpp"
#include "pool/ports.hpp"

namespace tide {

// `path_or_memory` is a file's path (made absolute here) or ":memory:" for a database shared by this connector's
// sessions, which lives as long as the connector. Never fails: what is wrong with the path is told by open().
// Threads  any; the clock must outlive connector and sessions.
std::unique_ptr<Connector> make_sqlite_connector(const std::string& path_or_memory, const Policy& policy,
                                                 const Clock& clock);

// The same for a file, with helper threads: a disk that does not answer holds nobody up but who needs it.
// Throws Shortage where no descriptor is left.
// Threads  any; the clock must live as long as the process.
std::unique_ptr<Connector> make_threaded_sqlite_connector(const std::string& path, const Policy& policy,
                                                          const Clock& clock);

// TIDE_FORKED for a file that was open in the parent process at the fork; what else may be wrong is told by open().
Status check_sqlite_target(const std::string& path_or_memory);

}  // namespace tide
