/* Pools and leases. Include <tidepool/tidepool.h>. */
#ifndef TIDEPOOL_POOL_H
#define TIDEPOOL_POOL_H

#include <tidepool/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tide_pool tide_pool;

/* The exclusive right to one connection. A value: copy it freely; only its first release counts. */
typedef struct tide_lease {
  struct tide_pool* pool;
  uint64_t id;
} tide_lease;

/**
 * Open a pool.
 *
 * @param name     1 to 62 bytes: letters, digits, '_', '-', '.'; what `pools` and commands call it
 * @param url      target, such as "sqlite:///var/lib/app.db" or "postgresql://db/app"; NULL or "" takes host, port,
 *                 database, username, password or dbPath of the options, else DATABASE_URL, DB_HOST ...
 * @param options  "max_size=20 acquire_timeout=5s" or a JSON object; NULL for none
 * @param out      set only on success
 * @param err      may be NULL
 * Threads  any; starts one thread, the pool's keeper, unless the option struct of tide_pool_open_with() says otherwise.
 *          PostgreSQL: and one for each connect while it lasts, at most `max_connecting`, and 16 more for connects that
 *          were given up but are held up in a name look-up or a callback.
 *          Registered drivers and SQLite files: and up to 4 for calls that may block.
 * Owns     you must end it with tide_pool_close().
 * Fails    TIDE_BAD_ARGUMENT, TIDE_BAD_OPTION, TIDE_UNSUPPORTED (no driver for the scheme), TIDE_NO_MEMORY,
 *          TIDE_FORKED (an SQLite file that a pool of the parent process had open at the fork: open it in the child first,
 *          fork before opening, or exec());
 *          TIDE_UNAVAILABLE (no descriptor or thread is left; the message names the limit);
 *          with init_mode=fail_fast also for other reasons, TIDE_DATABASE and TIDE_TIMEOUT.
 * Since    0.1
 */
TIDE_API tide_status tide_pool_open(const char* name, const char* url, const char* options, tide_pool** out,
                                    tide_error* err);

/* What happened, for the event callback. Numbers are append only. */
enum {
  TIDE_EVENT_CONNECT = 1, /* a connection was made */
  TIDE_EVENT_ACQUIRE = 2, /* a lease was given */
  TIDE_EVENT_RELEASE = 3, /* a lease ended */
  TIDE_EVENT_REMOVE = 4,  /* a connection was closed; text is the reason */
  TIDE_EVENT_ERROR = 5,   /* something failed; text says what */
  TIDE_EVENT_ALERT = 6    /* a warning, or an alert that fires or changes; text says what, `alerts` the rest */
};

typedef struct tide_event {
  uint32_t size;
  int32_t kind;      /* TIDE_EVENT_... */
  uint64_t conn_id;  /* 0 where none is meant */
  uint64_t lease_id; /* 0 where none is meant */
  const char* pool;  /* name; lives during the call */
  const char* text;  /* may be ""; lives during the call */
} tide_event;

/**
 * Called for every event of the mask. No lock of the pool is held; every function but tide_pool_close() of the same pool
 * and tide_close_all() may be called inside. Must not throw.
 *
 * ACQUIRE, RELEASE, and ERROR of a statement come from the thread that leases. CONNECT, REMOVE, ALERT and ERROR of a
 * connect come from a thread of the pool's own that does nothing but call back, in the order in which they happened; it
 * is started when it is first needed, and where no thread is to be had the keeper calls. So a callback may block, and may
 * wait for a lease: the pool goes on meanwhile. Up to 1024 events wait for it; what is more is dropped and counted in
 * `events` as events_dropped. Two callbacks may run at once on two threads.
 *
 * With foreign_loop=1 they come from the thread inside tide_pool_step(), which they hold up: an acquire that would have
 * to wait there is refused at once with TIDE_REFUSED.
 */
typedef void (*tide_event_callback)(void* context, const tide_event* event);

/*
 * Called at every connect to get the password of the moment. Write NUL-terminated text, return 0; anything else makes the
 * connect fail. It is called on the thread that makes this connect, with foreign_loop=1 too, and one call of a pool at a
 * time. It may block: the pool goes on meanwhile, and the time it takes counts against `connect_timeout`; a password that
 * comes later is not used.
 */
typedef int (*tide_credential_callback)(void* context, char* password, size_t password_bytes);

