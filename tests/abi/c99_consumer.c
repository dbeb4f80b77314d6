/*
 * A strict C99 program that uses the library like any application, and misuses it: every wrong handle, NULL and invalid
 * value results in a status and a message, never a crash.
 */
#define _XOPEN_SOURCE 700
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tidepool/tidepool.h>

static int failures;

static void check(int ok, const char* what, int line) {
  if (ok) return;
  failures++;
  fprintf(stderr, "c99_consumer.c:%d: %s\n", line, what);
}
#define CHECK(condition) check((condition) ? 1 : 0, #condition, __LINE__)

/* Expects a refusal that is explained by the error struct. */
static void refused(tide_status expected, tide_status got, const tide_error* err, int line) {
  if (got == expected && err->status == got && err->message[0] != '\0') return;
  failures++;
  fprintf(stderr, "c99_consumer.c:%d: expected %s with a message, got %s (error struct: %d \"%s\")\n", line,
          tide_status_name(expected), tide_status_name(got), (int)err->status, err->message);
}
#define REFUSED(expected, call)               \
  do {                                        \
    tide_error err = TIDE_ERROR_INIT;         \
    tide_status got = (call);                 \
    refused((expected), got, &err, __LINE__); \
  } while (0)

static void test_words(void) {
  CHECK(strcmp(tide_version(), TIDE_VERSION_TEXT) == 0);
  CHECK(strcmp(tide_status_name(TIDE_OK), "ok") == 0);
  CHECK(strcmp(tide_status_name(TIDE_STALE_LEASE), "stale_lease") == 0);
  CHECK(strcmp(tide_status_name(-1), "unknown") == 0);
  CHECK(strcmp(tide_status_name(12345), "unknown") == 0);
  tide_free(NULL);
}

