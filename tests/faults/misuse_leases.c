/* Leases released twice, too late, in another thread; revoked by a timeout or an operator while their holder still uses
   them. */
#define _XOPEN_SOURCE 700
#include "misuse.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>

static void expect_stale(tide_lease lease) {
  tide_lease_stats stats = TIDE_LEASE_STATS_INIT;
  tide_result* result = NULL;
  EXPECT(TIDE_STALE_LEASE, tide_lease_query(lease, "SELECT 1", 0, NULL, &result, &err));
  EXPECT(TIDE_STALE_LEASE, tide_lease_get_stats(lease, &stats, &err));
  EXPECT(TIDE_STALE_LEASE, tide_lease_release(lease, &err));
  CHECK(tide_lease_native(lease) == NULL && result == NULL);
}

static void expect_healthy(tide_pool* pool) {
  EXPECT(TIDE_OK, tide_pool_query(pool, "after", "SELECT 1", 0, NULL, NULL, &err));
}

static void double_release(tide_pool* pool) {
  tide_lease lease, next;
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "one", 2000, &lease, &err));
  EXPECT(TIDE_OK, tide_lease_release(lease, &err));
  expect_stale(lease);
  /* I3: the second release must not end the lease of the next holder of the same connection. */
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "two", 2000, &next, &err));
  expect_stale(lease);
  EXPECT(TIDE_OK, tide_lease_query(next, "SELECT 1", 0, NULL, NULL, &err));
  EXPECT(TIDE_OK, tide_lease_release(next, &err));
}

static void discarded(tide_pool* pool) {
  tide_lease_stats before = TIDE_LEASE_STATS_INIT, after = TIDE_LEASE_STATS_INIT;
  tide_lease lease, next;
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "spoiled", 2000, &lease, &err));
  EXPECT(TIDE_OK, tide_lease_get_stats(lease, &before, &err));
  EXPECT(TIDE_OK, tide_lease_discard(lease, &err));
  expect_stale(lease);
  EXPECT(TIDE_STALE_LEASE, tide_lease_discard(lease, &err));
  EXPECT(TIDE_STALE_LEASE, tide_lease_cancel(lease, &err));
  EXPECT(TIDE_STALE_LEASE, tide_lease_release_unchanged(lease, &err));
  CHECK(tide_lease_is_wanted(lease) == 1);
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "fresh", 2000, &next, &err));
  EXPECT(TIDE_OK, tide_lease_get_stats(next, &after, &err));
  CHECK(after.conn_id != before.conn_id);
  EXPECT(TIDE_OK, tide_lease_cancel(next, &err)); /* no statement is running: no effect */
  EXPECT(TIDE_OK, tide_lease_query(next, "SELECT 1", 0, NULL, NULL, &err));
  EXPECT(TIDE_OK, tide_lease_release_unchanged(next, &err));
}

/* Two threads release the same lease at the same moment, while others lease the connection. */
static tide_lease shared_lease;
static pthread_barrier_t both_ready;
static int ended_ok;

static void* release_shared(void* rounds) {
  long i;
  for (i = 0; i < (long)rounds; i++) {
    pthread_barrier_wait(&both_ready);
    if (tide_lease_release(shared_lease, NULL) == TIDE_OK) __atomic_fetch_add(&ended_ok, 1, __ATOMIC_RELAXED);
    pthread_barrier_wait(&both_ready);
  }
  return NULL;
}

static void* work_in_transactions(void* pool) {
  int i;
  for (i = 0; i < 300; i++) {
    tide_lease lease;
    EXPECT(TIDE_OK, tide_pool_acquire(pool, "innocent", 10000, &lease, &err));
    EXPECT(TIDE_OK, tide_lease_query(lease, "BEGIN IMMEDIATE", 0, NULL, NULL, &err));
    EXPECT(TIDE_OK, tide_lease_query(lease, "INSERT INTO kept VALUES (1)", 0, NULL, NULL, &err));
    EXPECT(TIDE_OK, tide_lease_query(lease, "COMMIT", 0, NULL, NULL, &err));
    EXPECT(TIDE_OK, tide_lease_release(lease, &err));
  }
  return NULL;
}

