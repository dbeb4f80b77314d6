/* Pools and leases. Include <tidepool/tidepool.h>. */
#ifndef TIDEPOOL_POOL_H
#define TIDEPOOL_POOL_H

#include <tidepool/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tide_pool tide_pool;

/* The exclusive right to one connection. A value that may be copied; only the first release has an effect. */
typedef struct tide_lease {
  struct tide_pool* pool;
  uint64_t id;
} tide_lease;

/**
 * Open a pool.
 *
 * @param name     1 to 62 bytes: letters, digits, '_', '-', '.'; identifies the pool in relations and commands
 * @param url      target, such as "sqlite:///var/lib/app.db" or "postgresql://db/app"; NULL or "": host, port, database,
 *                 username, password or dbPath of the options, else DATABASE_URL, DB_HOST ... of the environment. A list
 *                 of URLs of PostgreSQL, separated by commas, is a primary and its replicas.
 * @param options  "max_size=20 acquire_timeout=5s" or a JSON object; NULL for none
 * @param out      set only on success
 * Threads  starts one thread, the pool's keeper, unless tide_pool_open_with() asks for foreign_loop.
 *          PostgreSQL: another thread for each connection attempt while it lasts, at most `max_connecting`, and up to 16
 *          for abandoned attempts that are blocked in a name lookup or a callback.
 *          Registered drivers and SQLite files: up to 4 more for calls that may block.
 *          With replicas (option replica_url): the same for each of them, and one more for each server.
 * Owns     the caller closes the pool with tide_pool_close().
 * Fails    TIDE_BAD_ARGUMENT, TIDE_BAD_OPTION, TIDE_UNSUPPORTED (no driver for the scheme),
 *          TIDE_FORKED (an SQLite file that a pool of the parent process had open at the fork: open it in the child only,
 *          fork before opening it, or call exec()),
 *          TIDE_UNAVAILABLE (no descriptor or thread is available; the message names the limit);
 *          with init_mode=fail_fast also the errors of connecting, TIDE_DATABASE and TIDE_TIMEOUT.
 */
TIDE_API tide_status tide_pool_open(const char* name, const char* url, const char* options, tide_pool** out,
                                    tide_error* err);

/* Kinds of events, for the event callback. Later versions append to these numbers. */
enum {
  TIDE_EVENT_CONNECT = 1, /* a connection was opened */
  TIDE_EVENT_ACQUIRE = 2, /* a lease was granted */
  TIDE_EVENT_RELEASE = 3, /* a lease ended */
  TIDE_EVENT_REMOVE = 4,  /* a connection was closed; text: the reason */
  TIDE_EVENT_ERROR = 5,   /* something failed; text: the error */
  TIDE_EVENT_ALERT = 6    /* a warning, or an alert that fires or changes; text: its message, see also `alerts` */
};

typedef struct tide_event {
  uint32_t size;
  int32_t kind;      /* TIDE_EVENT_... */
  uint64_t conn_id;  /* 0: not about a connection */
  uint64_t lease_id; /* 0: not about a lease */
  const char* pool;  /* name; valid during the call */
  const char* text;  /* may be ""; valid during the call */
} tide_event;

/**
 * Called for every event in the mask. No lock of the pool is held: the callback may call every function except
 * tide_pool_close() of the same pool and tide_close_all(). It must not throw.
 *
 * ACQUIRE, RELEASE, and ERROR of a statement are reported by the thread that uses the lease. CONNECT, REMOVE, ALERT and
 * ERROR of a connection attempt are reported, in the order in which they happened, by a thread of the pool that does
 * nothing else; it is started when it is first needed, and if it cannot be started the keeper reports them. The callback may
 * therefore block and may wait for a lease without stopping the pool. Up to 1024 events are queued for it; further ones are
 * dropped and counted in the relation `events` as events_dropped. Two threads may call the callback at the same time.
 *
 * With foreign_loop=1 the thread inside tide_pool_step() reports these events. The callback blocks the pool then, and an
 * acquire inside it that would have to wait fails at once with TIDE_REFUSED.
 */
typedef void (*tide_event_callback)(void* context, const tide_event* event);

