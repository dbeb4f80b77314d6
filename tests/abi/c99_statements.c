/*
 * A strict C99 program that uses every function for statements and transactions, on SQLite: typed values in both directions,
 * batches, streams, transactions, and asynchronous statements in an event loop.
 */
#define _XOPEN_SOURCE 700
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tidepool/tidepool.h>

static int failures;

static void check(int ok, const char* what, int line) {
  if (ok) return;
  failures++;
  fprintf(stderr, "c99_statements.c:%d: %s\n", line, what);
}
#define CHECK(condition) check((condition) ? 1 : 0, #condition, __LINE__)

static void done(tide_status got, const tide_error* err, const char* what, int line) {
  if (got == TIDE_OK) return;
  failures++;
  fprintf(stderr, "c99_statements.c:%d: %s: %s: %s (%s)\n", line, what, tide_status_name(got), err->message,
          err->detail);
}
#define DONE(call)                    \
  do {                                \
    tide_error err = TIDE_ERROR_INIT; \
    tide_status got = (call);         \
    done(got, &err, #call, __LINE__); \
  } while (0)

static int64_t count(tide_pool* pool, const char* sql) {
  tide_result* result = NULL;
  int64_t number;
  DONE(tide_pool_query_first(pool, sql, 0, NULL, NULL, &result, &err));
  number = tide_result_value(result, 0, 0).integer;
  tide_result_free(result);
  return number;
}

/* Every type goes in and comes out as it was. */
static void values(tide_pool* pool) {
  static const char bytes[] = {'a', '\0', (char)0xFF};
  tide_value in[6], out;
  tide_result* result = NULL;
  tide_column_type type = TIDE_COLUMN_TYPE_INIT;
  in[0] = tide_value_null();
  in[1] = tide_value_int(INT64_MIN);
  in[2] = tide_value_double(0.1);
  in[3] = tide_value_text("");
  in[4] = tide_value_bytes(bytes, sizeof bytes);
  in[5] = tide_value_bool(1);
  DONE(tide_pool_execute(pool, "create table v (a, b integer, c real, d varchar(9), e blob, f boolean)", 0, NULL, NULL,
                         NULL, &err));
  DONE(tide_pool_execute(pool, "insert into v values ($1, $2, $3, $4, $5, $6)", 6, in, NULL, &result, &err));
  CHECK(tide_result_affected(result) == 1 && tide_result_last_insert_id(result) == 1);
  CHECK(strcmp(tide_result_command(result), "INSERT") == 0);
  CHECK(tide_result_part(result, 0) == result && tide_result_part(result, 1) == NULL);
  tide_result_free(result);
  result = NULL;
  DONE(tide_pool_query_with(pool, "select * from v", 0, NULL, NULL, &result, &err));
  CHECK(tide_result_rows(result) == 1 && tide_result_columns(result) == 6);
  CHECK(tide_result_value(result, 0, 0).type == TIDE_VALUE_NULL);
  out = tide_result_value(result, 0, 1);
  CHECK(out.type == TIDE_INT && out.integer == INT64_MIN);
  out = tide_result_value(result, 0, 2);
  CHECK(out.type == TIDE_DOUBLE && out.real >= 0.1 && out.real <= 0.1);
  out = tide_result_value(result, 0, 3);
  CHECK(out.type == TIDE_TEXT && out.length == 0 && out.text[0] == '\0');
  out = tide_result_value(result, 0, 4);
  CHECK(out.type == TIDE_BYTES && out.length == sizeof bytes && memcmp(out.text, bytes, sizeof bytes) == 0);
  out = tide_result_value(result, 0, 5);
  CHECK(out.type == TIDE_INT && out.integer == 1); /* SQLite has no booleans */
  CHECK(tide_result_value(result, 1, 0).type == TIDE_VALUE_NONE &&
        tide_result_value(result, 0, 6).type == TIDE_VALUE_NONE);
  CHECK(tide_result_value(result, -1, 0).type == TIDE_VALUE_NONE);
  DONE(tide_result_type(result, 3, &type, &err));
  CHECK(strcmp(type.declared, "varchar(9)") == 0 && type.oid == 0);
  tide_result_free(result);
}

/* A number is compared as a number; every style of placeholders has the same meaning. */
static void placeholders(tide_pool* pool) {
  static const char* const texts[] = {"select 1 where length('abc') = $1", "select 1 where length('abc') = ?1",
                                      "select 1 where length('abc') = ?", "select 1 where length('abc') = :n"};
  static const char* const names[] = {"n"};
  size_t i;
  for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    const tide_value three = tide_value_int(3);
    tide_query_options with = TIDE_QUERY_OPTIONS_INIT;
    tide_result* result = NULL;
    if (i == 3) {
      with.placeholders = TIDE_PLACEHOLDERS_NAMED;
      with.names = names;
    }
    DONE(tide_pool_query_with(pool, texts[i], 1, &three, &with, &result, &err));
    CHECK(tide_result_rows(result) == 1);
    tide_result_free(result);
  }
}

