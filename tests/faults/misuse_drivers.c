/* Drivers and disks whose calls take any time: callers that do not need the call continue, closing is bounded, and
   nothing that is returned late is lost. */
#define _XOPEN_SOURCE 700
#include "misuse.h"

#include <pthread.h>
#include <stdlib.h>

#define SETTING(name, value) "{\"option\": \"" name "\", \"value\": \"" value "\"}"

enum { OPEN, VALIDATE, RESET, CLOSE, CANCEL, KINDS };

static int look_at(const int* value) { return __atomic_load_n(value, __ATOMIC_SEQ_CST); }
static void change(int* value, int to) { __atomic_store_n(value, to, __ATOMIC_SEQ_CST); }
static int add(int* value, int n) { return __atomic_add_fetch(value, n, __ATOMIC_SEQ_CST); }

/* ---- a driver with gates ---- */

struct gated {
  int is_shut[KINDS]; /* calls of that kind do not return */
  int inside[KINDS];  /* calls in progress */
  int calls[KINDS];   /* calls that have returned */
  int closed, at_once, most_at_once, overlaps, is_asking, asked;
  tide_pool* pool;
};
struct session {
  struct gated* driver;
  int users;
};

/* A process can register at most 16 drivers, so the URL selects the gates. */
static struct gated* worlds[32];
static int worlds_open;

static void stay(struct gated* driver, int kind) {
  int looks;
  add(&driver->inside[kind], 1);
  for (looks = 0; looks < 20000 && look_at(&driver->is_shut[kind]); looks++) poll(NULL, 0, 1);
  add(&driver->inside[kind], -1);
  add(&driver->calls[kind], 1);
}
static void pass(struct gated* driver, int kind, struct session* session) {
  const int now = add(&driver->at_once, 1);
  if (now > look_at(&driver->most_at_once)) change(&driver->most_at_once, now);
  if (session != NULL && add(&session->users, 1) != 1) add(&driver->overlaps, 1);
  stay(driver, kind);
  if (session != NULL) add(&session->users, -1);
  add(&driver->at_once, -1);
}
static int gated_open(void* context, const char* url, int64_t timeout_ms, void** connection, char* message,
                      size_t bytes) {
  struct gated* driver = worlds[atoi(strrchr(url, '/') + 1)];
  struct session* session = calloc(1, sizeof(struct session));
  tide_lease lease;
  (void)context, (void)message, (void)bytes;
  CHECK(timeout_ms > 0);
  if (look_at(&driver->is_asking))
    change(&driver->asked, tide_pool_acquire(driver->pool, "inside", 5000, &lease, NULL));
  pass(driver, OPEN, NULL);
  session->driver = driver;
  *connection = session;
  return 0;
}
static int gated_validate(void* context, void* connection, int64_t timeout_ms, char* message, size_t bytes) {
  (void)context, (void)timeout_ms, (void)message, (void)bytes;
  pass(((struct session*)connection)->driver, VALIDATE, connection);
  return 0;
}
static int gated_reset(void* context, void* connection, int64_t timeout_ms, char* message, size_t bytes) {
  (void)context, (void)timeout_ms, (void)message, (void)bytes;
  pass(((struct session*)connection)->driver, RESET, connection);
  return 0;
}
static void gated_close(void* context, void* connection) {
  struct session* session = connection;
  struct gated* driver = session->driver;
  (void)context;
  pass(driver, CLOSE, session);
  free(session);
  add(&driver->closed, 1);
}
/* May be called at any moment, concurrently with any other call. */
static void gated_cancel(void* context, void* connection) {
  (void)context;
  stay(((struct session*)connection)->driver, CANCEL);
}

static void register_gated(void) {
  tide_driver table = TIDE_DRIVER_INIT;
  table.open = gated_open;
  table.validate = gated_validate;
  table.reset = gated_reset;
  table.close = gated_close;
  table.cancel = gated_cancel;
  EXPECT(TIDE_OK, tide_register_driver("gated", &table, &err));
  table.flags = TIDE_DRIVER_CONCURRENT;
  EXPECT(TIDE_OK, tide_register_driver("gatedconcurrent", &table, &err));
  table.flags = 2;
  EXPECT(TIDE_BAD_ARGUMENT, tide_register_driver("gatedflags", &table, &err));
}

