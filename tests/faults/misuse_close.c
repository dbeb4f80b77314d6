/* Pools closed twice, too early, from a callback, all at once; and later calls on closed pools. */
#define _XOPEN_SOURCE 700
#include "misuse.h"

#include <pthread.h>

static void twice(void) {
  tide_lease lease;
  tide_pool* pool = open_pool("twice", "max_size=1", NULL);
  EXPECT(TIDE_OK, tide_pool_close(pool, -1, &err));
  EXPECT(TIDE_CLOSED, tide_pool_close(pool, -1, &err));
  EXPECT(TIDE_CLOSED, tide_pool_acquire(pool, "late", 1000, &lease, &err));
  EXPECT(TIDE_CLOSED, tide_pool_query(pool, "late", "SELECT 1", 0, NULL, NULL, &err));
}

static void with_leases_out(void) {
  tide_lease_stats stats = TIDE_LEASE_STATS_INIT;
  tide_lease lease, idle;
  tide_pool* pool = open_pool("early", "max_size=2", NULL);
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "out", 2000, &lease, &err));
  EXPECT(TIDE_OK, tide_lease_query(lease, "BEGIN IMMEDIATE", 0, NULL, NULL, &err));
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "out too", 2000, &idle, &err));
  EXPECT(TIDE_TIMEOUT, tide_pool_close(pool, 20, &err));
  EXPECT(TIDE_CLOSED, tide_lease_query(lease, "COMMIT", 0, NULL, NULL, &err));
  EXPECT(TIDE_CLOSED, tide_lease_get_stats(lease, &stats, &err));
  CHECK(tide_lease_native(lease) == NULL);
  EXPECT(TIDE_CLOSED, tide_lease_release(lease, &err));
  EXPECT(TIDE_CLOSED, tide_lease_release(idle, &err));
  /* The work begun on the lost lease no longer holds a lock. */
  pool = open_pool("early", "max_size=1", NULL);
  EXPECT(TIDE_OK, tide_pool_query(pool, "next", "CREATE TABLE t(x)", 0, NULL, NULL, &err));
  EXPECT(TIDE_OK, tide_pool_close(pool, -1, &err));
}

static void* close_slowly(void* pool) {
  EXPECT(TIDE_OK, tide_pool_close(pool, 10000, &err));
  return NULL;
}

/* New requests are refused. */
static int is_shut(tide_pool* pool) {
  tide_lease lease;
  const tide_status status = tide_pool_acquire(pool, "late", 0, &lease, NULL);
  if (status == TIDE_OK) CHECK(tide_lease_release(lease, NULL) == TIDE_OK);
  return status == TIDE_CLOSED;
}

/* A lease that is used and released while the pool drains. */
static void drains_until_released(void) {
  pthread_t thread;
  tide_lease lease;
  tide_pool* pool = open_pool("drains", "max_size=2", NULL);
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "works on", 2000, &lease, &err));
  CHECK(pthread_create(&thread, NULL, close_slowly, pool) == 0);
  EVENTUALLY(is_shut(pool));
  EXPECT(TIDE_OK, tide_lease_query(lease, "SELECT 1", 0, NULL, NULL, &err));
  EXPECT(TIDE_OK, tide_lease_release(lease, &err));
  CHECK(pthread_join(thread, NULL) == 0);
}

static void close_inside(void* context, tide_status status, tide_lease lease, const tide_error* why) {
  (void)why;
  CHECK(status == TIDE_OK);
  __atomic_store_n((int*)context, tide_pool_close(lease.pool, 0, NULL), __ATOMIC_SEQ_CST);
  CHECK(tide_lease_release(lease, NULL) == TIDE_OK);
}

static tide_pool* seen_pool;
static void close_on_event(void* context, const tide_event* event) {
  if (event->kind == TIDE_EVENT_ACQUIRE)
    __atomic_store_n((int*)context, tide_pool_close(seen_pool, 0, NULL), __ATOMIC_SEQ_CST);
}

static void from_a_callback(void) {
  tide_pool_options options = TIDE_POOL_OPTIONS_INIT;
  tide_acquire_options with = TIDE_ACQUIRE_OPTIONS_INIT;
  int in_event = TIDE_OK, in_acquire = TIDE_OK;
  options.event_mask = 1U << TIDE_EVENT_ACQUIRE;
  options.on_event = close_on_event;
  options.event_context = &in_event;
  seen_pool = open_pool("inside", "min_size=1 max_size=1 init_mode=fail_fast", &options);
  with.callback = close_inside;
  with.context = &in_acquire;
  EXPECT(TIDE_OK, tide_pool_acquire_with(seen_pool, &with, NULL, &err));
  /* Events are called by a separate thread. */
  EVENTUALLY(__atomic_load_n(&in_acquire, __ATOMIC_SEQ_CST) == TIDE_BAD_ARGUMENT);
  EVENTUALLY(__atomic_load_n(&in_event, __ATOMIC_SEQ_CST) == TIDE_BAD_ARGUMENT);
  EXPECT(TIDE_OK, tide_pool_query(seen_pool, "still open", "SELECT 1", 0, NULL, NULL, &err));
  EXPECT(TIDE_OK, tide_pool_close(seen_pool, -1, &err));
}

static void all_at_once(void) {
  static const char* const names[] = {"all-1", "all-2", "all-3"};
  tide_pool* pools[3];
  tide_lease lease;
  int i;
  for (i = 0; i < 3; i++) pools[i] = open_pool(names[i], "max_size=2", NULL);
  EXPECT(TIDE_OK, tide_close_all(-1, &err));
  for (i = 0; i < 3; i++) EXPECT(TIDE_CLOSED, tide_pool_close(pools[i], 0, &err));
  EXPECT(TIDE_OK, tide_close_all(0, &err)); /* nothing is left to close */
  for (i = 0; i < 3; i++) pools[i] = open_pool(names[i], "max_size=2", NULL);
  EXPECT(TIDE_OK, tide_pool_acquire(pools[1], "out", 2000, &lease, &err));
  EXPECT(TIDE_TIMEOUT, tide_close_all(20, &err));
  EXPECT(TIDE_CLOSED, tide_lease_release(lease, &err));
  for (i = 0; i < 3; i++) EXPECT(TIDE_CLOSED, tide_pool_query(pools[i], "", "SELECT 1", 0, NULL, NULL, &err));
}

void misuse_close(void) {
  twice();
  with_leases_out();
  drains_until_released();
  from_a_callback();
  all_at_once();
}
