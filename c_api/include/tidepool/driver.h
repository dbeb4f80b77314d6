/* Teaching tidepool another database. Include <tidepool/tidepool.h>. */
#ifndef TIDEPOOL_DRIVER_H
#define TIDEPOOL_DRIVER_H

#include <tidepool/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Flags of a driver. */
enum {
  TIDE_DRIVER_CONCURRENT = 1 /* calls for different connections may run at the same time */
};

/*
 * The calls of a driver. Return 0 for success; else fill the message.
 *
 * open, validate, reset and close run on helper threads of the pool, in which all signals are blocked. They may block:
 * the pool goes on meanwhile, and so does tide_pool_step(). Calls for one connection never overlap. Calls for different
 * connections of a pool are made one at a time, too, unless the driver has TIDE_DRIVER_CONCURRENT: then up to 4 run at
 * once. Two pools call independently of each other. close may also come from the thread that gives back a lease which
 * was taken away from it. cancel may come at any moment, beside any other call: from the thread of tide_lease_cancel(),
 * which waits for it, or from a helper thread; one connection is cancelled once at a time, and closed only afterwards.
 *
 * A call that has not returned 50 ms after its timeout_ms (close, cancel: 2 s) is late. The pool goes on without it: it
 * counts as failed, a connection that it opens is closed when it returns, and the connection that it is about is closed
 * after it. It does not hold up the others, so they may then run beside it; but when 4 calls of a pool are late, the next
 * wait until one of them returns. tide_pool_close() waits for late calls up to its timeout and says so if they remain:
 * the context is in use until they return.
 */
typedef struct tide_driver {
  uint32_t size; /* TIDE_DRIVER_INIT */
  uint32_t reserved;
  void* context; /* first argument of every call */
  /* Make a connection to `url` (whole, as given to tide_pool_open()). */
  int (*open)(void* context, const char* url, int64_t timeout_ms, void** connection, char* message,
              size_t message_bytes);
  /* Is it alive? May be NULL: assumed. */
  int (*validate)(void* context, void* connection, int64_t timeout_ms, char* message, size_t message_bytes);
  /* Make it fit for the next holder. May be NULL: nothing to do. */
  int (*reset)(void* context, void* connection, int64_t timeout_ms, char* message, size_t message_bytes);
  /* End it. Must not fail. */
  void (*close)(void* context, void* connection);
  /* Interrupt what runs on it. May be NULL. */
  void (*cancel)(void* context, void* connection);
  uint64_t flags; /* TIDE_DRIVER_..., or 0 */
} tide_driver;

#define TIDE_DRIVER_INIT \
  { (uint32_t)sizeof(tide_driver), 0, NULL, NULL, NULL, NULL, NULL, NULL, 0 }

/**
 * Register a driver for URLs that begin with `scheme` and a colon. For the life of the process.
 *
 * @param scheme  lower-case letters and digits, 2 to 30; not one that is known already
 * @param driver  copied
 * @param err     may be NULL
 * Threads  any.
 * Owns     the context must live as long as the process.
 * Fails    TIDE_BAD_ARGUMENT, TIDE_REFUSED (scheme taken, or 16 drivers registered).
 * Since    0.1
 */
TIDE_API tide_status tide_register_driver(const char* scheme, const tide_driver* driver, tide_error* err);

#ifdef __cplusplus
}
#endif

#endif
