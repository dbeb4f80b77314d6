/* Callbacks that block, wait for a lease or close the pool. Neither the pool nor closing it depends on when they
   return. */
#define _XOPEN_SOURCE 700
#include "misuse.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static int read_flag(const int* flag) { return __atomic_load_n(flag, __ATOMIC_SEQ_CST); }
static void set_flag(int* flag) { __atomic_store_n(flag, 1, __ATOMIC_SEQ_CST); }
static void count_up(int* counter) { __atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST); }

static void wait_for_flag(const int* flag) {
  int looks;
  for (looks = 0; looks < 4000 && !read_flag(flag); looks++) poll(NULL, 0, 5);
}

/* ---- closing inside a callback ---- */

static tide_pool* volatile pool_to_close;
static int refusals, other_answers;

static void try_to_close(void) {
  if (pool_to_close == NULL) return; /* not opened yet */
  if (tide_pool_close(pool_to_close, 0, NULL) == TIDE_BAD_ARGUMENT)
    count_up(&refusals);
  else
    count_up(&other_answers);
  if (tide_close_all(0, NULL) == TIDE_BAD_ARGUMENT)
    count_up(&refusals);
  else
    count_up(&other_answers);
}
static void close_on_event(void* context, const tide_event* event) {
  int* seen = context;
  try_to_close();
  count_up(&seen[event->kind]);
}
static void close_on_outcome(void* context, tide_status status, tide_lease lease, const tide_error* why) {
  (void)why;
  try_to_close();
  if (status == TIDE_OK) CHECK(tide_lease_release(lease, NULL) == TIDE_OK);
  count_up(context);
}
static int closing_open(void* context, const char* url, int64_t timeout_ms, void** connection, char* message,
                        size_t bytes) {
  (void)context, (void)url, (void)timeout_ms, (void)message, (void)bytes;
  try_to_close();
  *connection = malloc(1);
  return 0;
}
static void closing_close(void* context, void* connection) {
  try_to_close();
  free(connection);
  count_up(context);
}

/* Whichever thread calls the callback, the keeper, a releasing thread or the loop: closing inside it is refused, and
   the pool continues and can be closed. */
static void close_inside(const char* name, const char* url, int is_foreign) {
  tide_pool_options options = TIDE_POOL_OPTIONS_INIT;
  tide_acquire_options with = TIDE_ACQUIRE_OPTIONS_INIT;
  int seen[8] = {0}, outcomes = 0, i;
  tide_lease lease;
  tide_pool* pool = NULL;
  refusals = other_answers = 0;
  options.event_mask = ~0U & ~1U;
  options.on_event = close_on_event;
  options.event_context = seen;
  options.foreign_loop = is_foreign;
  EXPECT(TIDE_OK, tide_pool_open_with(name, url, "min_size=0 max_size=1 idle_timeout=1min", &options, &pool, &err));
  pool_to_close = pool;
  with.callback = close_on_outcome;
  with.context = &outcomes;
  with.timeout_ms = 10000;
  for (i = 0; i < 3; i++) EXPECT(TIDE_OK, tide_pool_acquire_with(pool, &with, NULL, &err));
  for (i = 0; i < 2000 && read_flag(&outcomes) < 3; i++) {
    if (is_foreign) EXPECT(TIDE_OK, tide_pool_step(pool, NULL, &err));
    poll(NULL, 0, 1);
  }
  CHECK(read_flag(&outcomes) == 3);
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "still open", 2000, &lease, &err));
  EXPECT(TIDE_OK, tide_lease_discard(lease, &err));
  for (i = 0; i < 2000 && read_flag(&seen[TIDE_EVENT_REMOVE]) == 0; i++) {
    if (is_foreign) EXPECT(TIDE_OK, tide_pool_step(pool, NULL, &err));
    poll(NULL, 0, 1);
  }
  CHECK(read_flag(&seen[TIDE_EVENT_CONNECT]) >= 1 && read_flag(&seen[TIDE_EVENT_REMOVE]) >= 1);
  CHECK(read_flag(&refusals) >= 2 * (3 + 4) && read_flag(&other_answers) == 0);
  EXPECT(TIDE_OK, tide_pool_close(pool, -1, &err));
  EXPECT(TIDE_CLOSED, tide_pool_close(pool, -1, &err));
  CHECK(read_flag(&other_answers) == 0);
  pool_to_close = NULL;
}

