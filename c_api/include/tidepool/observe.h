/* Reading the pools of this host as relations. Include <tidepool/tidepool.h>. */
#ifndef TIDEPOOL_OBSERVE_H
#define TIDEPOOL_OBSERVE_H

#include <tidepool/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tide_column {
  const char* name;     /* as in SQL */
  int32_t type;         /* TIDE_INT ... */
  int32_t is_writable;  /* 1: UPDATE may set it, see tide_assign() */
  const char* unit;     /* "ms", "connections", ... or "" */
  const char* meaning;  /* one sentence */
  const char* sql_type; /* as PostgreSQL calls it: "bigint" */
  const char* key;      /* of a column that UPDATE may set: the column that says what is set; NULL: this one does */
  /* 1: only for readers of everything: what somebody typed or sent (tags, reasons, errors), who somebody is, or where a
     pool connects to. 0: open to all. A cursor shows everything, because who may read a segment's file may read all of
     it; who shows its rows to others, as the PostgreSQL extension does to roles, hides these columns. */
  int32_t is_masked;
  int32_t reserved;
} tide_column;

typedef struct tide_relation {
  const char* name;    /* "pools" */
  const char* meaning; /* one sentence */
  int32_t ncolumns;
  int32_t reserved;
  const tide_column* columns;
} tide_relation;

/**
 * The relations this library can read, in order; the same in every database.
 *
 * @param index  from 0
 * Threads  any.
 * Owns     lives for ever.
 * Fails    NULL behind the last one.
 * Since    0.1
 */
TIDE_API const tide_relation* tide_relation_at(int index);

typedef struct tide_cursor tide_cursor;

/* Which rows. NULL or "" means all. */
typedef struct tide_filter {
  uint32_t size; /* TIDE_FILTER_INIT */
  uint32_t reserved;
  const char* directory;   /* where the segments are; NULL: the default plane directory */
  const char* pool;        /* only pools of this name */
  const char* instance_id; /* only this instance */
} tide_filter;

#define TIDE_FILTER_INIT \
  { (uint32_t)sizeof(tide_filter), 0, NULL, NULL, NULL }

/**
 * Take a snapshot of a relation: one consistent reading of each pool, taken now.
 *
 * Segments that are damaged, foreign or hostile give no rows and never an error.
 *
 * @param relation  name, such as "leases"
 * @param filter    may be NULL: everything
 * @param out       set only on success, before the first row
 * @param err       may be NULL
 * Threads  any; a cursor is used by one thread at a time.
 * Owns     you must end it with tide_cursor_close().
 * Fails    TIDE_NOT_FOUND (no such relation; the hint names the nearest), TIDE_BAD_ARGUMENT, TIDE_NO_MEMORY.
 * Since    0.1
 */
TIDE_API tide_status tide_cursor_open(const char* relation, const tide_filter* filter, tide_cursor** out,
                                      tide_error* err);

/**
 * Step to the next row.
 * @param cursor  an open cursor
 * Threads  one at a time.
 * Owns     nothing.
 * Fails    0 behind the last row, else 1.
 * Since    0.1
 */
TIDE_API int tide_cursor_next(tide_cursor* cursor);

/**
 * Is the value of this row NULL (not measured)?
 * @param cursor  on a row
 * @param column  from 0
 * Threads  one at a time.
 * Owns     nothing.
 * Fails    1 off the rows and columns.
 * Since    0.1
 */
TIDE_API int tide_cursor_is_null(const tide_cursor* cursor, int column);

/**
 * A value of type TIDE_INT, TIDE_BOOL or TIDE_TIME.
 * @param cursor  on a row
 * @param column  from 0
 * Threads  one at a time.
 * Owns     nothing.
 * Fails    0 for NULL and other types.
 * Since    0.1
 */
TIDE_API int64_t tide_cursor_int(const tide_cursor* cursor, int column);

