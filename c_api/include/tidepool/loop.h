/* Driving a pool from your own event loop, without a thread of its own. Include <tidepool/tidepool.h>. */
#ifndef TIDEPOOL_LOOP_H
#define TIDEPOOL_LOOP_H

#include <tidepool/base.h>
#include <tidepool/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The descriptor to wait on: readable when tide_pool_step() has something to do.
 *
 * @param pool  a pool opened with foreign_loop
 * @param out   a descriptor for poll() or epoll, until the pool is closed
 * @param err   may be NULL
 * Threads  any.
 * Owns     borrowed; do not read, write or close it.
 * Fails    TIDE_BAD_ARGUMENT (also for a pool with a thread of its own), TIDE_CLOSED, TIDE_FORKED.
 * Since    0.1
 */
TIDE_API tide_status tide_pool_fd(tide_pool* pool, int* out, tide_error* err);

/**
 * Let the pool do what is due: open, check, close, decide, answer commands. Never waits for the network, a name server,
 * the credential callback, a driver or a disk.
 *
 * @param pool            a pool opened with foreign_loop
 * @param next_within_ms  set to how long you may wait for the descriptor before the next call; at most 1000
 * @param err             may be NULL
 * Threads  one at a time; callbacks run inside.
 * Owns     nothing.
 * Fails    TIDE_BAD_ARGUMENT (also for a pool with a thread of its own), TIDE_CLOSED, TIDE_FORKED.
 * Since    0.1
 */
TIDE_API tide_status tide_pool_step(tide_pool* pool, int64_t* next_within_ms, tide_error* err);

#ifdef __cplusplus
}
#endif

#endif
