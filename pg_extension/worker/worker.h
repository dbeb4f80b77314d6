/*
 * The worker that hosts pools: what its files know of each other.
 *
 *   Guest  a backend's line           has Wishes (leases it waits for) and Loans (leases it holds)
 *   Basin  one hosted pool            opened at first use, keyed by server and mapping
 *   Relay  bytes of a TLS session     which cannot be passed on like a plain socket
 *
 * One thread, nothing blocks. A callback of the pool only notes what happened, because C++ frames are below it:
 * answers are sent after the step. What an event of this turn may still point to is freed at the turn's end.
 */
#ifndef TIDEPOOL_WORKER_H
#define TIDEPOOL_WORKER_H

#include <tidepool/tidepool.h>

#include "common/pg_compat.h"

#include <lib/ilist.h>
#include <utils/timestamp.h>

#include "common/linger.h"
#include "common/wire.h"

#define BASIN_NAME_BYTES 63
#define GUESTS_MAX 4096 /* more than any server has backends that ask */

typedef struct Watch {
  int fd;
  void (*ready)(struct Watch *watch, uint32 events);
} Watch;

typedef struct Basin {
  Watch watch;
  dlist_node node;
  WireKey key;
  char *conninfo; /* holds a password: never logged */
  char *options;
  char name[BASIN_NAME_BYTES];
  char instance[33];
  tide_pool *pool;
  int64 min_given, max_given; /* as the server says; negative: it does not */
  int64 max_size;             /* what it was given of the budget */
  int wishes, loans;  /* of guests that are there */
  int connections;  /* as the pool's events tell */
  bool is_retired;  /* takes no new wishes; closes when the last loan is back */
  bool is_draining; /* was told to let go of its connections */
  bool is_due;
  double due_ms;
  double retired_ms;
  double used_ms;
  TimestampTz used_at;
} Basin;

typedef struct Guest {
  Watch watch;
  dlist_node node;
  int32 pid;
  bool is_greeted;
  bool is_gone;
  dlist_head wishes;
  dlist_head loans;
} Guest;

typedef struct Wish {
  dlist_node node; /* of its guest, or of the orphans */
  dlist_node done_node;
  Guest *guest; /* NULL: nobody waits any more */
  Basin *basin;
  uint64 request;
  tide_status status;
  tide_lease lease;
  tide_error error;
} Wish;

typedef struct Relay Relay;

typedef struct Loan {
  dlist_node node;
  Guest *guest;
  Basin *basin;
  tide_lease lease;
  uint64 id;
  uint64 request;
  Relay *relay; /* NULL: the socket itself was passed */
  uint32 slot;  /* of the word that says whether the backend could do without; or LINGER_NO_SLOT */
  int64 lent_ns;
} Loan;

/* loop.c */
extern double now_ms(void);
extern bool watch_begin(Watch *watch, uint32 events);
extern void watch_change(Watch *watch, uint32 events);
extern void watch_end(Watch *watch);
/* At the end of the turn. */
extern void free_later(void *memory);
extern int64 setting_int(const char *name, int64 otherwise);
extern bool setting_is_on(const char *name);

/* guests.c: lines come, speak and go. */
extern bool guests_open_door(void);
extern void guests_close_door(void);
extern void guests_answer(WireOut *out, Guest *guest, int fd);
extern void guest_leave(Guest *guest);
extern void guests_leave(void);

/* basins.c: pools by server and mapping. NULL and `error` if there can be none. */
extern Basin *basin_for(const WireKey *key, const char *name, const char *conninfo, const char *options,
                        int64 min_size, int64 max_size, tide_error *error);
extern void basins_drop(const WireKey *key);
extern void basins_retire_all(void);
extern void basin_touch(Basin *basin);
/* Steps what is due and closes what is over; returns how long the loop may sleep. */
extern double basins_step(void);
extern int basins_count(void);
extern void basins_list(WireOut *out);

/* loans.c: from a wish to a loan to its return. */
extern void wish_begin(Guest *guest, uint64 request, Basin *basin, const char *tag, int64 timeout_ms);
extern void wish_withdraw(Guest *guest, uint64 request);
extern bool wishes_answer(void);
extern void wishes_orphan(Guest *guest);
extern Loan *loan_find(Guest *guest, uint64 id);
extern void loan_cancel(Loan *loan);
extern void loan_return(Loan *loan, WireState state);
extern void tell_failure(Guest *guest, uint64 request, tide_status status, const tide_error *error);

/* linger.c: leases that stay with their backends between statements. */
extern bool linger_begin(void);
extern int linger_fd(void);
extern void linger_lend(Loan *loan);
extern void linger_end(Loan *loan);
/* True: the backend did without it at this moment, and cannot have it again. */
extern bool linger_recall(Loan *loan);
/* Takes back what is needed elsewhere or not used; returns how long the loop may sleep. */
extern double linger_step(void);

/* relay.c: NULL if it cannot be made. */
extern Relay *relay_begin(void *conn, int *passed_fd);
/* Whether both sides had got everything. */
extern bool relay_end(Relay *relay);

#endif
