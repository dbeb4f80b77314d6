/* Running a pool in an event loop of the program, without a thread of its own. Include <tidepool/tidepool.h>. */
#ifndef TIDEPOOL_LOOP_H
#define TIDEPOOL_LOOP_H

#include <tidepool/base.h>
#include <tidepool/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Get the descriptor that becomes readable when tide_pool_step() has something to do.
 *
 * @param pool  a pool opened with foreign_loop
 * @param out   a descriptor for poll() or epoll
 * Owns     the descriptor belongs to the pool and is valid until the pool is closed; do not read, write or close it.
 * Fails    TIDE_BAD_ARGUMENT (also for a pool with a thread of its own).
 */
TIDE_API tide_status tide_pool_fd(tide_pool* pool, int* out, tide_error* err);

/**
 * Do the work that is due: open, check and close connections, decide on the size, execute commands. Never waits for the
 * network, a name server, the credential callback, a driver or a disk.
 *
 * @param pool            a pool opened with foreign_loop
 * @param next_within_ms  out: how long to wait for the descriptor at most before the next call; up to 1000
 * Threads  one call at a time for a pool; callbacks are called in this thread.
 * Fails    TIDE_BAD_ARGUMENT (also for a pool with a thread of its own).
 */
TIDE_API tide_status tide_pool_step(tide_pool* pool, int64_t* next_within_ms, tide_error* err);

#ifdef __cplusplus
}
#endif

#endif
