/*
 * Loans: a wish waits at its pool, becomes a loan when a connection is there, and the connection comes back.
 *
 * The pool's callback may come at once, in a step or in somebody else's release. It only files the outcome; the answer
 * is sent by wishes_answer(). A wish whose guest is gone gives what it gets straight back.
 */
#include "worker.h"

#include <libpq-fe.h>

static dlist_head done = DLIST_STATIC_INIT(done);
static dlist_head orphans = DLIST_STATIC_INIT(orphans);
static uint64 loans_total = 0;
static WireOut out;

/* What libpq on the other side wants to know of the session, in the order of its greeting. */
static const char *const kParameters[] = {"server_version", "server_encoding", "client_encoding",
                                          "standard_conforming_strings", "integer_datetimes"};

void tell_failure(Guest *guest, uint64 request, tide_status status, const tide_error *error) {
  wire_begin(&out, WIRE_FAILED, request);
  wire_put_u32(&out, (uint32_t)status);
  wire_put_text(&out, error->sqlstate);
  wire_put_text(&out, error->message);
  wire_put_text(&out, error->detail);
  wire_put_text(&out, error->hint);
  guests_answer(&out, guest, -1);
}

/* Below are C++ frames: nothing here may raise an error of the server's. */
static void on_outcome(void *context, tide_status status, tide_lease lease, const tide_error *error) {
  Wish *wish = context;
  wish->status = status;
  wish->lease = lease;
  if (status != TIDE_OK && error != NULL) wish->error = *error;
  dlist_push_tail(&done, &wish->done_node);
}

void wish_begin(Guest *guest, uint64 request, Basin *basin, const char *tag, int64 timeout_ms) {
  tide_acquire_options with = TIDE_ACQUIRE_OPTIONS_INIT;
  tide_error error = TIDE_ERROR_INIT;
  tide_status status;
  Wish *wish = MemoryContextAllocZero(TopMemoryContext, sizeof *wish);
  wish->guest = guest;
  wish->basin = basin;
  wish->request = request;
  dlist_push_tail(&guest->wishes, &wish->node);
  ++basin->wishes;
  basin_touch(basin);
  with.timeout_ms = timeout_ms;
  with.tag = tag;
  with.callback = on_outcome;
  with.context = wish;
  status = tide_pool_acquire_with(basin->pool, &with, NULL, &error);
  if (status != TIDE_OK) on_outcome(wish, status, (tide_lease){NULL, 0}, &error);
}

/* It stays until the pool answers, and does not keep the pool open. */
static void orphan(Wish *wish) {
  wish->guest = NULL;
  --wish->basin->wishes;
  dlist_push_tail(&orphans, &wish->node);
}

void wishes_orphan(Guest *guest) {
  while (!dlist_is_empty(&guest->wishes)) {
    Wish *wish = dlist_container(Wish, node, dlist_pop_head_node(&guest->wishes));
    orphan(wish);
  }
}

void wish_withdraw(Guest *guest, uint64 request) {
  dlist_iter i;
  dlist_foreach(i, &guest->wishes) {
    Wish *wish = dlist_container(Wish, node, i.cur);
    if (wish->request != request) continue;
    dlist_delete(&wish->node);
    orphan(wish);
    return;
  }
  /* The answer was on its way: the guest has not used what it got. */
  dlist_foreach(i, &guest->loans) {
    Loan *loan = dlist_container(Loan, node, i.cur);
    if (loan->request != request) continue;
    loan_return(loan, WIRE_UNTOUCHED);
    return;
  }
}

/* False if the guest did not get it. */
static bool hand_out(Wish *wish) {
  PGconn *conn = tide_lease_native(wish->lease);
  Guest *guest = wish->guest;
  int fd = conn == NULL ? -1 : PQsocket(conn);
  int passed_fd = -1;
  Loan *loan;
  Relay *relay = NULL;
  if (fd >= 0 && PQsslInUse(conn)) {
    relay = relay_begin(conn, &passed_fd);
    fd = relay == NULL ? -1 : passed_fd;
  }
  if (fd < 0) {
    wish->status = TIDE_UNAVAILABLE;
    strlcpy(wish->error.message, "the connection was lost before it could be handed over", sizeof wish->error.message);
    return false;
  }
  loan = MemoryContextAllocZero(TopMemoryContext, sizeof *loan);
  loan->guest = guest;
  loan->basin = wish->basin;
  loan->lease = wish->lease;
  loan->id = ++loans_total;
  loan->request = wish->request;
  loan->relay = relay;
  dlist_push_head(&guest->loans, &loan->node);
  ++wish->basin->loans;
  linger_lend(loan);

  wire_begin(&out, WIRE_LEASED, wish->request);
  wire_put_u64(&out, loan->id);
  wire_put_u32(&out, (uint32_t)PQbackendPID(conn));
  wire_put_u32(&out, (uint32_t)PQconnectionUsedPassword(conn));
  wire_put_u32(&out, relay != NULL);
  wire_put_u32(&out, loan->slot);
  wire_put_text(&out, wish->basin->instance);
  for (size_t i = 0; i < lengthof(kParameters); ++i) {
    wire_put_text(&out, kParameters[i]);
    wire_put_text(&out, PQparameterStatus(conn, kParameters[i]));
  }
  guests_answer(&out, guest, fd);
  if (passed_fd >= 0) close(passed_fd);
  return true;
}

static void answer(Wish *wish) {
  const bool is_wanted = wish->guest != NULL;
  Basin *basin = wish->basin;
  dlist_delete(&wish->node);
  if (is_wanted) --basin->wishes;
  basin_touch(basin);
  if (wish->status == TIDE_OK && !(is_wanted && hand_out(wish))) (void)tide_lease_release(wish->lease, NULL);
  if (is_wanted && wish->status != TIDE_OK) tell_failure(wish->guest, wish->request, wish->status, &wish->error);
  pfree(wish);
}

bool wishes_answer(void) {
  const bool is_any = !dlist_is_empty(&done);
  while (!dlist_is_empty(&done)) answer(dlist_container(Wish, done_node, dlist_pop_head_node(&done)));
  return is_any;
}

Loan *loan_find(Guest *guest, uint64 id) {
  dlist_iter i;
  dlist_foreach(i, &guest->loans) {
    Loan *loan = dlist_container(Loan, node, i.cur);
    if (loan->id == id) return loan;
  }
  return NULL;
}

void loan_cancel(Loan *loan) { (void)tide_lease_cancel(loan->lease, NULL); }

void loan_return(Loan *loan, WireState state) {
  Basin *basin = loan->basin;
  linger_end(loan);
  if (loan->relay != NULL && !relay_end(loan->relay)) state = WIRE_SPOILED;
  /* A lease that was revoked meanwhile is over already. */
  switch (state) {
    case WIRE_CLEAN: (void)tide_lease_release(loan->lease, NULL); break;
    case WIRE_UNTOUCHED: (void)tide_lease_release_unchanged(loan->lease, NULL); break;
    case WIRE_RUNNING:
      loan_cancel(loan);
      (void)tide_lease_discard(loan->lease, NULL);
      break;
    default: (void)tide_lease_discard(loan->lease, NULL); break;
  }
  dlist_delete(&loan->node);
  --basin->loans;
  basin_touch(basin);
  free_later(loan);
}
