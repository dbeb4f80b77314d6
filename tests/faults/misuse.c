/*
 * Wrong use of the API, in strict C99: each wrong call results in the documented status and a message, and the pool
 * continues as if nothing had happened. Prints what it did; exit 1 if a check failed. An argument selects one part.
 */
#define _XOPEN_SOURCE 700
#include "misuse.h"

#include <stdlib.h>

int failures;
char folder[] = "/tmp/tidepool-misuse-XXXXXX";
static int checks;

void check(int ok, const char* what, const char* file, int line) {
  __atomic_fetch_add(&checks, 1, __ATOMIC_RELAXED); /* parts use threads */
  if (ok) return;
  __atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
  fprintf(stderr, "%s:%d: %s\n", file, line, what);
}

void answered(tide_status expected, tide_status got, const tide_error* err, const char* file, int line) {
  const int is_explained = got == TIDE_OK || (err->status == got && err->message[0] != '\0');
  __atomic_fetch_add(&checks, 1, __ATOMIC_RELAXED); /* parts use threads */
  if (got == expected && is_explained) return;
  __atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
  fprintf(stderr, "%s:%d: expected %s, got %s: \"%s\" \"%s\"\n", file, line, tide_status_name(expected),
          tide_status_name(got), err->message, err->detail);
}

tide_pool* open_pool(const char* name, const char* options, const tide_pool_options* with) {
  char url[256];
  tide_pool* pool = NULL;
  snprintf(url, sizeof url, "sqlite://%s/%s.db", folder, name);
  EXPECT(TIDE_OK, tide_pool_open_with(name, url, options, with, &pool, &err));
  return pool;
}

const char* read_column(const char* relation, const char* pool, const char* column, char* out, size_t bytes) {
  tide_filter filter = TIDE_FILTER_INIT;
  tide_cursor* cursor = NULL;
  const tide_relation* r;
  int i, c;
  out[0] = '\0';
  filter.pool = pool;
  for (i = 0; (r = tide_relation_at(i)) != NULL && strcmp(r->name, relation) != 0; i++) {
  }
  for (c = 0; r != NULL && c < r->ncolumns && strcmp(r->columns[c].name, column) != 0; c++) {
  }
  if (tide_cursor_open(relation, &filter, &cursor, NULL) != TIDE_OK) return out;
  if (tide_cursor_next(cursor)) {
    const char* text = tide_cursor_text(cursor, c, NULL);
    if (text != NULL) snprintf(out, bytes, "%s", text);
  }
  tide_cursor_close(cursor);
  return out;
}

int main(int argc, char** argv) {
  static const struct {
    const char* name;
    void (*run)(void);
  } parts[] = {{"handles", misuse_handles},     {"leases", misuse_leases},
               {"close", misuse_close},         {"statements", misuse_statements},
               {"callbacks", misuse_callbacks}, {"drivers", misuse_drivers},
               {"disk", misuse_disk},           {"fork", misuse_fork},
               {"limits", misuse_limits},       {"features", features}};
  char command[128];
  size_t i;
  if (mkdtemp(folder) == NULL || setenv("TIDEPOOL_DIR", folder, 1) != 0) {
    perror("temporary folder");
    return 1;
  }
  for (i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    const int is_wanted = argc < 2 || strcmp(argv[1], parts[i].name) == 0;
    const int checks_before = checks, failures_before = failures;
    if (!is_wanted) continue;
    parts[i].run();
    printf("%s: %d checks, %d failed\n", parts[i].name, checks - checks_before, failures - failures_before);
    fflush(stdout); /* a child must not print it again */
  }
  EXPECT(TIDE_OK, tide_close_all(0, &err));
  snprintf(command, sizeof command, "rm -rf %s", folder);
  CHECK(system(command) == 0);
  return failures == 0 ? 0 : 1;
}
