/* Drivers for other databases. Include <tidepool/tidepool.h>. */
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
 * The functions of a driver. They return 0 on success; otherwise they write a message.
 *
 * open, validate, reset and close run in helper threads of the pool, in which all signals are blocked. They may block;
 * the pool and tide_pool_step() continue meanwhile. Calls for one connection never overlap. Calls for different
 * connections of a pool are serialized too, unless the driver has the flag TIDE_DRIVER_CONCURRENT: then up to 4 run at the
 * same time. Pools are independent of each other. close may also be called by the thread that releases a lease which was
 * revoked. cancel may be called at any time, concurrently with any other call: by the thread that calls
 * tide_lease_cancel(), which waits for it, or by a helper thread. At most one cancel runs for a connection, and the
 * connection is closed only after it has returned.
 *
 * A call that has not returned 50 ms after its timeout_ms (close, cancel: 2 s) is late. The pool continues without it: it
 * counts as failed, a connection that it opens is closed when it returns, and the connection that it was made for is closed
 * afterwards. Other calls do not wait for a late call, so they may run concurrently with it; but while 4 calls of a pool
 * are late, no further call is made. tide_pool_close() waits for late calls until its timeout and then fails with
 * TIDE_TIMEOUT: the context remains in use until they return.
 */
typedef struct tide_driver {
  uint32_t size; /* TIDE_DRIVER_INIT */
  uint32_t reserved;
  void* context; /* first argument of every call */
  /* Open a connection to `url` (complete, as passed to tide_pool_open()). */
  int (*open)(void* context, const char* url, int64_t timeout_ms, void** connection, char* message,
              size_t message_bytes);
  /* Check that the connection works. May be NULL: connections are assumed to work. */
  int (*validate)(void* context, void* connection, int64_t timeout_ms, char* message, size_t message_bytes);
  /* Undo what the last holder did to the session. May be NULL: nothing to do. */
  int (*reset)(void* context, void* connection, int64_t timeout_ms, char* message, size_t message_bytes);
  /* Close the connection. Must not fail. */
  void (*close)(void* context, void* connection);
  /* Interrupt the running statement. May be NULL. */
  void (*cancel)(void* context, void* connection);
  uint64_t flags; /* TIDE_DRIVER_..., or 0 */
} tide_driver;

#define TIDE_DRIVER_INIT \
  { (uint32_t)sizeof(tide_driver), 0, NULL, NULL, NULL, NULL, NULL, NULL, 0 }

/**
 * Register a driver for URLs that begin with `scheme` and a colon. It stays registered until the process ends.
 *
 * @param scheme  2 to 30 lower-case letters and digits; must not be in use
 * @param driver  copied
 * Owns     the context must remain valid until the process ends.
 * Fails    TIDE_BAD_ARGUMENT, TIDE_REFUSED (the scheme is in use, or 16 drivers are registered).
 */
TIDE_API tide_status tide_register_driver(const char* scheme, const tide_driver* driver, tide_error* err);

#ifdef __cplusplus
}
#endif

#endif