static void closing_inside(void) {
  static int driver_closed; /* lives as long as the process, as the header requires */
  tide_driver driver = TIDE_DRIVER_INIT;
  char url[256];
  snprintf(url, sizeof url, "sqlite://%s/inside.db", folder);
  close_inside("inside", url, 0);
  close_inside("inside-loop", url, 1);
  driver.open = closing_open;
  driver.close = closing_close;
  driver.context = &driver_closed;
  EXPECT(TIDE_OK, tide_register_driver("closing", &driver, &err));
  close_inside("inside-driver", "closing://host/db", 0);
  CHECK(read_flag(&driver_closed) >= 1);
}

/* ---- two threads close ---- */

static void* close_it(void* pool) {
  static int ok, closed;
  const tide_status status = tide_pool_close(pool, -1, NULL);
  CHECK(status == TIDE_OK || status == TIDE_CLOSED);
  count_up(status == TIDE_OK ? &ok : &closed);
  return &ok;
}

static void two_closers(void) {
  int round;
  for (round = 0; round < 20; round++) {
    pthread_t threads[2];
    void* ok = NULL;
    int i;
    tide_pool* pool = open_pool("two-closers", "max_size=1", NULL);
    for (i = 0; i < 2; i++) CHECK(pthread_create(&threads[i], NULL, close_it, pool) == 0);
    for (i = 0; i < 2; i++) CHECK(pthread_join(threads[i], &ok) == 0);
    CHECK(read_flag(ok) == round + 1);
  }
}

/* ---- blocking ---- */

struct gate {
  int is_inside, may_go, events, outcomes, last_kind, is_ordered;
};

static void block_on_event(void* context, const tide_event* event) {
  struct gate* gate = context;
  if (event->kind == TIDE_EVENT_CONNECT && !read_flag(&gate->is_inside)) {
    set_flag(&gate->is_inside);
    wait_for_flag(&gate->may_go);
  }
  count_up(&gate->events);
}

static int has_event(const char* pool, const char* kind) {
  tide_filter filter = TIDE_FILTER_INIT;
  tide_cursor* cursor = NULL;
  const tide_relation* r;
  int i, c, found = 0;
  filter.pool = pool;
  for (i = 0; (r = tide_relation_at(i)) != NULL && strcmp(r->name, "events") != 0; i++) {
  }
  for (c = 0; r != NULL && c < r->ncolumns && strcmp(r->columns[c].name, "kind") != 0; c++) {
  }
  if (tide_cursor_open("events", &filter, &cursor, NULL) != TIDE_OK) return 0;
  while (!found && tide_cursor_next(cursor)) {
    const char* text = tide_cursor_text(cursor, c, NULL);
    found = text != NULL && strcmp(text, kind) == 0;
  }
  tide_cursor_close(cursor);
  return found;
}

/* The keeper opens and closes connections while an event callback does not return; events that exceed the queue are
   dropped, and the pool reports that. */
static void event_callback_blocks(void) {
  tide_pool_options options = TIDE_POOL_OPTIONS_INIT;
  struct gate gate;
  tide_lease lease;
  tide_pool* pool;
  int i;
  memset(&gate, 0, sizeof gate);
  options.event_mask = 1U << TIDE_EVENT_CONNECT | 1U << TIDE_EVENT_REMOVE;
  options.on_event = block_on_event;
  options.event_context = &gate;
  pool = open_pool("blocked", "min_size=0 max_size=2 sqlite_synchronous=off", &options);
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "first", 5000, &lease, &err));
  EXPECT(TIDE_OK, tide_lease_release(lease, &err));
  EVENTUALLY(read_flag(&gate.is_inside));
  for (i = 0; i < 520 && failures == 0; i++) {
    EXPECT(TIDE_OK, tide_pool_acquire(pool, "next", 5000, &lease, &err));
    EXPECT(TIDE_OK, tide_lease_discard(lease, &err));
  }
  CHECK(read_flag(&gate.events) == 0);
  set_flag(&gate.may_go);
  EVENTUALLY(has_event("blocked", "events_dropped"));
  EXPECT(TIDE_OK, tide_pool_close(pool, -1, &err));
  CHECK(read_flag(&gate.events) > 1000);
}

static void acquire_inside(void* context, tide_status status, tide_lease lease, const tide_error* why) {
  struct gate* gate = context;
  tide_lease second;
  (void)why;
  CHECK(status == TIDE_OK);
  gate->last_kind = tide_pool_acquire(lease.pool, "second", 5000, &second, NULL);
  if (gate->last_kind == TIDE_OK) CHECK(tide_lease_release(second, NULL) == TIDE_OK);
  if (status == TIDE_OK) CHECK(tide_lease_release(lease, NULL) == TIDE_OK);
  count_up(&gate->outcomes);
}

