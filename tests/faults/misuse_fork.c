/* fork() with open pools: the child is told, and harms neither its parent's pool nor the signs of its life. */
#define _XOPEN_SOURCE 700
#include "misuse.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child: every call on what the parent opened. */
static void use_inherited(tide_pool *pool, tide_lease lease) {
  tide_lease_stats stats = TIDE_LEASE_STATS_INIT;
  tide_acquire_options with = TIDE_ACQUIRE_OPTIONS_INIT;
  tide_lease other;
  char id[33];
  int fd;
  int64_t next;
  EXPECT(TIDE_FORKED, tide_pool_acquire(pool, "child", 0, &other, &err));
  EXPECT(TIDE_FORKED, tide_pool_acquire_with(pool, &with, &other, &err));
  EXPECT(TIDE_FORKED, tide_pool_query(pool, "child", "SELECT 1", 0, NULL, NULL, &err));
  EXPECT(TIDE_FORKED, tide_pool_instance_id(pool, id, &err));
  EXPECT(TIDE_FORKED, tide_pool_fd(pool, &fd, &err));
  EXPECT(TIDE_FORKED, tide_pool_step(pool, &next, &err));
  EXPECT(TIDE_FORKED, tide_lease_query(lease, "SELECT 1", 0, NULL, NULL, &err));
  EXPECT(TIDE_FORKED, tide_lease_get_stats(lease, &stats, &err));
  EXPECT(TIDE_FORKED, tide_lease_release(lease, &err));
  CHECK(tide_lease_native(lease) == NULL);
  EXPECT(TIDE_FORKED, tide_pool_close(pool, 0, &err));
  EXPECT(TIDE_FORKED, tide_pool_close(pool, 0, &err));
}

static void use_own(void) {
  tide_pool *own = open_pool("child", "max_size=2", NULL);
  EXPECT(TIDE_OK, tide_pool_query(own, "child", "CREATE TABLE t(x)", 0, NULL, NULL, &err));
  EXPECT(TIDE_OK, tide_pool_close(own, -1, &err));
}

static void child_is_told(void) {
  char text[64];
  int status = -1;
  pid_t child;
  tide_lease lease;
  tide_pool *pool = open_pool("parent", "max_size=2", NULL);
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "parent's", 2000, &lease, &err));
  EXPECT(TIDE_OK, tide_lease_query(lease, "CREATE TABLE IF NOT EXISTS t(x)", 0, NULL, NULL, &err));
  EXPECT(TIDE_OK, tide_lease_query(lease, "BEGIN IMMEDIATE", 0, NULL, NULL, &err));
  child = fork();
  if (child == 0) {
    failures = 0;
    use_inherited(pool, lease);
    use_own();
    /* Closing "all" means the child's. */
    EXPECT(TIDE_OK, tide_close_all(0, &err));
    use_inherited(pool, lease);
    _exit(failures == 0 ? 0 : 1);
  }
  CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  CHECK(strcmp(told("pools", "parent", "state", text, sizeof text), "running") == 0);
  EXPECT(TIDE_OK, tide_lease_query(lease, "INSERT INTO t VALUES (1)", 0, NULL, NULL, &err));
  EXPECT(TIDE_OK, tide_lease_query(lease, "COMMIT", 0, NULL, NULL, &err));
  EXPECT(TIDE_OK, tide_lease_release(lease, &err));
  EXPECT(TIDE_OK, tide_pool_query(pool, "after", "SELECT * FROM t", 0, NULL, NULL, &err));
  EXPECT(TIDE_OK, tide_pool_close(pool, -1, &err));
}

/* An owner whose child lives on is dead all the same when it is killed. */
static void child_outlives_its_parent(void) {
  int ready[2], leave[2];
  char byte = 0, text[64];
  pid_t owner;
  CHECK(pipe(ready) == 0 && pipe(leave) == 0);
  owner = fork();
  if (owner == 0) {
    tide_pool *pool = open_pool("mortal", "max_size=2", NULL);
    (void)pool;
    if (fork() == 0) {
      /* The grandchild stays until the test lets go of the other end. */
      close(leave[1]);
      byte = (char)(write(ready[1], "r", 1) == 1 && read(leave[0], &byte, 1) == 0);
      _exit(byte != 1);
    }
    for (;;) pause();
  }
  CHECK(read(ready[0], &byte, 1) == 1);
  CHECK(strcmp(told("pools", "mortal", "state", text, sizeof text), "dead") != 0);
  CHECK(kill(owner, SIGKILL) == 0 && waitpid(owner, NULL, 0) == owner);
  CHECK(strcmp(told("pools", "mortal", "state", text, sizeof text), "dead") == 0);
  close(leave[1]);
  close(leave[0]);
  close(ready[0]);
  close(ready[1]);
}

void misuse_fork(void) {
  child_is_told();
  child_outlives_its_parent();
}
