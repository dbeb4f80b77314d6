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
 * Run a statement on a lease you hold.
 *
 * Parameters are bound as text, and there are no others yet. PostgreSQL gives each the type that its place asks for. In
 * SQLite a text that is compared with a column or stored in it is converted as the column's declared type says; where
 * there is no column, text never equals a number: `length(name) = ?1` with "3" finds no row, and is no error. Write
 * `length(name) = CAST(?1 AS INTEGER)`.
 *
 * @param lease    a lease you hold
 * @param sql      one statement; several, separated by ';', only without parameters (the last one's rows count)
 * @param nparams  number of parameters, 0 to 32766
 * @param params   texts for ?1, ?2 ... (SQLite) or $1, $2 ... (PostgreSQL), see above; NULL entries are SQL NULL
 * @param out      set only on success; may be NULL when no result is wanted
 * @param err      may be NULL
 * Threads  one call at a time on one lease.
 * Owns     the result is yours: tide_result_free(). The lease stays yours, also after an error.
 * Fails    TIDE_DATABASE (25P02: COMMIT of a transaction in which a statement failed; it was rolled back),
 *          TIDE_REFUSED while another thread is inside a call on the lease,
 *          TIDE_TIMEOUT (query_timeout; the detail says whether the statement is known to be cancelled),
 *          TIDE_STALE_LEASE, TIDE_BAD_ARGUMENT, TIDE_CLOSED, TIDE_FORKED, TIDE_NO_MEMORY.
 * Since    0.1
 */
TIDE_API tide_status tide_lease_query(tide_lease lease, const char* sql, int nparams, const char* const* params,
                                      tide_result** out, tide_error* err);

/**
 * Acquire, run a statement, release.
 *
 * The next call may have another connection, so a transaction cannot go on from one call to the next: a text that leaves
 * one open is refused, and the release rolls back what it did in there. Begin and end it within one text, or take a lease.
 *
 * @param pool  an open pool
 * @param tag   as tide_pool_acquire()
 * @param sql, nparams, params, out, err  as tide_lease_query()
 * Threads  any; any number of calls may run at once.
 * Owns     the result is yours: tide_result_free().
 * Fails    as tide_pool_acquire() and tide_lease_query(); TIDE_BAD_ARGUMENT (25001) if a transaction is left open.
 * Since    0.1
 */
TIDE_API tide_status tide_pool_query(tide_pool* pool, const char* tag, const char* sql, int nparams,
                                     const char* const* params, tide_result** out, tide_error* err);

/**
 * Rows returned; 0 for NULL.
 * @param r  a result
 * Threads  any, as long as nobody frees it.
 * Owns     nothing.
 * Fails    never.
 * Since    0.1
 */
TIDE_API int64_t tide_result_rows(const tide_result* r);

/**
 * Rows changed; -1 if unknown or none could be.
 * @param r  a result
 * Threads  any, as long as nobody frees it.
 * Owns     nothing.
 * Fails    never.
 * Since    0.1
 */
TIDE_API int64_t tide_result_affected(const tide_result* r);

/**
 * What was run, in the database's words: of the text's last statement.
 *
 * PostgreSQL's command tag, such as "INSERT 0 1" or "SELECT 3". SQLite has none: the statement's first word in
 * capitals, such as "INSERT" or "WITH".
 *
 * @param r  a result
 * Threads  any, as long as nobody frees it.
 * Owns     lives as long as the result.
 * Fails    NULL for NULL; "" for a text without a statement.
 * Since    0.1
 */
TIDE_API const char* tide_result_command(const tide_result* r);

/**
 * Columns returned; 0 for NULL.
 * @param r  a result
 * Threads  any, as long as nobody frees it.
 * Owns     nothing.
 * Fails    never.
 * Since    0.1
 */
TIDE_API int tide_result_columns(const tide_result* r);

/**
 * The name of a column.
 * @param r       a result
 * @param column  from 0
 * Threads  any, as long as nobody frees it.
 * Owns     lives as long as the result.
 * Fails    NULL outside the columns.
 * Since    0.1
 */
TIDE_API const char* tide_result_name(const tide_result* r, int column);

/**
 * A value as text.
 * @param r       a result
 * @param row     from 0
 * @param column  from 0
 * Threads  any, as long as nobody frees it.
 * Owns     lives as long as the result.
 * Fails    NULL for SQL NULL and outside the result.
 * Since    0.1
 */
TIDE_API const char* tide_result_text(const tide_result* r, int64_t row, int column);

/**
 * The bytes of a value, for texts that hold NUL bytes; 0 for SQL NULL and outside the result.
 * @param r       a result
 * @param row     from 0
 * @param column  from 0
 * Threads  any, as long as nobody frees it.
 * Owns     nothing.
 * Fails    never.
 * Since    0.1
 */
TIDE_API size_t tide_result_length(const tide_result* r, int64_t row, int column);

/**
 * Free a result.
 * @param r  a result; NULL does nothing
 * Threads  any; not while another thread reads it.
 * Owns     takes the result.
 * Fails    never.
 * Since    0.1
 */
TIDE_API void tide_result_free(tide_result* r);

#ifdef __cplusplus
}
#endif

#endif