/* A callback waits for a second connection, which the keeper has to open in the meantime. On a foreign loop no thread
   could open it: the wait is refused immediately, with the reason. */
static void callback_waits_for_a_lease(void) {
  tide_pool_options options = TIDE_POOL_OPTIONS_INIT;
  tide_acquire_options with = TIDE_ACQUIRE_OPTIONS_INIT;
  struct gate gate;
  int i;
  tide_pool* pool = open_pool("waits", "min_size=0 max_size=2", NULL);
  memset(&gate, 0, sizeof gate);
  with.callback = acquire_inside;
  with.context = &gate;
  with.timeout_ms = 5000;
  EXPECT(TIDE_OK, tide_pool_acquire_with(pool, &with, NULL, &err));
  EVENTUALLY(read_flag(&gate.outcomes) == 1);
  CHECK(gate.last_kind == TIDE_OK);
  EXPECT(TIDE_OK, tide_pool_close(pool, -1, &err));

  options.foreign_loop = 1;
  pool = open_pool("waits-loop", "min_size=0 max_size=2", &options);
  memset(&gate, 0, sizeof gate);
  EXPECT(TIDE_OK, tide_pool_acquire_with(pool, &with, NULL, &err));
  for (i = 0; i < 2000 && read_flag(&gate.outcomes) == 0; i++) {
    EXPECT(TIDE_OK, tide_pool_step(pool, NULL, &err));
    poll(NULL, 0, 1);
  }
  CHECK(gate.outcomes == 1 && gate.last_kind == TIDE_REFUSED);
  EXPECT(TIDE_OK, tide_pool_close(pool, -1, &err));
}

static void block_on_outcome(void* context, tide_status status, tide_lease lease, const tide_error* why) {
  struct gate* gate = context;
  (void)status, (void)why;
  set_flag(&gate->is_inside);
  wait_for_flag(&gate->may_go);
  if (status == TIDE_OK) tide_lease_release(lease, NULL);
  count_up(&gate->outcomes);
}

/* Closing gives up on a callback that does not return; every outcome is still reported, once. */
static void close_beside_a_blocked_callback(void) {
  tide_acquire_options with = TIDE_ACQUIRE_OPTIONS_INIT;
  struct gate gate;
  int i;
  tide_pool* pool = open_pool("stuck", "min_size=0 max_size=1", NULL);
  memset(&gate, 0, sizeof gate);
  with.callback = block_on_outcome;
  with.context = &gate;
  with.timeout_ms = 20000;
  for (i = 0; i < 3; i++) EXPECT(TIDE_OK, tide_pool_acquire_with(pool, &with, NULL, &err));
  EVENTUALLY(read_flag(&gate.is_inside));
  EXPECT(TIDE_TIMEOUT, tide_pool_close(pool, 50, &err));
  EXPECT(TIDE_CLOSED, tide_pool_close(pool, 0, &err));
  CHECK(read_flag(&gate.outcomes) == 0); /* closing did not wait for it */
  set_flag(&gate.may_go);
  EVENTUALLY(read_flag(&gate.outcomes) == 3);
  pool = open_pool("stuck", "max_size=1", NULL);
  EXPECT(TIDE_OK, tide_pool_query(pool, "next", "SELECT 1", 0, NULL, NULL, &err));
  EXPECT(TIDE_OK, tide_pool_close(pool, -1, &err));
}

static int stuck_open(void* context, const char* url, int64_t timeout_ms, void** connection, char* message,
                      size_t bytes) {
  struct gate* gate = context;
  (void)url, (void)timeout_ms, (void)message, (void)bytes;
  set_flag(&gate->is_inside);
  wait_for_flag(&gate->may_go);
  *connection = malloc(1);
  return 0;
}
static void stuck_close(void* context, void* connection) {
  free(connection);
  count_up(&((struct gate*)context)->outcomes);
}

