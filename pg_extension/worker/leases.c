/*
 * Leases: a request waits in its pool's queue, becomes a lease when a connection is available, and ends with its
 * return.
 *
 * The pool's callback may run immediately, in a step, or in the release of another lease. It only records the outcome;
 * requests_answer() sends the answer. If the client of a request has disconnected, its connection is returned
 * immediately.
 */
#include "worker.h"

#include <libpq-fe.h>

static dlist_head done = DLIST_STATIC_INIT(done);
static dlist_head orphans = DLIST_STATIC_INIT(orphans);
static uint64 leases_total = 0;
static WireOut out;

/* Parameters of the session that libpq expects in the startup handshake, in its order. */
static const char* const kParameters[] = {
    "server_version",    "server_encoding", "client_encoding", "standard_conforming_strings",
    "integer_datetimes", "DateStyle",       "IntervalStyle",   "TimeZone"};

bool client_tell(Client* client, WireOut* answer, int fd) {
  /* A backend reads its answers; one that does not has failed. */
  if (!client->is_broken && wire_send(client->watch.fd, answer, fd) != WIRE_DONE) client->is_broken = true;
  return !client->is_broken;
}

void tell_failure(Client* client, uint64 request_id, tide_status status, const tide_error* error) {
  wire_begin(&out, WIRE_FAILED, request_id);
  wire_put_u32(&out, (uint32_t)status);
  wire_put_text(&out, error->sqlstate);
  wire_put_text(&out, error->message);
  wire_put_text(&out, error->detail);
  wire_put_text(&out, error->hint);
  (void)client_tell(client, &out, -1);
}

/* Called from C++ frames: must not raise errors of the server. */
static void on_outcome(void* context, tide_status status, tide_lease lease, const tide_error* error) {
  Request* request = context;
  request->status = status;
  request->lease = lease;
  if (status != TIDE_OK && error != NULL) request->error = *error;
  dlist_push_tail(&done, &request->done_node);
}

void request_begin(Client* client, uint64 request_id, HostedPool* hosted, const char* tag, int64 timeout_ms) {
  tide_acquire_options with = TIDE_ACQUIRE_OPTIONS_INIT;
  tide_error error = TIDE_ERROR_INIT;
  tide_status status;
  Request* request = MemoryContextAllocZero(TopMemoryContext, sizeof *request);
  request->client = client;
  request->hosted = hosted;
  request->request_id = request_id;
  dlist_push_tail(&client->requests, &request->node);
  ++hosted->requests;
  hosted_pool_touch(hosted);
  with.timeout_ms = timeout_ms;
  with.tag = tag;
  with.callback = on_outcome;
  with.context = request;
  status = tide_pool_acquire_with(hosted->pool, &with, NULL, &error);
  if (status != TIDE_OK) on_outcome(request, status, (tide_lease){NULL, 0}, &error);
}

/* The request stays until the pool answers, and does not keep the pool open. */
static void orphan(Request* request) {
  request->client = NULL;
  --request->hosted->requests;
  dlist_push_tail(&orphans, &request->node);
}

void requests_orphan(Client* client) {
  while (!dlist_is_empty(&client->requests)) {
    Request* request = dlist_container(Request, node, dlist_pop_head_node(&client->requests));
    orphan(request);
  }
}

void request_withdraw(Client* client, uint64 request_id) {
  dlist_iter i;
  dlist_foreach(i, &client->requests) {
    Request* request = dlist_container(Request, node, i.cur);
    if (request->request_id != request_id) continue;
    dlist_delete(&request->node);
    orphan(request);
    return;
  }
  /* The answer was still in transit: the client has not used the connection. */
  dlist_foreach(i, &client->leases) {
    ClientLease* lent = dlist_container(ClientLease, node, i.cur);
    if (lent->request_id != request_id) continue;
    lease_return(lent, WIRE_UNTOUCHED);
    return;
  }
}