static void released_by_two(tide_pool* pool) {
  enum { rounds = 600 };
  pthread_t releasers[2], innocent;
  tide_result* rows = NULL;
  char total[32];
  int i;
  EXPECT(TIDE_OK, tide_pool_query(pool, "setup", "CREATE TABLE kept (x)", 0, NULL, NULL, &err));
  CHECK(pthread_barrier_init(&both_ready, NULL, 3) == 0);
  ended_ok = 0;
  for (i = 0; i < 2; i++) CHECK(pthread_create(&releasers[i], NULL, release_shared, (void*)(long)rounds) == 0);
  CHECK(pthread_create(&innocent, NULL, work_in_transactions, pool) == 0);
  for (i = 0; i < rounds; i++) {
    EXPECT(TIDE_OK, tide_pool_acquire(pool, "shared", 10000, &shared_lease, &err));
    if (i % 2 == 0) EXPECT(TIDE_OK, tide_lease_query(shared_lease, "SELECT 1", 0, NULL, NULL, &err));
    pthread_barrier_wait(&both_ready);
    pthread_barrier_wait(&both_ready);
  }
  for (i = 0; i < 2; i++) CHECK(pthread_join(releasers[i], NULL) == 0);
  CHECK(pthread_join(innocent, NULL) == 0);
  pthread_barrier_destroy(&both_ready);
  CHECK(ended_ok == rounds);
  EXPECT(TIDE_OK, tide_pool_query(pool, "check", "SELECT count(*) FROM kept", 0, NULL, &rows, &err));
  snprintf(total, sizeof total, "%s", rows != NULL ? tide_result_text(rows, 0, 0) : "");
  CHECK(strcmp(total, "300") == 0);
  tide_result_free(rows);
}

/* Cancels, statistics and second calls from other threads on leases that end, are discarded and begin again. */
static uint64_t current_lease; /* both atomic: shared by the threads */
static int is_over;

static void* disturb(void* pool) {
  unsigned turn = 0;
  while (!__atomic_load_n(&is_over, __ATOMIC_SEQ_CST)) {
    tide_lease_stats stats = TIDE_LEASE_STATS_INIT;
    tide_lease lease;
    tide_status answer;
    lease.pool = pool;
    lease.id = __atomic_load_n(&current_lease, __ATOMIC_SEQ_CST);
    if (lease.id == 0) continue;
    switch (turn++ % 4) {
      case 0: answer = tide_lease_cancel(lease, NULL); break;
      case 1: answer = tide_lease_get_stats(lease, &stats, NULL); break;
      case 2: answer = tide_lease_query(lease, "SELECT 2", 0, NULL, NULL, NULL); break;
      default: answer = tide_lease_native(lease) != NULL ? TIDE_OK : TIDE_STALE_LEASE; break;
    }
    /* the holder's call may be in progress (refused), or be interrupted by a cancel (database) */
    CHECK(answer == TIDE_OK || answer == TIDE_STALE_LEASE || answer == TIDE_REFUSED || answer == TIDE_DATABASE);
  }
  return NULL;
}

static void disturbed_by_others(tide_pool* pool) {
  pthread_t threads[2];
  int i, t;
  is_over = 0;
  current_lease = 0;
  for (t = 0; t < 2; t++) CHECK(pthread_create(&threads[t], NULL, disturb, pool) == 0);
  for (i = 0; i < 600; i++) {
    tide_lease lease;
    tide_status answer;
    EXPECT(TIDE_OK, tide_pool_acquire(pool, "disturbed", 10000, &lease, &err));
    __atomic_store_n(&current_lease, lease.id, __ATOMIC_SEQ_CST);
    answer = tide_lease_query(lease, "SELECT 1", 0, NULL, NULL, NULL);
    CHECK(answer == TIDE_OK || answer == TIDE_REFUSED || answer == TIDE_DATABASE);
    if (i % 3 == 0) {
      EXPECT(TIDE_OK, tide_lease_discard(lease, &err));
    } else {
      EXPECT(TIDE_OK, tide_lease_release(lease, &err));
    }
  }
  __atomic_store_n(&is_over, 1, __ATOMIC_SEQ_CST);
  for (t = 0; t < 2; t++) CHECK(pthread_join(threads[t], NULL) == 0);
  expect_healthy(pool);
}