typedef struct tide_pool_options {
  uint32_t size;                /* TIDE_POOL_OPTIONS_INIT */
  uint32_t event_mask;          /* bit (1 << TIDE_EVENT_...); 0: no events */
  tide_event_callback on_event; /* may be NULL */
  void* event_context;
  int32_t foreign_loop;                   /* 1: no keeper's thread; you drive it with tide_pool_step() */
  int32_t is_hosted;                      /* 1: a database server hosts the pool; `source` in `pools` then says so */
  const char* app;                        /* application name in `pools`; NULL: the program's name */
  tide_credential_callback on_credential; /* NULL: the password of the URL (PostgreSQL only) */
  void* credential_context;
} tide_pool_options;

#define TIDE_POOL_OPTIONS_INIT \
  { (uint32_t)sizeof(tide_pool_options), 0, NULL, NULL, 0, 0, NULL, NULL, NULL }

/**
 * tide_pool_open() with callbacks or a foreign event loop.
 *
 * @param name, url, options  as tide_pool_open()
 * @param with  may be NULL
 * @param out   set only on success
 * @param err   may be NULL
 * Threads  any.
 * Owns     you must end it with tide_pool_close(); callbacks and contexts must outlive that call.
 * Fails    as tide_pool_open(); TIDE_BAD_ARGUMENT also for a struct of a size or with bytes this library cannot know.
 * Since    0.1
 */
TIDE_API tide_status tide_pool_open_with(const char* name, const char* url, const char* options,
                                         const tide_pool_options* with, tide_pool** out, tide_error* err);

/**
 * Drain, then close: new requests fail at once, waiting ones too, leases may end in peace until the timeout, then
 * their statements are cancelled and their connections taken away. The handle is dead afterwards, in every case.
 *
 * @param pool        an open pool
 * @param timeout_ms  how long leases may last; negative takes `shutdown_timeout`; 0 does not wait
 * @param err         may be NULL
 * Threads  any but a callback or driver function of this pool: there it is refused with TIDE_BAD_ARGUMENT, and the pool
 *          stays open.
 * Owns     takes the handle, unless it is refused.
 * Fails    TIDE_TIMEOUT if leases had to be taken away, if a callback has not returned 1 s after the timeout, or if a
 *          driver's function or SQLite's work on a file has not returned by the timeout though it was given 2 s at least
 *          (the pool is closed all the same; contexts are in use until that returns),
 *          TIDE_CLOSED if it was closed before or is being closed, TIDE_BAD_ARGUMENT, TIDE_FORKED.
 * Since    0.1
 */
TIDE_API tide_status tide_pool_close(tide_pool* pool, int64_t timeout_ms, tide_error* err);

/**
 * Close every open pool of this process, all at once, as tide_pool_close() does.
 *
 * @param timeout_ms  for all together; negative takes the longest `shutdown_timeout`
 * @param err         may be NULL; tells of the first that failed
 * Threads  any but a callback or driver function of a pool: there it is refused with TIDE_BAD_ARGUMENT, and all stay
 *          open.
 * Owns     takes all handles, unless it is refused.
 * Fails    TIDE_TIMEOUT as tide_pool_close(), TIDE_BAD_ARGUMENT.
 * Since    0.1
 */
TIDE_API tide_status tide_close_all(int64_t timeout_ms, tide_error* err);

/**
 * The open pool of this process that has this name.
 *
 * @param name  as given to tide_pool_open()
 * @param out   set only on success
 * @param err   may be NULL
 * Threads  any.
 * Owns     the handle stays whose it is: it is valid until somebody closes the pool.
 * Fails    TIDE_NOT_FOUND (the detail lists what is open), TIDE_REFUSED (several pools have the name), TIDE_BAD_ARGUMENT.
 * Since    0.1
 */
TIDE_API tide_status tide_pool_find(const char* name, tide_pool** out, tide_error* err);

/* One verdict on a pool. All texts end with NUL; what would not fit whole is left out. */
typedef struct tide_health {
  uint32_t size;              /* TIDE_HEALTH_INIT */
  int32_t healthy;            /* 1: status is "healthy" */
  char status[16];            /* "healthy"; "degraded": it serves, but not as it should; "unhealthy": it does not */
  char issues[1024];          /* a line each, the worst first; "" where nothing is wrong */
  char recommendations[1024]; /* what to do about each issue, a line each, in the same order */
  char checks[1536];          /* the latest health checks, the evidence, as a JSON object by their names */
} tide_health;

#define TIDE_HEALTH_INIT                                   \
  {                                                        \
    (uint32_t)sizeof(tide_health), 0, {0}, {0}, {0}, { 0 } \
  }