/* Results are independent of each other, of their lease, and of the order in which they are freed. */
static void results(tide_pool* pool) {
  tide_result* kept[4] = {NULL, NULL, NULL, NULL};
  static const int order[] = {2, 0, 3, 1};
  tide_lease lease;
  int i;
  DONE(tide_pool_acquire(pool, "results", -1, &lease, &err));
  for (i = 0; i < 4; i++) {
    const tide_value number = tide_value_int(i);
    DONE(tide_lease_query_with(lease, "select $1, 'text ' || $1", 1, &number, NULL, &kept[i], &err));
  }
  DONE(tide_lease_release(lease, &err));
  for (i = 0; i < 4; i++) {
    tide_result* result = kept[order[i]];
    CHECK(tide_result_value(result, 0, 0).integer == order[i]);
    CHECK(tide_result_text(result, 0, 1)[5] == '0' + order[i]);
    tide_result_free(result);
  }
}

static void batches(tide_pool* pool) {
  tide_statement statements[3];
  tide_value numbers[2];
  tide_result* result = NULL;
  tide_error why = TIDE_ERROR_INIT;
  memset(statements, 0, sizeof statements);
  numbers[0] = tide_value_int(1);
  numbers[1] = tide_value_int(2);
  DONE(tide_pool_execute(pool, "create table b (n integer primary key)", 0, NULL, NULL, NULL, &err));
  statements[0].sql = statements[1].sql = "insert into b values ($1)";
  statements[0].params = &numbers[0];
  statements[1].params = &numbers[1];
  statements[0].nparams = statements[1].nparams = 1;
  statements[2].sql = "select count(*) from b";
  DONE(tide_pool_batch(pool, statements, 3, NULL, &result, &err));
  CHECK(tide_result_value(result, 0, 0).integer == 2);
  CHECK(tide_result_affected(tide_result_part(result, 0)) == 1 && tide_result_rows(tide_result_part(result, 2)) == 1);
  CHECK(tide_result_part(result, 3) == NULL && tide_result_part(result, -1) == NULL);
  tide_result_free(result);
  result = NULL;
  DONE(tide_pool_batch(pool, NULL, 0, NULL, &result, &err));
  CHECK(tide_result_rows(result) == 0 && tide_result_part(result, 0) == NULL);
  tide_result_free(result);
  /* The second one fails: nothing of the batch remains. */
  numbers[0] = tide_value_int(3);
  CHECK(tide_pool_batch(pool, statements, 2, NULL, NULL, &why) == TIDE_DATABASE);
  CHECK(strstr(why.detail, "2") != NULL);
  CHECK(count(pool, "select count(*) from b") == 2);
}

struct stream {
  int64_t sum;
  int64_t rows;
  int64_t rows_max;
};

static int on_row(void* context, const tide_result* rows, int64_t row) {
  struct stream* stream = context;
  stream->sum += tide_result_value(rows, row, 0).integer;
  return ++stream->rows == stream->rows_max;
}

#define NUMBERS "with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000) select i from n"

static void streams(tide_pool* pool) {
  struct stream all = {0, 0, 0}, some = {0, 0, 10};
  tide_rows* rows = NULL;
  const tide_result* page = NULL;
  tide_lease lease;
  int64_t seen = 0;
  DONE(tide_pool_stream(pool, NUMBERS, 0, NULL, NULL, on_row, &all, NULL, &err));
  CHECK(all.rows == 5000 && all.sum == INT64_C(5000) * 5001 / 2);
  DONE(tide_pool_acquire(pool, "stream", -1, &lease, &err));
  DONE(tide_lease_stream(lease, NUMBERS, 0, NULL, NULL, on_row, &some, NULL, &err));
  CHECK(some.rows == 10 && some.sum == 55);
  DONE(tide_lease_rows(lease, NUMBERS, 0, NULL, NULL, &rows, &err));
  DONE(tide_rows_next(rows, &page, &err));
  CHECK(page != NULL && tide_result_value(page, 0, 0).integer == 1);
  CHECK(tide_lease_query_with(lease, "select 1", 0, NULL, NULL, NULL, NULL) == TIDE_REFUSED);
  tide_rows_close(rows); /* in the middle */
  DONE(tide_lease_query_with(lease, "select 1", 0, NULL, NULL, NULL, &err));
  DONE(tide_lease_release(lease, &err));
  DONE(tide_pool_rows(pool, NUMBERS, 0, NULL, NULL, &rows, &err));
  for (;;) {
    DONE(tide_rows_next(rows, &page, &err));
    if (page == NULL) break;
    seen += tide_result_rows(page);
  }
  CHECK(seen == 5000);
  DONE(tide_rows_next(rows, &page, &err)); /* after the end there is nothing more */
  CHECK(page == NULL);
  tide_rows_close(rows);
  DONE(tide_pool_rows(pool, "select i from (" NUMBERS ") where i < 0", 0, NULL, NULL, &rows, &err));
  DONE(tide_rows_next(rows, &page, &err));
  CHECK(page == NULL);
  tide_rows_close(rows);
}

