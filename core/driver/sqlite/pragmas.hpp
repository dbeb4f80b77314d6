// Pragmas: the policy's wishes as SQLite's settings, put in place at connect and again after a holder changed them.
//
// Nothing is assumed: the journal mode is the one setting SQLite may quietly decline, so its answer is compared.
// Threads: whoever has the session's hands. Failure: a Status that names the setting and the file.
#pragma once

#include <sqlite3.h>

#include <string_view>

#include "base/status.hpp"
#include "driver/sqlite/target.hpp"
#include "policy/policy.hpp"

namespace tide::sqlite {

// The words SQLite uses for them.
std::string_view journal_mode_name(SqliteJournalMode mode);

// All settings of the policy. A busy database (another connection just switches it) fails retryable.
Status apply_pragmas(sqlite3* database, const SqliteTarget& target, const Policy& policy);

// Undoes what a holder did to the session, as far as Inspector calls it restorable: attached databases, temporary
// objects, the settings of the policy, query_only (off afterwards).
Status restore_session(sqlite3* database, const SqliteTarget& target, const Policy& policy);

}  // namespace tide::sqlite
