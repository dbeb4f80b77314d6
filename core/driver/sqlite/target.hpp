// What a connector opens: a file, or a database in memory shared by the sessions of the connector.
//
// In memory the memdb file system of SQLite is used, not the older shared cache, which locks whole tables and returns
// SQLITE_LOCKED at once without calling the busy handler; memdb has the locks of a file.
// Threads: values. Failure: look_at() reports errors and whether they may be temporary.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <string>

#include "base/status.hpp"
#include "policy/policy.hpp"

namespace tide::sqlite {

struct CloseDatabase {
  // v2: with statements leaked by a holder, the handle remains until they are finalized, and closing does not fail.
  void operator()(sqlite3* database) const noexcept;
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;

struct SqliteTarget {
  std::string path;   // absolute, so that chdir() has no effect; in memory the URI of the shared database
  std::string shown;  // for messages
  bool is_memory = false;
  SqliteAccess access = SqliteAccess::read_write;

  bool is_writable() const noexcept { return access == SqliteAccess::read_write; }
};

// `text` is a path or ":memory:". Every call with ":memory:" creates a new database, which is always writable.
SqliteTarget make_target(const std::string& text, SqliteAccess access = SqliteAccess::read_write);

struct OpenFailure {
  Status status;
  bool is_permanent = false;
};

// Checks before opening, because SQLite would only report "unable to open database file".
// Uses stat() only: opening and closing the file would release the locks that SQLite holds on it in this process.
// `needs_journal`: the journal mode writes a second file in the same directory.
OpenFailure look_at(const SqliteTarget& target, bool needs_journal);
// Opens the handle. SQLite reads the file only with the first statement, which detects a file that is not a database.
// `may_create`: create the file if it does not exist.
OpenFailure open_database(const SqliteTarget& target, Database& out, bool may_create = true);

}  // namespace tide::sqlite
