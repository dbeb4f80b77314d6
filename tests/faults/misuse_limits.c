/* Pools opened without descriptors, memory or threads: a status that reports it, nothing left behind, and the same call
   succeeds when they are available again. */
#define _XOPEN_SOURCE 700
#define _DEFAULT_SOURCE
#include "misuse.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int count_in(const char* path) {
  DIR* dir = opendir(path);
  const struct dirent* entry;
  int n = 0;
  if (dir == NULL) return -1;
  while ((entry = readdir(dir)) != NULL) n += entry->d_name[0] != '.';
  closedir(dir);
  return n;
}

static int count_files(const char* ending) {
  DIR* dir = opendir(folder);
  const struct dirent* entry;
  int n = 0;
  if (dir == NULL) return -1;
  while ((entry = readdir(dir)) != NULL) n += strstr(entry->d_name, ending) != NULL;
  closedir(dir);
  return n;
}

struct usage {
  int descriptors, threads, segments, mailboxes, unfinished;
};
static struct usage usage_now(void) {
  struct usage usage;
  usage.descriptors = count_in("/proc/self/fd");
  usage.threads = count_in("/proc/self/task");
  usage.segments = count_files(".segment");
  usage.mailboxes = count_files(".mailbox");
  usage.unfinished = count_files(".new");
  return usage;
}
static int is_same(struct usage a, struct usage b) {
  return a.descriptors == b.descriptors && a.threads == b.threads && a.segments == b.segments &&
         a.mailboxes == b.mailboxes && a.unfinished == b.unfinished;
}

static void set_limit(int which, rlim_t soft) {
  struct rlimit limit;
  CHECK(getrlimit(which, &limit) == 0);
  limit.rlim_cur = soft;
  CHECK(setrlimit(which, &limit) == 0);
}

/* Whatever the status, the error explains itself, and names what is exhausted. */
static int is_open(const char* url, const char* options, const char* limit, tide_pool** pool) {
  tide_error why = TIDE_ERROR_INIT;
  const tide_status status = tide_pool_open("scarce", url, options, pool, &why);
  if (status == TIDE_OK) return 1;
  if ((status != TIDE_UNAVAILABLE && status != TIDE_NO_MEMORY && status != TIDE_TIMEOUT) ||
      (strstr(why.message, limit) == NULL && strstr(why.detail, limit) == NULL &&
       strstr(why.message, "out of memory") == NULL)) {
    fprintf(stderr, "%s: %s: %s | %s | %s\n", url, tide_status_name(status), why.message, why.detail, why.hint);
    check(0, "a status that names the limit", __FILE__, __LINE__);
  }
  return 0;
}

static void works_again(const char* url, const char* options) {
  tide_pool* pool = NULL;
  tide_lease lease;
  EXPECT(TIDE_OK, tide_pool_open("scarce", url, options, &pool, &err));
  if (strncmp(url, "sqlite", 6) == 0) {
    EXPECT(TIDE_OK, tide_pool_acquire(pool, "again", 5000, &lease, &err));
    EXPECT(TIDE_OK, tide_lease_release(lease, &err));
  }
  EXPECT(TIDE_OK, tide_pool_close(pool, 5000, &err));
}

static char file_url[300];