static void* wait_for_one(void* pool) {
  tide_lease lease;
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "waits", 5000, &lease, &err));
  EXPECT(TIDE_OK, tide_lease_release(lease, &err));
  return NULL;
}

static void wanted_by_others(tide_pool* pool) {
  pthread_t thread;
  tide_lease lease;
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "keeps", 2000, &lease, &err));
  CHECK(tide_lease_is_wanted(lease) == 0);
  CHECK(pthread_create(&thread, NULL, wait_for_one, pool) == 0);
  EVENTUALLY(tide_lease_is_wanted(lease) == 1);
  EXPECT(TIDE_OK, tide_lease_release(lease, &err));
  CHECK(pthread_join(thread, NULL) == 0);
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "paused", 2000, &lease, &err));
  CHECK(tide_lease_is_wanted(lease) == 0);
  EXPECT(TIDE_OK, tide_control("leases", "pause", NULL, 2000, NULL, &err));
  CHECK(tide_lease_is_wanted(lease) == 1);
  EXPECT(TIDE_OK, tide_control("leases", "resume", NULL, 2000, NULL, &err));
  EXPECT(TIDE_OK, tide_lease_release(lease, &err));
}

static void* release_here(void* lease) {
  EXPECT(TIDE_OK, tide_lease_release(*(tide_lease*)lease, &err));
  return NULL;
}

static void release_in_another_thread(tide_pool* pool) {
  pthread_t thread;
  tide_lease lease;
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "moves", 2000, &lease, &err));
  EXPECT(TIDE_OK, tide_lease_query(lease, "BEGIN", 0, NULL, NULL, &err));
  CHECK(pthread_create(&thread, NULL, release_here, &lease) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
  expect_stale(lease);
  expect_healthy(pool);
}

static void reclaimed_by_timeout(void) {
  char text[64];
  tide_lease lease;
  tide_lease_stats stats = TIDE_LEASE_STATS_INIT;
  tide_pool* pool = open_pool("reclaim", "max_size=1 lease_timeout=50ms lease_timeout_action=reclaim", NULL);
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "forgotten", 2000, &lease, &err));
  EXPECT(TIDE_OK, tide_lease_query(lease, "SELECT 1", 0, NULL, NULL, &err));
  EVENTUALLY(tide_lease_get_stats(lease, &stats, NULL) == TIDE_STALE_LEASE);
  expect_stale(lease);
  expect_healthy(pool); /* the only place is free again */
  EVENTUALLY(strcmp(read_column("pool_stats", "reclaim", "leases_reclaimed_total", text, sizeof text), "1") == 0);
  EXPECT(TIDE_OK, tide_pool_close(pool, -1, &err));
}

static void revoked_while_its_handle_is_used(tide_pool* pool) {
  char arguments[64];
  tide_lease lease;
  sqlite3* native;
  int i, refusals = 0;
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "revoked", 2000, &lease, &err));
  native = tide_lease_native(lease);
  CHECK(native != NULL && sqlite3_exec(native, "SELECT 1", NULL, NULL, NULL) == SQLITE_OK);
  snprintf(arguments, sizeof arguments, "{\"lease_id\": %llu}", (unsigned long long)lease.id);
  EXPECT(TIDE_OK, tide_control("leases", "revoke", arguments, 2000, NULL, &err));
  /* Its holder may not know it yet: the handle remains valid until the lease is released. */
  for (i = 0; i < 100; i++) {
    refusals += sqlite3_exec(native, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL) != SQLITE_OK;
  }
  CHECK(refusals == 100);
  expect_healthy(pool);
  expect_stale(lease);
  expect_stale(lease);
  expect_healthy(pool);
}

static void say_who(sqlite3_context* context, int n, sqlite3_value** values) {
  (void)n, (void)values;
  sqlite3_result_text(context, sqlite3_user_data(context), -1, SQLITE_TRANSIENT);
}

static unsigned long long conn_id_of(tide_lease lease) {
  tide_lease_stats stats = TIDE_LEASE_STATS_INIT;
  EXPECT(TIDE_OK, tide_lease_get_stats(lease, &stats, &err));
  return stats.conn_id;
}

