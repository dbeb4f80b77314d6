/*
 * Statements: on a pool, which leases a connection for the call, or on a lease. Include <tidepool/tidepool.h>.
 *
 * Every statement has the same form for PostgreSQL and SQLite: parameters are $1, $2 ...; ? and ?1 are accepted too (see
 * tide_query_options.placeholders). Values are typed in both directions (tide_value). Statements that are used repeatedly
 * are kept prepared in their session, see the option statement_cache_size.
 */
#ifndef TIDEPOOL_QUERY_H
#define TIDEPOOL_QUERY_H

#include <string.h>

#include <tidepool/base.h>
#include <tidepool/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tide_result tide_result;

/* ---- values ------------------------------------------------------------------------------------------------------ */

/* Parameters. A text or bytes belong to the caller and must stay valid during the call. */
static inline tide_value tide_value_null(void) {
  tide_value value;
  memset(&value, 0, sizeof value);
  value.type = TIDE_VALUE_NULL;
  return value;
}
static inline tide_value tide_value_int(int64_t integer) {
  tide_value value = tide_value_null();
  value.type = TIDE_INT;
  value.integer = integer;
  return value;
}
static inline tide_value tide_value_double(double real) {
  tide_value value = tide_value_null();
  value.type = TIDE_DOUBLE;
  value.real = real;
  return value;
}
static inline tide_value tide_value_bool(int is_true) {
  tide_value value = tide_value_null();
  value.type = TIDE_BOOL;
  value.integer = is_true ? 1 : 0;
  return value;
}
/* A NULL pointer is SQL NULL. */
static inline tide_value tide_value_text(const char* text) {
  tide_value value = tide_value_null();
  if (text == NULL) return value;
  value.type = TIDE_TEXT;
  value.text = text;
  value.length = strlen(text);
  return value;
}
static inline tide_value tide_value_bytes(const void* bytes, size_t length) {
  tide_value value = tide_value_null();
  value.type = TIDE_BYTES;
  value.text = bytes == NULL ? "" : (const char*)bytes;
  value.length = length;
  return value;
}

/* ---- options of a call ------------------------------------------------------------------------------------------- */

/* How parameters are written in a text. */
enum {
  /* $1, or ?1, or ? in the order of the text; not $ and ? in one text. Not inside literals, quoted names and comments, and
     not where ? is an operator of PostgreSQL: after an operand, in ?| ?& @?, and everywhere in a text with $1. */
  TIDE_PLACEHOLDERS_NUMBERED = 0,
  TIDE_PLACEHOLDERS_NAMED = 1, /* :name, see tide_query_options.names */
  TIDE_PLACEHOLDERS_NATIVE = 2 /* the text is passed on unchanged */
};

/**
 * Called once with the result of an asynchronous call, before tide_pool_close() returns. It runs on a thread of the pool
 * that may block, or, with foreign_loop=1, inside tide_pool_step() (then an acquire in it that would have to wait is
 * refused) or tide_pool_close(). It may call every function except tide_pool_close() of the same pool and
 * tide_close_all(). It must not throw.
 *
 * Asynchronous calls wait for a thread of the pool if 16 are executed already. A lease is used by one of them at a time.
 *
 * @param result  NULL after an error; belongs to the program, which frees it with tide_result_free()
 * @param err     valid during the call
 */
typedef void (*tide_query_callback)(void* context, tide_status status, tide_result* result, const tide_error* err);