static int add_three(void* context, tide_tx tx) {
  const tide_value number = tide_value_int(3);
  const tide_status* wish = context;
  if (tide_tx_execute(tx, "insert into b values ($1)", 1, &number, NULL, NULL, NULL) != TIDE_OK) return 2;
  return *wish == TIDE_OK ? 0 : 1;
}

static void transactions(tide_pool* pool) {
  static const tide_status commit = TIDE_OK, roll_back = TIDE_ROLLED_BACK;
  tide_tx_options with = TIDE_TX_OPTIONS_INIT;
  tide_error why = TIDE_ERROR_INIT;
  tide_result* result = NULL;
  tide_lease lease;
  tide_tx tx;
  tide_statement one;
  struct stream all = {0, 0, 0};
  memset(&one, 0, sizeof one);
  one.sql = "insert into b values (5)";
  CHECK(tide_pool_transaction(pool, add_three, (void*)(uintptr_t)&roll_back, NULL, &why) == TIDE_ROLLED_BACK);
  CHECK(count(pool, "select count(*) from b where n = 3") == 0);
  DONE(tide_pool_transaction(pool, add_three, (void*)(uintptr_t)&commit, NULL, &err));
  CHECK(count(pool, "select count(*) from b where n = 3") == 1);
  CHECK(tide_pool_transaction(pool, add_three, (void*)(uintptr_t)&commit, NULL, &why) == TIDE_DATABASE);
  DONE(tide_pool_acquire(pool, "transaction", -1, &lease, &err));
  CHECK(tide_lease_transaction(lease, add_three, (void*)(uintptr_t)&commit, NULL, &why) == TIDE_DATABASE);
  DONE(tide_tx_begin_on(lease, NULL, &tx, &err));
  CHECK(tide_tx_begin_on(lease, NULL, &tx, &why) == TIDE_REFUSED);
  DONE(tide_tx_rollback(tx, &err));
  DONE(tide_lease_release(lease, &err));

  with.isolation = TIDE_SERIALIZABLE;
  with.timeout_ms = 60000;
  with.tag = "transaction";
  DONE(tide_tx_begin(pool, &with, &tx, &err));
  DONE(tide_tx_execute(tx, "insert into b values (4)", 0, NULL, NULL, NULL, &err));
  DONE(tide_tx_savepoint(tx, "s", &err));
  DONE(tide_tx_batch(tx, &one, 1, NULL, NULL, &err));
  DONE(tide_tx_query(tx, "select count(*) from b", 0, NULL, NULL, &result, &err));
  CHECK(tide_result_value(result, 0, 0).integer == 5);
  tide_result_free(result);
  DONE(tide_tx_rollback_to(tx, "s", &err));
  DONE(tide_tx_release(tx, "s", &err));
  DONE(tide_tx_query_first(tx, "select n from b order by n desc", 0, NULL, NULL, &result, &err));
  CHECK(tide_result_rows(result) == 1 && tide_result_value(result, 0, 0).integer == 4);
  tide_result_free(result);
  DONE(tide_tx_stream(tx, "select n from b", 0, NULL, NULL, on_row, &all, NULL, &err));
  CHECK(all.rows == 4 && all.sum == 10);
  DONE(tide_tx_commit(tx, &err));
  CHECK(tide_tx_commit(tx, &why) == TIDE_REFUSED && why.message[0] != '\0');
  CHECK(count(pool, "select count(*) from b") == 4);
}

static void text_parameters(tide_pool* pool) {
  static const char* const params[] = {"4"};
  tide_result* result = NULL;
  tide_lease lease;
  DONE(tide_pool_query(pool, "text", "select n from b where n = ?1", 1, params, &result, &err));
  CHECK(tide_result_rows(result) == 1 && strcmp(tide_result_text(result, 0, 0), "4") == 0);
  CHECK(tide_result_length(result, 0, 0) == 1 && strcmp(tide_result_name(result, 0), "n") == 0);
  tide_result_free(result);
  DONE(tide_pool_acquire(pool, "text", -1, &lease, &err));
  DONE(tide_lease_query(lease, "select n from b where n = $1", 1, params, NULL, &err));
  DONE(tide_lease_query_first(lease, "select n from b", 0, NULL, NULL, NULL, &err));
  DONE(tide_lease_execute(lease, "update b set n = n", 0, NULL, NULL, NULL, &err));
  DONE(tide_lease_batch(lease, NULL, 0, NULL, NULL, &err));
  DONE(tide_lease_release(lease, &err));
}

