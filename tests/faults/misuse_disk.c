/* A disk that does not answer: SQLite's opening, checking and closing hold up nobody who does not need them. */
#define _XOPEN_SOURCE 700
#include "misuse.h"
#include "slow_disk.h"

#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int look_at(const int *value) { return __atomic_load_n(value, __ATOMIC_SEQ_CST); }
static void set_gate(int kind, int is_shut) { __atomic_store_n(&slow_disk.is_shut[kind], is_shut, __ATOMIC_SEQ_CST); }

static void commands_go_on(const char *name) {
  EXPECT(TIDE_OK, tide_control(name, "pause", NULL, 5000, NULL, &err));
  EXPECT(TIDE_OK, tide_control(name, "resume", NULL, 5000, NULL, &err));
}

static int has_wal(const char *name) {
  char path[300];
  struct stat found;
  snprintf(path, sizeof path, "%s/%s.db-wal", folder, name);
  return stat(path, &found) == 0 && found.st_size > 0;
}

/* A child beside a call that does not come back: it has pools of its own, and leaves its parent's alone. */
static void forking(void) {
  int status = -1;
  const pid_t child = fork();
  if (child == 0) {
    tide_pool *own;
    failures = 0;
    alarm(30);
    own = open_pool("childs", "max_size=2", NULL);
    EXPECT(TIDE_OK, tide_pool_query(own, "child", "CREATE TABLE t(x)", 0, NULL, NULL, &err));
    EXPECT(TIDE_OK, tide_pool_close(own, -1, &err));
    _exit(failures == 0 ? 0 : 1);
  }
  CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* A second connection is opened for ever; the first one goes round. */
static void opening(void) {
  tide_lease first, second;
  tide_error why = TIDE_ERROR_INIT;
  tide_pool *pool = open_pool("slow-open", "min_size=1 max_size=2 init_mode=fail_fast connect_timeout=100ms", NULL);
  int i;
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "first", 5000, &first, &err));
  set_gate(SLOW_OPEN, 1);
  CHECK(tide_pool_acquire(pool, "second", 400, &second, &why) == TIDE_TIMEOUT);
  CHECK(look_at(&slow_disk.inside[SLOW_OPEN]) >= 1);
  CHECK(strstr(why.detail, "SQLite's open has not come back after") != NULL);
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

/* The last close writes the WAL back, which takes as long as the disk does. */
static void closing(void) {
  tide_error why = TIDE_ERROR_INIT;
  tide_pool *pool = open_pool("slow-close", "min_size=1 max_size=2", NULL);
  EXPECT(TIDE_OK, tide_pool_query(pool, "writes", "CREATE TABLE t(x); INSERT INTO t VALUES (1)", 0, NULL, NULL, &err));
  CHECK(has_wal("slow-close"));
  set_gate(SLOW_SYNC, 1);
  CHECK(tide_pool_close(pool, 100, &why) == TIDE_TIMEOUT);
  CHECK(strstr(why.message, "SQLite's close has not come back") != NULL && strstr(why.hint, "slow-close.db") != NULL);
  CHECK(look_at(&slow_disk.inside[SLOW_SYNC]) >= 1); /* closing did not wait for it */
  set_gate(SLOW_SYNC, 0);
  EVENTUALLY(!has_wal("slow-close"));
}

/* As long as the time that closing was given lasts, the WAL is waited for. */
static void *let_through(void *unused) {
  (void)unused;
  EVENTUALLY(look_at(&slow_disk.inside[SLOW_SYNC]) == 1);
  poll(NULL, 0, 300); /* longer than anything that is taken for quick */
  set_gate(SLOW_SYNC, 0);
  return NULL;
}

static void closing_in_time(void) {
  pthread_t thread;
  tide_pool *pool = open_pool("slow-end", "min_size=1 max_size=2", NULL);
  EXPECT(TIDE_OK, tide_pool_query(pool, "writes", "CREATE TABLE t(x); INSERT INTO t VALUES (1)", 0, NULL, NULL, &err));
  set_gate(SLOW_SYNC, 1);
  CHECK(pthread_create(&thread, NULL, let_through, NULL) == 0);
  EXPECT(TIDE_OK, tide_pool_close(pool, 0, &err));
  CHECK(!has_wal("slow-end"));
  CHECK(pthread_join(thread, NULL) == 0);
}

void misuse_disk(void) {
  install_slow_disk("/slow-");
  opening();
  closing();
  closing_in_time();
}
