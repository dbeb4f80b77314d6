/*
 * Cancel tokens: end calls from another thread, such as when the client for whom they are made is gone.
 *
 * A token is given to any number of requests, calls and transactions, of any number of pools, by the member `cancel` of their
 * options. When it is tripped,
 *   - a request that waits for a connection leaves the queue,
 *   - a running statement is cancelled at the database,
 *   - a transaction is rolled back at its next call, if its COMMIT has not been sent yet: a COMMIT is never cancelled, so that its
 *     outcome is known,
 *   - nothing is retried, and what is begun with the token afterwards fails before anything is done.
 * These calls return TIDE_CANCELLED, with SQLSTATE 57014 and what the database reported in the detail. A statement that finishes
 * before the cancel reaches it returns its result.
 *
 *     tide_cancel_token* gone = NULL;
 *     tide_cancel_token_new(&gone, NULL);
 *     tide_query_options with = TIDE_QUERY_OPTIONS_INIT;
 *     with.cancel = gone;
 *     tide_pool_query_with(pool, "select ...", 0, NULL, &with, &result, &error);   // a thread that watches the client calls
 *     tide_cancel_token_free(gone);                                                // tide_cancel_token_trip(gone)
 */
#ifndef TIDEPOOL_CANCEL_H
#define TIDEPOOL_CANCEL_H

#include <tidepool/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Create a token.
 *
 * @param out set only on success
 * Owns     you must free it with tide_cancel_token_free().
 * Fails    TIDE_NO_MEMORY, TIDE_BAD_ARGUMENT.
 */
TIDE_API tide_status tide_cancel_token_new(tide_cancel_token** out, tide_error* err);

/**
 * Trip a token: cancel what uses it. It stays tripped; a further call does nothing. It returns when every call has been told, not
 * when these have ended.
 *
 * Callbacks of asynchronous requests that waited for a connection may be called by this thread, before it returns.
 *
 * @param token may be NULL
 * Threads  any, also callbacks; not a signal handler.
 */
TIDE_API void tide_cancel_token_trip(tide_cancel_token* token);

/**
 * Tell whether a token is tripped: 1, else 0.
 *
 * @param token may be NULL: 0
 */
TIDE_API int tide_cancel_token_is_tripped(const tide_cancel_token* token);

/**
 * Free a token. Asynchronous calls and open transactions that use it go on, and can no longer be cancelled. A call
 * that another thread has not returned from must not lose its token.
 *
 * @param token may be NULL
 * Threads  any, also callbacks.
 */
TIDE_API void tide_cancel_token_free(tide_cancel_token* token);

#ifdef __cplusplus
}
#endif

#endif
