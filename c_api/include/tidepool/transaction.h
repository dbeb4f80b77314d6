/*
 * Transactions. Include <tidepool/tidepool.h>.
 *
 * tide_pool_transaction() runs a function of the program in a transaction, commits it, and repeats it where that is safe.
 * Who cannot use callbacks begins a transaction with tide_tx_begin() and ends it with tide_tx_commit() or tide_tx_rollback().
 * Either way the outcome that is reported is the one that happened: committed (TIDE_OK), not committed (every other status),
 * or, if it cannot be found out, TIDE_UNKNOWN_OUTCOME.
 */
#ifndef TIDEPOOL_TRANSACTION_H
#define TIDEPOOL_TRANSACTION_H

#include <tidepool/base.h>
#include <tidepool/pool.h>
#include <tidepool/query.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An open transaction. A value that may be copied; invalid after its end. */
typedef struct tide_tx {
  struct tide_pool* pool;
  uint64_t id;
} tide_tx;

enum {
  TIDE_ISOLATION_DEFAULT = 0, /* that of the session */
  TIDE_READ_COMMITTED = 1,
  TIDE_REPEATABLE_READ = 2,
  TIDE_SERIALIZABLE = 3 /* SQLite has only this one, and accepts all */
};

typedef struct tide_tx_options {
  uint32_t size;     /* TIDE_TX_OPTIONS_INIT */
  int32_t isolation; /* TIDE_ISOLATION_DEFAULT ... */
  /* 1: no changes. SQLite: does not wait for the write lock. On a replica, if there are any, unless TIDE_SERIALIZABLE. */
  int32_t read_only;
  /* 1: with TIDE_SERIALIZABLE and read_only, waits for a snapshot that cannot fail; SQLite: no effect. */
  int32_t deferrable;
  /* Of the whole transaction, also of its repetitions; negative: none. Past it every statement and the commit fail with
     TIDE_TIMEOUT, and it is rolled back. */
  int64_t timeout_ms;
  const char* tag; /* as for tide_pool_acquire() */
  /* Repetitions after a serialization failure (40001), a deadlock (40P01, SQLite: an outdated snapshot), or a connection
     lost before the first statement succeeded; negative: the option retry_attempts. Not for tide_tx_begin(). */
  int32_t retry_attempts;
  int32_t priority;          /* TIDE_NORMAL or TIDE_CRITICAL */
  tide_cancel_token* cancel; /* cancels the transaction, and all calls in it, when it is tripped; may be NULL */
} tide_tx_options;

#define TIDE_TX_OPTIONS_INIT \
  { (uint32_t)sizeof(tide_tx_options), 0, 0, 0, -1, NULL, -1, 0, NULL }

/**
 * The body of a transaction. It may be called several times: what it does outside of the transaction should not matter.
 * tide_tx_commit() and tide_tx_rollback() are refused inside it. It must not leave with longjmp(), and a child process that
 * it forks must not return from it. If it throws a C++ exception, that has the effect of a return value other than 0,
 * and the text of the exception is in the error.
 *
 * @param tx  valid during the call, in the calling thread only
 * @return    0: commit; another value: roll back
 */
typedef int (*tide_tx_body)(void* context, tide_tx tx);

/**
 * Run a function in a transaction: committed if it returns 0, otherwise rolled back.
 *
 * Delays between attempts are chosen at random between 0 and retry_base, doubled with each attempt, at most retry_max.
 *
 * @param pool     an open pool
 * @param body     called in the calling thread, once for each attempt
 * @param context  its first argument
 * @param with     may be NULL
 * Fails    as tide_pool_acquire(); TIDE_DATABASE with the error of the statement that made the transaction fail;
 *          TIDE_ROLLED_BACK if the body returned another value than 0 though no statement had failed;
 *          TIDE_TIMEOUT; TIDE_UNKNOWN_OUTCOME. In all these cases except the last nothing was committed.
 */
TIDE_API tide_status tide_pool_transaction(tide_pool* pool, tide_tx_body body, void* context,
                                           const tide_tx_options* with, tide_error* err);

/**
 * Like tide_pool_transaction(), on a lease. A lost connection is not retried.
 *
 * @param lease  a lease of the caller that is not in a transaction
 * @param body, context, with  as for tide_pool_transaction()
 * Fails    as tide_pool_transaction(); TIDE_STALE_LEASE; TIDE_REFUSED if a transaction is open on the lease.
 */
TIDE_API tide_status tide_lease_transaction(tide_lease lease, tide_tx_body body, void* context,
                                            const tide_tx_options* with, tide_error* err);

/**
 * Begin a transaction. It holds a lease until its end.
 *
 * @param pool  an open pool
 * @param with  may be NULL
 * @param out   set only on success
 * Owns     the caller ends it with tide_tx_commit() or tide_tx_rollback(), also after an error.
 * Fails    as tide_pool_acquire(), TIDE_DATABASE.
 */
TIDE_API tide_status tide_tx_begin(tide_pool* pool, const tide_tx_options* with, tide_tx* out, tide_error* err);

/**
 * Begin a transaction on a lease, which must not be released before its end.
 *
 * @param lease  a lease of the caller that is not in a transaction
 * @param with, out  as for tide_tx_begin(); the tag has no effect
 * Owns     as tide_tx_begin().
 * Fails    TIDE_STALE_LEASE, TIDE_REFUSED if a transaction is open on the lease, TIDE_DATABASE.
 */
