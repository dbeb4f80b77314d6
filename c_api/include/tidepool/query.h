/* Statements on a lease, or on a pool. Include <tidepool/tidepool.h>. */
#ifndef TIDEPOOL_QUERY_H
#define TIDEPOOL_QUERY_H

#include <tidepool/base.h>
#include <tidepool/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tide_result tide_result;

/**
 * Execute a statement on a lease.
 *
 * All parameters are passed as text. PostgreSQL infers the type of each from its context. SQLite converts a text that is
 * compared with a column or stored in it according to the declared type of the column; elsewhere a text never equals a
 * number: `length(name) = ?1` with "3" returns no row and no error. Write `length(name) = CAST(?1 AS INTEGER)`.
 *
 * @param lease    a lease of the caller; remains valid, also after an error
 * @param sql      one statement; several, separated by ';', only without parameters (the result is that of the last one)
 * @param nparams  number of parameters, 0 to 32766
 * @param params   texts for ?1, ?2 ... (SQLite) or $1, $2 ... (PostgreSQL), see above; NULL entries are SQL NULL
 * @param out      set only on success; NULL if the result is not needed
 * Threads  one call at a time on a lease.
 * Owns     the caller frees the result with tide_result_free().
 * Fails    TIDE_DATABASE (25P02: COMMIT of a transaction in which a statement failed; it was rolled back),
 *          TIDE_REFUSED while another thread is executing a call on the lease,
 *          TIDE_TIMEOUT (query_timeout; the detail says whether the statement is known to be cancelled), TIDE_STALE_LEASE.
 */
TIDE_API tide_status tide_lease_query(tide_lease lease, const char* sql, int nparams, const char* const* params,
                                      tide_result** out, tide_error* err);

/**
 * Acquire a lease, execute a statement on it, and release the lease.
 *
 * The next call may use another connection, so a transaction cannot extend over several calls: a text that leaves one open
 * fails, and what it did in that transaction is rolled back. Begin and end the transaction in one text, or use a lease.
 *
 * @param pool  an open pool
 * @param tag   as for tide_pool_acquire()
 * @param sql, nparams, params, out  as for tide_lease_query()
 * Owns     the caller frees the result with tide_result_free().
 * Fails    as tide_pool_acquire() and tide_lease_query(); TIDE_BAD_ARGUMENT (25001) if a transaction is left open.
 */
TIDE_API tide_status tide_pool_query(tide_pool* pool, const char* tag, const char* sql, int nparams,
                                     const char* const* params, tide_result** out, tide_error* err);

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
 * Return what the last statement of the text was: PostgreSQL's command tag, such as "INSERT 0 1" or "SELECT 3"; for SQLite
 * the first word of the statement in capitals, such as "INSERT" or "WITH". Returns "" if the text has no statement, and
 * NULL for a NULL result.
 *
 * @param r  a result
 * Owns     valid until the result is freed.
 */
TIDE_API const char* tide_result_command(const tide_result* r);

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
 * Return the length of a value in bytes, for texts that contain NUL bytes; 0 for SQL NULL and for a value that does not
 * exist.
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
