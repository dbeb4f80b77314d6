/* Edge cases of callbacks, foreign loops and drivers: each outcome is reported exactly once. */
#define _XOPEN_SOURCE 700
#include "misuse.h"

#include <stdlib.h>

struct outcome {
  int calls;
  tide_status status;
  tide_lease lease;
};

static void remember(void* context, tide_status status, tide_lease lease, const tide_error* why) {
  struct outcome* outcome = context;
  CHECK(status == TIDE_OK || why->message[0] != '\0');
  outcome->status = status;
  outcome->lease = lease;
  __atomic_add_fetch(&outcome->calls, 1, __ATOMIC_SEQ_CST);
}

static int calls_of(struct outcome* outcome) { return __atomic_load_n(&outcome->calls, __ATOMIC_SEQ_CST); }

static tide_status ask(tide_pool* pool, int64_t timeout_ms, struct outcome* outcome) {
  tide_acquire_options with = TIDE_ACQUIRE_OPTIONS_INIT;
  memset(outcome, 0, sizeof *outcome);
  with.timeout_ms = timeout_ms;
  with.tag = "async";
  with.callback = remember;
  with.context = outcome;
  return tide_pool_acquire_with(pool, &with, NULL, NULL);
}

static void async_acquire(void) {
  struct outcome first, second, late, last;
  tide_pool* pool = open_pool("async", "min_size=1 max_size=1 init_mode=fail_fast", NULL);
  CHECK(ask(pool, 5000, &first) == TIDE_OK);
  EVENTUALLY(calls_of(&first) == 1); /* immediately, unless the pool is validating its only connection */
  CHECK(first.status == TIDE_OK);
  CHECK(ask(pool, 5000, &second) == TIDE_OK && calls_of(&second) == 0); /* queued */
  CHECK(ask(pool, 30, &late) == TIDE_OK);
  EVENTUALLY(calls_of(&late) == 1);
  CHECK(late.status == TIDE_TIMEOUT);
  CHECK(tide_lease_release(first.lease, NULL) == TIDE_OK);
  EVENTUALLY(calls_of(&second) == 1);
  CHECK(second.status == TIDE_OK && tide_lease_query(second.lease, "SELECT 1", 0, NULL, NULL, NULL) == TIDE_OK);
  CHECK(ask(pool, 0, &last) == TIDE_TIMEOUT && calls_of(&last) == 0); /* refused by the call: never called back */
  CHECK(ask(pool, 5000, &last) == TIDE_OK && calls_of(&last) == 0);
  EXPECT(TIDE_TIMEOUT, tide_pool_close(pool, 20, &err));
  CHECK(calls_of(&last) == 1 && last.status == TIDE_CLOSED);
  CHECK(tide_lease_release(second.lease, NULL) == TIDE_CLOSED);
  CHECK(ask(pool, 5000, &last) == TIDE_CLOSED && calls_of(&last) == 0);
  CHECK(calls_of(&first) == 1 && calls_of(&second) == 1 && calls_of(&late) == 1);
}

static int seen[8];
static void count_event(void* context, const tide_event* event) {
  CHECK(context == seen && event->size >= sizeof(tide_event) && strcmp(event->pool, "events") == 0);
  CHECK(event->kind > 0 && event->kind < 8 && event->text != NULL);
  __atomic_add_fetch(&seen[event->kind], 1, __ATOMIC_SEQ_CST);
}

static void events(void) {
  tide_pool_options options = TIDE_POOL_OPTIONS_INIT;
  tide_lease lease;
  tide_pool* pool;
  int i;
  options.event_mask = ~0U & ~1U;
  options.on_event = count_event;
  options.event_context = seen;
  pool = open_pool("events", "min_size=1 max_size=1 init_mode=fail_fast", &options);
  for (i = 0; i < 5; i++) {
    EXPECT(TIDE_OK, tide_pool_acquire(pool, "event", 2000, &lease, &err));
    EXPECT(TIDE_OK, tide_lease_release(lease, &err));
    EXPECT(TIDE_STALE_LEASE, tide_lease_release(lease, &err)); /* no second event */
  }
  EXPECT(TIDE_DATABASE, tide_pool_query(pool, "event", "SELECT nonsense", 0, NULL, NULL, &err));
  EXPECT(TIDE_OK, tide_pool_close(pool, -1, &err));
  printf("events: connect %d, acquire %d, release %d, remove %d, error %d, alert %d\n", seen[1], seen[2], seen[3],
         seen[4], seen[5], seen[6]);
  CHECK(seen[TIDE_EVENT_CONNECT] == 1 && seen[TIDE_EVENT_ACQUIRE] == 6 && seen[TIDE_EVENT_RELEASE] == 6);
  CHECK(seen[TIDE_EVENT_REMOVE] == 1 && seen[TIDE_EVENT_ERROR] == 1);
}

