/*
 * Notifications: LISTEN across reconnects. Include <tidepool/tidepool.h>. PostgreSQL only.
 *
 * All subscriptions of a pool share one connection besides those of the pool. It is opened for the first subscription and
 * closed after the last one, and replaced when it is lost. It is shown in the relation `connections` with the state
 * listening, and its losses in `events` as listen_lost and listen_ready.
 *
 * PostgreSQL keeps nothing for a listener that is not connected: what is sent in the meantime is lost. A program that keeps
 * a copy of data therefore reads it when it is told TIDE_LISTEN_READY or TIDE_LISTEN_GAP, and changes it by notifications:
 *
 *   READY, NOTIFICATION ..., LOST, GAP, NOTIFICATION ..., LOST, GAP, ...
 *
 * From READY or GAP to LOST every notification of the channel that arrives is reported once, in the order of the server.
 */
#ifndef TIDEPOOL_LISTEN_H
#define TIDEPOOL_LISTEN_H

#include <tidepool/base.h>
#include <tidepool/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A subscription to a channel. A value that may be copied; invalid after its end. */
typedef struct tide_subscription {
  struct tide_pool* pool;
  uint64_t id;
} tide_subscription;

enum {
  TIDE_LISTEN_READY = 1,        /* LISTEN has taken effect for the first time: read the data now */
  TIDE_LISTEN_NOTIFICATION = 2, /* a notification was sent */
  TIDE_LISTEN_LOST = 3,         /* there is no connection: until GAP (or READY) nothing arrives; once for each outage */
  TIDE_LISTEN_GAP = 4 /* LISTEN is in effect again; what was sent since LOST is missing: read the data again */
};

/* The texts are valid during the call. */
typedef struct tide_listen_event {
  uint32_t size;
  int32_t kind; /* TIDE_LISTEN_... */
  tide_subscription subscription;
  const char* channel;
  const char* text;   /* NOTIFICATION: the payload; LOST: the reason; else "" */
  int32_t server_pid; /* NOTIFICATION: process id of the session that sent it; else 0 */
  int32_t reserved;
} tide_listen_event;

/**
 * Called for a subscription, one call at a time, in order. No lock of the pool is held: the callback may call every function
 * except tide_pool_close() of the same pool and tide_close_all(); it may end its own subscription. It must not throw.
 *
 * It is called by the thread that calls tide_event_callback for the keeper, and may block without stopping the pool, but not
 * forever: when 4096 calls are waiting, no further notifications are read. The server then keeps them for all its listeners,
 * in a queue that is limited. With foreign_loop=1 it is called inside tide_pool_step().
 */
typedef void (*tide_listen_callback)(void* context, const tide_listen_event* event);

/**
 * Subscribe to the notifications of a channel. Returns before LISTEN has taken effect, which TIDE_LISTEN_READY reports.
 *
 * A connection that does not answer is given up at most keepalive_idle + validation_timeout after it was last heard.
 * Another one is opened after a random delay of at most retry_base, doubled with each further failure, at most retry_max.
 *
 * @param pool      an open pool on PostgreSQL, not through a pooler in transaction mode
 * @param channel   the name as it is, as if quoted: upper and lower case differ; 1 to 63 bytes
 * @param callback  called from now on, perhaps before this function has returned
 * @param context   its first argument
 * @param out       set only on success; may be NULL if the subscription ends with the pool
 * Owns     ended by tide_unlisten() or by tide_pool_close(); until one of them has returned the context must remain valid.
 *          A pool has at most 10000 subscriptions.
 * Fails    TIDE_UNSUPPORTED if the database has no notifications; TIDE_REFUSED through a pooler, and for too many
 *          subscriptions; TIDE_NO_MEMORY also if no thread or descriptor is available.
 */
TIDE_API tide_status tide_listen(tide_pool* pool, const char* channel, tide_listen_callback callback, void* context,
                                 tide_subscription* out, tide_error* err);

/**
 * End a subscription. When it returns, no callback of it runs or will run; if it is called inside that callback, then that
 * call is the last one.
 *
 * @param subscription  from tide_listen() or from an event
 * Threads  waits for a callback of this subscription that runs in another thread.
 * Fails    TIDE_NOT_FOUND if it has already ended.
 */
TIDE_API tide_status tide_unlisten(tide_subscription subscription, tide_error* err);

#ifdef __cplusplus
}
#endif

#endif
