// What a connector opens: a file, or one database in memory shared by the connector's sessions.
//
// In memory it is SQLite's memdb file system and not the older shared cache: the shared cache locks whole tables and
// answers SQLITE_LOCKED at once without ever asking the busy handler; memdb locks like a file does.
// Threads: values. Failure: look_at() says what stands in the way and whether that can pass by itself.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <string>

#include "base/status.hpp"
#include "policy/policy.hpp"

namespace tide::sqlite {

struct CloseDatabase {
  // v2: statements a holder leaked keep the handle until they are finalized, instead of making the close fail.
  void operator()(sqlite3* database) const noexcept;
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;

struct SqliteTarget {
  std::string path;   // absolute, so that a later chdir() means nothing; for memory the URI of the shared database
  std::string shown;  // for messages
  bool is_memory = false;
  SqliteAccess access = SqliteAccess::read_write;

  bool is_writable() const noexcept { return access == SqliteAccess::read_write; }
};

// `text` is a path or ":memory:". Every call with ":memory:" makes a database of its own, which is always writable.
SqliteTarget make_target(const std::string& text, SqliteAccess access = SqliteAccess::read_write);

struct OpenFailure {
  Status status;
  bool is_permanent = false;
};

// What can be known before SQLite is asked; SQLite itself would only say "unable to open database file".
// Looks with stat() only: to open and close the file here would drop the locks SQLite holds on it in this process.
// `needs_journal`: the journal mode writes a second file beside the first.
OpenFailure look_at(const SqliteTarget& target, bool needs_journal);
// Opens the handle. SQLite is lazy: a file that is no database is found by the first statement.
// `may_create`: a file that is not there is created.
OpenFailure open_database(const SqliteTarget& target, Database& out, bool may_create = true);

}  // namespace tide::sqlite