typedef struct tide_query_options {
  uint32_t size; /* TIDE_QUERY_OPTIONS_INIT */
  int32_t mode;  /* TIDE_READ_WRITE or TIDE_READ (on a replica, if there are any); only for calls on a pool */
  /* Of the whole call; negative: acquire_timeout for the connection, query_timeout for the statement. */
  int64_t timeout_ms;
  const char* tag; /* as for tide_pool_acquire(); only for calls on a pool */
  /* Further attempts after an error that a repetition may avoid: a lost connection (only with mode TIDE_READ, or before the
     statement was sent), a serialization failure, a deadlock. Negative: the option retry_attempts. Only for calls on a
     pool. */
  int32_t retry_attempts;
  int32_t placeholders; /* TIDE_PLACEHOLDERS_... */
  /* TIDE_PLACEHOLDERS_NAMED: the names of the parameters, without the colon; in a batch those of every statement. */
  const char* const* names;
  int64_t max_rows;             /* a larger result fails with 54000; 0: no limit below 2147483647 */
  int64_t max_bytes;            /* the same; 0: 1 GiB. Streams have no limit. */
  tide_query_callback callback; /* NULL: wait; else return at once and call it with the result */
  void* context;
  int32_t priority;          /* TIDE_NORMAL or TIDE_CRITICAL; only for calls on a pool */
  int32_t cache;             /* TIDE_CACHE_...; only for tide_pool_query_with() and tide_pool_query_first() */
  int64_t cache_ttl_ms;      /* how long the result is used; 0: the option query_cache_ttl */
  int64_t cache_stale_ms;    /* after that, how long it may still be returned while one caller renews it */
  const char* cache_key;     /* 1 to 512 bytes; NULL: made of statement, parameters, database, user and search_path */
  const char* cache_tags;    /* words of up to 62 bytes, separated by spaces, for invalidation; may be NULL */
  tide_cancel_token* cancel; /* cancels the call when it is tripped; may be NULL */
} tide_query_options;

/* Bits of tide_query_options.cache, see <tidepool/cache.h>. */
enum {
  TIDE_CACHE = 1,         /* use the query cache, if the option query_cache is on */
  TIDE_CACHE_VOLATILE = 2 /* also for a statement whose result may change without a change of data, such as now() */
};

#define TIDE_QUERY_OPTIONS_INIT \
  { (uint32_t)sizeof(tide_query_options), 0, -1, NULL, -1, 0, NULL, 0, 0, NULL, NULL, 0, 0, 0, 0, NULL, NULL, NULL }

/* ---- calls on a pool ---------------------------------------------------------------------------------------------- */

/**
 * Lease a connection, execute a statement, and release the connection.
 *
 * The next call may use another connection, so a transaction cannot extend over several calls: a text that leaves one open
 * fails, and what it did in that transaction is rolled back. Use tide_pool_transaction() or tide_tx_begin().
 *
 * @param pool     an open pool
 * @param sql      one statement; several, separated by ';', only without parameters (the result is that of the last one)
 * @param nparams  number of parameters, 0 to 32766
 * @param params   their values; may be NULL if there are none
 * @param with     may be NULL
 * @param out      set only on success; NULL if the result is not needed; not used with a callback
 * Owns     the caller frees the result with tide_result_free().
 * Fails    as tide_pool_acquire(); TIDE_DATABASE; TIDE_TIMEOUT (the detail says whether the statement is known to be
 *          cancelled); TIDE_BAD_ARGUMENT (a wrong number of parameters, a value that the database cannot hold, a transaction
 *          left open: 25001). With a callback, TIDE_OK means that it will be called exactly once.
 */
TIDE_API tide_status tide_pool_query_with(tide_pool* pool, const char* sql, int nparams, const tide_value* params,
                                          const tide_query_options* with, tide_result** out, tide_error* err);

/**
 * Like tide_pool_query_with(), and return the first row only. Further rows are read and dropped; use LIMIT 1 where there
 * may be many.
 *
 * @param pool, sql, nparams, params, with, out  as for tide_pool_query_with(); the result has no row or one
 * Owns     as tide_pool_query_with().
 * Fails    as tide_pool_query_with().
 */
TIDE_API tide_status tide_pool_query_first(tide_pool* pool, const char* sql, int nparams, const tide_value* params,
                                           const tide_query_options* with, tide_result** out, tide_error* err);

/**
 * Like tide_pool_query_with(), for statements that change something: see tide_result_affected(),
 * tide_result_last_insert_id() and tide_result_command(). The rows of RETURNING are in the result.
 *
 * @param pool, sql, nparams, params, with, out  as for tide_pool_query_with()
 * Owns     as tide_pool_query_with().
 * Fails    as tide_pool_query_with(); TIDE_REFUSED for statements that begin or end a transaction.
 */
TIDE_API tide_status tide_pool_execute(tide_pool* pool, const char* sql, int nparams, const tide_value* params,
                                       const tide_query_options* with, tide_result** out, tide_error* err);

/* A statement of a batch. */
typedef struct tide_statement {
  const char* sql; /* one statement */
  const tide_value* params;
  int32_t nparams;
  int32_t reserved;
} tide_statement;

