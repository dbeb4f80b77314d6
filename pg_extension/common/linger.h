/*
 * Lingering leases: a lease that stays with the backend that used it, until somebody else needs it.
 *
 * The words lie in memory that the worker makes and passes to each backend when it greets: a memfd, sealed against
 * shrinking, so mapping it cannot fault. They tell who may use a lent connection at this moment:
 *
 *   in use  --backend: the statement is over-->  idle  --backend: CAS, next statement-->  in use
 *                                                idle  --worker: CAS-->  recalled, and the worker has it back
 *
 * L1  Both leave `idle` by compare-and-swap, so exactly one of them gets the lease.
 * L2  A lease goes idle only outside of a transaction, with every answer read, and after statements that leave nothing
 *     in the session as far as can be told (query/traces.c), so that its own backend and role meet nothing of what they
 *     did before. Nobody else ever gets it without a full reset.
 * L3  The lease's number is in the word, so a word that was given to another lease in the meantime never matches.
 * A backend that dies with an idle lease leaves nothing half done.
 */
#ifndef TIDEPOOL_PG_LINGER_H
#define TIDEPOOL_PG_LINGER_H

#include <stdatomic.h>
#include <stdint.h>

#define LINGER_SLOTS 4096
#define LINGER_NO_SLOT UINT32_MAX
/* Others may wait this long for a lease that is being used again and again. */
#define LINGER_SLICE_NS INT64_C(2000000)
/* Nobody asked for anything: back to the pool. */
#define LINGER_IDLE_NS INT64_C(50000000)
/* A lease is shown to the pool's rules (lifetime, uses) at least this often. */
#define LINGER_AGE_NS INT64_C(1000000000)

typedef enum LingerState { LINGER_NONE, LINGER_IN_USE, LINGER_IDLE, LINGER_RECALLED } LingerState;

typedef struct LingerSlot {
  _Alignas(64) _Atomic uint64_t word; /* lease << 2 | state */
  _Atomic int64_t idle_since_ns;      /* by CLOCK_MONOTONIC */
  _Atomic uint32_t is_wanted;         /* the worker: others wait for this pool */
} LingerSlot;

typedef struct LingerBoard {
  LingerSlot slots[LINGER_SLOTS];
} LingerBoard;

static inline uint64_t linger_word(uint64_t lease, LingerState state) { return lease << 2 | (uint64_t)state; }

/* True: the lease was `from` and is `to` now. */
static inline _Bool linger_move(LingerSlot* slot, uint64_t lease, LingerState from, LingerState to) {
  uint64_t expected = linger_word(lease, from);
  return atomic_compare_exchange_strong(&slot->word, &expected, linger_word(lease, to));
}

/* CLOCK_MONOTONIC, which both sides share. */
int64_t linger_now_ns(void);
/* The worker's: makes the memory and seals it; NULL if that cannot be done. `fd` is what backends are given. */
LingerBoard* linger_board_make(int* fd);
/* A backend's: maps it only where nobody can cut it short, whoever sent it; NULL otherwise. `fd` stays the caller's. */
LingerBoard* linger_board_map(int fd);
void linger_board_unmap(LingerBoard* board);

#endif
