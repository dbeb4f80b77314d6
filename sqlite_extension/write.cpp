#include "write.hpp"

#include <string>
#include <vector>

#include "assign.hpp"
#include "table.hpp"
#include "translate.hpp"

SQLITE_EXTENSION_INIT3

namespace tide::sqlite {
namespace {

int refuse(sqlite3_vtab* vtab, int code, const std::string& text) {
  set_message(vtab, table_of(vtab).sql_name() + ": " + text);
  return code;
}

}  // namespace

int write_update(sqlite3_vtab* vtab, int count, sqlite3_value** values, sqlite3_int64*) {
  return guarded(vtab, [&]() -> int {
    Table& table = table_of(vtab);
    const tide_relation& relation = *table.relation;
    const std::string hint = "\nHint: UPDATE may set " + assignable_columns(relation);
    const bool is_insert = count > 1 && sqlite3_value_type(values[0]) == SQLITE_NULL;
    if (count == 1 || is_insert) {
      return refuse(vtab, SQLITE_READONLY,
                    std::string(is_insert ? "INSERT" : "DELETE") +
                        " is refused: rows come and go with the pools themselves" + hint);
    }
    if (sqlite3_value_int64(values[0]) != sqlite3_value_int64(values[1])) {
      return refuse(vtab, SQLITE_CONSTRAINT, "rowid cannot be assigned" + hint);
    }
    sqlite3_value** const assigned = values + 2;
    sqlite3_value* hidden = assigned[table.directory()];
    std::optional<RowIdentity> row;
    if (sqlite3_value_type(hidden) == SQLITE_BLOB) {
      const auto* bytes = static_cast<const char*>(sqlite3_value_blob(hidden));
      const auto length = static_cast<size_t>(sqlite3_value_bytes(hidden));
      if (bytes != nullptr) row = RowIdentity::unpack({bytes, length});
    }
    if (!row) {
      bool is_told = false;
      for (int i = 0; i < relation.ncolumns; ++i) is_told = is_told || sqlite3_value_nochange(assigned[i]) != 0;
      if (is_told) return refuse(vtab, SQLITE_CONSTRAINT, "dir cannot be assigned" + hint);
      // SQLite hands over a whole new row here, of which nobody can tell what was meant and what is merely old.
      return refuse(vtab, SQLITE_CONSTRAINT,
                    "UPDATE ... FROM does not say which columns were assigned"
                    "\nHint: write SET column = (SELECT ...) instead");
    }

    std::vector<Order> orders;
    for (int i = 0; i < relation.ncolumns; ++i) {
      if (sqlite3_value_nochange(assigned[i]) != 0) continue;
      if (auto why = assign(relation, i, assigned[i], *row, orders)) return refuse(vtab, SQLITE_CONSTRAINT, *why);
    }
    if (auto why = table.staging->stage(vtab, std::move(orders))) return refuse(vtab, SQLITE_CONSTRAINT, *why);
    return SQLITE_OK;
  });
}

int write_begin(sqlite3_vtab* vtab) {
  return guarded(vtab, [&] { return table_of(vtab).staging->begin(vtab), SQLITE_OK; });
}
int write_sync(sqlite3_vtab* vtab) {
  return guarded(vtab, [&] {
    const auto why = table_of(vtab).staging->publish();
    return why ? refuse(vtab, SQLITE_CONSTRAINT, *why) : SQLITE_OK;
  });
}
int write_commit(sqlite3_vtab* vtab) {
  return guarded(vtab, [&] { return table_of(vtab).staging->commit(vtab), SQLITE_OK; });
}
int write_rollback(sqlite3_vtab* vtab) {
  return guarded(vtab, [&] { return table_of(vtab).staging->drop(vtab), SQLITE_OK; });
}
int write_savepoint(sqlite3_vtab* vtab, int number) {
  return guarded(vtab, [&] { return table_of(vtab).staging->savepoint(vtab, number), SQLITE_OK; });
}
int write_release(sqlite3_vtab* vtab, int number) {
  return guarded(vtab, [&] { return table_of(vtab).staging->release(vtab, number), SQLITE_OK; });
}
int write_rollback_to(sqlite3_vtab* vtab, int number) {
  return guarded(vtab, [&] { return table_of(vtab).staging->rollback_to(vtab, number), SQLITE_OK; });
}

}  // namespace tide::sqlite
