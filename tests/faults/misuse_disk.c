/* A disk that does not respond: blocked calls of SQLite's open, check and close do not affect other callers. */
#define _XOPEN_SOURCE 700
#include "misuse.h"
#include "slow_disk.h"

#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int look_at(const int* value) { return __atomic_load_n(value, __ATOMIC_SEQ_CST); }
static void set_gate(int kind, int is_shut) { __atomic_store_n(&slow_disk.is_shut[kind], is_shut, __ATOMIC_SEQ_CST); }

static void commands_go_on(const char* name) {
  EXPECT(TIDE_OK, tide_control(name, "pause", NULL, 5000, NULL, &err));
  EXPECT(TIDE_OK, tide_control(name, "resume", NULL, 5000, NULL, &err));
}

static int has_wal(const char* name) {
  char path[300];
  struct stat found;
  snprintf(path, sizeof path, "%s/%s.db-wal", folder, name);
  return stat(path, &found) == 0 && found.st_size > 0;
}

/* A child forked during a call that does not return: it can open its own pools, and does not affect the parent's. */
static void forking(void) {
  int status = -1;
  const pid_t child = fork();
  if (child == 0) {
    tide_pool* own;
    failures = 0;
    alarm(30);
    own = open_pool("childs", "max_size=2", NULL);
    EXPECT(TIDE_OK, tide_pool_query(own, "child", "CREATE TABLE t(x)", 0, NULL, NULL, &err));
    EXPECT(TIDE_OK, tide_pool_close(own, -1, &err));
    _exit(failures == 0 ? 0 : 1);
  }
  CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* The open of a second connection never returns; the first one continues to be leased. */
static void opening(void) {
  tide_lease first, second;
  tide_error why = TIDE_ERROR_INIT;
  tide_pool* pool = open_pool("slow-open", "min_size=1 max_size=2 init_mode=fail_fast connect_timeout=100ms", NULL);
  int i;
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "first", 5000, &first, &err));
  set_gate(SLOW_OPEN, 1);
  CHECK(tide_pool_acquire(pool, "second", 400, &second, &why) == TIDE_TIMEOUT);
  CHECK(look_at(&slow_disk.inside[SLOW_OPEN]) >= 1);
  CHECK(strstr(why.detail, "SQLite's open has not returned after") != NULL);
  commands_go_on("slow-open");
  for (i = 0; i < 20; i++) {
    EXPECT(TIDE_OK, tide_lease_query(first, "SELECT 1", 0, NULL, NULL, &err));
    EXPECT(TIDE_OK, tide_lease_release(first, &err));
    EXPECT(TIDE_OK, tide_pool_acquire(pool, "first", 5000, &first, &err));
  }
  CHECK(look_at(&slow_disk.inside[SLOW_OPEN]) >= 1);
  EXPECT(TIDE_OK, tide_lease_release(first, &err));
  if (!IS_SANITIZED) forking();
  EXPECT(TIDE_TIMEOUT, tide_pool_close(pool, 100, &err));
  CHECK(look_at(&slow_disk.inside[SLOW_OPEN]) >= 1); /* closing did not wait for it */
  set_gate(SLOW_OPEN, 0);
  EVENTUALLY(look_at(&slow_disk.inside[SLOW_OPEN]) == 0);
  EVENTUALLY(!has_wal("slow-open"));
}

/* The last close checkpoints the WAL, which takes as long as the disk does. */
static void closing(void) {
  tide_error why = TIDE_ERROR_INIT;
  tide_pool* pool = open_pool("slow-close", "min_size=1 max_size=2", NULL);
  EXPECT(TIDE_OK, tide_pool_query(pool, "writes", "CREATE TABLE t(x); INSERT INTO t VALUES (1)", 0, NULL, NULL, &err));
  CHECK(has_wal("slow-close"));
  set_gate(SLOW_SYNC, 1);
  CHECK(tide_pool_close(pool, 100, &why) == TIDE_TIMEOUT);
  CHECK(strstr(why.message, "SQLite's close has not returned") != NULL && strstr(why.hint, "slow-close.db") != NULL);
  CHECK(look_at(&slow_disk.inside[SLOW_SYNC]) >= 1); /* closing did not wait for it */
  set_gate(SLOW_SYNC, 0);
  EVENTUALLY(!has_wal("slow-close"));
}

/* Within its timeout, closing waits for the checkpoint. */
static void* let_through(void* unused) {
  (void)unused;
  EVENTUALLY(look_at(&slow_disk.inside[SLOW_SYNC]) == 1);
  poll(NULL, 0, 300); /* longer than a call that counts as fast */
  set_gate(SLOW_SYNC, 0);
  return NULL;
}