static void no_descriptors(void) {
  const char* urls[3];
  struct rlimit before;
  struct usage at_first, now;
  int free_count, i, lowest;
  urls[0] = file_url;
  urls[1] = "sqlite::memory:";
  urls[2] = "postgresql://127.0.0.1:1/nowhere";
  CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
  for (i = 0; i < 3; i++) {
    int refused = 0, opened = 0;
    const char* options = i == 2 ? "min_size=0" : "min_size=1 init_mode=fail_fast init_timeout=250ms";
    if (i < 2) works_again(urls[i], "min_size=1 init_mode=fail_fast");
    at_first = usage_now();
    for (free_count = 0; free_count <= 16; free_count++) {
      tide_pool* pool = NULL;
      lowest = open("/dev/null", O_RDONLY);
      close(lowest);
      set_limit(RLIMIT_NOFILE, (rlim_t)(lowest + free_count));
      if (is_open(urls[i], options, "RLIMIT_NOFILE", &pool)) {
        opened++;
        EXPECT(TIDE_OK, tide_pool_close(pool, 5000, &err));
      } else {
        refused++;
      }
      set_limit(RLIMIT_NOFILE, before.rlim_cur);
      now = usage_now();
      CHECK(is_same(at_first, now));
    }
    CHECK(refused > 0 && opened > 0);
    if (i < 2) works_again(urls[i], "min_size=1 init_mode=fail_fast");
  }
  /* The place of a pool is also released: more refusals than there are places. */
  lowest = open("/dev/null", O_RDONLY);
  close(lowest);
  set_limit(RLIMIT_NOFILE, (rlim_t)lowest);
  for (i = 0; i < 1100 && failures == 0; i++) {
    tide_pool* pool = NULL;
    CHECK(!is_open("sqlite::memory:", "publish=off", "RLIMIT_NOFILE", &pool));
  }
  set_limit(RLIMIT_NOFILE, before.rlim_cur);
  works_again(file_url, "");
}