/*
 * Called before every connection attempt to get the current password. Write it as NUL-terminated text and return 0; any
 * other value makes the attempt fail. It is called in the thread that connects, also with foreign_loop=1, and one call at a
 * time for a pool. It may block without stopping the pool; the time it takes counts against `connect_timeout`, and a
 * password returned later is not used.
 */
typedef int (*tide_credential_callback)(void* context, char* password, size_t password_bytes);

typedef struct tide_pool_options {
  uint32_t size;                /* TIDE_POOL_OPTIONS_INIT */
  uint32_t event_mask;          /* bit (1 << TIDE_EVENT_...); 0: no events */
  tide_event_callback on_event; /* may be NULL */
  void* event_context;
  int32_t foreign_loop;                   /* 1: no keeper thread; the program calls tide_pool_step() */
  int32_t is_hosted;                      /* 1: the pool runs in a database server; shown as `source` in `pools` */
  const char* app;                        /* application name, shown in `pools`; NULL: the program's name */
  tide_credential_callback on_credential; /* NULL: the password of the URL (PostgreSQL only) */
  void* credential_context;
} tide_pool_options;

#define TIDE_POOL_OPTIONS_INIT \
  { (uint32_t)sizeof(tide_pool_options), 0, NULL, NULL, 0, 0, NULL, NULL, NULL }

/**
 * Like tide_pool_open(), with callbacks or for an event loop of the program.
 *
 * @param name, url, options, out  as for tide_pool_open()
 * @param with  may be NULL
 * Owns     as tide_pool_open(); callbacks and contexts must remain valid until tide_pool_close() has returned.
 * Fails    as tide_pool_open().
 */
TIDE_API tide_status tide_pool_open_with(const char* name, const char* url, const char* options,
                                         const tide_pool_options* with, tide_pool** out, tide_error* err);

/**
 * Drain a pool, then close it. New and waiting requests fail at once. Leases, transactions and asynchronous calls may
 * finish until the timeout; then their statements are cancelled and their connections closed. The handle is invalid
 * afterwards, whatever is returned. Replicas are closed with their primary, and not alone.
 *
 * @param pool        an open pool
 * @param timeout_ms  how long to wait for leases; negative: `shutdown_timeout`; 0 does not wait
 * Threads  not from a callback or driver function of this pool: that fails with TIDE_BAD_ARGUMENT, and the pool stays open.
 * Fails    TIDE_REFUSED for a replica. TIDE_TIMEOUT if leases had to be revoked, if a callback has not returned 1 s after
 *          the timeout, or if a function of the driver, or SQLite's work on a file, has not returned by the timeout (at
 *          least 2 s). The pool is closed nevertheless; contexts remain in use until these functions return.
 *          TIDE_CLOSED if the pool was closed before or is being closed.
 */
TIDE_API tide_status tide_pool_close(tide_pool* pool, int64_t timeout_ms, tide_error* err);

/**
 * Close all open pools of this process at the same time, as tide_pool_close() does.
 *
 * @param timeout_ms  for all of them together; negative: the longest `shutdown_timeout`
 * Threads  not from a callback or driver function of a pool: that fails with TIDE_BAD_ARGUMENT, and all pools stay open.
 * Fails    TIDE_TIMEOUT as tide_pool_close(); the error describes the first failure.
 */
TIDE_API tide_status tide_close_all(int64_t timeout_ms, tide_error* err);

/**
 * Find the open pool of this process with a given name.
 *
 * @param name  as passed to tide_pool_open()
 * @param out   set only on success
 * Owns     the handle still belongs to whoever opened the pool, and is valid until the pool is closed.
 * Fails    TIDE_NOT_FOUND (the detail lists the open pools), TIDE_REFUSED (several pools have this name).
 */
TIDE_API tide_status tide_pool_find(const char* name, tide_pool** out, tide_error* err);

/* The health of a pool. Lines that do not fit completely are omitted. */
typedef struct tide_health {
  uint32_t size;              /* TIDE_HEALTH_INIT */
  int32_t healthy;            /* 1: status is "healthy" */
  char status[16];            /* "healthy"; "degraded": works with restrictions; "unhealthy": does not work */
  char issues[1024];          /* one per line, the worst first; "" if there are none */
  char recommendations[1024]; /* what to do about each issue, one per line, in the same order */
  char checks[1536];          /* the latest health checks: a JSON object with a member for each */
} tide_health;

