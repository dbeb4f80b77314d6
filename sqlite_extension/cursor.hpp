// The reading half of a table: a cursor is a snapshot taken in xFilter. The functions are SQLite's callbacks.
#pragma once

#include <sqlite3ext.h>

namespace tide::sqlite {

int cursor_open(sqlite3_vtab* table, sqlite3_vtab_cursor** out);
int cursor_close(sqlite3_vtab_cursor* cursor);
int cursor_filter(sqlite3_vtab_cursor* cursor, int pushed, const char* unused, int count, sqlite3_value** values);
int cursor_next(sqlite3_vtab_cursor* cursor);
int cursor_eof(sqlite3_vtab_cursor* cursor);
int cursor_column(sqlite3_vtab_cursor* cursor, sqlite3_context* context, int index);
int cursor_rowid(sqlite3_vtab_cursor* cursor, sqlite3_int64* out);

}  // namespace tide::sqlite
