/* fork() with open pools: calls in the child return TIDE_FORKED and affect neither the parent's pool, its liveness nor
   its data; and whatever other threads were doing, the child can open its own pools. */
#define _XOPEN_SOURCE 700
#include "misuse.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child: every call on the parent's pools and leases. */
static void use_inherited(tide_pool* pool, tide_lease lease) {
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
  tide_pool* own = open_pool("child", "max_size=2", NULL);
  EXPECT(TIDE_OK, tide_pool_query(own, "child", "CREATE TABLE t(x)", 0, NULL, NULL, &err));
  EXPECT(TIDE_OK, tide_pool_close(own, -1, &err));
}

static void child_gets_forked(void) {
  char text[64];
  int status = -1;
  pid_t child;
  tide_lease lease;
  tide_pool* pool = open_pool("parent", "max_size=2", NULL);
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "parent's", 2000, &lease, &err));
  EXPECT(TIDE_OK, tide_lease_query(lease, "CREATE TABLE IF NOT EXISTS t(x)", 0, NULL, NULL, &err));
  EXPECT(TIDE_OK, tide_lease_query(lease, "BEGIN IMMEDIATE", 0, NULL, NULL, &err));
  child = fork();
  if (child == 0) {
    failures = 0;
    use_inherited(pool, lease);
    use_own();
    /* Closing all pools means those of the child. */
    EXPECT(TIDE_OK, tide_close_all(0, &err));
    use_inherited(pool, lease);
    _exit(failures == 0 ? 0 : 1);
  }
  CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  CHECK(strcmp(read_column("pools", "parent", "state", text, sizeof text), "running") == 0);
  EXPECT(TIDE_OK, tide_lease_query(lease, "INSERT INTO t VALUES (1)", 0, NULL, NULL, &err));
  EXPECT(TIDE_OK, tide_lease_query(lease, "COMMIT", 0, NULL, NULL, &err));
  EXPECT(TIDE_OK, tide_lease_release(lease, &err));
  EXPECT(TIDE_OK, tide_pool_query(pool, "after", "SELECT * FROM t", 0, NULL, NULL, &err));
  EXPECT(TIDE_OK, tide_pool_close(pool, -1, &err));
}

/* An owner that is killed is dead even if its child is still running. */
static void child_outlives_its_parent(void) {
  int ready[2], leave[2];
  char byte = 0, text[64];
  pid_t owner;
  CHECK(pipe(ready) == 0 && pipe(leave) == 0);
  owner = fork();
  if (owner == 0) {
    tide_pool* pool = open_pool("mortal", "max_size=2", NULL);
    (void)pool;
    if (fork() == 0) {
      /* The grandchild exits when the test closes the other end. */
      close(leave[1]);
      byte = (char)(write(ready[1], "r", 1) == 1 && read(leave[0], &byte, 1) == 0);
      _exit(byte != 1);
    }
    for (;;) pause();
  }
  CHECK(read(ready[0], &byte, 1) == 1);
  CHECK(strcmp(read_column("pools", "mortal", "state", text, sizeof text), "dead") != 0);
  CHECK(kill(owner, SIGKILL) == 0 && waitpid(owner, NULL, 0) == owner);
  CHECK(strcmp(read_column("pools", "mortal", "state", text, sizeof text), "dead") == 0);
  close(leave[1]);
  close(leave[0]);
  close(ready[0]);
  close(ready[1]);
}

/* ---- files that were open at the fork ---- */

static tide_status open_file(const char* name, const char* path, tide_pool** out, tide_error* why) {
  char url[400];
  snprintf(url, sizeof url, "sqlite://%s", path);
  return tide_pool_open(name, url, "max_size=2", out, why);
}

/* Otherwise SQLite would assume that this process holds the parent's locks. */
static void is_refused(const char* path) {
  tide_error why = TIDE_ERROR_INIT;
  tide_pool* pool = NULL;
  CHECK(open_file("child", path, &pool, &why) == TIDE_FORKED);
  CHECK(strstr(why.message, path) != NULL && strstr(why.hint, "exec") != NULL);
}

static void is_accepted(const char* path) {
  tide_pool* pool = NULL;
  EXPECT(TIDE_OK, open_file("child", path, &pool, &err));
  EXPECT(TIDE_OK, tide_pool_query(pool, "child", "CREATE TABLE IF NOT EXISTS child(x)", 0, NULL, NULL, &err));
  EXPECT(TIDE_OK, tide_pool_close(pool, -1, &err));
}

