// ChangeCounters: last_insert_rowid(), changes() and total_changes() as the lease sees them.
//
// SQLite counts for as long as a session lives and lets nobody set its counters back. So the SQL functions are replaced
// by two that know where the lease began; sqlite3_changes() and sqlite3_total_changes() on native() still tell of all
// leases of the session.
// Threads: whoever has the session's hands. Failure: none; without memory SQLite's own functions stay.
#pragma once

#include <sqlite3.h>

namespace tide::sqlite {

class ChangeCounters {
 public:
  void install(sqlite3* database) noexcept;
  // A handle that stays open behind its session finds SQLite's own again.
  static void remove(sqlite3* database) noexcept;
  void begin_lease(sqlite3* database) noexcept {
    begun_at_ = sqlite3_total_changes64(database);
    sqlite3_set_last_insert_rowid(database, 0);
  }

 private:
  static void changes(sqlite3_context* context, int, sqlite3_value**) noexcept;
  static void total_changes(sqlite3_context* context, int, sqlite3_value**) noexcept;

  sqlite3_int64 begun_at_ = 0;
};

}  // namespace tide::sqlite