#define TIDE_HEALTH_INIT                                   \
  {                                                        \
    (uint32_t)sizeof(tide_health), 0, {0}, {0}, {0}, { 0 } \
  }

/**
 * Report whether a pool works as it should. Does not access the database.
 *
 * Unhealthy: the pool is closed, no connection can be opened, all connections are in use while callers wait, more than 10
 * callers wait, or the latest connectivity or performance check failed. Degraded: starting, paused, draining or in an
 * emergency, or another check is not ok. The relation `health` shows the same for every pool of the host.
 *
 * @param pool  an open pool
 * @param out   filled up to its size
 */
TIDE_API tide_status tide_pool_health(tide_pool* pool, tide_health* out, tide_error* err);

/**
 * Lease one healthy connection.
 *
 * An idle connection is leased without a lock or a system call. Otherwise callers are served in order of arrival; a caller
 * that has waited for `fairness_window` is not overtaken.
 *
 * @param pool        an open pool
 * @param tag         purpose, shown in `leases`; truncated to 62 bytes; may be NULL
 * @param timeout_ms  how long to wait at most; 0 does not wait; negative: the pool's `acquire_timeout`
 * @param out         set only on success
 * Owns     the caller gives the lease back with tide_lease_release(), also after an error on it.
 * Fails    TIDE_TIMEOUT (the detail lists size, limit, waiters and the oldest leases), TIDE_QUEUE_FULL,
 *          TIDE_UNAVAILABLE (sqlstate, retryable and hint are those of the last connection attempt);
 *          TIDE_REFUSED in a callback that blocks the thread which runs the pool, if it would have to wait.
 */
TIDE_API tide_status tide_pool_acquire(tide_pool* pool, const char* tag, int64_t timeout_ms, tide_lease* out,
                                       tide_error* err);

enum { TIDE_READ_WRITE = 0, TIDE_READ = 1 };

/* TIDE_CRITICAL: may take the connections of the option reserve_size, and is served before others that wait. */
enum { TIDE_NORMAL = 0, TIDE_CRITICAL = 1 };

/* Cancels calls from another thread; see <tidepool/cancel.h>. */
typedef struct tide_cancel_token tide_cancel_token;

/**
 * Called once with the result of an asynchronous acquire: TIDE_OK and a lease, or an error. It is called by the thread that
 * released the connection, by the thread that called tide_pool_acquire_with(), before that returns, by the thread that
 * tripped its cancel token, or by the thread that reports events (see tide_event_callback), in order and without losses.
 */
typedef void (*tide_acquire_callback)(void* context, tide_status status, tide_lease lease, const tide_error* err);

typedef struct tide_acquire_options {
  uint32_t size; /* TIDE_ACQUIRE_OPTIONS_INIT */
  /* TIDE_READ_WRITE, or TIDE_READ: cannot write. SQLite: never waits for the write lock. With replicas (option replica_url):
     a lease of a replica, if one is not too far behind; its `pool` is the handle of the replica, not to be closed. */
  int32_t mode;
  int64_t timeout_ms;             /* as for tide_pool_acquire() */
  const char* tag;                /* as for tide_pool_acquire() */
  tide_acquire_callback callback; /* NULL: wait; else return at once and call it with the result */
  void* context;
  int32_t priority; /* TIDE_NORMAL or TIDE_CRITICAL */
  int32_t reserved;
  tide_cancel_token* cancel; /* leaves the queue when it is tripped; may be NULL */
} tide_acquire_options;

#define TIDE_ACQUIRE_OPTIONS_INIT \
  { (uint32_t)sizeof(tide_acquire_options), 0, -1, NULL, NULL, NULL, 0, 0, NULL }

/**
 * Like tide_pool_acquire(), with a mode, or asynchronously.
 *
 * @param pool  an open pool
 * @param with  must not be NULL
 * @param out   set on success; not used with a callback, and may be NULL then
 * Owns     as tide_pool_acquire(); a lease passed to the callback belongs to the program.
 * Fails    as tide_pool_acquire(). With a callback, TIDE_OK means that it was or will be called exactly once.
 */
