/* NULL, invented, forged and overwritten handles, for every function of the headers that takes a pool or a lease. */
#define _XOPEN_SOURCE 700
#include "misuse.h"

static void try_handle(tide_pool* wild, tide_status expected) {
  tide_lease lease = {NULL, 0};
  tide_lease_stats stats = TIDE_LEASE_STATS_INIT;
  tide_acquire_options with = TIDE_ACQUIRE_OPTIONS_INIT;
  tide_result* result = NULL;
  char id[33];
  int fd = -7;
  int64_t next = -7;
  uint64_t lease_id;
  EXPECT(expected, tide_pool_acquire(wild, "tag", 0, &lease, &err));
  EXPECT(expected, tide_pool_acquire_with(wild, &with, &lease, &err));
  EXPECT(expected, tide_pool_query(wild, "tag", "SELECT 1", 0, NULL, &result, &err));
  EXPECT(expected, tide_pool_instance_id(wild, id, &err));
  EXPECT(expected, tide_pool_fd(wild, &fd, &err));
  EXPECT(expected, tide_pool_step(wild, &next, &err));
  EXPECT(expected, tide_pool_close(wild, 0, &err));
  for (lease_id = 0; lease_id < 3; lease_id++) {
    tide_lease forged;
    forged.pool = wild;
    forged.id = lease_id == 2 ? UINT64_MAX : lease_id * 4711;
    EXPECT(expected, tide_lease_query(forged, "SELECT 1", 0, NULL, &result, &err));
    EXPECT(expected, tide_lease_get_stats(forged, &stats, &err));
    EXPECT(expected, tide_lease_release(forged, &err));
    CHECK(tide_lease_native(forged) == NULL);
    CHECK(tide_lease_release(forged, NULL) == expected);
  }
  CHECK(lease.pool == NULL && result == NULL && fd == -7 && next == -7); /* no output is changed on failure */
}

/* Leases that a live pool never issued. */
static void try_forged_leases(tide_pool* pool) {
  static const uint64_t ids[] = {0, 1, 4711, UINT64_C(1) << 63, UINT64_MAX};
  tide_lease_stats stats = TIDE_LEASE_STATS_INIT;
  size_t i;
  for (i = 0; i < sizeof ids / sizeof ids[0]; i++) {
    tide_lease forged;
    forged.pool = pool;
    forged.id = ids[i];
    EXPECT(TIDE_STALE_LEASE, tide_lease_release(forged, &err));
    EXPECT(TIDE_STALE_LEASE, tide_lease_query(forged, "SELECT 1", 0, NULL, NULL, &err));
    EXPECT(TIDE_STALE_LEASE, tide_lease_get_stats(forged, &stats, &err));
    CHECK(tide_lease_native(forged) == NULL);
  }
}

