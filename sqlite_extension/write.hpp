// The writing half of a table: UPDATE and the transaction around it. The functions are SQLite's callbacks.
#pragma once

#include <sqlite3ext.h>

namespace tide::sqlite {

// Stages the orders that an UPDATE of one row means; INSERT and DELETE are refused.
int write_update(sqlite3_vtab* table, int count, sqlite3_value** values, sqlite3_int64* rowid);

int write_begin(sqlite3_vtab* table);
int write_sync(sqlite3_vtab* table);
int write_commit(sqlite3_vtab* table);
int write_rollback(sqlite3_vtab* table);
int write_savepoint(sqlite3_vtab* table, int number);
int write_release(sqlite3_vtab* table, int number);
int write_rollback_to(sqlite3_vtab* table, int number);

}  // namespace tide::sqlite
