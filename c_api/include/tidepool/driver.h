/* Teaching tidepool another database. Include <tidepool/tidepool.h>. */
#ifndef TIDEPOOL_DRIVER_H
#define TIDEPOOL_DRIVER_H

#include <tidepool/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The calls of a driver. open, validate, reset and close run on the keeper, one at a time, and must respect their
 * deadline; cancel may come from any thread at any moment. Return 0 for success; else fill the message.
 */
typedef struct tide_driver {
  uint32_t size;  /* TIDE_DRIVER_INIT */
  uint32_t reserved;
  void *context;  /* first argument of every call */
  /* Make a connection to `url` (whole, as given to tide_pool_open()). */
  int (*open)(void *context, const char *url, int64_t timeout_ms, void **connection, char *message,
              size_t message_bytes);
  /* Is it alive? May be NULL: assumed. */
  int (*validate)(void *context, void *connection, int64_t timeout_ms, char *message, size_t message_bytes);
  /* Make it fit for the next holder. May be NULL: nothing to do. */
  int (*reset)(void *context, void *connection, int64_t timeout_ms, char *message, size_t message_bytes);
  /* End it. Must not fail. */
  void (*close)(void *context, void *connection);
  /* Interrupt what runs on it. May be NULL. */
  void (*cancel)(void *context, void *connection);
} tide_driver;

#define TIDE_DRIVER_INIT {(uint32_t)sizeof(tide_driver), 0, NULL, NULL, NULL, NULL, NULL, NULL}

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
TIDE_API tide_status tide_register_driver(const char *scheme, const tide_driver *driver, tide_error *err);

#ifdef __cplusplus
}
#endif

#endif