/**
 * Execute several statements as one transaction: all take effect, or none. PostgreSQL gets them in one round trip.
 *
 * @param pool        an open pool
 * @param statements  in the order of their execution
 * @param count       0 to 100000
 * @param with        may be NULL; max_rows and max_bytes apply to each statement
 * @param out         as for tide_pool_query_with(); the result is that of the last statement, see tide_result_part()
 * Owns     as tide_pool_query_with().
 * Fails    as tide_pool_execute(); the detail names the statement, from 1. TIDE_UNKNOWN_OUTCOME if the connection was lost,
 *          or the disk failed, while the transaction was committed.
 */
TIDE_API tide_status tide_pool_batch(tide_pool* pool, const tide_statement* statements, int count,
                                     const tide_query_options* with, tide_result** out, tide_error* err);

/**
 * Called for every row of a stream.
 *
 * @param rows  a page of rows; valid during the call
 * @param row   the row of the page, from 0, for tide_result_value() and others
 * @return      0 to continue; another value ends the stream early
 */
typedef int (*tide_row_callback)(void* context, const tide_result* rows, int64_t row);

/**
 * Execute a statement and pass its rows to a function, in constant memory.
 *
 * @param pool, sql, nparams, params, with  as for tide_pool_query_with(); no asynchronous callback; retried only before the
 *                 first row
 * @param on_row   called in the calling thread, with a lease held; it must not throw, and must not use this lease
 * @param context  its first argument
 * @param out      as for tide_pool_query_with(); everything except the rows
 * Owns     as tide_pool_query_with().
 * Fails    as tide_pool_query_with(). An early end is not an error.
 */
TIDE_API tide_status tide_pool_stream(tide_pool* pool, const char* sql, int nparams, const tide_value* params,
                                      const tide_query_options* with, tide_row_callback on_row, void* context,
                                      tide_result** out, tide_error* err);

/* ---- calls on a lease --------------------------------------------------------------------------------------------- */

/**
 * Execute a statement on a lease, which remains valid, also after an error. It is not retried.
 *
 * @param lease  a lease of the caller
 * @param sql, nparams, params, out  as for tide_pool_query_with()
 * @param with   may be NULL; mode, tag and retry_attempts have no effect
 * Threads  one call at a time on a lease.
 * Owns     as tide_pool_query_with().
 * Fails    as tide_pool_query_with(), without the errors of tide_pool_acquire(); TIDE_STALE_LEASE;
 *          TIDE_REFUSED while another thread is executing a call on the lease, or while its rows are being read (tide_rows);
 *          25P02: COMMIT of a transaction in which a statement failed; it was rolled back.
 */
TIDE_API tide_status tide_lease_query_with(tide_lease lease, const char* sql, int nparams, const tide_value* params,
                                           const tide_query_options* with, tide_result** out, tide_error* err);
/**
 * Like tide_pool_query_first(), on a lease: see tide_lease_query_with().
 *
 * @param lease  a lease of the caller
 * @param sql, nparams, params, out  as for tide_pool_query_first()
 * @param with   as for tide_lease_query_with()
 * Threads  one call at a time on a lease.
 * Owns     as tide_pool_query_first().
 * Fails    as tide_pool_query_first() and tide_lease_query_with().
 */
TIDE_API tide_status tide_lease_query_first(tide_lease lease, const char* sql, int nparams, const tide_value* params,
                                            const tide_query_options* with, tide_result** out, tide_error* err);
/**
 * Like tide_pool_execute(), on a lease: see tide_lease_query_with().
 *
 * @param lease  a lease of the caller
 * @param sql, nparams, params, out  as for tide_pool_execute()
 * @param with   as for tide_lease_query_with()
 * Threads  one call at a time on a lease.
 * Owns     as tide_pool_execute().
 * Fails    as tide_pool_execute() and tide_lease_query_with().
 */
TIDE_API tide_status tide_lease_execute(tide_lease lease, const char* sql, int nparams, const tide_value* params,
                                        const tide_query_options* with, tide_result** out, tide_error* err);
/**
 * Like tide_pool_batch(), on a lease: see tide_lease_query_with().
 *
 * @param lease  a lease of the caller
 * @param statements, count, out  as for tide_pool_batch()
 * @param with   as for tide_lease_query_with()
 * Threads  one call at a time on a lease.
 * Owns     as tide_pool_batch().
 * Fails    as tide_pool_batch() and tide_lease_query_with(). In an open transaction the batch is a
 *          part of it and not undone after an error: roll back.
 */