TIDE_API tide_status tide_tx_begin_on(tide_lease lease, const tide_tx_options* with, tide_tx* out, tide_error* err);

/**
 * Execute a statement in a transaction, see tide_lease_query_with().
 *
 * @param tx  an open transaction
 * @param sql, nparams, params, with, out  as for tide_lease_query_with(); no asynchronous callback
 * Threads  one call at a time; in a body only the thread that runs it.
 * Owns     as tide_lease_query_with().
 * Fails    as tide_lease_query_with(); TIDE_REFUSED for statements that begin or end a transaction, from another thread than
 *          that of the body, and after the end of the transaction (the message says how it ended); TIDE_TIMEOUT past its
 *          deadline.
 */
TIDE_API tide_status tide_tx_query(tide_tx tx, const char* sql, int nparams, const tide_value* params,
                                   const tide_query_options* with, tide_result** out, tide_error* err);
/**
 * Like tide_pool_query_first(), in a transaction: see tide_tx_query().
 *
 * @param tx     an open transaction
 * @param sql, nparams, params, out  as for tide_pool_query_first()
 * @param with   as for tide_tx_query()
 * Threads  as tide_tx_query().
 * Owns     as tide_pool_query_first().
 * Fails    as tide_tx_query().
 */
TIDE_API tide_status tide_tx_query_first(tide_tx tx, const char* sql, int nparams, const tide_value* params,
                                         const tide_query_options* with, tide_result** out, tide_error* err);
/**
 * Like tide_pool_execute(), in a transaction: see tide_tx_query().
 *
 * @param tx     an open transaction
 * @param sql, nparams, params, out  as for tide_pool_execute()
 * @param with   as for tide_tx_query()
 * Threads  as tide_tx_query().
 * Owns     as tide_pool_execute().
 * Fails    as tide_tx_query().
 */
TIDE_API tide_status tide_tx_execute(tide_tx tx, const char* sql, int nparams, const tide_value* params,
                                     const tide_query_options* with, tide_result** out, tide_error* err);
/**
 * Like tide_pool_batch(), in a transaction: see tide_tx_query(). The statements are a part of the
 * transaction, and not undone on their own after an error.
 *
 * @param tx     an open transaction
 * @param statements, count, out  as for tide_pool_batch()
 * @param with   as for tide_tx_query()
 * Threads  as tide_tx_query().
 * Owns     as tide_pool_batch().
 * Fails    as tide_tx_query().
 */
TIDE_API tide_status tide_tx_batch(tide_tx tx, const tide_statement* statements, int count,
                                   const tide_query_options* with, tide_result** out, tide_error* err);
/**
 * Like tide_pool_stream(), in a transaction: see tide_tx_query().
 *
 * @param tx     an open transaction
 * @param sql, nparams, params, on_row, context, out  as for tide_pool_stream()
 * @param with   as for tide_tx_query()
 * Threads  as tide_tx_query().
 * Owns     as tide_pool_stream().
 * Fails    as tide_tx_query().
 */
TIDE_API tide_status tide_tx_stream(tide_tx tx, const char* sql, int nparams, const tide_value* params,
                                    const tide_query_options* with, tide_row_callback on_row, void* context,
                                    tide_result** out, tide_error* err);

/**
 * Set a savepoint, to which tide_tx_rollback_to() can return.
 *
 * @param tx    an open transaction
 * @param name  1 to 62 bytes: letters, digits, '_'
 * Threads  as tide_tx_query().
 * Fails    as tide_tx_query().
 */
TIDE_API tide_status tide_tx_savepoint(tide_tx tx, const char* name, tide_error* err);
/**
 * Undo what was done since a savepoint was set. The savepoint remains, and a transaction in which a statement failed after
 * it is usable again.
 *
 * @param tx, name  as for tide_tx_savepoint()
 * Threads  as tide_tx_query().
 * Fails    as tide_tx_query(); SQLSTATE 3B001 if there is no such savepoint.
 */
TIDE_API tide_status tide_tx_rollback_to(tide_tx tx, const char* name, tide_error* err);
/**
 * Forget a savepoint and those set after it. What was done since then remains a part of the transaction.
 *
 * @param tx, name  as for tide_tx_savepoint()
 * Threads  as tide_tx_query().
 * Fails    as tide_tx_rollback_to().
 */
TIDE_API tide_status tide_tx_release(tide_tx tx, const char* name, tide_error* err);

/**
 * Commit a transaction and end it, whatever is returned.
 *
 * If the connection is lost meanwhile, another connection asks the database whether the transaction was committed, where
 * that is possible: see the option commit_check.
 *
 * @param tx  an open transaction
 * Threads  as tide_tx_query().
 * Fails    TIDE_DATABASE (it was not committed; 25P02: because a statement in it had failed; 40001, 40P01: repeat it from its
 *          begin), TIDE_TIMEOUT (past its deadline; it was rolled back), TIDE_UNKNOWN_OUTCOME, TIDE_REFUSED if it has ended.
 */
TIDE_API tide_status tide_tx_commit(tide_tx tx, tide_error* err);

/**
 * Roll a transaction back and end it, whatever is returned.
 *
 * @param tx  an open transaction
 * Threads  as tide_tx_query().
 * Fails    TIDE_REFUSED if it has ended. Without a connection it is rolled back by the database: that is no error.
 */
TIDE_API tide_status tide_tx_rollback(tide_tx tx, tide_error* err);

#ifdef __cplusplus
}
#endif

#endif