/* A function whose context is freed by its holder: the next lease must not find it, whatever a release resets. */
static void a_function_left_on_the_handle(void) {
  static const char* const modes[] = {"none", "rollback", "smart", "full"};
  char options[80], text[32];
  size_t i;
  for (i = 0; i < sizeof modes / sizeof modes[0]; i++) {
    tide_lease lease;
    tide_pool* pool;
    unsigned long long vouched;
    tide_error why = TIDE_ERROR_INIT;
    char* context = strdup("the holder before");
    snprintf(options, sizeof options, "max_size=1 reset_on_release=%s", modes[i]);
    pool = open_pool("native", options, NULL);
    EXPECT(TIDE_OK, tide_pool_acquire(pool, "leaves it", 2000, &lease, &err));
    CHECK(sqlite3_create_function(tide_lease_native(lease), "who", 0, SQLITE_UTF8, context, say_who, NULL, NULL) ==
          SQLITE_OK);
    EXPECT(TIDE_OK, tide_lease_query(lease, "SELECT who()", 0, NULL, NULL, &err));
    EXPECT(TIDE_OK, tide_lease_release(lease, &err));
    free(context);
    EXPECT(TIDE_OK, tide_pool_acquire(pool, "is clean", 2000, &lease, &err));
    CHECK(tide_lease_query(lease, "SELECT who()", 0, NULL, NULL, &why) == TIDE_DATABASE);
    CHECK(strcmp(why.sqlstate, "42883") == 0);
    CHECK(tide_lease_native(lease) != NULL);
    vouched = conn_id_of(lease);
    EXPECT(TIDE_OK, tide_lease_release_unchanged(lease, &err));
    EXPECT(TIDE_OK, tide_pool_acquire(pool, "is the same", 2000, &lease, &err));
    CHECK(conn_id_of(lease) == vouched);
    EXPECT(TIDE_OK, tide_lease_release(lease, &err));
    EVENTUALLY(strcmp(read_column("pool_stats", "native", "closed_uses_total", text, sizeof text), "1") == 0);
    EXPECT(TIDE_OK, tide_pool_close(pool, -1, &err));
  }
}

struct victim {
  tide_lease lease;
  int is_error;
};

static void* run_long(void* argument) {
  static const char sql[] = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c";
  struct victim* victim = argument;
  victim->is_error = tide_lease_query(victim->lease, sql, 0, NULL, NULL, NULL) != TIDE_OK;
  EXPECT(TIDE_STALE_LEASE, tide_lease_release(victim->lease, &err));
  return NULL;
}

static void revoked_during_a_statement(tide_pool* pool) {
  char arguments[64];
  pthread_t thread;
  struct victim victim;
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "endless", 2000, &victim.lease, &err));
  CHECK(pthread_create(&thread, NULL, run_long, &victim) == 0);
  poll(NULL, 0, 20); /* most likely it is running by now; if not, it is refused as stale, which is also correct */
  snprintf(arguments, sizeof arguments, "{\"lease_id\": %llu}", (unsigned long long)victim.lease.id);
  EXPECT(TIDE_OK, tide_control("leases", "revoke", arguments, 2000, NULL, &err));
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK(victim.is_error);
  EXPECT(TIDE_REFUSED, tide_control("leases", "revoke", arguments, 2000, NULL, &err));
  expect_healthy(pool);
}

static void read_mode(tide_pool* pool) {
  tide_acquire_options with = TIDE_ACQUIRE_OPTIONS_INIT;
  tide_lease_stats stats = TIDE_LEASE_STATS_INIT;
  tide_error why = TIDE_ERROR_INIT;
  tide_lease lease;
  EXPECT(TIDE_OK, tide_pool_query(pool, "setup", "CREATE TABLE t(x)", 0, NULL, NULL, &err));
  with.mode = TIDE_READ;
  with.tag = "reader";
  EXPECT(TIDE_OK, tide_pool_acquire_with(pool, &with, &lease, &err));
  CHECK(tide_lease_get_stats(lease, &stats, NULL) == TIDE_OK && stats.mode == TIDE_READ);
  EXPECT(TIDE_OK, tide_lease_query(lease, "SELECT * FROM t", 0, NULL, NULL, &err));
  CHECK(tide_lease_query(lease, "INSERT INTO t VALUES (1)", 0, NULL, NULL, &why) == TIDE_DATABASE);
  CHECK(strstr(why.message, "cannot write on a read lease") != NULL && why.hint[0] != '\0');
  EXPECT(TIDE_OK, tide_lease_release(lease, &err));
  EXPECT(TIDE_OK, tide_pool_query(pool, "writer", "INSERT INTO t VALUES (1)", 0, NULL, NULL, &err));
}

