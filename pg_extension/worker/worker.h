/*
 * The worker that hosts pools: what its files know of each other.
 *
 *   Client       a backend's line        has Requests (leases it waits for) and ClientLeases (leases it holds)
 *   HostedPool   one hosted pool         opened at first use, keyed by server and mapping
 *   Relay        bytes of a TLS session  which cannot be passed on like a plain socket
 *
 * One thread, nothing blocks. A callback of the pool only notes what happened, because C++ frames are below it:
 * answers are sent after the step.
 */
#ifndef TIDEPOOL_WORKER_H
#define TIDEPOOL_WORKER_H

#include <tidepool/tidepool.h>

#include "common/pg_compat.h"

#include <lib/ilist.h>
#include <utils/timestamp.h>

#include "common/linger.h"
#include "common/wire.h"
#include "event_loop.h"

#define HOSTED_POOL_NAME_BYTES 63
#define CLIENTS_MAX 4096 /* more than any server has backends that ask */

typedef struct HostedPool {
  Watch watch;
  dlist_node node;
  WireKey key;
  char* conninfo; /* holds a password: never logged */
  char* options;
  char name[HOSTED_POOL_NAME_BYTES];
  char instance[33];
  tide_pool* pool;
  int64 min_given, max_given; /* as the server says; negative: it does not */
  int64 max_size;             /* what it was given of the budget */
  int requests, leases;       /* of clients that are there */
  int connections;            /* as the pool's events tell */
  bool is_retired;            /* takes no new requests; closes when the last lease is back */
  bool is_draining;           /* was told to let go of its connections */
  bool is_drained, is_paused; /* by somebody's command, when its state was last looked at */
  bool is_due;
  double due_ms;
  double retired_ms;
  double used_ms;
  TimestampTz used_at;
} HostedPool;

typedef struct Client {
  Watch watch;
  dlist_node node;
  int32 pid;
  bool is_greeted;
  bool is_broken; /* breaks the protocol, or cannot be told: leaves at once */
  dlist_head requests;
  dlist_head leases;
} Client;

typedef struct Request {
  dlist_node node; /* of its client, or of the orphans */
  dlist_node done_node;
  Client* client; /* NULL: nobody waits any more */
  HostedPool* hosted;
  uint64 request_id;
  tide_status status;
  tide_lease lease;
  tide_error error;
} Request;

typedef struct Relay Relay;

typedef struct ClientLease {
  dlist_node node;
  Client* client;
  HostedPool* hosted;
  tide_lease lease;
  uint64 id;
  uint64 request_id;
  Relay* relay; /* NULL: the socket itself was passed */
  uint32 slot;  /* of the word that says whether the backend could do without; or LINGER_NO_SLOT */
  int64 lent_ns;
} ClientLease;

/* Each of these files knows those above it alone. */

/* hosted_pools.c: pools by server and mapping. NULL and `error` if there can be none. */
extern HostedPool* hosted_pool_for(const WireKey* key, const char* name, const char* conninfo, const char* options,
                                   int64 min_size, int64 max_size, tide_error* error);
extern void pools_drop(const WireKey* key);
extern void pools_retire_all(void);
extern void hosted_pool_touch(HostedPool* hosted);
/* Steps what is due and closes what is over; returns how long the loop may sleep. */
extern double pools_step(void);
extern int pools_count(void);
extern void pools_list(WireOut* out);

/* relay.c: NULL if it cannot be made. */
extern Relay* relay_begin(void* conn, int* passed_fd);
/* Whether both sides had got everything. */
extern bool relay_end(Relay* relay);

/* linger.c: leases that stay with their backends between statements. */
extern bool linger_begin(void);
extern int linger_fd(void);
extern void linger_lend(ClientLease* lent);
extern void linger_end(ClientLease* lent);
/* True: the backend did without it at this moment, and cannot have it again. */
extern bool linger_recall(ClientLease* lent);
/*
 * Looks at the leases that are out, one after the other: the next one that was taken back, because it is needed elsewhere or
 * not used; NULL at the end of the round: then `look_ms` says how soon the next one begins.
 */
extern ClientLease* linger_step(double* look_ms);

/* leases.c: from a request to a lease to its return. */
extern void request_begin(Client* client, uint64 request_id, HostedPool* hosted, const char* tag, int64 timeout_ms);
extern void request_withdraw(Client* client, uint64 request_id);
extern bool requests_answer(void);
extern void requests_orphan(Client* client);
extern ClientLease* lease_find(Client* client, uint64 id);
extern void lease_cancel(ClientLease* lent);
extern void lease_return(ClientLease* lent, WireState state);
/* False: it did not get it, and has to leave. */
extern bool client_tell(Client* client, WireOut* out, int fd);
extern void tell_failure(Client* client, uint64 request_id, tide_status status, const tide_error* error);

/* clients.c: lines come, speak and go. */
extern bool clients_open_door(void);
extern void clients_close_door(void);
/* Sends away those that did not get their answers. */
extern void clients_sweep(void);
extern void clients_leave(void);

#endif