/**
 * A value of type TIDE_DOUBLE.
 * @param cursor  on a row
 * @param column  from 0
 * Threads  one at a time.
 * Owns     nothing.
 * Fails    0 for NULL and other types.
 * Since    0.1
 */
TIDE_API double tide_cursor_double(const tide_cursor* cursor, int column);

/**
 * A value of any type as text; times as "2026-01-31 23:59:59.123Z", booleans as 0 and 1.
 * @param cursor  on a row
 * @param column  from 0
 * @param length  may be NULL; set to the bytes
 * Threads  one at a time.
 * Owns     borrowed until the next step or the next text of this column.
 * Fails    NULL for NULL and off the rows.
 * Since    0.1
 */
TIDE_API const char* tide_cursor_text(const tide_cursor* cursor, int column, size_t* length);

/**
 * End a cursor.
 * @param cursor  NULL does nothing
 * Threads  one at a time.
 * Owns     takes the cursor.
 * Fails    never.
 * Since    0.1
 */
TIDE_API void tide_cursor_close(tide_cursor* cursor);

/**
 * Check one option without opening a pool: its name is known, its value is of its kind and within its range.
 *
 * @param name          current or old
 * @param value         NULL checks the name alone
 * @param current_name  may be NULL; set on success to what the catalogue calls it today
 * @param err           may be NULL; names option, value, what is accepted, and for an unknown name the nearest
 * Threads  any.
 * Owns     the current name lives for ever.
 * Fails    TIDE_BAD_OPTION, TIDE_BAD_ARGUMENT (name is NULL). What contradicts other options is not found here.
 * Since    0.1
 */
TIDE_API tide_status tide_option_check(const char* name, const char* value, const char** current_name, tide_error* err);

/**
 * Check all options before a pool is opened with them: everything there is to say, not only the first.
 *
 * @param url      as for tide_pool_open(), with which the environment counts, too; NULL: look at the options alone
 * @param options  as for tide_pool_open(); NULL for none
 * @param out      set only on success, before the first row. Columns, all text: kind ("error": tide_pool_open() would
 *                 refuse it; "advice": accepted, but rarely wise; "note": it has no effect, or why it has its value),
 *                 message, detail, hint (NULL where there is none). Without a row there is nothing to say.
 * @param err      may be NULL
 * Threads  any.
 * Owns     you must end it with tide_cursor_close().
 * Fails    TIDE_BAD_ARGUMENT (out is NULL), TIDE_NO_MEMORY. Refused options are rows, no failure.
 * Since    0.1
 */
TIDE_API tide_status tide_options_check(const char* url, const char* options, tide_cursor** out, tide_error* err);

/**
 * Read a duration as all options and commands take it: "30s", "500ms", "1.5h", "5min", "2d", "250us", or a bare number of
 * milliseconds. Exact or refused: nothing finer than a microsecond, nothing rounded.
 *
 * @param text          not negative
 * @param microseconds  set only on success
 * @param err           may be NULL; names the text and what is accepted
 * Threads  any.
 * Owns     nothing.
 * Fails    TIDE_BAD_ARGUMENT.
 * Since    0.1
 */
TIDE_API tide_status tide_duration_parse(const char* text, int64_t* microseconds, tide_error* err);

/**
 * The plane directory that is read and steered where none is given: TIDEPOOL_DIR, else /run/tidepool where it exists, else
 * $XDG_RUNTIME_DIR/tidepool, else /dev/shm/tidepool-<uid>.
 *
 * @param path   where it goes, with its NUL; untouched on failure
 * @param bytes  the room there; 4096 is always enough
 * @param err    may be NULL
 * Threads  any.
 * Owns     nothing.
 * Fails    TIDE_BAD_ARGUMENT (path is NULL, or bytes are too few).
 * Since    0.1
 */
TIDE_API tide_status tide_default_directory(char* path, size_t bytes, tide_error* err);

#ifdef __cplusplus
}
#endif

#endif
