/* Registries: several pools with shared options, opened at their first use. Include <tidepool/tidepool.h>. */
#ifndef TIDEPOOL_REGISTRY_H
#define TIDEPOOL_REGISTRY_H

#include <tidepool/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Pools that share options. An opaque handle, validated before use like a tide_pool *. */
typedef struct tide_registry tide_registry;

/**
 * Create a registry. It opens no pool yet.
 *
 * The options are defaults of its pools: they have precedence over the environment, and the URL and the options of a pool
 * have precedence over them. They may contain parts of the address, such as host and username, which complete those of a
 * pool that has no URL.
 *
 * @param options  "max_size=5 acquire_timeout=2s host=db1" or a JSON object; NULL for none
 * @param with     what all its pools are opened with, see tide_pool_open_with(); may be NULL
 * @param out      set only on success
 * Owns     the caller closes it with tide_registry_close(). Callbacks and contexts must remain valid until then.
 * Fails    TIDE_BAD_OPTION.
 */
TIDE_API tide_status tide_registry_open(const char* options, const tide_pool_options* with, tide_registry** out,
                                        tide_error* err);

/**
 * Get a pool of a registry. The first call for a name opens the pool; later ones return the same handle. Threads that ask
 * for a pool while it is being opened wait for the result, also if it is an error, which is not remembered: the next call
 * tries again. A pool that was closed is opened again.
 *
 * A later call may omit URL and options. What it gives must be what the pool was opened with.
 *
 * @param registry  an open registry
 * @param name      name of the pool, as for tide_pool_open(); NULL: the pool of this target, named after its file or
 *                  database
 * @param url       as for tide_pool_open(); NULL or "": the address in the options, else that of the pool
 * @param options   options of this pool; NULL for none
 * @param out       set only on success
 * Threads  not from a callback of the same pool while it is being opened.
 * Owns     the handle belongs to the registry, and is valid until the pool or the registry is closed.
 * Fails    as tide_pool_open(); TIDE_BAD_OPTION also for options that contradict those of the registry (the message names
 *          both); TIDE_REFUSED: the name has another target or other options (the detail lists them: given and
 *          accepted); TIDE_CLOSED: the registry is closed.
 */
TIDE_API tide_status tide_registry_pool(tide_registry* registry, const char* name, const char* url, const char* options,
                                        tide_pool** out, tide_error* err);

/**
 * Find a pool that a registry has opened. Opens nothing.
 *
 * @param registry  an open registry
 * @param name      as shown in `pools`
 * @param out       set only on success
 * Owns     as tide_registry_pool().
 * Fails    TIDE_NOT_FOUND (the detail lists the pools of the registry).
 */
TIDE_API tide_status tide_registry_find(tide_registry* registry, const char* name, tide_pool** out, tide_error* err);

/**
 * Close a registry and all its pools, at the same time, as tide_pool_close() does. The handle is invalid afterwards,
 * whatever is returned. A pool that is just being opened by another thread is closed as soon as it is open, and that thread
 * gets TIDE_CLOSED.
 *
 * @param registry    an open registry
 * @param timeout_ms  for all pools together; negative: the `shutdown_timeout` of each
 * Threads  not from a callback or driver function of a pool: that fails with TIDE_BAD_ARGUMENT, and all pools stay open.
 * Fails    TIDE_TIMEOUT as tide_pool_close(); the error describes the first failure.
 */
TIDE_API tide_status tide_registry_close(tide_registry* registry, int64_t timeout_ms, tide_error* err);

#ifdef __cplusplus
}
#endif

#endif