/**
 * Is the pool well? Unhealthy: it is closed, no connection can be made, all connections are in use while callers wait, more
 * than 10 callers wait, or the latest check of connectivity or performance failed. Degraded: starting, paused, draining
 * or in an emergency, or another check does not say ok. The relation `health` says the same of every pool of the host.
 *
 * @param pool  an open pool
 * @param out   its size tells how much of it is filled
 * @param err   may be NULL
 * Threads  any; asks no database, so it answers at once.
 * Owns     nothing.
 * Fails    TIDE_CLOSED, TIDE_BAD_ARGUMENT.
 * Since    0.1
 */
TIDE_API tide_status tide_pool_health(tide_pool* pool, tide_health* out, tide_error* err);

/**
 * Lease one healthy connection, waiting at most `timeout_ms` for it.
 *
 * An idle connection is taken without a lock or system call. Otherwise callers wait in order of arrival; who has waited
 * `fairness_window` is never overtaken.
 *
 * @param pool        an open pool
 * @param tag         what for, shown in `leases`; up to 62 bytes are kept; may be NULL
 * @param timeout_ms  up to 86400000; 0 never waits; negative takes the pool's `acquire_timeout`
 * @param out         set only on success
 * @param err         may be NULL; a timeout names size, cap, waiters and the oldest leases; where there is no connection
 *                    because connects fail, sqlstate, retryable and hint are those of the last connect
 * Threads  any; any number of calls may run at once.
 * Owns     you must give the lease back with tide_lease_release(), also after an error on it.
 * Fails    TIDE_TIMEOUT (retryable), TIDE_QUEUE_FULL, TIDE_CLOSED, TIDE_UNAVAILABLE, TIDE_BAD_ARGUMENT, TIDE_FORKED;
 *          TIDE_REFUSED in a callback that holds up the thread which drives the pool, if it would have to wait.
 * Since    0.1
 */
TIDE_API tide_status tide_pool_acquire(tide_pool* pool, const char* tag, int64_t timeout_ms, tide_lease* out,
                                       tide_error* err);

enum { TIDE_READ_WRITE = 0, TIDE_READ = 1 };

/**
 * Called once with the outcome of an asynchronous acquire: status TIDE_OK and a lease, or an error. Comes from the
 * thread that gave the connection back, from within the acquire call itself, or, where the keeper would call, from the
 * thread that also calls for events (see tide_event_callback): outcomes are told in their order and never dropped.
 */
typedef void (*tide_acquire_callback)(void* context, tide_status status, tide_lease lease, const tide_error* err);

typedef struct tide_acquire_options {
  uint32_t size;                  /* TIDE_ACQUIRE_OPTIONS_INIT */
  int32_t mode;                   /* TIDE_READ_WRITE or TIDE_READ (SQLite: query_only; never takes the writer's turn) */
  int64_t timeout_ms;             /* as tide_pool_acquire() */
  const char* tag;                /* as tide_pool_acquire() */
  tide_acquire_callback callback; /* NULL: wait here; else return at once and call it later */
  void* context;
} tide_acquire_options;

#define TIDE_ACQUIRE_OPTIONS_INIT \
  { (uint32_t)sizeof(tide_acquire_options), 0, -1, NULL, NULL, NULL }

/**
 * tide_pool_acquire() with a mode, or asynchronously.
 *
 * @param pool  an open pool
 * @param with  must not be NULL
 * @param out   set on success of a waiting call; unused with a callback, may then be NULL
 * @param err   may be NULL
 * Threads  any.
 * Owns     as tide_pool_acquire(); with a callback the lease it is given is yours.
 * Fails    as tide_pool_acquire(). With a callback TIDE_OK means that the callback was or will be called exactly once.
 * Since    0.1
 */
TIDE_API tide_status tide_pool_acquire_with(tide_pool* pool, const tide_acquire_options* with, tide_lease* out,
                                            tide_error* err);

/**
 * Give a lease back. An open transaction is rolled back unless `reset_on_release` is none. Where another thread is still
 * inside a call on the lease, the lease ends now and the connection goes back when that call returns.
 *
 * @param lease  from an acquire; from any thread
 * @param err    may be NULL
 * Threads  any thread, also another than the one that acquired.
 * Owns     ends the lease; its native handle must not be used any more.
 * Fails    TIDE_STALE_LEASE when already released or revoked (nothing happens then), TIDE_CLOSED, TIDE_BAD_ARGUMENT,
 *          TIDE_FORKED.
 * Since    0.1
 */