/* Three calls would commit what their caller expects to have rolled back. */
static void a_transaction_needs_a_lease(tide_pool* pool) {
  static const char* const texts[] = {"BEGIN", "BEGIN IMMEDIATE; INSERT INTO t VALUES (7)", "SAVEPOINT a"};
  tide_result* result = NULL;
  size_t i;
  for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    tide_error why = TIDE_ERROR_INIT;
    CHECK(tide_pool_query(pool, "careless", texts[i], 0, NULL, &result, &why) == TIDE_BAD_ARGUMENT);
    CHECK(result == NULL && strcmp(why.sqlstate, "25001") == 0 && strstr(why.hint, "lease") != NULL);
    EXPECT(TIDE_OK, tide_pool_query(pool, "next", "SELECT count(*) FROM t WHERE x = 7", 0, NULL, &result, &err));
    CHECK(strcmp(tide_result_text(result, 0, 0), "0") == 0 && strcmp(tide_result_command(result), "SELECT") == 0);
    tide_result_free(result);
    result = NULL;
  }
  EXPECT(TIDE_OK,
         tide_pool_query(pool, "whole", "begin; insert into t values (8); /* */ commit", 0, NULL, &result, &err));
  CHECK(strcmp(tide_result_command(result), "COMMIT") == 0);
  tide_result_free(result);
}

static void timeout_names_the_holders(void) {
  static const char* const tags[] = {"first", "second", "third", "fourth"};
  tide_error why = TIDE_ERROR_INIT;
  tide_lease leases[4], none;
  tide_pool* pool = open_pool("story", "max_size=4 acquire_timeout=60ms", NULL);
  int i;
  for (i = 0; i < 4; i++) {
    EXPECT(TIDE_OK, tide_pool_acquire(pool, tags[i], 2000, &leases[i], &err));
    poll(NULL, 0, 2); /* so that the ages differ */
  }
  CHECK(tide_pool_acquire(pool, "too many", -1, &none, &why) == TIDE_TIMEOUT && why.retryable == 1);
  CHECK(strstr(why.message, "pool \"story\"") != NULL);
  CHECK(strstr(why.message, "within 60ms") != NULL || strstr(why.message, "within 60 ms") != NULL);
  CHECK(strstr(why.message, "size 4 of 4 (max_size 4)") != NULL);
  CHECK(strstr(why.message, "4 in use") != NULL && strstr(why.message, " waiting") != NULL);
  CHECK(strstr(why.detail, "\"first\" for ") != NULL && strstr(why.detail, "\"second\" for ") != NULL);
  CHECK(strstr(why.detail, "\"third\" for ") != NULL && strstr(why.detail, "\"fourth\"") == NULL);
  printf("message of a timeout: %s | %s | %s\n", why.message, why.detail, why.hint);
  for (i = 0; i < 4; i++) EXPECT(TIDE_OK, tide_lease_release(leases[i], &err));
  EXPECT(TIDE_OK, tide_pool_close(pool, -1, &err));
}

void misuse_leases(void) {
  tide_pool* pool = open_pool("leases", "min_size=1 max_size=1", NULL);
  double_release(pool);
  released_by_two(pool);
  disturbed_by_others(pool);
  discarded(pool);
  wanted_by_others(pool);
  release_in_another_thread(pool);
  reclaimed_by_timeout();
  revoked_while_its_handle_is_used(pool);
  revoked_during_a_statement(pool);
  a_function_left_on_the_handle();
  read_mode(pool);
  a_transaction_needs_a_lease(pool);
  timeout_names_the_holders();
  EXPECT(TIDE_OK, tide_pool_close(pool, -1, &err));
}
