// The connector of the SQLite driver, for one database file or one database in memory.
#pragma once

#include <memory>
#include <string>

#include "policy/policy.hpp"
#include "pool/ports.hpp"

namespace tide {

// `path_or_memory` is the path of a file (made absolute here), or ":memory:" for a database shared by the sessions of this
// connector, which exists as long as the connector. Never fails: errors in the path are reported by open().
// Threads  any; the clock must outlive connector and sessions.
std::unique_ptr<Connector> make_sqlite_connector(const std::string& path_or_memory, const Policy& policy,
                                                 const Clock& clock);

// The same for a file, with helper threads: a disk that does not respond blocks only the calls that need it.
// Throws Shortage if no descriptor is available.
// Threads  any; the clock must be valid until the process ends.
std::unique_ptr<Connector> make_threaded_sqlite_connector(const std::string& path, const Policy& policy,
                                                          const Clock& clock);

// A defect of the version of SQLite in this process that concerns pools of this target; empty: none is known. Shown as a note
// on sqlite_journal_mode.
std::string known_sqlite_defect(const std::string& path_or_memory, const Policy& policy);

// TIDE_FORKED for a file that was open in the parent process at the fork; other errors are reported by open().
Status check_sqlite_target(const std::string& path_or_memory);

}  // namespace tide