TIDE_API tide_status tide_lease_release(tide_lease lease, tide_error* err);

/**
 * tide_lease_release() by a holder who vouches that the session is as it got it, native handle or not: no round trip is
 * spent on a reset, and a session of SQLite is kept. An open transaction is rolled back all the same.
 *
 * @param lease  from an acquire; from any thread
 * @param err    may be NULL
 * Threads  any thread, also another than the one that acquired.
 * Owns     ends the lease; its native handle must not be used any more.
 * Fails    as tide_lease_release().
 * Since    0.1
 */
TIDE_API tide_status tide_lease_release_unchanged(tide_lease lease, tide_error* err);

/**
 * Does somebody wait for a connection, or does the pool want this one back (paused, draining, recycled, too old)? Who
 * keeps a lease between statements should then give it back.
 *
 * @param lease  a lease you hold
 * Threads  any.
 * Owns     nothing.
 * Fails    1 also for a lease that has ended, 0 otherwise.
 * Since    0.1
 */
TIDE_API int tide_lease_is_wanted(tide_lease lease);

/**
 * Give a lease back whose connection must not be used again: it is closed, and replaced when it is needed.
 *
 * @param lease  from an acquire; from any thread
 * @param err    may be NULL
 * Threads  any thread, also another than the one that acquired.
 * Owns     ends the lease; its native handle must not be used any more.
 * Fails    as tide_lease_release().
 * Since    0.1
 */
TIDE_API tide_status tide_lease_discard(tide_lease lease, tide_error* err);

/**
 * Interrupt the statement that runs on a lease, if any: it fails with SQLSTATE 57014. Does not wait for that.
 *
 * @param lease  a lease that has not ended
 * @param err    may be NULL
 * Threads  any, also while another thread runs the statement.
 * Owns     nothing; the lease goes on.
 * Fails    TIDE_STALE_LEASE, TIDE_CLOSED, TIDE_BAD_ARGUMENT, TIDE_FORKED.
 * Since    0.1
 */
TIDE_API tide_status tide_lease_cancel(tide_lease lease, tide_error* err);

/**
 * The driver's own handle: sqlite3 * or PGconn *, or what a custom driver returned.
 *
 * SQLite: what a holder does to the handle (functions, collations, modules, limits, sqlite3_db_config()) cannot be
 * undone, so whatever `reset_on_release` says the session is closed at the release and another is opened when one is
 * needed, which takes about a millisecond. Who left nothing keeps the session with tide_lease_release_unchanged().
 * Finalize statements before the release: one that is left keeps the file open.
 *
 * @param lease  a lease you hold
 * Threads  any; use the handle from one thread at a time.
 * Owns     borrowed until the release; do not close it.
 * Fails    NULL if the lease is stale.
 * Since    0.1
 */
TIDE_API void* tide_lease_native(tide_lease lease);

typedef struct tide_lease_stats {
  uint32_t size; /* TIDE_LEASE_STATS_INIT */
  int32_t mode;  /* TIDE_READ_WRITE or TIDE_READ */
  uint64_t lease_id;
  uint64_t conn_id;
  int64_t age_ms;      /* since the lease was given */
  int64_t idle_ms;     /* since its holder last used it */
  uint64_t uses_total; /* leases of this connection, this one included */
} tide_lease_stats;

#define TIDE_LEASE_STATS_INIT \
  { (uint32_t)sizeof(tide_lease_stats), 0, 0, 0, 0, 0, 0 }

/**
 * What is known of a lease you hold.
 *
 * @param lease  a lease you hold
 * @param out    filled up to its size
 * @param err    may be NULL
 * Threads  any.
 * Owns     nothing.
 * Fails    TIDE_STALE_LEASE, TIDE_BAD_ARGUMENT, TIDE_CLOSED, TIDE_FORKED.
 * Since    0.1
 */
TIDE_API tide_status tide_lease_get_stats(tide_lease lease, tide_lease_stats* out, tide_error* err);

/**
 * The pool's instance_id, 32 hex digits, as the relations show it.
 *
 * @param pool  an open pool
 * @param out   at least 33 bytes
 * @param err   may be NULL
 * Threads  any.
 * Owns     copies into your buffer.
 * Fails    TIDE_BAD_ARGUMENT, TIDE_CLOSED, TIDE_FORKED.
 * Since    0.1
 */
TIDE_API tide_status tide_pool_instance_id(tide_pool* pool, char out[33], tide_error* err);

#ifdef __cplusplus
}
#endif

#endif