TIDE_API tide_status tide_lease_batch(tide_lease lease, const tide_statement* statements, int count,
                                      const tide_query_options* with, tide_result** out, tide_error* err);
/**
 * Like tide_pool_stream(), on a lease: see tide_lease_query_with().
 *
 * @param lease  a lease of the caller
 * @param sql, nparams, params, on_row, context, out  as for tide_pool_stream()
 * @param with   as for tide_lease_query_with()
 * Threads  one call at a time on a lease.
 * Owns     as tide_pool_stream().
 * Fails    as tide_pool_stream() and tide_lease_query_with().
 */
TIDE_API tide_status tide_lease_stream(tide_lease lease, const char* sql, int nparams, const tide_value* params,
                                       const tide_query_options* with, tide_row_callback on_row, void* context,
                                       tide_result** out, tide_error* err);

/* ---- rows that are pulled ----------------------------------------------------------------------------------------- */

typedef struct tide_rows tide_rows;

/**
 * Execute a statement and read its rows page by page, in constant memory. Holds a lease until tide_rows_close().
 *
 * @param pool, sql, nparams, params, with  as for tide_pool_query_with(); no asynchronous callback
 * @param out      set only on success
 * Owns     the caller closes it with tide_rows_close().
 * Fails    as tide_pool_query_with().
 */
TIDE_API tide_status tide_pool_rows(tide_pool* pool, const char* sql, int nparams, const tide_value* params,
                                    const tide_query_options* with, tide_rows** out, tide_error* err);

/**
 * Like tide_pool_rows(), on a lease. Until it is closed, other statements on the lease fail with TIDE_REFUSED.
 *
 * @param lease  a lease of the caller
 * @param sql, nparams, params, with, out  as for tide_pool_rows()
 * Owns     as tide_pool_rows().
 * Fails    as tide_lease_query_with().
 */
TIDE_API tide_status tide_lease_rows(tide_lease lease, const char* sql, int nparams, const tide_value* params,
                                     const tide_query_options* with, tide_rows** out, tide_error* err);

/**
 * Get the next page.
 *
 * @param rows  from tide_pool_rows() or tide_lease_rows()
 * @param page  a result with at least one row; NULL after the last one
 * Threads  one call at a time.
 * Owns     the page is valid until the next call for `rows`, and is not freed.
 * Fails    as tide_lease_query_with(); afterwards only tide_rows_close() is useful. query_timeout limits each page.
 */
TIDE_API tide_status tide_rows_next(tide_rows* rows, const tide_result** page, tide_error* err);

/**
 * End the reading, before its end by cancelling the statement, and release the lease of tide_pool_rows().
 *
 * @param rows  NULL does nothing
 */
TIDE_API void tide_rows_close(tide_rows* rows);

/* ---- text parameters ---------------------------------------------------------------------------------------------- */

/**
 * Execute a statement on a lease, with parameters as text.
 *
 * PostgreSQL infers the type of each from its context. SQLite converts a text that is compared with a column or stored in
 * it according to the declared type of the column; elsewhere a text never equals a number: `length(name) = ?1` with "3"
 * returns no row and no error. tide_lease_query_with() passes typed values.
 *
 * @param lease    a lease of the caller; remains valid, also after an error
 * @param sql      as for tide_pool_query_with()
 * @param nparams  number of parameters, 0 to 32766
 * @param params   texts; NULL entries are SQL NULL
 * @param out      set only on success; NULL if the result is not needed
 * Threads  one call at a time on a lease.
 * Owns     the caller frees the result with tide_result_free().
 * Fails    as tide_lease_query_with().
 */
TIDE_API tide_status tide_lease_query(tide_lease lease, const char* sql, int nparams, const char* const* params,
                                      tide_result** out, tide_error* err);

/**
 * Like tide_pool_query_with(), with parameters as text, see tide_lease_query(); it is not retried.
 *
 * @param pool  an open pool
 * @param tag   as for tide_pool_acquire()
 * @param sql, nparams, params, out  as for tide_lease_query()
 * Owns     as tide_lease_query().
 * Fails    as tide_pool_query_with().
 */
TIDE_API tide_status tide_pool_query(tide_pool* pool, const char* tag, const char* sql, int nparams,
                                     const char* const* params, tide_result** out, tide_error* err);