static void run_in_child(void (*part)(void)) {
  int status = -1;
  const pid_t child = fork();
  if (child == 0) {
    failures = 0;
    alarm(20); /* waiting for a thread of the parent would never end */
    part();
    _exit(failures == 0 ? 0 : 1);
  }
  CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static char open_path[256], link_path[256], hard_path[256], attached_path[256], closed_path[256], own_path[256];

static void open_files(void) {
  tide_error why = TIDE_ERROR_INIT;
  char text[300];
  tide_pool* pool = NULL;
  tide_lease lease;
  is_refused(open_path);
  is_refused(link_path);
  is_refused(hard_path);
  is_refused(attached_path);
  is_accepted(closed_path);
  EXPECT(TIDE_OK, open_file("child", own_path, &pool, &err));
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "child", 2000, &lease, &err));
  snprintf(text, sizeof text, "ATTACH '%s' AS theirs", open_path);
  CHECK(tide_lease_query(lease, text, 0, NULL, NULL, &why) == TIDE_FORKED && strstr(why.message, open_path) != NULL);
  EXPECT(TIDE_DATABASE, tide_lease_query(lease, "INSERT INTO theirs.t VALUES (2)", 0, NULL, NULL, &err));
  snprintf(text, sizeof text, "ATTACH '%s' AS ours", closed_path);
  EXPECT(TIDE_OK, tide_lease_query(lease, text, 0, NULL, NULL, &err));
  EXPECT(TIDE_OK, tide_lease_release(lease, &err));
  EXPECT(TIDE_OK, tide_pool_close(pool, -1, &err));
}

static void open_files_in_children(void) {
  open_files();
  run_in_child(open_files);
}

static void files_of_the_parent(void) {
  char text[300];
  tide_pool *pool = NULL, *closed = NULL;
  tide_lease lease;
  tide_result* rows = NULL;
  snprintf(open_path, sizeof open_path, "%s/theirs.db", folder);
  snprintf(link_path, sizeof link_path, "%s/theirs-by-link.db", folder);
  snprintf(hard_path, sizeof hard_path, "%s/theirs-by-name.db", folder);
  snprintf(attached_path, sizeof attached_path, "%s/theirs-attached.db", folder);
  snprintf(closed_path, sizeof closed_path, "%s/not-theirs.db", folder);
  snprintf(own_path, sizeof own_path, "%s/own.db", folder);
  EXPECT(TIDE_OK, open_file("theirs", open_path, &pool, &err));
  EXPECT(TIDE_OK, tide_pool_query(pool, "parent", "CREATE TABLE t(x)", 0, NULL, NULL, &err));
  CHECK(symlink(open_path, link_path) == 0 && link(open_path, hard_path) == 0);
  EXPECT(TIDE_OK, open_file("closed", closed_path, &closed, &err));
  EXPECT(TIDE_OK, tide_pool_query(closed, "parent", "CREATE TABLE t(x)", 0, NULL, NULL, &err));
  EXPECT(TIDE_OK, tide_pool_close(closed, -1, &err));
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "attaches", 2000, &lease, &err));
  snprintf(text, sizeof text, "ATTACH '%s' AS more", attached_path);
  EXPECT(TIDE_OK, tide_lease_query(lease, text, 0, NULL, NULL, &err));
  EXPECT(TIDE_OK, tide_lease_query(lease, "CREATE TABLE more.t(x)", 0, NULL, NULL, &err));
  run_in_child(open_files_in_children);
  EXPECT(TIDE_OK, tide_lease_query(lease, "INSERT INTO t VALUES (1)", 0, NULL, NULL, &err));
  EXPECT(TIDE_OK, tide_lease_release(lease, &err));
  EXPECT(TIDE_OK, tide_pool_query(pool, "parent", "SELECT * FROM t", 0, NULL, &rows, &err));
  CHECK(tide_result_rows(rows) == 1);
  tide_result_free(rows);
  /* Detached with the lease: no longer in use. */
  is_accepted(attached_path);
  EXPECT(TIDE_OK, tide_pool_close(pool, -1, &err));
}

/* ---- what other threads held at the fork ---- */

struct stuck {
  int is_inside, may_go; /* in this order */
};
static int stuck_in_open(void* context, const char* url, int64_t timeout_ms, void** connection, char* message,
                         size_t bytes) {
  struct stuck* stuck = context;
  int looks;
  (void)url, (void)timeout_ms, (void)message, (void)bytes;
  __atomic_store_n(&stuck->is_inside, 1, __ATOMIC_SEQ_CST);
  for (looks = 0; looks < 2000 && !__atomic_load_n(&stuck->may_go, __ATOMIC_SEQ_CST); looks++) poll(NULL, 0, 5);
  *connection = stuck;
  return 0;
}
static void do_nothing(void* context, void* connection) { (void)context, (void)connection; }

static void* step_once(void* pool) {
  EXPECT(TIDE_OK, tide_pool_step(pool, NULL, &err));
  return NULL;
}