TIDE_API tide_status tide_pool_acquire_with(tide_pool* pool, const tide_acquire_options* with, tide_lease* out,
                                            tide_error* err);

/**
 * Give a lease back. An open transaction is rolled back unless `reset_on_release` is none. If another thread is executing a
 * call on the lease, the lease ends now and the connection returns to the pool when that call returns.
 *
 * @param lease  may have been acquired by another thread; its native handle must not be used afterwards
 * Fails    TIDE_STALE_LEASE if it was already released or revoked; nothing happens then.
 */
TIDE_API tide_status tide_lease_release(tide_lease lease, tide_error* err);

/**
 * Give a lease back and assert that the state of its session is unchanged, also by use of the native handle: the session is
 * not reset, which saves a round trip, and a session of SQLite is kept. An open transaction is still rolled back.
 *
 * @param lease  as for tide_lease_release()
 * Fails    as tide_lease_release().
 */
TIDE_API tide_status tide_lease_release_unchanged(tide_lease lease, tide_error* err);

/**
 * Return 1 if a caller is waiting for a connection, if the pool wants this one back (paused, draining, recycled, too old),
 * or if the lease has ended; otherwise 0. A program that keeps a lease between statements should give it back then.
 *
 * @param lease  a lease of the caller
 */
TIDE_API int tide_lease_is_wanted(tide_lease lease);

/**
 * Give a lease back and close its connection, which must not be used again. It is replaced when it is needed.
 *
 * @param lease  as for tide_lease_release()
 * Fails    as tide_lease_release().
 */
TIDE_API tide_status tide_lease_discard(tide_lease lease, tide_error* err);

/**
 * Cancel the statement running on a lease, if any: it fails with SQLSTATE 57014. Does not wait for that. The lease remains
 * valid.
 *
 * @param lease  usually in use by another thread
 * Fails    TIDE_STALE_LEASE.
 */
TIDE_API tide_status tide_lease_cancel(tide_lease lease, tide_error* err);

/**
 * Return the native handle of a lease: sqlite3 *, PGconn *, or what a registered driver returned; NULL if the lease is stale.
 *
 * SQLite: changes made through the handle (functions, collations, modules, limits, sqlite3_db_config()) cannot be undone.
 * Therefore, whatever `reset_on_release` is, the session is closed when the lease is released, and another one is opened
 * when it is needed, which takes about a millisecond. tide_lease_release_unchanged() keeps the session. Statements must be
 * finalized before the release; a statement that is not keeps the file open.
 *
 * @param lease  a lease of the caller
 * Threads  the handle is used by one thread at a time.
 * Owns     valid until the lease is released; must not be closed.
 */
TIDE_API void* tide_lease_native(tide_lease lease);

typedef struct tide_lease_stats {
  uint32_t size; /* TIDE_LEASE_STATS_INIT */
  int32_t mode;  /* TIDE_READ_WRITE or TIDE_READ */
  uint64_t lease_id;
  uint64_t conn_id;
  int64_t age_ms;      /* since the lease was granted */
  int64_t idle_ms;     /* since its holder last used it */
  uint64_t uses_total; /* leases of this connection, including this one */
} tide_lease_stats;

#define TIDE_LEASE_STATS_INIT \
  { (uint32_t)sizeof(tide_lease_stats), 0, 0, 0, 0, 0, 0 }

/**
 * Get the figures of a lease.
 *
 * @param lease  a lease of the caller
 * @param out    filled up to its size
 * Fails    TIDE_STALE_LEASE.
 */
TIDE_API tide_status tide_lease_get_stats(tide_lease lease, tide_lease_stats* out, tide_error* err);

/**
 * Get the instance_id of a pool: 32 hexadecimal digits, as shown in the relations.
 *
 * @param pool  an open pool
 * @param out   buffer of at least 33 bytes
 */
TIDE_API tide_status tide_pool_instance_id(tide_pool* pool, char out[33], tide_error* err);

#ifdef __cplusplus
}
#endif

#endif