/* The same for a driver's open that ignores its deadline. */
static void close_beside_a_blocked_driver(void) {
  static struct gate gate;
  tide_driver driver = TIDE_DRIVER_INIT;
  tide_pool* pool = NULL;
  tide_acquire_options with = TIDE_ACQUIRE_OPTIONS_INIT;
  struct gate reported;
  memset(&reported, 0, sizeof reported);
  set_flag(&reported.may_go);
  driver.context = &gate;
  driver.open = stuck_open;
  driver.close = stuck_close;
  EXPECT(TIDE_OK, tide_register_driver("stuck", &driver, &err));
  EXPECT(TIDE_OK, tide_pool_open("stuck-driver", "stuck://host/db", "min_size=0 max_size=1", &pool, &err));
  with.callback = block_on_outcome;
  with.context = &reported;
  with.timeout_ms = 20000;
  EXPECT(TIDE_OK, tide_pool_acquire_with(pool, &with, NULL, &err));
  EVENTUALLY(read_flag(&gate.is_inside));
  EXPECT(TIDE_TIMEOUT, tide_pool_close(pool, 0, &err));
  EXPECT(TIDE_CLOSED, tide_pool_close(pool, 0, &err));
  set_flag(&gate.may_go);
  EVENTUALLY(read_flag(&gate.outcomes) == 1); /* a connection opened too late is closed */
  EVENTUALLY(read_flag(&reported.outcomes) == 1);
}

/* ---- releasing and acquiring inside a callback ---- */

static int given_back;

static void give_back(void* context, tide_status status, tide_lease lease, const tide_error* why) {
  (void)why;
  CHECK(status == TIDE_OK);
  EXPECT(TIDE_OK, tide_lease_release(lease, &err));
  count_up(&given_back);
  if (context != NULL) { /* and acquire again, as often as requested */
    int* left = context;
    tide_acquire_options again = TIDE_ACQUIRE_OPTIONS_INIT;
    if (--*left == 0) return;
    again.callback = give_back;
    again.context = left;
    EXPECT(TIDE_OK, tide_pool_acquire_with(*(tide_pool**)(left + 2), &again, NULL, &err));
  }
}

static void callbacks_give_back(void) {
  tide_pool* pool = open_pool("givers", "min_size=1 max_size=1", NULL);
  struct {
    int left, unused;
    tide_pool* pool;
  } chain;
  tide_lease lease;
  int i;
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "first", 5000, &lease, &err));
  for (i = 0; i < 200; i++) {
    tide_acquire_options wanted = TIDE_ACQUIRE_OPTIONS_INIT;
    wanted.callback = give_back;
    EXPECT(TIDE_OK, tide_pool_acquire_with(pool, &wanted, NULL, &err));
  }
  EXPECT(TIDE_OK, tide_lease_release(lease, &err));
  EVENTUALLY(read_flag(&given_back) == 200);
  chain.left = 20000;
  chain.pool = pool;
  {
    tide_acquire_options wanted = TIDE_ACQUIRE_OPTIONS_INIT;
    wanted.callback = give_back;
    wanted.context = &chain.left;
    EXPECT(TIDE_OK, tide_pool_acquire_with(pool, &wanted, NULL, &err));
  }
  EVENTUALLY(read_flag(&given_back) == 20200);
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "afterwards", 1000, &lease, &err));
  EXPECT(TIDE_OK, tide_lease_release(lease, &err));
  EXPECT(TIDE_OK, tide_pool_close(pool, -1, &err));
}

/* Lines of the log that do not fit into a pipe that is not read. */
static void log_is_not_read(void) {
  char text[128];
  int ends[2];
  const int own = dup(STDERR_FILENO);
  tide_lease lease;
  tide_pool* pool = open_pool("unread", "max_size=1 lease_timeout=50ms leak_threshold=0", NULL);
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "overdue", 2000, &lease, &err));
  CHECK(own >= 0 && pipe(ends) == 0 && fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0);
  while (write(ends[1], text, sizeof text) > 0) {
  }
  CHECK(fcntl(ends[1], F_SETFL, 0) == 0 && dup2(ends[1], STDERR_FILENO) >= 0 && close(ends[1]) == 0);
  EVENTUALLY(atoi(read_column("pool_stats", "unread", "alerts_fired_total", text, sizeof text)) >= 1);
  EXPECT(TIDE_OK, tide_control("unread", "pause", NULL, 5000, NULL, &err));
  EXPECT(TIDE_OK, tide_control("unread", "resume", NULL, 5000, NULL, &err));
  EXPECT(TIDE_OK, tide_lease_release(lease, &err));
  CHECK(dup2(own, STDERR_FILENO) >= 0 && close(own) == 0 && close(ends[0]) == 0); /* writing to it now fails */
  EXPECT(TIDE_OK, tide_pool_close(pool, 5000, &err));
}

void misuse_callbacks(void) {
  callbacks_give_back();
  log_is_not_read();
  closing_inside();
  two_closers();
  event_callback_blocks();
  callback_waits_for_a_lease();
  close_beside_a_blocked_callback();
  close_beside_a_blocked_driver();
}