static void test_null(void) {
  tide_pool* pool = NULL;
  tide_lease none = {NULL, 0};
  tide_lease lease;
  tide_result* result = NULL;
  tide_rows* rows = NULL;
  tide_tx tx = {NULL, 0};
  tide_cursor* cursor = NULL;
  tide_lease_stats stats = TIDE_LEASE_STATS_INIT;
  const char* name = "";
  char id[33];
  int fd;
  int64_t next, us = 0;

  REFUSED(TIDE_BAD_ARGUMENT, tide_pool_open(NULL, "sqlite::memory:", NULL, &pool, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_pool_open("abi", "sqlite::memory:", NULL, NULL, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_pool_open("no/slash", "sqlite::memory:", NULL, &pool, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_pool_open("", "sqlite::memory:", NULL, &pool, &err));
  REFUSED(TIDE_BAD_OPTION, tide_pool_open("abi", "sqlite::memory:", "max_sise=3", &pool, &err));
  REFUSED(TIDE_UNSUPPORTED, tide_pool_open("abi", "gopher://host/db", NULL, &pool, &err));
  CHECK(pool == NULL);
  REFUSED(TIDE_BAD_ARGUMENT, tide_pool_close(NULL, 0, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_pool_acquire(NULL, "tag", 0, &lease, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_pool_acquire_with(NULL, NULL, &lease, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_pool_query(NULL, NULL, "select 1", 0, NULL, &result, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_pool_instance_id(NULL, id, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_pool_fd(NULL, &fd, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_pool_step(NULL, &next, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_lease_release(none, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_lease_release_unchanged(none, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_lease_discard(none, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_lease_cancel(none, &err));
  CHECK(tide_lease_is_wanted(none) == 1);
  REFUSED(TIDE_BAD_ARGUMENT, tide_lease_query(none, "select 1", 0, NULL, &result, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_lease_get_stats(none, &stats, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_pool_query_with(NULL, "select 1", 0, NULL, NULL, &result, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_lease_query_with(none, "select 1", 0, NULL, NULL, &result, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_pool_batch(NULL, NULL, 0, NULL, &result, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_pool_rows(NULL, "select 1", 0, NULL, NULL, &rows, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_rows_next(NULL, NULL, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_tx_begin(NULL, NULL, &tx, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_tx_commit(tx, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_cursor_open(NULL, NULL, &cursor, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_cursor_open("pools", NULL, NULL, &err));
  REFUSED(TIDE_NOT_FOUND, tide_cursor_open("puddles", NULL, &cursor, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_option_check(NULL, "8", NULL, &err));
  REFUSED(TIDE_BAD_OPTION, tide_option_check("max_sise", NULL, NULL, &err));
  REFUSED(TIDE_BAD_OPTION, tide_option_check("max_size", "many", NULL, &err));
  CHECK(tide_option_check("maxConnections", "8", &name, NULL) == TIDE_OK && strcmp(name, "max_size") == 0);
  REFUSED(TIDE_BAD_ARGUMENT, tide_duration_parse(NULL, &us, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_duration_parse("30s", NULL, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_duration_parse("soon", &us, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_duration_parse("0.5us", &us, &err));
  CHECK(tide_duration_parse("1.5s", &us, NULL) == TIDE_OK && us == 1500000);
  REFUSED(TIDE_BAD_ARGUMENT, tide_default_directory(NULL, 0, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_default_directory(id, 3, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_control(NULL, "scale", NULL, 0, NULL, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_control("abi", NULL, NULL, 0, NULL, &err));
  REFUSED(TIDE_NOT_FOUND, tide_control("nobody_has_this_name", "pause", NULL, 0, NULL, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_register_driver(NULL, NULL, &err));
  CHECK(tide_pool_close(NULL, 0, NULL) == TIDE_BAD_ARGUMENT); /* and without an error struct */
  CHECK(tide_lease_native(none) == NULL);

  CHECK(tide_result_rows(NULL) == 0);
  CHECK(tide_result_columns(NULL) == 0);
  CHECK(tide_result_affected(NULL) == -1);
  CHECK(tide_result_name(NULL, 0) == NULL);
  CHECK(tide_result_text(NULL, 0, 0) == NULL);
  CHECK(tide_result_length(NULL, 0, 0) == 0);
  CHECK(tide_result_command(NULL) == NULL);
  CHECK(tide_result_last_insert_id(NULL) == 0);
  CHECK(tide_result_part(NULL, 0) == NULL);
  CHECK(tide_result_value(NULL, 0, 0).type == TIDE_VALUE_NONE);
  tide_rows_close(NULL);
  tide_result_free(NULL);
  tide_cursor_close(NULL);
}

static void test_invented_handles(void) {
  char memory[4096];
  tide_pool* invented = (tide_pool*)(void*)memory;
  tide_lease lease;
  tide_lease forged = {NULL, 4711};
  memset(memory, 0xA5, sizeof memory);
  forged.pool = invented;
  REFUSED(TIDE_BAD_ARGUMENT, tide_pool_acquire(invented, NULL, 0, &lease, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_pool_close(invented, 0, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_lease_release(forged, &err));
  CHECK(tide_lease_native(forged) == NULL);
}

static void test_relations(void) {
  const tide_relation* r;
  int i, c, has_pools = 0;
  CHECK(tide_relation_at(-1) == NULL);
  CHECK(tide_relation_at(100000) == NULL);
  for (i = 0; (r = tide_relation_at(i)) != NULL; i++) {
    CHECK(r->name != NULL && r->meaning != NULL && r->ncolumns > 0);
    if (strcmp(r->name, "pools") == 0) has_pools = 1;
    for (c = 0; c < r->ncolumns; c++) {
      const int masked = r->columns[c].is_masked;
      if (strcmp(r->columns[c].name, "instance_id") == 0) CHECK(masked == 0);
      if (strcmp(r->columns[c].name, "tag") == 0) CHECK(masked == 1);
    }
  }
  CHECK(has_pools);
}

/* Copies the text of `column` in the only row of `relation` for `pool` into `out`. */
static void only_row(const char* relation, const char* pool, const char* column, char* out, size_t bytes) {
  tide_filter filter = TIDE_FILTER_INIT;
  tide_cursor* cursor = NULL;
  const tide_relation* r;
  int i, c;
  out[0] = '\0';
  filter.pool = pool;
  if (tide_cursor_open(relation, &filter, &cursor, NULL) != TIDE_OK) return;
  for (i = 0; (r = tide_relation_at(i)) != NULL && strcmp(r->name, relation) != 0; i++) {
  }
  for (c = 0; r != NULL && c < r->ncolumns && strcmp(r->columns[c].name, column) != 0; c++) {
  }
  if (tide_cursor_next(cursor)) {
    const char* text = tide_cursor_text(cursor, c, NULL);
    if (text != NULL && strlen(text) < bytes) strcpy(out, text);
  }
  CHECK(!tide_cursor_next(cursor));
  CHECK(tide_cursor_is_null(cursor, 0) == 1);
  tide_cursor_close(cursor);
}

/* `column = value` for the only row of pools. */
static tide_command assigned(const char* column, const char* text) {
  tide_command command = TIDE_COMMAND_INIT;
  tide_value value = {0};
  value.type = TIDE_TEXT;
  value.text = text;
  CHECK(tide_assign("pools", column, NULL, &value, &command, NULL) == TIDE_OK);
  command.pool = "abi";
  return command;
}

/* For a pool with max_size=1. */
static void test_batch(void) {
  static const char* const columns[] = {"state", "target_size", "target_size", "max_size"};
  static const char* const values[] = {"paused", "2", "3", "4"};
  tide_command given[4], wrong = TIDE_COMMAND_INIT;
  tide_command* commands[4];
  tide_command* one = &wrong;
  uint64_t last = 0;
  int i;
  for (i = 0; i < 4; i++) {
    given[i] = assigned(columns[i], values[i]);
    commands[i] = &given[i];
  }
  REFUSED(TIDE_BAD_ARGUMENT,
          tide_control_batch(commands, 3, TIDE_BATCH_GIVE, -1, NULL, &err)); /* 3 is above max_size */
  CHECK(given[0].state == TIDE_COMMAND_NOT_GIVEN && given[0].command_id == 0);
  CHECK(tide_control_batch(commands, 3, TIDE_BATCH_CHECK, -1, NULL, NULL) == TIDE_OK); /* max_size may change before */
  CHECK(tide_control_batch(commands, 4, TIDE_BATCH_GIVE, -1, NULL, NULL) == TIDE_OK);
  CHECK(given[1].state == TIDE_COMMAND_REPLACED && given[1].command_id == 0);
  for (i = 3; i >= 0; i--) { /* max_size, target_size, state */
    if (i == 1) continue;
    CHECK(given[i].state == TIDE_COMMAND_APPLIED && given[i].pools == 1 && given[i].command_id > last);
    last = given[i].command_id;
  }
  given[0] = assigned("state", "running");
  given[1] = assigned("max_size", "2000000000");
  CHECK(tide_control_batch(commands, 1, TIDE_BATCH_POST, -1, NULL, NULL) == TIDE_OK);
  REFUSED(TIDE_REFUSED, tide_control_batch(commands + 1, 1, TIDE_BATCH_POST, -1, NULL, &err));
  CHECK(given[1].state == TIDE_COMMAND_REFUSED && given[1].command_id != 0);

  REFUSED(TIDE_BAD_ARGUMENT, tide_control_batch(NULL, 1, TIDE_BATCH_POST, 0, NULL, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_control_batch(&one, 1, TIDE_BATCH_POST, 0, NULL, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_control_batch(&one, 1, 7, 0, NULL, &err));
  wrong.size = 8;
  REFUSED(TIDE_BAD_ARGUMENT, tide_control_batch(&one, 1, TIDE_BATCH_CHECK, 0, NULL, &err));
  CHECK(tide_control_batch(NULL, 0, TIDE_BATCH_GIVE, 0, NULL, NULL) == TIDE_OK);
  REFUSED(TIDE_BAD_ARGUMENT, tide_assign("pools", "size", NULL, &given[0].values[0], &wrong, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_assign("nothing", "size", NULL, &given[0].values[0], &wrong, &err));
  REFUSED(TIDE_BAD_ARGUMENT, tide_assign("pools", "state", NULL, NULL, &wrong, &err));
}

static void test_life(const char* directory) {
  const char* params[] = {"7", NULL};
  char url[512], text[64], id[33];
  tide_pool* pool = NULL;
  tide_lease lease, second = {NULL, 0};
  tide_lease_stats stats = TIDE_LEASE_STATS_INIT;
  tide_result* result = NULL;
  tide_error why = TIDE_ERROR_INIT;

  snprintf(url, sizeof url, "sqlite://%s/abi.db", directory);
  if (tide_pool_open("abi", url, "min_size=1 max_size=1", &pool, &why) != TIDE_OK) {
    fprintf(stderr, "cannot open: %s %s\n", why.message, why.detail);
    failures++;
    return;
  }
  CHECK(tide_pool_instance_id(pool, id, NULL) == TIDE_OK && strlen(id) == 32);
  CHECK(tide_pool_query(pool, "setup", "create table t (a, b)", 0, NULL, NULL, NULL) == TIDE_OK);
  CHECK(tide_pool_query(pool, "fill", "insert into t values (?1, ?2)", 2, params, &result, NULL) == TIDE_OK);
  CHECK(tide_result_affected(result) == 1);
  tide_result_free(result);

  CHECK(tide_pool_acquire(pool, "one", -1, &lease, NULL) == TIDE_OK);
  REFUSED(TIDE_TIMEOUT, tide_pool_acquire(pool, "two", 0, &second, &err));
  CHECK(second.pool == NULL);
  CHECK(tide_lease_native(lease) != NULL);
  CHECK(tide_lease_get_stats(lease, &stats, NULL) == TIDE_OK && stats.lease_id == lease.id && stats.uses_total >= 1);
  only_row("leases", "abi", "tag", text, sizeof text);
  CHECK(strcmp(text, "one") == 0);
  CHECK(tide_lease_query(lease, "select a, b from t", 0, NULL, &result, NULL) == TIDE_OK);
  CHECK(tide_result_rows(result) == 1 && tide_result_columns(result) == 2);
  CHECK(strcmp(tide_result_name(result, 1), "b") == 0 && tide_result_name(result, 2) == NULL);
  CHECK(strcmp(tide_result_text(result, 0, 0), "7") == 0 && tide_result_text(result, 0, 1) == NULL);
  CHECK(tide_result_text(result, 1, 0) == NULL && tide_result_text(result, -1, 0) == NULL);
  tide_result_free(result);
  REFUSED(TIDE_DATABASE, tide_lease_query(lease, "select nonsense from nowhere", 0, NULL, &result, &err));
  CHECK(tide_lease_release(lease, NULL) == TIDE_OK);
  REFUSED(TIDE_STALE_LEASE, tide_lease_release(lease, &err));
  CHECK(tide_lease_native(lease) == NULL);
  REFUSED(TIDE_BAD_ARGUMENT, tide_control("abi", "explode", NULL, 1000, NULL, &err));
  only_row("pools", "abi", "max_size", text, sizeof text);
  CHECK(strcmp(text, "1") == 0);
  test_batch();

  CHECK(tide_pool_close(pool, -1, NULL) == TIDE_OK);
  REFUSED(TIDE_CLOSED, tide_pool_close(pool, -1, &err));
  REFUSED(TIDE_CLOSED, tide_pool_acquire(pool, NULL, 0, &lease, &err));
}

int main(void) {
  char directory[] = "/tmp/tidepool-abi-XXXXXX";
  char command[64];
  if (mkdtemp(directory) == NULL || setenv("TIDEPOOL_DIR", directory, 1) != 0) {
    perror("temporary directory");
    return 1;
  }
  test_words();
  test_null();
  test_invented_handles();
  test_relations();
  test_life(directory);
  snprintf(command, sizeof command, "rm -rf %s", directory);
  CHECK(system(command) == 0);
  if (failures == 0) puts("ok");
  return failures == 0 ? 0 : 1;
}
