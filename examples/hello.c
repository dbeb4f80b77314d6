/*
 * A small program that uses the main functions: open a pool, lease, write, read, show the pool, close.
 *
 *   cc -std=c99 hello.c -o hello $(pkg-config --cflags --libs tidepool)
 */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tidepool/tidepool.h>

static int fail(const char* doing, const tide_error* err) {
  fprintf(stderr, "%s: %s: %s\n%s\n%s\n", doing, tide_status_name(err->status), err->message, err->detail, err->hint);
  return 1;
}

/* One connection for several statements. The lease is released in every case. */
static tide_status write_rows(tide_pool* pool, tide_error* err) {
  const char* params[] = {"ebb", NULL}; /* NULL is NULL in SQL */
  tide_lease lease;
  tide_status status = tide_pool_acquire(pool, "hello", 2000, &lease, err);
  if (status != TIDE_OK) return status;
  status = tide_lease_query(lease, "create table tide (name text, height real)", 0, NULL, NULL, err);
  if (status == TIDE_OK) status = tide_lease_query(lease, "insert into tide values ('flood', 4.2)", 0, NULL, NULL, err);
  if (status == TIDE_OK) status = tide_lease_query(lease, "insert into tide values (?1, ?2)", 2, params, NULL, err);
  tide_lease_release(lease, NULL);
  return status;
}

/* A single statement needs no explicit lease. */
static tide_status print_rows(tide_pool* pool, tide_error* err) {
  tide_result* rows = NULL;
  int64_t row;
  tide_status status = tide_pool_query(pool, "report", "select name, height from tide", 0, NULL, &rows, err);
  if (status != TIDE_OK) return status;
  for (row = 0; row < tide_result_rows(rows); row++) {
    const char* height = tide_result_text(rows, row, 1);
    printf("%s is %s m high\n", tide_result_text(rows, row, 0), height != NULL ? height : "an unknown number of");
  }
  tide_result_free(rows);
  return TIDE_OK;
}

/* The pool as other processes on this host see it. */
static tide_status print_pool(const char* name, tide_error* err) {
  static const char* const wanted[] = {"pool", "state", "size", "idle", "in_use", "max_size"};
  tide_filter filter = TIDE_FILTER_INIT;
  const tide_relation* pools;
  tide_cursor* cursor;
  tide_status status;
  int i, column;

  for (i = 0; (pools = tide_relation_at(i)) != NULL && strcmp(pools->name, "pools") != 0; i++) continue;
  filter.pool = name;
  status = tide_cursor_open("pools", &filter, &cursor, err);
  if (status != TIDE_OK) return status;
  while (pools != NULL && tide_cursor_next(cursor)) {
    for (i = 0; i < (int)(sizeof wanted / sizeof wanted[0]); i++) {
      for (column = 0; column < pools->ncolumns; column++) {
        if (strcmp(pools->columns[column].name, wanted[i]) != 0) continue;
        printf("%s%s=%s", i == 0 ? "" : " ", wanted[i], tide_cursor_text(cursor, column, NULL));
      }
    }
    printf("\n");
  }
  tide_cursor_close(cursor);
  return TIDE_OK;
}

int main(void) {
  char directory[] = "/tmp/tidepool-hello-XXXXXX", file[64], url[80];
  tide_error err = TIDE_ERROR_INIT;
  tide_pool* pool = NULL;
  int result = 0;

  if (mkdtemp(directory) == NULL) return 1;
  snprintf(file, sizeof file, "%s/hello.db", directory);
  snprintf(url, sizeof url, "sqlite://%s", file);
  if (tide_pool_open("hello", url, "max_size=4 acquire_timeout=2s", &pool, &err) != TIDE_OK) {
    result = fail("open", &err);
  } else {
    if (write_rows(pool, &err) != TIDE_OK) result = fail("write", &err);
    if (print_rows(pool, &err) != TIDE_OK) result = fail("read", &err);
    if (print_pool("hello", &err) != TIDE_OK) result = fail("look", &err);

    /* After an error of the database everything remains usable. */
    if (tide_pool_query(pool, "typo", "select hight from tide", 0, NULL, NULL, &err) == TIDE_DATABASE) {
      printf("as expected: %s\n", err.message);
    }
    if (tide_pool_close(pool, -1, &err) != TIDE_OK) result = fail("close", &err);
  }
  remove(file);
  rmdir(directory);
  return result;
}