static long address_space_kb(void) {
  long pages = 0;
  FILE* file = fopen("/proc/self/statm", "r");
  if (file == NULL) return 0;
  CHECK(fscanf(file, "%ld", &pages) == 1);
  fclose(file);
  return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void no_memory(void) {
  struct rlimit before;
  struct usage at_first, now;
  int step, refused = 0, opened = 0;
  if (IS_SANITIZED) return;
  CHECK(getrlimit(RLIMIT_AS, &before) == 0);
  at_first = usage_now();
  for (step = 0; step < 100 && opened < 3; step++) {
    tide_pool* pool = NULL;
    set_limit(RLIMIT_AS, (rlim_t)(address_space_kb() + 256L * step) * 1024);
    if (is_open(file_url, "min_size=1 init_mode=fail_fast init_timeout=50ms", "RLIMIT_AS", &pool)) {
      opened++;
      EXPECT(TIDE_OK, tide_pool_close(pool, 5000, &err));
    } else {
      refused++;
    }
    set_limit(RLIMIT_AS, before.rlim_cur);
    now = usage_now();
    CHECK(is_same(at_first, now));
  }
  printf("memory: %d refused, %d opened\n", refused, opened);
  CHECK(refused > 0 && opened > 0);
  works_again(file_url, "");
}

/* A pool that is open when memory is exhausted: calls fail, the process does not end, and the pool works when memory is
   available again. */
static void memory_runs_out(void) {
  enum { kChunks = 200000 };
  static void* chunks[kChunks];
  struct rlimit before;
  tide_pool* pool = NULL;
  tide_lease lease, all[3];
  size_t bytes;
  int n = 0, i, failed = 0;
  if (IS_SANITIZED) return;
  EXPECT(TIDE_OK,
         tide_pool_open("runs-out", file_url, "max_size=3 retry_base=5ms retry_max=20ms emergency=off", &pool, &err));
  EXPECT(TIDE_OK, tide_pool_query(pool, "before", "CREATE TABLE IF NOT EXISTS t(x)", 0, NULL, NULL, &err));
  CHECK(getrlimit(RLIMIT_AS, &before) == 0);
  set_limit(RLIMIT_AS, (rlim_t)address_space_kb() * 1024);
  for (bytes = 1 << 20; bytes >= 24; bytes /= 2) {
    while (n < kChunks && (chunks[n] = malloc(bytes)) != NULL) n++;
  }
  for (i = 0; i < 90; i++) {
    tide_result* rows = NULL;
    if (tide_pool_acquire(pool, "without memory", 5, &lease, NULL) != TIDE_OK) {
      failed++;
      continue;
    }
    failed += tide_lease_query(lease, "INSERT INTO t VALUES (hex(randomblob(2000)))", 0, NULL, NULL, NULL) != TIDE_OK;
    failed += tide_lease_query(lease, "SELECT group_concat(x) FROM t", 0, NULL, &rows, NULL) != TIDE_OK;
    tide_result_free(rows);
    CHECK((i % 3 == 0 ? tide_lease_discard(lease, NULL) : tide_lease_release(lease, NULL)) == TIDE_OK);
    if (n > 0 && i % 5 == 4) free(chunks[--n]); /* a little, so that other allocations fail next */
  }
  while (n > 0) free(chunks[--n]);
  set_limit(RLIMIT_AS, before.rlim_cur);
  printf("memory runs out: %d calls failed\n", failed);
  CHECK(failed > 0);
  EXPECT(TIDE_OK, tide_pool_query(pool, "after", "INSERT INTO t VALUES (1)", 0, NULL, NULL, &err));
  /* No place for a connection was lost. */
  for (i = 0; i < 3; i++) EXPECT(TIDE_OK, tide_pool_acquire(pool, "all of them", 5000, &all[i], &err));
  for (i = 0; i < 3; i++) EXPECT(TIDE_OK, tide_lease_release(all[i], &err));
  EXPECT(TIDE_OK, tide_pool_close(pool, 5000, &err));
}

static void no_threads(void) {
  struct rlimit before;
  tide_pool* pool = NULL;
  struct usage at_first, now;
  int refused = 0, i;
  if (getuid() == 0 && setuid(65534) != 0) return; /* root has no such limit */
  CHECK(getrlimit(RLIMIT_NPROC, &before) == 0);
  at_first = usage_now();
  for (i = 0; i < 3; i++) {
    set_limit(RLIMIT_NPROC, 0);
    if (!is_open("sqlite::memory:", "publish=off min_size=1 init_mode=fail_fast", "RLIMIT_NPROC", &pool)) refused++;
    set_limit(RLIMIT_NPROC, before.rlim_cur);
    now = usage_now();
    CHECK(is_same(at_first, now));
  }
  CHECK(refused == 3);
  works_again("sqlite::memory:", "publish=off");
}

/* One step of a pool whose connects fail: is the limit reported to callers? */
static int is_limit_told(tide_pool* pool, const char* limit) {
  tide_error why = TIDE_ERROR_INIT;
  tide_lease lease;
  EXPECT(TIDE_OK, tide_pool_step(pool, NULL, &err));
  CHECK(tide_pool_acquire(pool, "wanted", 0, &lease, &why) != TIDE_OK);
  return strstr(why.message, limit) != NULL;
}

/* A connect of an open pool needs a thread and descriptors. */
static void connect_without(int which, const char* limit) {
  struct rlimit before;
  tide_pool_options options = TIDE_POOL_OPTIONS_INIT;
  tide_pool* pool = NULL;
  options.foreign_loop = 1;
  CHECK(getrlimit(which, &before) == 0);
  EXPECT(TIDE_OK, tide_pool_open_with("scarce", "postgresql://127.0.0.1:1/nowhere",
                                      "publish=off min_size=0 retry_base=1ms retry_max=5ms", &options, &pool, &err));
  set_limit(which, 0);
  EVENTUALLY(is_limit_told(pool, limit));
  set_limit(which, before.rlim_cur);
  EVENTUALLY(is_limit_told(pool, "Connection refused"));
  EXPECT(TIDE_OK, tide_pool_close(pool, 0, &err));
}
static void no_descriptor_for_a_connect(void) { connect_without(RLIMIT_NOFILE, "RLIMIT_NOFILE"); }
static void no_thread_for_a_connect(void) {
  if (getuid() == 0 && setuid(65534) != 0) return;
  connect_without(RLIMIT_NPROC, "RLIMIT_NPROC");
}

static void in_a_child(void (*part)(void)) {
  int status = -1;
  const pid_t child = fork();
  if (child == 0) {
    failures = 0;
    alarm(60);
    part();
    fflush(stdout);
    _exit(failures == 0 ? 0 : 1);
  }
  CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

void misuse_limits(void) {
  snprintf(file_url, sizeof file_url, "sqlite://%s/scarce.db", folder);
  if (!IS_SANITIZED) in_a_child(no_descriptors);
  in_a_child(no_memory);
  in_a_child(memory_runs_out);
  in_a_child(no_threads);
  in_a_child(no_thread_for_a_connect);
  in_a_child(no_descriptor_for_a_connect);
}