static tide_pool* open_gated(const char* name, struct gated* driver, int is_concurrent, const char* options,
                             const tide_pool_options* with) {
  char url[64];
  worlds[worlds_open] = driver;
  snprintf(url, sizeof url, "gated%s://host/%d", is_concurrent ? "concurrent" : "", worlds_open++);
  EXPECT(TIDE_OK, tide_pool_open_with(name, url, options, with, &driver->pool, &err));
  return driver->pool;
}

static int has_size(const char* pool, const char* column, const char* wanted) {
  char text[64];
  return strcmp(read_column("pools", pool, column, text, sizeof text), wanted) == 0;
}

static void keep_outcome(void* context, tide_status status, tide_lease lease, const tide_error* why) {
  (void)why;
  if (status == TIDE_OK) CHECK(tide_lease_release(lease, NULL) == TIDE_OK);
  change(context, 1 + status);
}

/* Everything that does not need the call in progress. */
static void others_go_on(tide_pool* pool, const char* name, int with_reset) {
  tide_lease lease;
  int i;
  for (i = 0; i < 5; i++) {
    EXPECT(TIDE_OK, tide_pool_acquire(pool, "other", 5000, &lease, &err));
    if (with_reset) CHECK(tide_lease_native(lease) != NULL); /* so that it is reset */
    EXPECT(TIDE_OK, tide_lease_release(lease, &err));
  }
  EXPECT(TIDE_OK, tide_control(name, "pause", NULL, 5000, NULL, &err));
  EXPECT(TIDE_OK, tide_control(name, "resume", NULL, 5000, NULL, &err));
  EXPECT(TIDE_OK, tide_control(name, "set", SETTING("idle_timeout", "9min"), 5000, NULL, &err));
}

/* Makes the pool call that function. Three connections exist, all idle. */
static void provoke(tide_pool* pool, const char* name, int kind, struct gated* driver) {
  static int outcome;
  tide_acquire_options with = TIDE_ACQUIRE_OPTIONS_INIT;
  tide_lease all[3];
  char arguments[64];
  int i;
  change(&driver->is_shut[kind], 1);
  switch (kind) {
    case OPEN:
      for (i = 0; i < 3; i++) EXPECT(TIDE_OK, tide_pool_acquire(pool, "held", 5000, &all[i], &err));
      with.callback = keep_outcome;
      with.context = &outcome;
      with.timeout_ms = 20000;
      EXPECT(TIDE_OK, tide_pool_acquire_with(pool, &with, NULL, &err));
      EVENTUALLY(look_at(&driver->inside[OPEN]) == 1);
      for (i = 0; i < 3; i++) EXPECT(TIDE_OK, tide_lease_release(all[i], &err));
      break;
    case VALIDATE:
      EXPECT(TIDE_OK, tide_control(name, "set", SETTING("validation_interval", "20ms"), 5000, NULL, &err));
      break;
    case CANCEL: /* revoking a lease cancels it first */
      EXPECT(TIDE_OK, tide_pool_acquire(pool, "revoked", 5000, &all[0], &err));
      snprintf(arguments, sizeof arguments, "{\"lease_id\": %llu}", (unsigned long long)all[0].id);
      EXPECT(TIDE_OK, tide_control(name, "revoke", arguments, 5000, NULL, &err));
      EXPECT(TIDE_STALE_LEASE, tide_lease_release(all[0], &err));
      break;
    default:
      EXPECT(TIDE_OK, tide_pool_acquire(pool, "returned", 5000, &all[0], &err));
      CHECK(tide_lease_native(all[0]) != NULL);
      EXPECT(TIDE_OK, kind == CLOSE ? tide_lease_discard(all[0], &err) : tide_lease_release(all[0], &err));
  }
  EVENTUALLY(look_at(&driver->inside[kind]) >= 1);
}