/* False if the answer could not be delivered. */
static bool hand_out(Request* request) {
  PGconn* conn = tide_lease_native(request->lease);
  Client* client = request->client;
  int fd = conn == NULL ? -1 : PQsocket(conn);
  int passed_fd = -1;
  ClientLease* lent;
  Relay* relay = NULL;
  if (fd >= 0 && PQsslInUse(conn)) {
    relay = relay_begin(conn, &passed_fd);
    fd = relay == NULL ? -1 : passed_fd;
  }
  if (fd < 0) {
    request->status = TIDE_UNAVAILABLE;
    strlcpy(request->error.message, "the connection was lost before it could be handed over",
            sizeof request->error.message);
    return false;
  }
  lent = MemoryContextAllocZero(TopMemoryContext, sizeof *lent);
  lent->client = client;
  lent->hosted = request->hosted;
  lent->lease = request->lease;
  lent->id = ++leases_total;
  lent->request_id = request->request_id;
  lent->relay = relay;
  dlist_push_head(&client->leases, &lent->node);
  ++request->hosted->leases;
  linger_lend(lent);

  wire_begin(&out, WIRE_LEASED, request->request_id);
  wire_put_u64(&out, lent->id);
  wire_put_u32(&out, (uint32_t)PQbackendPID(conn));
  wire_put_u32(&out, (uint32_t)PQconnectionUsedPassword(conn));
  wire_put_u32(&out, relay != NULL);
  wire_put_u32(&out, lent->slot);
  wire_put_text(&out, request->hosted->instance);
  for (size_t i = 0; i < lengthof(kParameters); ++i) {
    wire_put_text(&out, kParameters[i]);
    wire_put_text(&out, PQparameterStatus(conn, kParameters[i]));
  }
  (void)client_tell(client, &out, fd);
  if (passed_fd >= 0) close(passed_fd);
  return true;
}

static void answer(Request* request) {
  const bool is_wanted = request->client != NULL;
  HostedPool* hosted = request->hosted;
  dlist_delete(&request->node);
  if (is_wanted) --hosted->requests;
  hosted_pool_touch(hosted);
  if (request->status == TIDE_OK && !(is_wanted && hand_out(request))) (void)tide_lease_release(request->lease, NULL);
  if (is_wanted && request->status != TIDE_OK)
    tell_failure(request->client, request->request_id, request->status, &request->error);
  pfree(request);
}

bool requests_answer(void) {
  const bool is_any = !dlist_is_empty(&done);
  while (!dlist_is_empty(&done)) answer(dlist_container(Request, done_node, dlist_pop_head_node(&done)));
  return is_any;
}

ClientLease* lease_find(Client* client, uint64 id) {
  dlist_iter i;
  dlist_foreach(i, &client->leases) {
    ClientLease* lent = dlist_container(ClientLease, node, i.cur);
    if (lent->id == id) return lent;
  }
  return NULL;
}

void lease_cancel(ClientLease* lent) { (void)tide_lease_cancel(lent->lease, NULL); }

void lease_return(ClientLease* lent, WireState state) {
  HostedPool* hosted = lent->hosted;
  linger_end(lent);
  if (lent->relay != NULL && !relay_end(lent->relay)) state = WIRE_SPOILED;
  /* A lease that was revoked meanwhile has ended already. */
  switch (state) {
    case WIRE_CLEAN: (void)tide_lease_release(lent->lease, NULL); break;
    case WIRE_UNTOUCHED: (void)tide_lease_release_unchanged(lent->lease, NULL); break;
    case WIRE_RUNNING:
      lease_cancel(lent);
      (void)tide_lease_discard(lent->lease, NULL);
      break;
    default: (void)tide_lease_discard(lent->lease, NULL); break;
  }
  dlist_delete(&lent->node);
  --hosted->leases;
  hosted_pool_touch(hosted);
  free_later(lent);
}
