/* Wrong use of statements and transactions: values, options and handles that are not valid, transactions that are used
   after their end or by another thread, and pools that are closed meanwhile. */
#define _XOPEN_SOURCE 700
#include "misuse.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

/* A statement that takes much longer than any test. */
#define ENDLESS "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
#define NUMBERS "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT i FROM n"

static int read_count(const int* counter) { return __atomic_load_n(counter, __ATOMIC_SEQ_CST); }
static void count_up(int* counter) { __atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST); }

/* The refusal must name the culprit. */
#define EXPECT_NAMED(expected, name, call)                                                           \
  do {                                                                                               \
    tide_error err = TIDE_ERROR_INIT;                                                                \
    tide_status got = (call);                                                                        \
    answered((expected), got, &err, __FILE__, __LINE__);                                             \
    check(strstr(err.message, (name)) != NULL ? 1 : 0, "the error names " name, __FILE__, __LINE__); \
  } while (0)

static int64_t count_rows(tide_pool* pool) {
  tide_result* result = NULL;
  int64_t rows;
  EXPECT(TIDE_OK, tide_pool_query_first(pool, "SELECT count(*) FROM t", 0, NULL, NULL, &result, &err));
  rows = tide_result_value(result, 0, 0).integer;
  tide_result_free(result);
  return rows;
}

static tide_pool* open_with_table(const char* name, const char* options) {
  tide_pool* pool = open_pool(name, options, NULL);
  EXPECT(TIDE_OK, tide_pool_execute(pool, "CREATE TABLE IF NOT EXISTS t(x)", 0, NULL, NULL, NULL, &err));
  return pool;
}

/* ---- values and options ---- */

