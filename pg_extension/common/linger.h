/*
 * Lingering leases: a lease stays with the backend that used it until another session needs the connection.
 *
 * The state words are in memory that the worker creates and passes to each backend in the handshake: a memfd, sealed
 * against shrinking, so that accessing the mapping cannot fault. A word tells who may use the connection at the moment:
 *
 *   in use  --backend: end of statement-->  idle  --backend: CAS, next statement-->  in use
 *                                           idle  --worker: CAS-->  recalled; the worker owns it again
 *
 * L1  Both sides leave `idle` by compare-and-swap, so exactly one of them gets the lease.
 * L2  A lease becomes idle only outside of a transaction, after all results have been read, and after statements that
 *     are known to leave nothing in the session (query/traces.c), so that the next statement of the same backend and
 *     role sees no effects of earlier ones. Other backends get the connection only after a full reset.
 * L3  The word contains the lease's number, so a word that was reassigned to another lease never matches.
 *
 * If a backend dies with an idle lease, no work is left incomplete.
 */
#ifndef TIDEPOOL_PG_LINGER_H
#define TIDEPOOL_PG_LINGER_H

#include <stdatomic.h>
#include <stdint.h>

#define LINGER_SLOTS 4096
#define LINGER_NO_SLOT UINT32_MAX
/* Others wait at most this long for a lease that is used repeatedly. */
#define LINGER_SLICE_NS INT64_C(2000000)
/* An unused lease is returned to the pool after this time. */
#define LINGER_IDLE_NS INT64_C(50000000)
/* A lease is returned at least this often, so that the pool's limits (lifetime, uses) are applied. */
#define LINGER_AGE_NS INT64_C(1000000000)

typedef enum LingerState { LINGER_NONE, LINGER_IN_USE, LINGER_IDLE, LINGER_RECALLED } LingerState;

typedef struct LingerSlot {
  _Alignas(64) _Atomic uint64_t word; /* lease << 2 | state */
  _Atomic int64_t idle_since_ns;      /* CLOCK_MONOTONIC */
  _Atomic uint32_t is_wanted;         /* set by the worker: others wait for this pool */
} LingerSlot;

typedef struct LingerBoard {
  LingerSlot slots[LINGER_SLOTS];
} LingerBoard;

static inline uint64_t linger_word(uint64_t lease, LingerState state) { return lease << 2 | (uint64_t)state; }

/* True if the lease was in state `from` and is now in state `to`. */
static inline _Bool linger_move(LingerSlot* slot, uint64_t lease, LingerState from, LingerState to) {
  uint64_t expected = linger_word(lease, from);
  return atomic_compare_exchange_strong(&slot->word, &expected, linger_word(lease, to));
}

/* CLOCK_MONOTONIC, which both sides share. */
int64_t linger_now_ns(void);
/* For the worker: creates and seals the memory; NULL on failure. `fd` is the descriptor to pass to backends. */
LingerBoard* linger_board_make(int* fd);
/* For a backend: maps the memory only if it is sealed against shrinking; NULL otherwise. `fd` remains the caller's. */
LingerBoard* linger_board_map(int fd);
void linger_board_unmap(LingerBoard* board);

#endif