static void closing_in_time(void) {
  pthread_t thread;
  tide_pool* pool = open_pool("slow-end", "min_size=1 max_size=2", NULL);
  EXPECT(TIDE_OK, tide_pool_query(pool, "writes", "CREATE TABLE t(x); INSERT INTO t VALUES (1)", 0, NULL, NULL, &err));
  set_gate(SLOW_SYNC, 1);
  CHECK(pthread_create(&thread, NULL, let_through, NULL) == 0);
  EXPECT(TIDE_OK, tide_pool_close(pool, 0, &err));
  CHECK(!has_wal("slow-end"));
  CHECK(pthread_join(thread, NULL) == 0);
}

static void wait_inside(int kind) { EVENTUALLY(look_at(&slow_disk.inside[kind]) >= 1); }

/* The transaction of a revoked lease must be rolled back, which may take as long as the disk does. */
static void revoking(void) {
  tide_lease taken, other;
  char arguments[64];
  char text[128];
  tide_pool* pool = open_pool("slow-revoke", "min_size=2 max_size=2 init_mode=fail_fast", NULL);
  EXPECT(TIDE_OK, tide_pool_query(pool, "writes", "CREATE TABLE t(x)", 0, NULL, NULL, &err));
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "taken", 5000, &taken, &err));
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "other", 5000, &other, &err));
  CHECK(tide_lease_native(taken) != NULL); /* its memory is kept until the holder releases the lease */
  EXPECT(TIDE_OK, tide_lease_query(taken, "BEGIN IMMEDIATE; INSERT INTO t VALUES (1)", 0, NULL, NULL, &err));
  set_gate(SLOW_UNLOCK, 1);
  snprintf(arguments, sizeof arguments, "{\"lease_id\": %llu}", (unsigned long long)taken.id);
  EXPECT(TIDE_OK, tide_control("slow-revoke", "revoke", arguments, 5000, NULL, &err));
  wait_inside(SLOW_UNLOCK);
  commands_go_on("slow-revoke");
  EXPECT(TIDE_STALE_LEASE, tide_lease_release(taken, &err)); /* without touching the session in rollback */
  CHECK(look_at(&slow_disk.inside[SLOW_UNLOCK]) >= 1);
  set_gate(SLOW_UNLOCK, 0);
  EVENTUALLY(strcmp(read_column("pools", "slow-revoke", "idle", text, sizeof text), "1") == 0);
  EXPECT(TIDE_OK, tide_lease_query(other, "INSERT INTO t VALUES (2)", 0, NULL, NULL, &err));
  EXPECT(TIDE_OK, tide_lease_release(other, &err));
  EXPECT(TIDE_OK, tide_pool_close(pool, 5000, &err));
  CHECK(!has_wal("slow-revoke"));
}

/* The same when the pool ends a transaction that is idle too long. */
static void ending_transactions(void) {
  tide_lease lease;
  tide_error why = TIDE_ERROR_INIT;
  tide_pool* pool = open_pool("slow-idle", "min_size=1 max_size=2 idle_in_transaction_timeout=50ms", NULL);
  EXPECT(TIDE_OK, tide_pool_query(pool, "writes", "CREATE TABLE t(x)", 0, NULL, NULL, &err));
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "forgets", 5000, &lease, &err));
  EXPECT(TIDE_OK, tide_lease_query(lease, "BEGIN IMMEDIATE; INSERT INTO t VALUES (1)", 0, NULL, NULL, &err));
  set_gate(SLOW_UNLOCK, 1);
  wait_inside(SLOW_UNLOCK);
  commands_go_on("slow-idle");
  CHECK(look_at(&slow_disk.inside[SLOW_UNLOCK]) >= 1);
  set_gate(SLOW_UNLOCK, 0);
  CHECK(tide_lease_query(lease, "INSERT INTO t VALUES (2)", 0, NULL, NULL, &why) == TIDE_DATABASE);
  CHECK(strcmp(why.sqlstate, "25P03") == 0 && strstr(why.message, "idle_in_transaction_timeout") != NULL);
  EXPECT(TIDE_OK, tide_lease_query(lease, "ROLLBACK; INSERT INTO t VALUES (3)", 0, NULL, NULL, &err));
  EXPECT(TIDE_OK, tide_lease_release(lease, &err));
  EXPECT(TIDE_OK, tide_pool_close(pool, 5000, &err));
}

void misuse_disk(void) {
  install_slow_disk("/slow-");
  opening();
  closing();
  closing_in_time();
  revoking();
  ending_transactions();
}