static void bad_values(tide_pool* pool) {
  static const int32_t types[] = {TIDE_VALUE_NONE, TIDE_DURATION, TIDE_TIME, TIDE_JSON, TIDE_ANY, 4711, -2};
  tide_value values[2];
  size_t i;
  values[0] = tide_value_int(1);
  for (i = 0; i < sizeof types / sizeof types[0]; i++) {
    values[1] = tide_value_int(2);
    values[1].type = types[i];
    EXPECT_NAMED(TIDE_BAD_ARGUMENT, "parameter 2",
                 tide_pool_query_with(pool, "SELECT $1, $2", 2, values, NULL, NULL, &err));
  }
  values[1] = tide_value_text("x");
  values[1].text = NULL;
  EXPECT_NAMED(TIDE_BAD_ARGUMENT, "parameter 2",
               tide_pool_query_with(pool, "SELECT $1, $2", 2, values, NULL, NULL, &err));
  values[1].type = TIDE_BYTES;
  EXPECT_NAMED(TIDE_BAD_ARGUMENT, "parameter 2",
               tide_pool_query_with(pool, "SELECT $1, $2", 2, values, NULL, NULL, &err));
  values[1] = tide_value_int(2);
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_query_with(pool, "SELECT $1", 2, values, NULL, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_query_with(pool, "SELECT $1, $2", 1, values, NULL, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_query_with(pool, "SELECT 1", 1, values, NULL, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_query_with(pool, "SELECT $1", 0, NULL, NULL, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_query_with(pool, "SELECT $1; SELECT $1", 1, values, NULL, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_query_with(pool, "SELECT $1, ?", 2, values, NULL, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_query_with(pool, NULL, 0, NULL, NULL, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_query_with(pool, "SELECT 1", -1, values, NULL, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_query_with(pool, "SELECT 1", 32767, values, NULL, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_query_with(pool, "SELECT $1", 1, NULL, NULL, NULL, &err));
}

static void ignore_result(void* context, tide_status status, tide_result* result, const tide_error* err) {
  (void)context, (void)status, (void)err;
  tide_result_free(result);
}

static int ignore_row(void* context, const tide_result* rows, int64_t row) {
  (void)context, (void)rows, (void)row;
  return 0;
}

static tide_status query_with(tide_pool* pool, const tide_query_options* with, tide_error* err) {
  return tide_pool_query_with(pool, "SELECT 1", 0, NULL, with, NULL, err);
}

static void bad_options(tide_pool* pool) {
  const tide_query_options good = TIDE_QUERY_OPTIONS_INIT;
  const tide_tx_options good_terms = TIDE_TX_OPTIONS_INIT;
  const tide_value one = tide_value_int(1);
  const char* names[] = {NULL};
  tide_query_options with = good;
  tide_tx_options terms = good_terms;
  tide_rows* rows = NULL;
  tide_tx tx;
  with.mode = 7;
  EXPECT_NAMED(TIDE_BAD_ARGUMENT, "mode", query_with(pool, &with, &err));
  with = good;
  with.placeholders = 3;
  EXPECT_NAMED(TIDE_BAD_ARGUMENT, "placeholders", query_with(pool, &with, &err));
  with = good;
  with.timeout_ms = 86400001;
  EXPECT_NAMED(TIDE_BAD_ARGUMENT, "timeout_ms", query_with(pool, &with, &err));
  with = good;
  with.max_rows = -1;
  EXPECT_NAMED(TIDE_BAD_ARGUMENT, "max_rows", query_with(pool, &with, &err));
  with = good;
  with.max_bytes = -1;
  EXPECT_NAMED(TIDE_BAD_ARGUMENT, "max_bytes", query_with(pool, &with, &err));
  with = good;
  with.placeholders = TIDE_PLACEHOLDERS_NAMED;
  EXPECT_NAMED(TIDE_BAD_ARGUMENT, "names", tide_pool_query_with(pool, "SELECT :a", 1, &one, &with, NULL, &err));
  with.names = names;
  EXPECT_NAMED(TIDE_BAD_ARGUMENT, "parameter 1", tide_pool_query_with(pool, "SELECT :a", 1, &one, &with, NULL, &err));
  names[0] = "b";
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_query_with(pool, "SELECT :a", 1, &one, &with, NULL, &err));
  with = good;
  with.max_rows = 2;
  EXPECT(TIDE_DATABASE, tide_pool_query_with(pool, NUMBERS, 0, NULL, &with, NULL, &err));
  with = good;
  with.max_bytes = 1000;
  EXPECT(TIDE_DATABASE, tide_pool_query_with(pool, NUMBERS, 0, NULL, &with, NULL, &err));
  with = good;
  with.callback = ignore_result;
  EXPECT_NAMED(TIDE_BAD_ARGUMENT, "callback",
               tide_pool_stream(pool, "SELECT 1", 0, NULL, &with, ignore_row, NULL, NULL, &err));
  EXPECT_NAMED(TIDE_BAD_ARGUMENT, "callback", tide_pool_rows(pool, "SELECT 1", 0, NULL, &with, &rows, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_query_with(pool, NULL, 0, NULL, &with, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_stream(pool, "SELECT 1", 0, NULL, NULL, NULL, NULL, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_rows(pool, "SELECT 1", 0, NULL, NULL, NULL, &err));
  CHECK(rows == NULL);
  terms.isolation = 4;
  EXPECT_NAMED(TIDE_BAD_ARGUMENT, "isolation", tide_tx_begin(pool, &terms, &tx, &err));
  terms = good_terms;
  terms.timeout_ms = INT64_MAX;
  EXPECT_NAMED(TIDE_BAD_ARGUMENT, "timeout_ms", tide_tx_begin(pool, &terms, &tx, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_tx_begin(pool, NULL, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_transaction(pool, NULL, NULL, NULL, &err));
  EXPECT(TIDE_OK, tide_tx_begin(pool, NULL, &tx, &err));
  EXPECT_NAMED(TIDE_BAD_ARGUMENT, "callback", tide_tx_query(tx, "SELECT 1", 0, NULL, &with, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_tx_savepoint(tx, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_tx_savepoint(tx, "", &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_tx_savepoint(tx, "a;b", &err));
  EXPECT(TIDE_DATABASE, tide_tx_rollback_to(tx, "nothing", &err));
  EXPECT(TIDE_OK, tide_tx_rollback(tx, &err));
}

static void bad_batches(tide_pool* pool) {
  tide_value value = tide_value_int(1);
  tide_statement statements[2];
  memset(statements, 0, sizeof statements);
  statements[0].sql = "INSERT INTO t VALUES (1)";
  EXPECT_NAMED(TIDE_BAD_ARGUMENT, "statement 2", tide_pool_batch(pool, statements, 2, NULL, NULL, &err));
  statements[1].sql = "INSERT INTO t VALUES ($1)";
  statements[1].nparams = 1;
  EXPECT_NAMED(TIDE_BAD_ARGUMENT, "statement 2", tide_pool_batch(pool, statements, 2, NULL, NULL, &err));
  statements[1].params = &value;
  value.type = TIDE_ANY;
  EXPECT_NAMED(TIDE_BAD_ARGUMENT, "parameter 1", tide_pool_batch(pool, statements, 2, NULL, NULL, &err));
  value = tide_value_int(1);
  statements[1].nparams = 0;
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_batch(pool, statements, 2, NULL, NULL, &err)); /* too few */
  statements[1].sql = "COMMIT";
  EXPECT(TIDE_REFUSED, tide_pool_batch(pool, statements, 2, NULL, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_batch(pool, NULL, 1, NULL, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_batch(pool, statements, -1, NULL, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_batch(pool, statements, 100001, NULL, NULL, &err));
  CHECK(count_rows(pool) == 0);
}

/* ---- transactions ---- */

static void transaction_control(tide_pool* pool) {
  static const char* const texts[] = {"BEGIN", "begin immediate", "/* a */ COMMIT",  "-- b\nROLLBACK",
                                      "END",   "ROLLBACK; ",      "SELECT 1; COMMIT"};
  size_t i;
  tide_tx tx;
  EXPECT(TIDE_OK, tide_tx_begin(pool, NULL, &tx, &err));
  EXPECT(TIDE_OK, tide_tx_execute(tx, "INSERT INTO t VALUES (1)", 0, NULL, NULL, NULL, &err));
  for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    EXPECT(TIDE_REFUSED, tide_pool_execute(pool, texts[i], 0, NULL, NULL, NULL, &err));
    EXPECT(TIDE_REFUSED, tide_tx_query(tx, texts[i], 0, NULL, NULL, NULL, &err));
    EXPECT(TIDE_REFUSED, tide_tx_execute(tx, texts[i], 0, NULL, NULL, NULL, &err));
  }
  EXPECT(TIDE_OK, tide_tx_rollback(tx, &err));
  CHECK(count_rows(pool) == 0);
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_query_with(pool, "BEGIN", 0, NULL, NULL, NULL, &err)); /* leaves one open */
}

static void use_ended(tide_tx tx, tide_status expected, const char* how) {
  tide_statement one;
  tide_error why = TIDE_ERROR_INIT;
  memset(&one, 0, sizeof one);
  one.sql = "SELECT 1";
  EXPECT(expected, tide_tx_query(tx, "SELECT 1", 0, NULL, NULL, NULL, &err));
  EXPECT(expected, tide_tx_query_first(tx, "SELECT 1", 0, NULL, NULL, NULL, &err));
  EXPECT(expected, tide_tx_execute(tx, "INSERT INTO t VALUES (9)", 0, NULL, NULL, NULL, &err));
  EXPECT(expected, tide_tx_batch(tx, &one, 1, NULL, NULL, &err));
  EXPECT(expected, tide_tx_stream(tx, "SELECT 1", 0, NULL, NULL, ignore_row, NULL, NULL, &err));
  EXPECT(expected, tide_tx_savepoint(tx, "s", &err));
  EXPECT(expected, tide_tx_rollback_to(tx, "s", &err));
  EXPECT(expected, tide_tx_release(tx, "s", &err));
  EXPECT(expected, tide_tx_rollback(tx, &err));
  CHECK(tide_tx_commit(tx, &why) == expected);
  CHECK(strstr(why.message, how) != NULL || strstr(why.detail, how) != NULL);
}

static void after_the_end(tide_pool* pool) {
  const tide_tx none = {NULL, 0};
  tide_tx tx, other;
  EXPECT(TIDE_OK, tide_tx_begin(pool, NULL, &tx, &err));
  EXPECT(TIDE_OK, tide_tx_commit(tx, &err));
  use_ended(tx, TIDE_REFUSED, "committed");
  EXPECT(TIDE_OK, tide_tx_begin(pool, NULL, &other, &err)); /* the old handle is not this one */
  use_ended(tx, TIDE_REFUSED, "committed");
  EXPECT(TIDE_OK, tide_tx_rollback(other, &err));
  use_ended(other, TIDE_REFUSED, "rolled back");
  other.id = 0;
  use_ended(other, TIDE_REFUSED, "");
  other.id = UINT64_MAX;
  use_ended(other, TIDE_REFUSED, "");
  use_ended(none, TIDE_BAD_ARGUMENT, "");
  CHECK(count_rows(pool) == 0);
}

struct body {
  tide_pool* pool;
  tide_tx kept;
  int calls;
};

static void* use_from_another_thread(void* context) {
  const struct body* body = context;
  EXPECT(TIDE_REFUSED, tide_tx_execute(body->kept, "INSERT INTO t VALUES (1)", 0, NULL, NULL, NULL, &err));
  EXPECT(TIDE_REFUSED, tide_tx_commit(body->kept, &err));
  return NULL;
}

static int misbehave(void* context, tide_tx tx) {
  struct body* body = context;
  pthread_t thread;
  body->calls++;
  body->kept = tx;
  EXPECT(TIDE_OK, tide_tx_execute(tx, "INSERT INTO t VALUES (1)", 0, NULL, NULL, NULL, &err));
  CHECK(pthread_create(&thread, NULL, use_from_another_thread, body) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
  EXPECT(TIDE_REFUSED, tide_tx_commit(tx, &err));
  EXPECT(TIDE_REFUSED, tide_tx_rollback(tx, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_close(body->pool, 0, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_close_all(0, &err));
  return 1;
}

static int fail_and_commit(void* context, tide_tx tx) {
  (void)context;
  EXPECT(TIDE_DATABASE, tide_tx_query(tx, "SELECT nonsense", 0, NULL, NULL, NULL, &err));
  return 0;
}

static int outlive_the_deadline(void* context, tide_tx tx) {
  (void)context;
  EXPECT(TIDE_OK, tide_tx_execute(tx, "INSERT INTO t VALUES (1)", 0, NULL, NULL, NULL, &err));
  EXPECT(TIDE_TIMEOUT, tide_tx_query(tx, ENDLESS, 0, NULL, NULL, NULL, &err));
  EXPECT(TIDE_TIMEOUT, tide_tx_query(tx, "SELECT 1", 0, NULL, NULL, NULL, &err));
  return 0;
}

static void bodies(tide_pool* pool) {
  struct body body;
  tide_tx_options with = TIDE_TX_OPTIONS_INIT;
  tide_tx tx;
  tide_lease lease;
  memset(&body, 0, sizeof body);
  body.pool = pool;
  EXPECT(TIDE_ROLLED_BACK, tide_pool_transaction(pool, misbehave, &body, NULL, &err));
  CHECK(body.calls == 1);
  use_ended(body.kept, TIDE_REFUSED, "rolled back");
  EXPECT(TIDE_DATABASE, tide_pool_transaction(pool, fail_and_commit, NULL, NULL, &err));
  with.timeout_ms = 200;
  EXPECT(TIDE_TIMEOUT, tide_pool_transaction(pool, outlive_the_deadline, NULL, &with, &err));
  EXPECT(TIDE_OK, tide_tx_begin(pool, &with, &tx, &err));
  EXPECT(TIDE_OK, tide_tx_execute(tx, "INSERT INTO t VALUES (1)", 0, NULL, NULL, NULL, &err));
  poll(NULL, 0, 300);
  EXPECT(TIDE_TIMEOUT, tide_tx_commit(tx, &err));
  CHECK(count_rows(pool) == 0);
  /* A lease that ends takes its transaction with it. */
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "ends", -1, &lease, &err));
  EXPECT(TIDE_OK, tide_tx_begin_on(lease, NULL, &tx, &err));
  EXPECT(TIDE_OK, tide_tx_execute(tx, "INSERT INTO t VALUES (1)", 0, NULL, NULL, NULL, &err));
  EXPECT(TIDE_OK, tide_lease_release(lease, &err));
  EXPECT(TIDE_STALE_LEASE, tide_tx_commit(tx, &err));
  EXPECT(TIDE_STALE_LEASE, tide_tx_begin_on(lease, NULL, &tx, &err));
  EXPECT(TIDE_STALE_LEASE, tide_lease_transaction(lease, fail_and_commit, NULL, NULL, &err));
  CHECK(count_rows(pool) == 0);
}

/* ---- rows ---- */

static int use_own_lease(void* context, const tide_result* rows, int64_t row) {
  const tide_lease* lease = context;
  tide_pool* const pool = lease->pool;
  (void)row;
  CHECK(tide_result_columns(rows) == 1);
  EXPECT(TIDE_REFUSED, tide_lease_query_with(*lease, "SELECT 1", 0, NULL, NULL, NULL, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_pool_close(pool, 0, &err));
  return 1;
}

static void rows_of_a_lease(tide_pool* pool) {
  const tide_result* page = NULL;
  tide_rows *rows = NULL, *more = NULL;
  tide_lease lease;
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "rows", -1, &lease, &err));
  EXPECT(TIDE_OK, tide_lease_stream(lease, NUMBERS, 0, NULL, NULL, use_own_lease, &lease, NULL, &err));
  EXPECT(TIDE_OK, tide_lease_rows(lease, NUMBERS, 0, NULL, NULL, &rows, &err));
  EXPECT(TIDE_BAD_ARGUMENT, tide_rows_next(rows, NULL, &err));
  EXPECT(TIDE_OK, tide_rows_next(rows, &page, &err));
  CHECK(tide_result_value(page, 0, 0).integer == 1);
  EXPECT(TIDE_REFUSED, tide_lease_query(lease, "SELECT 1", 0, NULL, NULL, &err));
  EXPECT(TIDE_REFUSED, tide_lease_rows(lease, NUMBERS, 0, NULL, NULL, &more, &err));
  CHECK(more == NULL);
  EXPECT(TIDE_OK, tide_lease_release(lease, &err)); /* the lease ends first */
  EXPECT(TIDE_STALE_LEASE, tide_rows_next(rows, &page, &err));
  EXPECT(TIDE_REFUSED, tide_rows_next(rows, &page, &err));
  tide_rows_close(rows);
  /* The session is clean, and closing old rows does not end those of the next reader. */
  EXPECT(TIDE_OK, tide_pool_rows(pool, "SELECT 1", 0, NULL, NULL, &rows, &err));
  EXPECT(TIDE_OK, tide_rows_next(rows, &page, &err));
  EXPECT(TIDE_OK, tide_rows_next(rows, &page, &err));
  CHECK(page == NULL);
  EXPECT(TIDE_OK, tide_pool_rows(pool, NUMBERS, 0, NULL, NULL, &more, &err));
  tide_rows_close(rows);
  EXPECT(TIDE_OK, tide_rows_next(more, &page, &err));
  EXPECT(TIDE_OK, tide_rows_next(more, &page, &err));
  CHECK(page != NULL);
  tide_rows_close(more);
}

/* ---- closing ---- */

static void close_with_rows(void) {
  const tide_result* page = NULL;
  tide_rows* rows = NULL;
  tide_pool* pool = open_with_table("rows", "max_size=2");
  EXPECT(TIDE_OK, tide_pool_rows(pool, NUMBERS, 0, NULL, NULL, &rows, &err));
  EXPECT(TIDE_OK, tide_rows_next(rows, &page, &err));
  EXPECT(TIDE_TIMEOUT, tide_pool_close(pool, 20, &err));
  EXPECT(TIDE_CLOSED, tide_rows_next(rows, &page, &err));
  tide_rows_close(rows);
}

static void close_with_a_transaction(void) {
  tide_tx tx;
  tide_pool* pool = open_with_table("unfinished", "max_size=2");
  EXPECT(TIDE_OK, tide_tx_begin(pool, NULL, &tx, &err));
  EXPECT(TIDE_OK, tide_tx_execute(tx, "INSERT INTO t VALUES (1)", 0, NULL, NULL, NULL, &err));
  EXPECT(TIDE_TIMEOUT, tide_pool_close(pool, 20, &err));
  use_ended(tx, TIDE_CLOSED, "");
  pool = open_with_table("unfinished", "max_size=1");
  CHECK(count_rows(pool) == 0);
  EXPECT(TIDE_OK, tide_pool_close(pool, -1, &err));
}

enum { CALLS = 30 };

struct later {
  tide_pool* pool;
  int calls[CALLS]; /* how often the callback was called */
  int in_all;
  int ok;
  int closed;
  pthread_t thread;
  int elsewhere; /* calls from another thread */
};

struct one_later {
  struct later* all;
  int number;
};

static void on_result(void* context, tide_status status, tide_result* result, const tide_error* err) {
  struct one_later* one = context;
  struct later* all = one->all;
  count_up(&all->calls[one->number]);
  CHECK((status == TIDE_OK) == (result != NULL));
  CHECK(err != NULL && err->status == status && (status == TIDE_OK || err->message[0] != '\0'));
  if (status == TIDE_OK) count_up(&all->ok);
  if (status == TIDE_CLOSED) count_up(&all->closed);
  if (!pthread_equal(all->thread, pthread_self())) count_up(&all->elsewhere);
  CHECK(tide_pool_close(all->pool, 0, NULL) == TIDE_BAD_ARGUMENT);
  tide_result_free(result);
  count_up(&all->in_all); /* the last access */
}

static void ask_later(struct later* all, struct one_later* each, const char* sql) {
  tide_query_options with = TIDE_QUERY_OPTIONS_INIT;
  int i;
  with.callback = on_result;
  for (i = 0; i < CALLS; i++) {
    each[i].all = all;
    each[i].number = i;
    with.context = &each[i];
    EXPECT(TIDE_OK, tide_pool_query_with(all->pool, sql, 0, NULL, &with, NULL, &err));
  }
}

static void each_once(const struct later* all) {
  int i;
  CHECK(read_count(&all->in_all) == CALLS);
  for (i = 0; i < CALLS; i++) CHECK(read_count(&all->calls[i]) == 1);
}

static void on_acquire(void* context, const tide_event* event) {
  (void)event;
  count_up(context);
}

/* Calls that run are cancelled, calls that wait are refused; all callbacks have been called when the pool is closed. */
static void close_with_calls(const char* name, int is_foreign) {
  struct later all;
  struct one_later each[CALLS];
  tide_pool_options options = TIDE_POOL_OPTIONS_INIT;
  tide_query_options with = TIDE_QUERY_OPTIONS_INIT;
  int begun = 0, i;
  memset(&all, 0, sizeof all);
  all.thread = pthread_self();
  options.foreign_loop = is_foreign;
  options.event_mask = 1 << TIDE_EVENT_ACQUIRE;
  options.on_event = on_acquire;
  options.event_context = &begun;
  all.pool = open_pool(name, "min_size=1 max_size=1 acquire_timeout=1min", &options);
  ask_later(&all, each, ENDLESS);
  for (i = 0; i < 10000 && read_count(&begun) == 0; i++) {
    if (is_foreign) EXPECT(TIDE_OK, tide_pool_step(all.pool, NULL, &err));
    poll(NULL, 0, 1);
  }
  EXPECT(TIDE_TIMEOUT, tide_pool_close(all.pool, 100, &err));
  each_once(&all);
  CHECK(all.ok == 0 && all.closed >= 1);
  if (is_foreign) CHECK(all.elsewhere == 0);
  with.callback = on_result;
  EXPECT(TIDE_CLOSED, tide_pool_query_with(all.pool, "SELECT 1", 0, NULL, &with, NULL, &err));
  CHECK(all.in_all == CALLS);
}

static void finished_calls(const char* name, int is_foreign) {
  struct later all;
  struct one_later each[CALLS];
  tide_pool_options options = TIDE_POOL_OPTIONS_INIT;
  int i;
  memset(&all, 0, sizeof all);
  all.thread = pthread_self();
  options.foreign_loop = is_foreign;
  all.pool = open_pool(name, "min_size=1 max_size=2 acquire_timeout=1min", &options);
  ask_later(&all, each, "SELECT 1");
  for (i = 0; i < 10000 && read_count(&all.in_all) < CALLS; i++) {
    if (is_foreign) EXPECT(TIDE_OK, tide_pool_step(all.pool, NULL, &err));
    poll(NULL, 0, 1);
  }
  each_once(&all);
  CHECK(all.ok == CALLS && (is_foreign ? all.elsewhere == 0 : all.elsewhere == CALLS));
  EXPECT(TIDE_OK, tide_pool_close(all.pool, -1, &err));
  each_once(&all);
}

/* A callback that does not return delays closing by a second at most; it is called once nevertheless. */
struct held_callback {
  int is_inside;
  int may_return;
  int returned;
};

static void hold(void* context, tide_status status, tide_result* result, const tide_error* err) {
  struct held_callback* held = context;
  CHECK(status == TIDE_OK && err != NULL);
  tide_result_free(result);
  count_up(&held->is_inside);
  EVENTUALLY(read_count(&held->may_return) != 0);
  count_up(&held->returned); /* the last access */
}

static void close_during_a_callback(void) {
  static struct held_callback held; /* lives as long as the process */
  tide_query_options with = TIDE_QUERY_OPTIONS_INIT;
  tide_pool* pool = open_pool("held", "min_size=1 max_size=1", NULL);
  with.callback = hold;
  with.context = &held;
  EXPECT(TIDE_OK, tide_pool_query_with(pool, "SELECT 1", 0, NULL, &with, NULL, &err));
  EVENTUALLY(read_count(&held.is_inside) == 1);
  EXPECT(TIDE_TIMEOUT, tide_pool_close(pool, 0, &err));
  EXPECT(TIDE_CLOSED, tide_pool_query_with(pool, "SELECT 1", 0, NULL, &with, NULL, &err));
  CHECK(read_count(&held.returned) == 0);
  count_up(&held.may_return);
  EVENTUALLY(read_count(&held.returned) == 1);
  CHECK(read_count(&held.is_inside) == 1);
}

/* The callback releases the lease, also while the pool is being closed. */
static void release_in_callback(void* context, tide_status status, tide_result* result, const tide_error* err) {
  tide_lease* lease = context;
  CHECK(status == TIDE_OK && err != NULL);
  CHECK(tide_result_value(result, 0, 0).integer == 100000);
  tide_result_free(result);
  CHECK(tide_lease_release(*lease, NULL) == TIDE_OK);
}

static void call_on_a_lease(const char* name, int is_foreign) {
  tide_pool_options options = TIDE_POOL_OPTIONS_INIT;
  tide_query_options with = TIDE_QUERY_OPTIONS_INIT;
  tide_lease lease;
  tide_pool* pool;
  options.foreign_loop = is_foreign;
  pool = open_pool(name, "min_size=1 max_size=1", &options);
  EXPECT(TIDE_OK, tide_pool_acquire(pool, "later", 0, &lease, &err));
  with.callback = release_in_callback;
  with.context = &lease;
  EXPECT(TIDE_OK, tide_lease_query_with(lease, "SELECT count(*) FROM (" NUMBERS ")", 0, NULL, &with, NULL, &err));
  EXPECT(TIDE_OK, tide_pool_close(pool, 60000, &err));
}

/* ---- fork ---- */

static void in_a_child(tide_pool* pool) {
  tide_rows* rows = NULL;
  const tide_result* page = NULL;
  tide_tx tx;
  int status = -1;
  pid_t child;
  EXPECT(TIDE_OK, tide_tx_begin(pool, NULL, &tx, &err));
  EXPECT(TIDE_OK, tide_tx_execute(tx, "INSERT INTO t VALUES (1)", 0, NULL, NULL, NULL, &err));
  EXPECT(TIDE_OK, tide_pool_rows(pool, NUMBERS, 0, NULL, NULL, &rows, &err));
  child = fork();
  if (child == 0) {
    tide_query_options with = TIDE_QUERY_OPTIONS_INIT;
    failures = 0;
    with.callback = ignore_result;
    use_ended(tx, TIDE_FORKED, "");
    EXPECT(TIDE_FORKED, tide_tx_begin(pool, NULL, &tx, &err));
    EXPECT(TIDE_FORKED, tide_pool_query_with(pool, "SELECT 1", 0, NULL, NULL, NULL, &err));
    EXPECT(TIDE_FORKED, tide_pool_query_with(pool, "SELECT 1", 0, NULL, &with, NULL, &err));
    EXPECT(TIDE_FORKED, tide_pool_batch(pool, NULL, 0, NULL, NULL, &err));
    EXPECT(TIDE_OK, tide_rows_next(rows, &page, &err)); /* the first page is there already */
    EXPECT(TIDE_FORKED, tide_rows_next(rows, &page, &err));
    tide_rows_close(rows);
    _exit(failures == 0 ? 0 : 1);
  }
  CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT(TIDE_OK, tide_rows_next(rows, &page, &err));
  tide_rows_close(rows);
  EXPECT(TIDE_OK, tide_tx_commit(tx, &err));
  CHECK(count_rows(pool) == 1);
}

void misuse_statements(void) {
  tide_pool* pool = open_with_table("statements", "max_size=2");
  bad_values(pool);
  bad_options(pool);
  bad_batches(pool);
  transaction_control(pool);
  after_the_end(pool);
  bodies(pool);
  rows_of_a_lease(pool);
  in_a_child(pool);
  EXPECT(TIDE_OK, tide_pool_close(pool, -1, &err));
  close_with_rows();
  close_with_a_transaction();
  close_with_calls("calls", 0);
  close_with_calls("calls-loop", 1);
  finished_calls("finished", 0);
  finished_calls("finished-loop", 1);
  close_during_a_callback();
  call_on_a_lease("called", 0);
  call_on_a_lease("called-loop", 1);
}