static int is_served_by_step(tide_pool* pool) {
  tide_lease lease;
  return tide_pool_step(pool, NULL, NULL) == TIDE_OK && tide_pool_acquire(pool, "", 0, &lease, NULL) == TIDE_OK &&
         tide_lease_release(lease, NULL) == TIDE_OK;
}

static void step_own_pools(void) {
  tide_pool_options options = TIDE_POOL_OPTIONS_INIT;
  int i;
  options.foreign_loop = 1;
  for (i = 0; i < 8; i++) { /* one of them uses the place of the parent's pool */
    static const char* const names[] = {"step-0", "step-1", "step-2", "step-3", "step-4", "step-5", "step-6", "step-7"};
    tide_pool* pool = open_pool(names[i], "min_size=1 max_size=1", &options);
    EVENTUALLY(is_served_by_step(pool)); /* the disk may be slow */
  }
  EXPECT(TIDE_OK, tide_close_all(0, &err));
}

static void fork_beside_a_step(void) {
  static struct stuck stuck;
  tide_pool_options options = TIDE_POOL_OPTIONS_INIT;
  tide_driver driver = TIDE_DRIVER_INIT;
  pthread_t thread;
  tide_lease lease;
  tide_pool* pool = NULL;
  driver.context = &stuck;
  driver.open = stuck_in_open;
  driver.close = do_nothing;
  EXPECT(TIDE_OK, tide_register_driver("stuckfork", &driver, &err));
  options.foreign_loop = 1;
  EXPECT(TIDE_OK, tide_pool_open_with("stepping", "stuckfork://x", "min_size=0 max_size=1", &options, &pool, &err));
  EXPECT(TIDE_TIMEOUT, tide_pool_acquire(pool, "wanted", 0, &lease, &err)); /* makes the next step open one */
  CHECK(pthread_create(&thread, NULL, step_once, pool) == 0);
  EVENTUALLY(__atomic_load_n(&stuck.is_inside, __ATOMIC_SEQ_CST));
  run_in_child(step_own_pools);
  __atomic_store_n(&stuck.may_go, 1, __ATOMIC_SEQ_CST);
  CHECK(pthread_join(thread, NULL) == 0);
  EXPECT(TIDE_OK, tide_pool_close(pool, -1, &err));
}

static int hold_password(void* context, char* password, size_t bytes) {
  void* unused = NULL;
  password[0] = '\0';
  return stuck_in_open(context, NULL, 0, &unused, NULL, bytes);
}

static const char* const kNobody = "postgresql://me@127.0.0.1:1/nobody?sslmode=disable&gssencmode=disable";

static void connect_own_pool(void) {
  tide_error why = TIDE_ERROR_INIT;
  tide_pool* pool = NULL;
  tide_lease lease;
  EXPECT(TIDE_OK, tide_pool_open("connects", kNobody, "connect_timeout=5s", &pool, &err));
  CHECK(tide_pool_acquire(pool, "refused", 300, &lease, &why) != TIDE_OK && strstr(why.message, "refused") != NULL);
  EXPECT(TIDE_OK, tide_pool_close(pool, 0, &err));
  step_own_pools();
}

static tide_pool* connect_in_vain(const char* name, tide_credential_callback ask, void* context) {
  tide_pool_options options = TIDE_POOL_OPTIONS_INIT;
  tide_pool* pool = NULL;
  options.on_credential = ask;
  options.credential_context = context;
  EXPECT(TIDE_OK, tide_pool_open_with(name, kNobody, "min_size=1 retry_base=9s", &options, &pool, &err));
  EVENTUALLY(__atomic_load_n((int*)context, __ATOMIC_SEQ_CST));
  return pool;
}

static void open_one_pool(void) {
  tide_pool* pool = NULL;
  EXPECT(TIDE_OK, tide_pool_open("in-a-callback", "sqlite::memory:", "", &pool, &err));
  EXPECT(TIDE_OK, tide_pool_query(pool, "child", "SELECT 1", 0, NULL, NULL, &err));
  EXPECT(TIDE_OK, tide_pool_close(pool, -1, &err));
}

static int fork_for_a_password(void* has_forked, char* password, size_t bytes) {
  (void)bytes;
  password[0] = '\0';
  run_in_child(open_one_pool);
  __atomic_store_n((int*)has_forked, 1, __ATOMIC_SEQ_CST);
  return 0;
}

/* A connect has its own thread, which does not exist in the child, unless it is the thread that forks. */
static void fork_beside_a_connect(void) {
  static struct stuck stuck;
  static int has_forked;
  tide_pool* pool = connect_in_vain("connecting", hold_password, &stuck);
  run_in_child(connect_own_pool);
  __atomic_store_n(&stuck.may_go, 1, __ATOMIC_SEQ_CST);
  EXPECT(TIDE_OK, tide_pool_close(pool, -1, &err));
  pool = connect_in_vain("forking", fork_for_a_password, &has_forked);
  EXPECT(TIDE_OK, tide_pool_close(pool, -1, &err));
}

