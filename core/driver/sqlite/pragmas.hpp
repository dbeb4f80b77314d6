// Pragmas: the settings of the policy, applied when a session is opened and restored after a holder has changed them.
//
// The result of setting the journal mode is checked, because SQLite may keep another mode without an error.
// Threads: the one that has the hands of the session. Failure: a Status that names the setting and the file.
#pragma once

#include <sqlite3.h>

#include <string_view>

#include "base/status.hpp"
#include "driver/sqlite/target.hpp"
#include "policy/policy.hpp"

namespace tide::sqlite {

// The words SQLite uses for them.
std::string_view journal_mode_name(SqliteJournalMode mode);

// Applies all settings of the policy. If the database is busy (another connection is switching it), the error is retryable.
Status apply_pragmas(sqlite3* database, const SqliteTarget& target, const Policy& policy);

// Restores the session, as far as Inspector reports its changes as restorable: attached databases, temporary
// objects, the settings of the policy, query_only (off afterwards).
Status restore_session(sqlite3* database, const SqliteTarget& target, const Policy& policy);

}  // namespace tide::sqlite