/* ---- results ------------------------------------------------------------------------------------------------------ */

/**
 * Return the number of rows, or 0 for a NULL result.
 *
 * @param r  a result
 */
TIDE_API int64_t tide_result_rows(const tide_result* r);

/**
 * Return the number of rows changed, or -1 if it is unknown or the statement cannot change rows.
 *
 * @param r  a result
 */
TIDE_API int64_t tide_result_affected(const tide_result* r);

/**
 * Return the id of the last row inserted: SQLite's rowid; for PostgreSQL the first value of the last row that RETURNING
 * returned, if that is an integer. 0 if there is none.
 *
 * @param r  a result
 */
TIDE_API int64_t tide_result_last_insert_id(const tide_result* r);

/**
 * Return what the last statement of the text was: PostgreSQL's command tag, such as "INSERT 0 1" or "SELECT 3"; for SQLite
 * the first word of the statement in capitals, such as "INSERT" or "WITH". Returns "" if the text has no statement, and
 * NULL for a NULL result.
 *
 * @param r  a result
 * Owns     valid until the result is freed.
 */
TIDE_API const char* tide_result_command(const tide_result* r);

/**
 * Return the result of a statement of a batch, or NULL if there is no such statement. For other results, part 0 is the
 * result itself.
 *
 * @param r      a result
 * @param index  of the statement, from 0
 * Owns     valid until `r` is freed, and not freed itself.
 */
TIDE_API const tide_result* tide_result_part(const tide_result* r, int index);

/**
 * Return the number of columns, or 0 for a NULL result.
 *
 * @param r  a result
 */
TIDE_API int tide_result_columns(const tide_result* r);

/**
 * Return the name of a column, or NULL if there is no such column.
 *
 * @param r       a result
 * @param column  from 0
 * Owns     valid until the result is freed.
 */
TIDE_API const char* tide_result_name(const tide_result* r, int column);

/* The database's own type of a column. */
typedef struct tide_column_type {
  uint32_t size;    /* TIDE_COLUMN_TYPE_INIT */
  uint32_t oid;     /* PostgreSQL: see pg_type; 0 for SQLite */
  int32_t modifier; /* PostgreSQL: such as the length of varchar plus 4; -1: none */
  int32_t reserved;
  const char* declared; /* SQLite: as in CREATE TABLE, or ""; valid until the result is freed */
} tide_column_type;

#define TIDE_COLUMN_TYPE_INIT \
  { (uint32_t)sizeof(tide_column_type), 0, -1, 0, NULL }

/**
 * Get the database's own type of a column. The type of a value in SQLite is that of the value, see tide_result_value().
 *
 * @param r       a result
 * @param column  from 0
 * @param out     filled up to its size
 */
TIDE_API tide_status tide_result_type(const tide_result* r, int column, tide_column_type* out, tide_error* err);

/**
 * Return a value with its type: TIDE_INT (PostgreSQL: int2, int4, int8, oid), TIDE_DOUBLE (float4, float8), TIDE_BOOL (bool),
 * TIDE_BYTES (bytea, BLOB), TIDE_TEXT (everything else, as the database writes it; numeric exactly), or TIDE_VALUE_NULL;
 * TIDE_VALUE_NONE for a value that does not exist.
 *
 * @param r       a result
 * @param row     from 0
 * @param column  from 0
 * Owns     a text is NUL-terminated and, like bytes, valid until the result is freed.
 */
TIDE_API tide_value tide_result_value(const tide_result* r, int64_t row, int column);

/**
 * Return a value as text, or NULL for SQL NULL and for a value that does not exist.
 *
 * @param r       a result
 * @param row     from 0
 * @param column  from 0
 * Owns     valid until the result is freed.
 */
TIDE_API const char* tide_result_text(const tide_result* r, int64_t row, int column);

/**
 * Return the length of tide_result_text() in bytes, for texts that contain NUL bytes; 0 for SQL NULL and for a value that
 * does not exist.
 *
 * @param r       a result
 * @param row     from 0
 * @param column  from 0
 */
TIDE_API size_t tide_result_length(const tide_result* r, int64_t row, int column);

/**
 * Free a result.
 *
 * @param r  NULL does nothing
 */
TIDE_API void tide_result_free(tide_result* r);

#ifdef __cplusplus
}
#endif

#endif