static void try_null_arguments(tide_pool* pool) {
  tide_lease lease;
  tide_acquire_options with = TIDE_ACQUIRE_OPTIONS_INIT;
  tide_control_options steer = TIDE_CONTROL_OPTIONS_INIT;
  int fd;
  int64_t next;
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_acquire(pool, NULL, 0, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_acquire_with(pool, NULL, &lease, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_acquire_with(pool, &with, NULL, &err));
  with.mode = 7;
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_acquire_with(pool, &with, &lease, &err));
  with.mode = TIDE_READ;
  with.size = 3;
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_acquire_with(pool, &with, &lease, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_acquire(pool, NULL, INT64_MAX, &lease, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_query(pool, NULL, NULL, 0, NULL, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_query(pool, NULL, "SELECT ?1", 1, NULL, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_query(pool, NULL, "SELECT 1", -1, NULL, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_query(pool, NULL, "SELECT 1", 40000, NULL, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_instance_id(pool, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_fd(pool, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_fd(pool, &fd, &err)); /* it has its own thread */
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_step(pool, &next, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_control(NULL, "pause", NULL, 0, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_control("", "pause", NULL, 0, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_control(NULL, NULL, NULL, 0, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_control(NULL, "set_alert", "{\"rule\": \"r\"}", 0, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_control(NULL, "ack", NULL, 0, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_control("", "ack", "{\"alert_id\": 1}", 0, NULL, &err));
  EXPECT(TIDE_NOT_FOUND, tide_control(NULL, "ack", "{\"alert_id\": 1}", 0, NULL, &err));
  EXPECT(TIDE_NOT_FOUND, tide_control_check(NULL, "ack", "{\"alert_id\": 1}", NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT,
         tide_control("handles", "set_alert", "{\"rule\": \"r\", \"threshold\": 1e999}", 0, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_control("handles", NULL, NULL, 0, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_control("handles", "pause", NULL, INT64_MAX, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_control_with("handles", "flood", NULL, 0, &steer, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_control_check("handles", NULL, NULL, NULL, &err));
  EXPECT(TIDE_NOT_FOUND, tide_control_check("nobody", "pause", NULL, NULL, &err));
  EXPECT(TIDE_NOT_FOUND, tide_wait_applied(1, 0, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_register_driver(NULL, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_register_driver("Bad!", NULL, &err));
}

static void try_cursors(void) {
  tide_cursor* cursor = NULL;
  EXPECT(TIDE_BAD_ARGUMENT, tide_cursor_open(NULL, NULL, &cursor, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_cursor_open("pools", NULL, NULL, &err));
  EXPECT(TIDE_NOT_FOUND, tide_cursor_open("pool", NULL, &cursor, &err));
  CHECK(cursor == NULL && tide_cursor_next(NULL) == 0 && tide_cursor_is_null(NULL, 0) == 1);
  CHECK(tide_cursor_int(NULL, 0) == 0 && tide_cursor_text(NULL, 0, NULL) == NULL);
  CHECK(!(tide_cursor_double(NULL, 0) > 0) && !(tide_cursor_double(NULL, 0) < 0));
  tide_cursor_close(NULL);
  EXPECT(TIDE_OK, tide_cursor_open("pools", NULL, &cursor, &err));
  CHECK(tide_cursor_text(cursor, 0, NULL) == NULL); /* before the first row */
  CHECK(tide_cursor_next(cursor) == 1);
  CHECK(tide_cursor_text(cursor, -1, NULL) == NULL && tide_cursor_text(cursor, 100000, NULL) == NULL);
  while (tide_cursor_next(cursor)) {
  }
  CHECK(tide_cursor_next(cursor) == 0 && tide_cursor_is_null(cursor, 0) == 1); /* after the last row */
  tide_cursor_close(cursor);
}

void misuse_handles(void) {
  char memory[256];
  tide_pool* pool = open_pool("handles", "min_size=1 max_size=2", NULL);
  size_t i;
  const uintptr_t own = (uintptr_t)pool;
  const uintptr_t wild[] = {1, 7, 4096, UINTPTR_MAX, own ^ 1, own + 0x10000, own ^ ((uintptr_t)1 << 48), ~own};
  memset(memory, 0xA5, sizeof memory);
  try_handle(NULL, TIDE_BAD_ARGUMENT);
  try_handle((tide_pool*)(void*)memory, TIDE_BAD_ARGUMENT);
  for (i = 0; i < sizeof wild / sizeof wild[0]; i++) try_handle((tide_pool*)wild[i], TIDE_BAD_ARGUMENT);
  try_forged_leases(pool);
  try_null_arguments(pool);
  try_cursors();
  EXPECT(TIDE_OK, tide_pool_query(pool, "after", "SELECT 1", 0, NULL, NULL, &err));
  EXPECT(TIDE_OK, tide_pool_close(pool, -1, &err));
  try_handle(pool, TIDE_CLOSED);
  /* The place is reused, the handle is not. */
  pool = open_pool("handles", "min_size=1 max_size=2", NULL);
  CHECK((uintptr_t)pool != own);
  try_handle((tide_pool*)own, TIDE_CLOSED);
  EXPECT(TIDE_OK, tide_pool_close(pool, -1, &err));
}
