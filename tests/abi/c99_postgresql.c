/*
 * Statements and transactions on the PostgreSQL server that TIDE_TEST_POSTGRESQL names (tests/pg/with_server.py starts one),
 * as far as they differ from SQLite: types, places of errors, refused values, and transactions that fail.
 */
#define _XOPEN_SOURCE 700
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tidepool/tidepool.h>

static int failures;
static tide_pool* pool;

static void check(int ok, const char* what, int line) {
  if (ok) return;
  failures++;
  fprintf(stderr, "c99_postgresql.c:%d: %s\n", line, what);
}
#define CHECK(condition) check((condition) ? 1 : 0, #condition, __LINE__)

static void answered(tide_status expected, tide_status got, const tide_error* err, const char* state, int line) {
  if (got == expected && (got == TIDE_OK || err->message[0] != '\0') && strcmp(err->sqlstate, state) == 0) return;
  failures++;
  fprintf(stderr, "c99_postgresql.c:%d: expected %s %s, got %s %s: %s (%s)\n", line, tide_status_name(expected), state,
          tide_status_name(got), err->sqlstate, err->message, err->detail);
}
/* The call must return `expected` and, if it fails, this SQLSTATE. */
#define EXPECT_STATE(expected, state, call)             \
  do {                                                  \
    tide_error err = TIDE_ERROR_INIT;                   \
    tide_status got = (call);                           \
    answered((expected), got, &err, (state), __LINE__); \
  } while (0)
#define DONE(call) EXPECT_STATE(TIDE_OK, "", call)

static int64_t count(const char* sql) {
  tide_result* result = NULL;
  int64_t number;
  DONE(tide_pool_query_first(pool, sql, 0, NULL, NULL, &result, &err));
  number = tide_result_value(result, 0, 0).integer;
  tide_result_free(result);
  return number;
}

static void values(void) {
  static const char bytes[] = {'a', '\0', (char)0xFF};
  tide_value in[6], out;
  tide_result* result = NULL;
  tide_column_type type = TIDE_COLUMN_TYPE_INIT;
  int round;
  in[0] = tide_value_null();
  in[1] = tide_value_int(INT64_MIN);
  in[2] = tide_value_double(0.1);
  in[3] = tide_value_text("");
  in[4] = tide_value_bytes(bytes, sizeof bytes);
  in[5] = tide_value_bool(1);
  DONE(tide_pool_execute(pool, "create table v (a text, b int8, c float8, d varchar(9), e bytea, f bool)", 0, NULL,
                         NULL, NULL, &err));
  for (round = 0; round < 3; round++) { /* one-shot, then prepared */
    DONE(tide_pool_execute(pool, "insert into v values ($1, $2, $3, $4, $5, $6)", 6, in, NULL, &result, &err));
    CHECK(tide_result_affected(result) == 1 && strcmp(tide_result_command(result), "INSERT 0 1") == 0);
    tide_result_free(result);
    result = NULL;
    DONE(tide_pool_query_first(pool, "select * from v", 0, NULL, NULL, &result, &err));
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
    CHECK(out.type == TIDE_BOOL && out.integer == 1);
    DONE(tide_result_type(result, 3, &type, &err));
    CHECK(type.oid == 1043 && type.modifier == 9 + 4 && strcmp(type.declared, "") == 0);
    DONE(tide_result_type(result, 1, &type, &err));
    CHECK(type.oid == 20 && type.modifier == -1);
    tide_result_free(result);
    result = NULL;
  }
}

static void bad_input(void) {
  tide_value two[2];
  two[0] = tide_value_text("a\0b");
  two[0].length = 3;
  two[1] = tide_value_int(INT64_C(1) << 40);
  EXPECT_STATE(TIDE_BAD_ARGUMENT, "", tide_pool_query_with(pool, "select $1::text", 1, &two[0], NULL, NULL, &err));
  {
    tide_error err = TIDE_ERROR_INIT;
    const tide_status got = tide_pool_query_with(pool, "select $1::int4", 1, &two[1], NULL, NULL, &err);
    CHECK(got == TIDE_BAD_ARGUMENT || (got == TIDE_DATABASE && strcmp(err.sqlstate, "22003") == 0));
    CHECK(err.message[0] != '\0');
  }
  two[0] = tide_value_int(1);
  EXPECT_STATE(TIDE_BAD_ARGUMENT, "07001", tide_pool_query_with(pool, "select $1::int8", 2, two, NULL, NULL, &err));
  EXPECT_STATE(TIDE_BAD_ARGUMENT, "07001",
               tide_pool_query_with(pool, "select $1::int8, $2::int8", 1, two, NULL, NULL, &err));
  EXPECT_STATE(TIDE_BAD_ARGUMENT, "",
               tide_pool_query_with(pool, "select $1::int8; select 1", 1, two, NULL, NULL, &err));
  EXPECT_STATE(TIDE_REFUSED, "", tide_pool_execute(pool, "/* a /* b */ */ commit", 0, NULL, NULL, NULL, &err));
  EXPECT_STATE(TIDE_BAD_ARGUMENT, "25001", tide_pool_query_with(pool, "begin", 0, NULL, NULL, NULL, &err));
  EXPECT_STATE(TIDE_BAD_ARGUMENT, "", /* two forms in one text */
               tide_pool_query_with(pool, "select ?::int8, ?1::int8", 1, two, NULL, NULL, &err));
}