#define OPTIONS \
  "min_size=3 max_size=4 connect_timeout=1min validation_timeout=1min init_mode=fail_fast health_interval=0"

/* Each function, blocked within its timeout: other callers are not affected. A pool whose driver is not concurrent
   makes one call at a time, so there only a reset has to wait. */
static void one_call_stays_inside(void) {
  static struct gated drivers[2 * KINDS];
  tide_pool* pools[2 * KINDS];
  int i;
  tide_error why = TIDE_ERROR_INIT;
  for (i = 0; i < 2 * KINDS; i++) {
    const int kind = i % KINDS, is_concurrent = i < KINDS;
    char name[32];
    snprintf(name, sizeof name, "gated-%d", i);
    pools[i] = open_gated(name, &drivers[i], is_concurrent, OPTIONS, NULL);
    provoke(pools[i], name, kind, &drivers[i]);
    others_go_on(pools[i], name, is_concurrent && kind != RESET);
    CHECK(look_at(&drivers[i].inside[kind]) >= 1 && look_at(&drivers[i].overlaps) == 0);
    CHECK(is_concurrent || look_at(&drivers[i].most_at_once) == 1);
  }
  CHECK(tide_close_all(200, &why) == TIDE_TIMEOUT);
  CHECK(strstr(why.message, "the driver's") != NULL && strstr(why.message, "has not returned") != NULL);
  for (i = 0; i < 2 * KINDS; i++) {
    CHECK(look_at(&drivers[i].inside[i % KINDS]) >= 1); /* closing did not wait for it */
    change(&drivers[i].is_shut[i % KINDS], 0);
  }
  for (i = 0; i < 2 * KINDS; i++) {
    EVENTUALLY(look_at(&drivers[i].calls[OPEN]) == look_at(&drivers[i].closed));
    EXPECT(TIDE_CLOSED, tide_pool_close(pools[i], 0, &err));
    CHECK(look_at(&drivers[i].overlaps) == 0);
    CHECK(i < KINDS || look_at(&drivers[i].most_at_once) == 1);
  }
}

/* A foreign loop: the step that starts the call returns while the call is in progress. */
static void a_step_never_waits(void) {
  static struct gated driver;
  tide_pool_options options = TIDE_POOL_OPTIONS_INIT;
  tide_lease lease;
  tide_pool* pool;
  int i;
  options.foreign_loop = 1;
  change(&driver.is_shut[OPEN], 1);
  pool = open_gated("gatedloop", &driver, 0, "min_size=0 max_size=1", &options);
  EXPECT(TIDE_TIMEOUT, tide_pool_acquire(pool, "wanted", 0, &lease, &err)); /* makes the next step open one */
  for (i = 0; i < 50 || (i < 2000 && !look_at(&driver.inside[OPEN])); i++) {
    EXPECT(TIDE_OK, tide_pool_step(pool, NULL, &err));
  }
  CHECK(look_at(&driver.inside[OPEN]) == 1); /* no step waited for it */
  change(&driver.is_shut[OPEN], 0);
  for (i = 0; i < 2000 && !has_size("gatedloop", "idle", "1"); i++) {
    EXPECT(TIDE_OK, tide_pool_step(pool, NULL, &err));
    poll(NULL, 0, 1);
  }
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "served", 0, &lease, &err));
  EXPECT(TIDE_OK, tide_lease_release(lease, &err));
  EXPECT(TIDE_OK, tide_pool_close(pool, -1, &err));
  CHECK(look_at(&driver.calls[OPEN]) == 1 && look_at(&driver.closed) == 1);
}

/* A call that misses its deadline: waiting callers get its name, the others continue, and what it opened is
   closed. */
