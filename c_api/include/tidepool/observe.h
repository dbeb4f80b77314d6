/* Reading the pools of this host as relations, and checking options. Include <tidepool/tidepool.h>. */
#ifndef TIDEPOOL_OBSERVE_H
#define TIDEPOOL_OBSERVE_H

#include <tidepool/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tide_column {
  const char* name;    /* as in SQL */
  int32_t type;        /* TIDE_INT ... */
  int32_t is_writable; /* 1: UPDATE may set it */
  const char* unit;    /* "ms", "connections", ... or "" */
  const char* meaning; /* one sentence */
} tide_column;

typedef struct tide_relation {
  const char* name;    /* "pools" */
  const char* meaning; /* one sentence */
  int32_t ncolumns;
  int32_t reserved;
  const tide_column* columns;
} tide_relation;

/**
 * Return the relation at a position of the list of relations, or NULL past its end. The list is the same in the SQLite and
 * in the PostgreSQL extension.
 *
 * @param index  from 0
 */
TIDE_API const tide_relation* tide_relation_at(int index);

/**
 * Return 1 if a column must be hidden from readers who may see figures only: it contains text from users or servers (tags,
 * reasons, errors), the name of a user, or the target of a pool. Otherwise return 0.
 *
 * Cursors do not hide anything: a user who may read a segment file may read all of it. A program that shows rows to others, as
 * the PostgreSQL extension does to roles, hides these columns.
 *
 * @param relation  from tide_relation_at()
 * @param column    from 0; 1 is returned for a column that does not exist
 */
TIDE_API int tide_column_is_masked(const tide_relation* relation, int column);

typedef struct tide_cursor tide_cursor;

/* Which rows to read. NULL or "" means all. */
typedef struct tide_filter {
  uint32_t size; /* TIDE_FILTER_INIT */
  uint32_t reserved;
  const char* directory;   /* of the segment files; NULL: tide_default_directory() */
  const char* pool;        /* only pools of this name */
  const char* instance_id; /* only this instance */
} tide_filter;

#define TIDE_FILTER_INIT \
  { (uint32_t)sizeof(tide_filter), 0, NULL, NULL, NULL }

/**
 * Read a relation: take a consistent snapshot of each pool now, and open a cursor over its rows.
 *
 * Segment files that are damaged or were not written by tidepool yield no rows and no error.
 *
 * @param relation  name, such as "leases"
 * @param filter    may be NULL: all rows
 * @param out       set only on success; positioned before the first row
 * Owns     the caller closes the cursor with tide_cursor_close().
 * Fails    TIDE_NOT_FOUND (no such relation; the hint suggests the most similar name), TIDE_BAD_ARGUMENT.
 */
TIDE_API tide_status tide_cursor_open(const char* relation, const tide_filter* filter, tide_cursor** out,
                                      tide_error* err);

/**
 * Advance to the next row. Return 1, or 0 past the last row.
 *
 * @param cursor  an open cursor
 */
TIDE_API int tide_cursor_next(tide_cursor* cursor);

/**
 * Return 1 if a value is NULL (not measured, or not applicable) or does not exist, otherwise 0.
 *
 * @param cursor  on a row
 * @param column  from 0
 */
TIDE_API int tide_cursor_is_null(const tide_cursor* cursor, int column);

/**
 * Return a value of type TIDE_INT, TIDE_BOOL or TIDE_TIME, or 0 for NULL and for other types.
 *
 * @param cursor  on a row
 * @param column  from 0
 */
TIDE_API int64_t tide_cursor_int(const tide_cursor* cursor, int column);

/**
 * Return a value of type TIDE_DOUBLE, or 0 for NULL and for other types.
 *
 * @param cursor  on a row
 * @param column  from 0
 */
TIDE_API double tide_cursor_double(const tide_cursor* cursor, int column);

/**
 * Return a value of any type as text, or NULL for NULL. Times are written "2026-01-31 23:59:59.123Z", booleans 0 or 1.
 *
 * @param cursor  on a row
 * @param column  from 0
 * @param length  may be NULL; out: the number of bytes
 * Owns     valid until the next row, or until the text of the same column is read again.
 */
TIDE_API const char* tide_cursor_text(const tide_cursor* cursor, int column, size_t* length);

/**
 * Close a cursor.
 *
 * @param cursor  NULL does nothing
 */
TIDE_API void tide_cursor_close(tide_cursor* cursor);

/**
 * Check one option without opening a pool: its name exists, and its value has the right type and is in range. Contradictions
 * between options are not detected.
 *
 * @param name          current or old
 * @param value         NULL checks the name only
 * @param current_name  may be NULL; set on success to the current name
 * Fails    TIDE_BAD_OPTION (the hint suggests the most similar name), TIDE_BAD_ARGUMENT.
 */
TIDE_API tide_status tide_option_check(const char* name, const char* value, const char** current_name, tide_error* err);

/**
 * Check all options before a pool is opened with them, and report every problem, not only the first.
 *
 * @param url      as for tide_pool_open(), with which environment variables are considered too; NULL: only the options
 * @param options  as for tide_pool_open(); NULL for none
 * @param out      set only on success; positioned before the first row. Columns, all text: kind ("error": tide_pool_open()
 *                 would fail; "advice": accepted, but rarely useful; "note": why the option has no effect, or why it has
 *                 its value), message, detail, hint (NULL if there is none). No rows: there is nothing to report.
 * Owns     the caller closes the cursor with tide_cursor_close().
 * Fails    TIDE_BAD_ARGUMENT (out is NULL). Invalid options are rows, not failures.
 */
TIDE_API tide_status tide_options_check(const char* url, const char* options, tide_cursor** out, tide_error* err);

/**
 * Parse a duration in the format of options and commands: "30s", "500ms", "1.5h", "5min", "2d", "250us", or a number of
 * milliseconds. The result is exact: what is finer than a microsecond is not accepted, and nothing is rounded.
 *
 * @param text          must not be negative
 * @param microseconds  set only on success
 * Fails    TIDE_BAD_ARGUMENT.
 */
TIDE_API tide_status tide_duration_parse(const char* text, int64_t* microseconds, tide_error* err);

/**
 * Get the directory of the segment files that is used where none is given: TIDEPOOL_DIR, else /run/tidepool if it exists,
 * else $XDG_RUNTIME_DIR/tidepool, else /dev/shm/tidepool-<uid>.
 *
 * @param path   buffer for the result, including the terminating NUL
 * @param bytes  size of the buffer; 4096 is always enough
 * Fails    TIDE_BAD_ARGUMENT (path is NULL, or the buffer is too small).
 */
TIDE_API tide_status tide_default_directory(char* path, size_t bytes, tide_error* err);

#ifdef __cplusplus
}
#endif

#endif
