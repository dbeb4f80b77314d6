/*
 * A small program that uses the main functions: open a pool, write in a transaction, read, lease, show the pool, close.
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

/* Both rows, or none: 0 commits, another value rolls back. After a conflict with another transaction it is called again. */
static int write_rows(void* context, tide_tx tx) {
  const char* insert = "insert into tide values ($1, $2)";
  tide_value flood[2], ebb[2];
  (void)context;
  flood[0] = tide_value_text("flood");
  flood[1] = tide_value_double(4.2);
  ebb[0] = tide_value_text("ebb");
  ebb[1] = tide_value_null();
  if (tide_tx_execute(tx, insert, 2, flood, NULL, NULL, NULL) != TIDE_OK)
    return 1; /* the error is told to the caller */
  return tide_tx_execute(tx, insert, 2, ebb, NULL, NULL, NULL) != TIDE_OK;
}

static tide_status print_rows(tide_pool* pool, tide_error* err) {
  tide_query_options reading = TIDE_QUERY_OPTIONS_INIT;
  tide_result* rows = NULL;
  int64_t row;
  tide_status status;
  reading.tag = "report"; /* shown in the relation leases */
  reading.mode = TIDE_READ;
  status = tide_pool_query_with(pool, "select name, height from tide", 0, NULL, &reading, &rows, err);
  if (status != TIDE_OK) return status;
  for (row = 0; row < tide_result_rows(rows); row++) {
    const tide_value height = tide_result_value(rows, row, 1);
    printf("%s is ", tide_result_text(rows, row, 0));
    if (height.type == TIDE_DOUBLE)
      printf("%.1f m high\n", height.real);
    else
      printf("of unknown height\n");
  }
  tide_result_free(rows);
  return TIDE_OK;
}

/* The same connection for several statements. */
static tide_status hold_connection(tide_pool* pool, tide_error* err) {
  tide_lease lease;
  tide_status status = tide_pool_acquire(pool, "hello", 2000, &lease, err);
  if (status != TIDE_OK) return status;
  status = tide_lease_execute(lease, "create temp table seen (name text)", 0, NULL, NULL, NULL, err);
  if (status == TIDE_OK) {
    status = tide_lease_execute(lease, "insert into seen select name from tide", 0, NULL, NULL, NULL, err);
  }
  tide_lease_release(lease, NULL);
  return status;
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
    if (tide_pool_execute(pool, "create table tide (name text, height real)", 0, NULL, NULL, NULL, &err) != TIDE_OK) {
      result = fail("create", &err);
    }
    if (tide_pool_transaction(pool, write_rows, NULL, NULL, &err) != TIDE_OK) result = fail("write", &err);
    if (print_rows(pool, &err) != TIDE_OK) result = fail("read", &err);
    if (hold_connection(pool, &err) != TIDE_OK) result = fail("hold", &err);
    if (print_pool("hello", &err) != TIDE_OK) result = fail("look", &err);

    /* After an error of the database everything remains usable. */
    if (tide_pool_query_with(pool, "select hight from tide", 0, NULL, NULL, NULL, &err) == TIDE_DATABASE) {
      printf("as expected: %s\n", err.message);
    }
    if (tide_pool_close(pool, -1, &err) != TIDE_OK) result = fail("close", &err);
  }
  remove(file);
  rmdir(directory);
  return result;
}