/* ---- an event loop ---- */

static int answers, answers_wrong;
static int64_t answers_sum;
static int is_stepping;

static void on_answer(void* context, tide_status status, tide_result* result, const tide_error* err) {
  const int64_t number = (int64_t)(intptr_t)context;
  const tide_value found = tide_result_value(result, 0, 0);
  answers++;
  if (!is_stepping || status != TIDE_OK || err == NULL || found.integer != number) answers_wrong++;
  answers_sum += found.integer;
  tide_result_free(result);
}

static void on_batch(void* context, tide_status status, tide_result* result, const tide_error* err) {
  int* parts = context;
  if (status == TIDE_OK && err != NULL) {
    while (tide_result_part(result, *parts) != NULL) ++*parts;
  }
  tide_result_free(result);
}

static void step(tide_pool* pool) {
  int64_t within_ms = 0;
  struct pollfd on;
  is_stepping = 1;
  DONE(tide_pool_step(pool, &within_ms, &err));
  is_stepping = 0;
  on.events = POLLIN;
  DONE(tide_pool_fd(pool, &on.fd, &err));
  poll(&on, 1, (int)within_ms);
}

static void loop(const char* url) {
  enum { QUERIES = 100 };
  tide_pool_options options = TIDE_POOL_OPTIONS_INIT;
  tide_pool* pool = NULL;
  int i;
  options.foreign_loop = 1;
  DONE(tide_pool_open_with("loop", url, "min_size=1 max_size=2", &options, &pool, &err));
  for (i = 1; i <= QUERIES; i++) {
    /* Everything that is passed is copied: it is gone when the statement is executed. */
    char* sql = malloc(64);
    tide_value* number = malloc(sizeof *number);
    tide_query_options* with = malloc(sizeof *with);
    const tide_query_options fresh = TIDE_QUERY_OPTIONS_INIT;
    if (sql == NULL || number == NULL || with == NULL) exit(1);
    strcpy(sql, "select cast($1 as integer)");
    *number = i % 2 != 0 ? tide_value_int(i) : tide_value_text("0");
    if (i % 2 == 0) {
      number->text = sql + 40;
      number->length = (size_t)snprintf(sql + 40, 24, "%d", i);
    }
    *with = fresh;
    with->callback = on_answer;
    with->context = (void*)(intptr_t)i;
    DONE(tide_pool_query_with(pool, sql, 1, number, with, NULL, &err));
    memset(sql, 'x', 64);
    memset(number, 0x5A, sizeof *number);
    memset(with, 0x5A, sizeof *with);
    free(sql);
    free(number);
    free(with);
  }
  CHECK(answers == 0); /* nothing is reported outside of tide_pool_step() */
  for (i = 0; i < 100000 && answers < QUERIES; i++) step(pool);
  CHECK(answers == QUERIES && answers_wrong == 0 && answers_sum == QUERIES * (QUERIES + 1) / 2);
  {
    tide_query_options with = TIDE_QUERY_OPTIONS_INIT;
    tide_statement statements[2];
    int parts = 0;
    memset(statements, 0, sizeof statements);
    statements[0].sql = statements[1].sql = "select 1";
    with.callback = on_batch;
    with.context = &parts;
    DONE(tide_pool_batch(pool, statements, 2, &with, NULL, &err));
    statements[0].sql = statements[1].sql = NULL;
    for (i = 0; i < 100000 && parts < 2; i++) step(pool);
    CHECK(parts == 2);
  }
  DONE(tide_pool_close(pool, -1, &err));
}

int main(void) {
  char directory[] = "/tmp/tidepool-statements-XXXXXX";
  char command[64], url[512];
  tide_pool* pool = NULL;
  if (mkdtemp(directory) == NULL || setenv("TIDEPOOL_DIR", directory, 1) != 0) {
    perror("temporary directory");
    return 1;
  }
  snprintf(url, sizeof url, "sqlite://%s/statements.db", directory);
  DONE(tide_pool_open("statements", url, "min_size=1 max_size=2", &pool, &err));
  values(pool);
  placeholders(pool);
  results(pool);
  batches(pool);
  streams(pool);
  transactions(pool);
  text_parameters(pool);
  DONE(tide_pool_close(pool, -1, &err));
  loop(url);
  snprintf(command, sizeof command, "rm -rf %s", directory);
  CHECK(system(command) == 0);
  if (failures == 0) puts("ok");
  return failures == 0 ? 0 : 1;
}
