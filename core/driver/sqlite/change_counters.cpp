#include "driver/sqlite/change_counters.hpp"

#include <initializer_list>

namespace tide::sqlite {
namespace {

const ChangeCounters& self(sqlite3_context* context) {
  return *static_cast<const ChangeCounters*>(sqlite3_user_data(context));
}

}  // namespace

void ChangeCounters::install(sqlite3* database) noexcept {
  constexpr int kFlags = SQLITE_UTF8 | SQLITE_INNOCUOUS;
  sqlite3_create_function(database, "changes", 0, kFlags, this, &ChangeCounters::changes, nullptr, nullptr);
  sqlite3_create_function(database, "total_changes", 0, kFlags, this, &ChangeCounters::total_changes, nullptr, nullptr);
}

void ChangeCounters::remove(sqlite3* database) noexcept {
  for (const char* name : {"changes", "total_changes"}) {
    sqlite3_create_function(database, name, 0, SQLITE_UTF8, nullptr, nullptr, nullptr, nullptr);
  }
}

// While the lease has changed no rows, the last change was made by another lease.
void ChangeCounters::changes(sqlite3_context* context, int, sqlite3_value**) noexcept {
  sqlite3* database = sqlite3_context_db_handle(context);
  const bool has_changed = sqlite3_total_changes64(database) != self(context).begun_at_;
  sqlite3_result_int64(context, has_changed ? sqlite3_changes64(database) : 0);
}

void ChangeCounters::total_changes(sqlite3_context* context, int, sqlite3_value**) noexcept {
  sqlite3_result_int64(context, sqlite3_total_changes64(sqlite3_context_db_handle(context)) - self(context).begun_at_);
}

}  // namespace tide::sqlite