static int hammer_ends;
static int plain_open(void* context, const char* url, int64_t timeout_ms, void** connection, char* message,
                      size_t bytes) {
  (void)url, (void)timeout_ms, (void)message, (void)bytes;
  *connection = context;
  return 0;
}

/* Opens, uses and closes one pool after the other, and reads everything that can be read. */
static void use_pools(const char* name, const char* url, int rounds) {
  int i;
  for (i = 0; i < rounds && !__atomic_load_n(&hammer_ends, __ATOMIC_SEQ_CST); i++) {
    tide_pool* pool = NULL;
    tide_lease lease;
    tide_driver driver = TIDE_DRIVER_INIT;
    tide_cursor* cursor = NULL;
    EXPECT(TIDE_OK, tide_pool_open(name, url, i % 2 ? "max_size=2 publish=off" : "max_size=2", &pool, &err));
    EXPECT(TIDE_OK, tide_pool_acquire(pool, "hammer", 10000, &lease, &err));
    if (strncmp(url, "sqlite", 6) == 0) {
      EXPECT(TIDE_OK, tide_lease_query(lease, "CREATE TABLE IF NOT EXISTS t(x)", 0, NULL, NULL, &err));
      EXPECT(TIDE_OK, tide_lease_query(lease, "INSERT INTO t VALUES (hex(randomblob(99)))", 0, NULL, NULL, &err));
    }
    EXPECT(TIDE_OK, tide_lease_release(lease, &err));
    CHECK(tide_register_driver("plainfork", &driver, NULL) == TIDE_BAD_ARGUMENT);
    EXPECT(TIDE_OK, tide_control(name, "scale", "{\"target_size\": 1}", 0, NULL, &err));
    if (tide_cursor_open("settings", NULL, &cursor, NULL) == TIDE_OK) {
      while (tide_cursor_next(cursor)) {
      }
      tide_cursor_close(cursor);
    }
    EXPECT(TIDE_OK, tide_pool_close(pool, 10000, &err));
  }
}

static void* hammer(void* which) {
  char name[32], url[300];
  const int number = *(const int*)which;
  snprintf(name, sizeof name, "hammer-%d", number);
  snprintf(url, sizeof url, "sqlite://%s/%s.db", folder, name);
  use_pools(name, number == 0 ? "plainfork://x" : number == 1 ? "sqlite::memory:" : url, 1 << 30);
  return NULL;
}

static void use_own_pools(void) {
  char url[300];
  snprintf(url, sizeof url, "sqlite://%s/child-%ld.db", folder, (long)getpid());
  use_pools("own-file", url, 2);
  use_pools("own-memory", "sqlite::memory:", 2);
  use_pools("own-driver", "plainfork://x", 2);
}

/* Descriptors of a pool that a child keeps open would make the pool look alive after its owner has exited. Descriptors
   of readers, and those of a driver's thread that is just ending, hold no lock. */
static void has_no_pools_descriptors(void) {
  char link[64], target[300];
  int fd;
  for (fd = 3; fd < 200; fd++) {
    ssize_t bytes;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    bytes = readlink(link, target, sizeof target - 1);
    if (bytes < 0) continue;
    target[bytes] = 0;
    if ((strstr(target, ".segment") && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR) || strstr(target, "eventpoll")) {
      fprintf(stderr, "a child has inherited %s\n", target);
      failures++;
    }
  }
}

static void fork_beside_everything(void) {
  static const int numbers[] = {0, 1, 2, 3};
  tide_driver driver = TIDE_DRIVER_INIT;
  pthread_t threads[4];
  int i, forks;
  driver.context = &hammer_ends;
  driver.open = plain_open;
  driver.close = do_nothing;
  EXPECT(TIDE_OK, tide_register_driver("plainfork", &driver, &err));
  for (i = 0; i < 4; i++) CHECK(pthread_create(&threads[i], NULL, hammer, (void*)(size_t)&numbers[i]) == 0);
  for (forks = 0; forks < 25 && failures == 0; forks++) run_in_child(use_own_pools);
  for (forks = 0; forks < 400 && failures == 0; forks++) run_in_child(has_no_pools_descriptors);
  __atomic_store_n(&hammer_ends, 1, __ATOMIC_SEQ_CST);
  for (i = 0; i < 4; i++) CHECK(pthread_join(threads[i], NULL) == 0);
}

void misuse_fork(void) {
  child_gets_forked();
  child_outlives_its_parent();
  files_of_the_parent();
  fork_beside_a_step();
  fork_beside_a_connect();
  if (!IS_SANITIZED) fork_beside_everything();
}