static void late_calls(void) {
  static struct gated driver;
  tide_lease leases[3];
  tide_error why = TIDE_ERROR_INIT;
  tide_pool* pool;
  int i;
  change(&driver.is_shut[OPEN], 1);
  pool =
      open_gated("gatedlate", &driver, 0, "min_size=0 max_size=3 connect_timeout=50ms validation_timeout=50ms", NULL);
  CHECK(tide_pool_acquire(pool, "early", 300, &leases[0], &why) == TIDE_TIMEOUT);
  CHECK(strstr(why.message, "the driver's open has not returned after") != NULL);
  change(&driver.is_shut[OPEN], 0);
  for (i = 0; i < 3; i++) EXPECT(TIDE_OK, tide_pool_acquire(pool, "three", 10000, &leases[i], &err));
  /* Two resets do not return: both connections are replaced, and the third continues to be leased. */
  change(&driver.is_shut[RESET], 1);
  for (i = 0; i < 2; i++) {
    CHECK(tide_lease_native(leases[i]) != NULL);
    EXPECT(TIDE_OK, tide_lease_release(leases[i], &err));
    EVENTUALLY(look_at(&driver.inside[RESET]) == i + 1);
  }
  EXPECT(TIDE_OK, tide_lease_release(leases[2], &err));
  for (i = 0; i < 20; i++) {
    EXPECT(TIDE_OK, tide_pool_acquire(pool, "third", 10000, &leases[2], &err));
    EXPECT(TIDE_OK, tide_lease_release(leases[2], &err));
  }
  CHECK(look_at(&driver.inside[RESET]) == 2 && look_at(&driver.overlaps) == 0);
  change(&driver.is_shut[RESET], 0);
  for (i = 0; i < 3; i++) EXPECT(TIDE_OK, tide_pool_acquire(pool, "three again", 10000, &leases[i], &err));
  for (i = 0; i < 3; i++) EXPECT(TIDE_OK, tide_lease_release(leases[i], &err));
  EXPECT(TIDE_OK, tide_pool_close(pool, -1, &err));
  CHECK(look_at(&driver.calls[OPEN]) == look_at(&driver.closed) && look_at(&driver.overlaps) == 0);
}

static struct gated stormed[2];

static void* storm(void* pool) {
  int i;
  for (i = 0; i < 100; i++) {
    tide_lease lease;
    EXPECT(TIDE_OK, tide_pool_acquire(pool, "storm", 10000, &lease, &err));
    CHECK(tide_lease_native(lease) != NULL);
    EXPECT(TIDE_OK, i % 5 == 0 ? tide_lease_discard(lease, &err) : tide_lease_release(lease, &err));
  }
  return NULL;
}

/* What the header guarantees about concurrent calls. */
static void calls_at_once(void) {
  int i, t;
  for (i = 0; i < 2; i++) {
    pthread_t threads[4];
    tide_pool* pool =
        open_gated(i ? "gatedall" : "gatedone", &stormed[i], i, "min_size=2 max_size=3 validation_interval=5ms", NULL);
    for (t = 0; t < 4; t++) CHECK(pthread_create(&threads[t], NULL, storm, pool) == 0);
    for (t = 0; t < 4; t++) CHECK(pthread_join(threads[t], NULL) == 0);
    EXPECT(TIDE_OK, tide_pool_close(pool, -1, &err));
    CHECK(look_at(&stormed[i].overlaps) == 0 && look_at(&stormed[i].most_at_once) <= (i ? 4 : 1));
    CHECK(look_at(&stormed[i].calls[OPEN]) == look_at(&stormed[i].closed));
  }
}

/* A driver's function that waits for a lease would wait for itself. */
static void acquire_inside(void) {
  static struct gated driver;
  tide_lease lease;
  tide_pool* pool = open_gated("gatedasks", &driver, 0, "min_size=0 max_size=2", NULL);
  change(&driver.is_asking, 1);
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "outside", 10000, &lease, &err));
  CHECK(look_at(&driver.asked) == TIDE_REFUSED);
  change(&driver.is_asking, 0);
  EXPECT(TIDE_OK, tide_lease_release(lease, &err));
  EXPECT(TIDE_OK, tide_pool_close(pool, -1, &err));
}

void misuse_drivers(void) {
  register_gated();
  one_call_stays_inside();
  a_step_never_waits();
  late_calls();
  calls_at_once();
  acquire_inside();
}
