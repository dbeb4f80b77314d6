// ChangeCounters: last_insert_rowid(), changes() and total_changes() of the current lease.
//
// SQLite counts during the life of a session, and its counters cannot be reset. Therefore the SQL functions are replaced
// by functions that know the values at the begin of the lease; sqlite3_changes() and sqlite3_total_changes() on native()
// still include all leases of the session.
// Threads: the one that has the hands of the session. Failure: none; without memory the functions of SQLite remain.
#pragma once

#include <sqlite3.h>

namespace tide::sqlite {

class ChangeCounters {
 public:
  void install(sqlite3* database) noexcept;
  // Restores the functions of SQLite in a handle that remains open after its session.
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