static void places(void) {
  const tide_value one = tide_value_int(1);
  tide_error why = TIDE_ERROR_INIT;
  DONE(tide_pool_execute(pool, "create table p (n int8 constraint p_once unique, m int8 constraint p_some not null)", 0,
                         NULL, NULL, NULL, &err));
  DONE(tide_pool_execute(pool, "insert into p values (?1, ?1)", 1, &one, NULL, NULL, &err));
  CHECK(tide_pool_execute(pool, "insert into p values (?1, ?1)", 1, &one, NULL, NULL, &why) == TIDE_DATABASE);
  CHECK(strcmp(why.sqlstate, "23505") == 0 && strcmp(why.constraint_name, "p_once") == 0);
  CHECK(strcmp(why.table_name, "p") == 0 && strcmp(why.schema_name, "public") == 0);
  CHECK(tide_pool_execute(pool, "insert into p values (2)", 0, NULL, NULL, NULL, &why) == TIDE_DATABASE);
  CHECK(strcmp(why.sqlstate, "23502") == 0 && strcmp(why.column_name, "m") == 0);
  /* The position is that of the given text, also where placeholders were translated. */
  CHECK(tide_pool_query_with(pool, "select ?, nonsense", 1, &one, NULL, NULL, &why) == TIDE_DATABASE);
  CHECK(strcmp(why.sqlstate, "42703") == 0 && why.position == 11);
  CHECK(why.constraint_name[0] == '\0' && why.table_name[0] == '\0');
}

static int fail_and_commit(void* context, tide_tx tx) {
  int* calls = context;
  ++*calls;
  DONE(tide_tx_execute(tx, "insert into p values (10, 10)", 0, NULL, NULL, NULL, &err));
  EXPECT_STATE(TIDE_DATABASE, "22012", tide_tx_query(tx, "select 1 / 0", 0, NULL, NULL, NULL, &err));
  return 0;
}

/* The first attempt conflicts with another transaction, which then commits. */
static int conflict(void* context, tide_tx tx) {
  int* calls = context;
  DONE(tide_tx_query(tx, "select * from p", 0, NULL, NULL, NULL, &err));
  if (++*calls == 1) {
    DONE(tide_pool_execute(pool, "update p set m = m + 1 where n = 1", 0, NULL, NULL, NULL, &err));
    EXPECT_STATE(TIDE_DATABASE, "40001",
                 tide_tx_execute(tx, "update p set m = m + 1 where n = 1", 0, NULL, NULL, NULL, &err));
    return 7;
  }
  DONE(tide_tx_execute(tx, "update p set m = m + 1 where n = 1", 0, NULL, NULL, NULL, &err));
  return 0;
}

static void transactions(void) {
  tide_tx_options with = TIDE_TX_OPTIONS_INIT;
  int calls = 0;
  tide_tx tx;
  EXPECT_STATE(TIDE_DATABASE, "22012", tide_pool_transaction(pool, fail_and_commit, &calls, NULL, &err));
  CHECK(calls == 1 && count("select count(*) from p where n = 10") == 0);
  calls = 0;
  with.isolation = TIDE_REPEATABLE_READ;
  DONE(tide_pool_transaction(pool, conflict, &calls, &with, &err));
  CHECK(calls == 2 && count("select m from p where n = 1") == 3);
  calls = 0;
  with.retry_attempts = 0;
  EXPECT_STATE(TIDE_DATABASE, "40001", tide_pool_transaction(pool, conflict, &calls, &with, &err));
  CHECK(calls == 1 && count("select m from p where n = 1") == 4);

  with.isolation = TIDE_SERIALIZABLE;
  with.read_only = with.deferrable = 1;
  DONE(tide_tx_begin(pool, &with, &tx, &err));
  EXPECT_STATE(TIDE_DATABASE, "25006", tide_tx_execute(tx, "insert into p values (11, 11)", 0, NULL, NULL, NULL, &err));
  EXPECT_STATE(TIDE_DATABASE, "25P02", tide_tx_commit(tx, &err));

  DONE(tide_tx_begin(pool, NULL, &tx, &err));
  DONE(tide_tx_execute(tx, "insert into p values (12, 12)", 0, NULL, NULL, NULL, &err));
  DONE(tide_tx_savepoint(tx, "s", &err));
  EXPECT_STATE(TIDE_DATABASE, "22012", tide_tx_query(tx, "select 1 / 0", 0, NULL, NULL, NULL, &err));
  DONE(tide_tx_rollback_to(tx, "s", &err));
  DONE(tide_tx_commit(tx, &err));
  CHECK(count("select count(*) from p where n = 12") == 1);
}

int main(void) {
  const char* conninfo = getenv("TIDE_TEST_POSTGRESQL");
  tide_error why = TIDE_ERROR_INIT;
  if (conninfo == NULL) {
    fprintf(stderr, "TIDE_TEST_POSTGRESQL is not set\n");
    return 1;
  }
  if (tide_pool_open("postgresql", conninfo, "publish=off min_size=1 max_size=4 init_mode=fail_fast", &pool, &why) !=
      TIDE_OK) {
    fprintf(stderr, "%s: %s\n", why.message, why.detail);
    return 1;
  }
  values();
  bad_input();
  places();
  transactions();
  DONE(tide_pool_close(pool, -1, &err));
  if (failures == 0) puts("ok");
  return failures == 0 ? 0 : 1;
}
