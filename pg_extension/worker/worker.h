/*
 * Internal interfaces of the worker that hosts pools.
 *
 *   Client       a backend's connection  has Requests (leases it waits for) and ClientLeases (leases it holds)
 *   HostedPool   one hosted pool         opened at first use, keyed by server and mapping
 *   Relay        bytes of a TLS session  which cannot be passed on like a plain socket
 *
 * One thread; nothing blocks. A callback of the pool only records what happened, because it is called from C++ frames:
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
#define HOSTED_ALERTS_MAX 128 /* rows of a pool in the relation alerts */
#define CLIENTS_MAX 4096      /* more than the number of backends of any server */

struct AlertsTold; /* alerts.c: which changes of its alerts were reported */

typedef struct HostedPool {
  Watch watch;
  dlist_node node;
  WireKey key;
  char* conninfo; /* holds a password: never logged */
  char* options;
  char name[HOSTED_POOL_NAME_BYTES];
  char instance[33];
  tide_pool* pool;
  int64 min_given, max_given; /* as set on the server; negative: not set */
  int64 max_size;             /* its share of the budget */
  int requests, leases;       /* of connected clients */
  int connections;            /* as counted from the pool's events */
  bool is_retired;            /* takes no new requests; closes when the last lease is back */
  bool is_draining;           /* was told to close its connections */
  bool is_drained, is_paused; /* by a user's command, as of the last check of its state */
  bool has_alert_news;        /* an event said so */
  bool has_firing_alerts;     /* as of the last look */
  struct AlertsTold* alerts;  /* NULL: there was none yet */
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
  bool is_broken; /* violated the protocol, or cannot be sent to: disconnect it */
  dlist_head requests;
  dlist_head leases;
} Client;

typedef struct Request {
  dlist_node node; /* in the list of its client, or of the orphans */
  dlist_node done_node;
  Client* client; /* NULL: the client has disconnected */
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
  uint32 slot;  /* of the lease's state word (common/linger.h), or LINGER_NO_SLOT */
  int64 lent_ns;
} ClientLease;

/* Each of these files uses only those above it. */

/* hosted_pools.c: pools by server and mapping. NULL and `error` on failure. */
extern HostedPool* hosted_pool_for(const WireKey* key, const char* name, const char* conninfo, const char* options,
                                   int64 min_size, int64 max_size, tide_error* error);
extern void pools_drop(const WireKey* key);
extern void pools_retire_all(void);
extern void hosted_pool_touch(HostedPool* hosted);
/* Steps the pools that are due and closes retired ones; returns how long the loop may sleep. */
extern double pools_step(void);
extern int pools_count(void);
extern void pools_list(WireOut* out);

/* A relation of the C API; it must exist. */
extern const tide_relation* hosted_relation(const char* name);

/* alerts.c: reports what has changed in the alerts of a pool, if there may be something. */
extern void alerts_look(HostedPool* hosted, const char* directory);
extern void alerts_forget(HostedPool* hosted);
/* Starts the process that sends notifications, if some wait; returns how long the loop may sleep. */
extern double alerts_step(void);

/* relay.c: NULL on failure. */
extern Relay* relay_begin(void* conn, int* passed_fd);
/* True if both sides have received all data. */
extern bool relay_end(Relay* relay);

/* linger.c: leases that stay with their backends between statements. */
extern bool linger_begin(void);
extern int linger_fd(void);
extern void linger_lend(ClientLease* lent);
extern void linger_end(ClientLease* lent);
/* True if the lease was idle and has been taken back from the backend. */
extern bool linger_recall(ClientLease* lent);
/*
 * Checks the leases one after the other. Returns the next one that was taken back, because others need it or it was
 * unused; NULL at the end of the round: then `look_ms` is the time until the next round.
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
/* False if it could not be delivered; the client must be disconnected. */
extern bool client_tell(Client* client, WireOut* out, int fd);
extern void tell_failure(Client* client, uint64 request_id, tide_status status, const tide_error* error);

/* clients.c: connections of backends. */
extern bool clients_open_door(void);
extern void clients_close_door(void);
/* Disconnects clients that could not be sent their answers. */
extern void clients_sweep(void);
extern void clients_leave(void);

#endif