static void foreign_loop(void) {
  tide_pool_options options = TIDE_POOL_OPTIONS_INIT;
  struct outcome outcome;
  struct pollfd descriptor;
  int64_t next = 0;
  int rounds;
  tide_pool* pool;
  options.foreign_loop = 1;
  pool = open_pool("loop", "min_size=0 max_size=1", &options);
  descriptor.events = POLLIN;
  EXPECT(TIDE_OK, tide_pool_fd(pool, &descriptor.fd, &err));
  CHECK(ask(pool, 5000, &outcome) == TIDE_OK);
  for (rounds = 0; rounds < 1000 && calls_of(&outcome) == 0; rounds++) {
    EXPECT(TIDE_OK, tide_pool_step(pool, &next, &err));
    CHECK(next >= 0 && next <= 1000);
    if (calls_of(&outcome) == 0) CHECK(poll(&descriptor, 1, (int)next) >= 0);
  }
  printf("foreign loop: served after %d rounds\n", rounds);
  CHECK(outcome.status == TIDE_OK);
  EXPECT(TIDE_OK, tide_lease_query(outcome.lease, "SELECT 1", 0, NULL, NULL, &err));
  EXPECT(TIDE_OK, tide_lease_release(outcome.lease, &err));
  EXPECT(TIDE_OK, tide_pool_close(pool, -1, &err));
  EXPECT(TIDE_CLOSED, tide_pool_step(pool, &next, &err));
}

struct counts {
  int open, reset, closed, refuse;
};
static int fake_open(void* context, const char* url, int64_t timeout_ms, void** connection, char* message,
                     size_t bytes) {
  struct counts* counts = context;
  CHECK(strncmp(url, "misuse://", 9) == 0 && timeout_ms > 0);
  counts->open++;
  if (counts->refuse) {
    snprintf(message, bytes, "the harbour is closed");
    return 1;
  }
  *connection = malloc(1);
  return 0;
}
static int fake_reset(void* context, void* connection, int64_t timeout_ms, char* message, size_t bytes) {
  (void)connection, (void)timeout_ms, (void)message, (void)bytes;
  ((struct counts*)context)->reset++;
  return 0;
}
static void fake_close(void* context, void* connection) {
  ((struct counts*)context)->closed++;
  free(connection);
}

static void registered_driver(void) {
  static struct counts counts; /* lives as long as the process, as the header requires */
  tide_driver driver = TIDE_DRIVER_INIT;
  tide_error why = TIDE_ERROR_INIT;
  tide_lease lease;
  tide_pool* pool = NULL;
  tide_rows* rows = NULL;
  tide_tx tx;
  driver.context = &counts;
  EXPECT(TIDE_BAD_ARGUMENT, tide_register_driver("misuse", &driver, &err)); /* without open and close */
  driver.open = fake_open;
  driver.reset = fake_reset;
  driver.close = fake_close;
  EXPECT(TIDE_REFUSED, tide_register_driver("sqlite", &driver, &err));
  EXPECT(TIDE_OK, tide_register_driver("misuse", &driver, &err));
  EXPECT(TIDE_REFUSED, tide_register_driver("misuse", &driver, &err));
  EXPECT(TIDE_OK, tide_pool_open("driven", "misuse://host/db", "min_size=1 max_size=1", &pool, &err));
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "driven", 2000, &lease, &err));
  CHECK(tide_lease_native(lease) != NULL);
  EXPECT(TIDE_UNSUPPORTED, tide_lease_query(lease, "SELECT 1", 0, NULL, NULL, &err));
  EXPECT(TIDE_UNSUPPORTED, tide_lease_query_with(lease, "SELECT 1", 0, NULL, NULL, NULL, &err));
  EXPECT(TIDE_UNSUPPORTED, tide_lease_rows(lease, "SELECT 1", 0, NULL, NULL, &rows, &err));
  EXPECT(TIDE_UNSUPPORTED, tide_tx_begin_on(lease, NULL, &tx, &err));
  EXPECT(TIDE_OK, tide_lease_release(lease, &err));
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "again", 2000, &lease, &err));
  EXPECT(TIDE_OK, tide_lease_release(lease, &err));
  EXPECT(TIDE_OK, tide_pool_close(pool, -1, &err));
  CHECK(counts.open >= 1 && counts.open == counts.closed && counts.reset >= 1);
  counts.refuse = 1;
  CHECK(tide_pool_open("driven", "misuse://host/db", "min_size=1 init_mode=fail_fast init_timeout=200ms", &pool,
                       &why) != TIDE_OK);
  CHECK(strstr(why.message, "the harbour is closed") != NULL || strstr(why.detail, "the harbour is closed") != NULL);
  printf("driver: %d opened, %d reset, %d closed\n", counts.open, counts.reset, counts.closed);
}

void features(void) {
  async_acquire();
  events();
  foreign_loop();
  registered_driver();
}
