/*
 * The controls: tidepool.scale(), pause(), ... Each makes an order (order.h, which checks the right to it), posts it at
 * once, whatever becomes of the transaction, and waits for the answer so that a refusal is an error of the statement.
 * What takes its time by nature (draining, recycling) is only given the time of a prompt refusal; wait_applied() is the
 * barrier.
 */
#include <tidepool/observe.h>

#include "common/pg_compat.h"

#include <common/int.h>
#include <utils/guc.h>
#include <utils/json.h>
#include <utils/timestamp.h>

#include "common/report.h"
#include "control.h"
#include "settings.h"
#include "version.h"

#define PROMPT_WAIT_MS 500
#define LISTED_MAX 8

void tidepool_refuse_null(const char* verb, const char* argument) {
  ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("tidepool.%s(): %s is NULL", verb, argument)));
}

char* tidepool_text_argument(FunctionCallInfo fcinfo, int n, const char* verb, const char* name) {
  if (PG_ARGISNULL(n)) tidepool_refuse_null(verb, name);
  return text_to_cstring(PG_GETARG_TEXT_PP(n));
}

Datum tidepool_steer(const char* verb, const char* pool, const char* arguments, int64 wait_ms) {
  tide_error error = TIDE_ERROR_INIT;
  TidepoolOrder order;
  uint64 command_id;
  tide_status status;
  tidepool_check_version();
  order = tidepool_order(verb, pool, arguments);
  command_id = tidepool_order_post(&order, &error);
  if (command_id == 0) tidepool_report(&error, NULL);
  status = tidepool_order_await(command_id, order.directory, wait_ms, &error);
  if (status != TIDE_OK && status != TIDE_TIMEOUT) tidepool_report(&error, NULL);
  return Int64GetDatum((int64)command_id);
}

static Datum steer_plainly(FunctionCallInfo fcinfo, const char* verb, int64 wait_ms) {
  return tidepool_steer(verb, tidepool_text_argument(fcinfo, 0, verb, "pool"), "{}", wait_ms);
}

#define PLAIN(verb, wait_ms)            \
  PG_FUNCTION_INFO_V1(tidepool_##verb); \
  Datum tidepool_##verb(PG_FUNCTION_ARGS) { return steer_plainly(fcinfo, #verb, wait_ms); }

PLAIN(end_burst, ANSWER_WAIT_MS)
PLAIN(pause, ANSWER_WAIT_MS)
PLAIN(resume, ANSWER_WAIT_MS)
PLAIN(drain, PROMPT_WAIT_MS)
PLAIN(reset_stats, ANSWER_WAIT_MS)
PLAIN(check_health, ANSWER_WAIT_MS)
PLAIN(evaluate, ANSWER_WAIT_MS)

PG_FUNCTION_INFO_V1(tidepool_scale);
Datum tidepool_scale(PG_FUNCTION_ARGS) {
  StringInfoData arguments;
  char* pool = tidepool_text_argument(fcinfo, 0, "scale", "pool");
  initStringInfo(&arguments);
  if (PG_ARGISNULL(1)) {
    appendStringInfoString(&arguments, "{\"target_size\":null");
  } else {
    appendStringInfo(&arguments, "{\"target_size\":%d", PG_GETARG_INT32(1));
  }
  if (!PG_ARGISNULL(2)) {
    appendStringInfoString(&arguments, ",\"reason\":");
    escape_json(&arguments, text_to_cstring(PG_GETARG_TEXT_PP(2)));
  }
  appendStringInfoChar(&arguments, '}');
  return tidepool_steer("scale", pool, arguments.data, ANSWER_WAIT_MS);
}

PG_FUNCTION_INFO_V1(tidepool_set);
Datum tidepool_set(PG_FUNCTION_ARGS) {
  StringInfoData arguments;
  char* pool = tidepool_text_argument(fcinfo, 0, "set", "pool");
  initStringInfo(&arguments);
  appendStringInfoString(&arguments, "{\"option\":");
  escape_json(&arguments, tidepool_text_argument(fcinfo, 1, "set", "option"));
  appendStringInfoString(&arguments, ",\"value\":");
  escape_json(&arguments, tidepool_text_argument(fcinfo, 2, "set", "value"));
  appendStringInfoChar(&arguments, '}');
  return tidepool_steer("set", pool, arguments.data, ANSWER_WAIT_MS);
}

int64 tidepool_interval_us(FunctionCallInfo fcinfo, int n, const char* verb, const char* name) {
  const Interval* span;
  int64 us;
  if (PG_ARGISNULL(n)) tidepool_refuse_null(verb, name);
  span = PG_GETARG_INTERVAL_P(n);
  if (span->month != 0) { /* of an infinite one, too */
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("tidepool.%s(): %s has months or years, which have no one length", verb, name),
                    errhint("Give days, such as '30 days'.")));
  }
  if (pg_mul_s64_overflow(span->day, USECS_PER_DAY, &us) || pg_add_s64_overflow(us, span->time, &us)) {
    ereport(ERROR, (errcode(ERRCODE_INTERVAL_FIELD_OVERFLOW), errmsg("tidepool.%s(): %s is out of range", verb, name)));
  }
  return us;
}

char* tidepool_interval_text(FunctionCallInfo fcinfo, int n, const char* verb, const char* name) {
  const int64 us = tidepool_interval_us(fcinfo, n, verb, name);
  return us % USECS_PER_SEC == 0 ? psprintf(INT64_FORMAT "s", us / USECS_PER_SEC) : psprintf(INT64_FORMAT "us", us);
}

/* {"duration": "..."} of the second argument, which may be left out. */
static Datum steer_for(FunctionCallInfo fcinfo, const char* verb, const char* name, int64 wait_ms) {
  StringInfoData arguments;
  char* pool = tidepool_text_argument(fcinfo, 0, verb, "pool");
  if (PG_ARGISNULL(1)) return tidepool_steer(verb, pool, "{}", wait_ms);
  initStringInfo(&arguments);
  appendStringInfo(&arguments, "{\"%s\":\"%s\"}", name, tidepool_interval_text(fcinfo, 1, verb, name));
  return tidepool_steer(verb, pool, arguments.data, wait_ms);
}

PG_FUNCTION_INFO_V1(tidepool_burst);
Datum tidepool_burst(PG_FUNCTION_ARGS) { return steer_for(fcinfo, "burst", "duration", ANSWER_WAIT_MS); }

PG_FUNCTION_INFO_V1(tidepool_recycle);
Datum tidepool_recycle(PG_FUNCTION_ARGS) { return steer_for(fcinfo, "recycle", "spread", PROMPT_WAIT_MS); }

/* Which instances have a row with this number. Into fixed room, so that nothing can jump while the cursor is open. */
typedef struct Owners {
  int count;
  struct {
    char instance_id[40];
    char pool[256];
  } listed[LISTED_MAX];
} Owners;

int tidepool_place_of(const char* relation_name, const char* column_name) {
  const tide_relation* relation;
  for (int i = 0; (relation = tide_relation_at(i)) != NULL; ++i) {
    if (strcmp(relation->name, relation_name) != 0) continue;
    for (int c = 0; c < relation->ncolumns; ++c) {
      if (strcmp(relation->columns[c].name, column_name) == 0) return c;
    }
  }
  elog(ERROR, "the library has no column %s.%s", relation_name, column_name);
}

static bool is_alive(const char* instance_id) {
  const int state = tidepool_place_of("pools", "state");
  tide_filter filter = TIDE_FILTER_INIT;
  tide_cursor* cursor = NULL;
  bool is_alive = false;
  filter.directory = tidepool_directory();
  filter.instance_id = instance_id;
  if (tide_cursor_open("pools", &filter, &cursor, NULL) != TIDE_OK) return false;
  while (tide_cursor_next(cursor)) {
    const char* word = tide_cursor_text(cursor, state, NULL);
    is_alive = is_alive || (word != NULL && strcmp(word, "dead") != 0 && strcmp(word, "closed") != 0);
  }
  tide_cursor_close(cursor);
  return is_alive;
}

static void note(Owners* owners, const char* instance_id, const char* pool) {
  if (owners->count < LISTED_MAX) {
    strlcpy(owners->listed[owners->count].instance_id, instance_id, sizeof owners->listed[0].instance_id);
    strlcpy(owners->listed[owners->count].pool, pool, sizeof owners->listed[0].pool);
  }
  ++owners->count;
}

static void find_owners(const char* relation, const char* key, int64 id, Owners* owners) {
  const int instance = tidepool_place_of(relation, "instance_id");
  const int pool = tidepool_place_of(relation, "pool");
  const int wanted = tidepool_place_of(relation, key);
  tide_filter filter = TIDE_FILTER_INIT;
  tide_error error = TIDE_ERROR_INIT;
  tide_cursor* cursor = NULL;
  filter.directory = tidepool_directory();
  owners->count = 0;
  if (tide_cursor_open(relation, &filter, &cursor, &error) != TIDE_OK) tidepool_report(&error, NULL);
  while (tide_cursor_next(cursor)) {
    const char* instance_id = tide_cursor_text(cursor, instance, NULL);
    const char* name = tide_cursor_text(cursor, pool, NULL);
    if (tide_cursor_int(cursor, wanted) != id || instance_id == NULL) continue;
    note(owners, instance_id, name != NULL ? name : "");
  }
  tide_cursor_close(cursor);
}

static void refuse_many(const Owners* owners, const char* key, int64 id) {
  StringInfoData list;
  initStringInfo(&list);
  for (int i = 0; i < Min(owners->count, LISTED_MAX); ++i) {
    appendStringInfo(&list, "%s%s %s", i > 0 ? ", " : "", owners->listed[i].instance_id, owners->listed[i].pool);
  }
  ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                  errmsg("%s " INT64_FORMAT " exists in %d instances", key, id, owners->count),
                  errdetail("They are: %s", tidepool_from_utf8(list.data, (size_t)list.len, NULL)),
                  errhint("Give the pool's name or instance_id as well.")));
}

/* close_connection() and revoke(): the number alone says which pool is meant, unless two pools use it. */
static Datum steer_by_number(FunctionCallInfo fcinfo, const char* verb, const char* relation, const char* key,
                             int64 wait_ms) {
  Owners owners;
  int64 id;
  char* arguments;
  if (PG_ARGISNULL(0)) tidepool_refuse_null(verb, key);
  id = PG_GETARG_INT64(0);
  arguments = psprintf("{\"%s\":" INT64_FORMAT "}", key, id);
  if (!PG_ARGISNULL(1))
    return tidepool_steer(verb, tidepool_text_argument(fcinfo, 1, verb, "pool"), arguments, wait_ms);
  find_owners(relation, key, id, &owners);
  if (owners.count > 1) {
    Owners alive = {0};
    for (int i = 0; i < Min(owners.count, LISTED_MAX); ++i) {
      if (is_alive(owners.listed[i].instance_id)) note(&alive, owners.listed[i].instance_id, owners.listed[i].pool);
    }
    if (owners.count <= LISTED_MAX) owners = alive;
  }
  if (owners.count == 0) {
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("no pool of this host has %s " INT64_FORMAT, key, id),
                    errhint("SELECT * FROM tidepool.%s", relation)));
  }
  if (owners.count > 1) refuse_many(&owners, key, id);
  return tidepool_steer(verb, owners.listed[0].instance_id, arguments, wait_ms);
}

PG_FUNCTION_INFO_V1(tidepool_close_connection);
Datum tidepool_close_connection(PG_FUNCTION_ARGS) {
  return steer_by_number(fcinfo, "close_connection", "connections", "conn_id", PROMPT_WAIT_MS);
}

PG_FUNCTION_INFO_V1(tidepool_revoke);
Datum tidepool_revoke(PG_FUNCTION_ARGS) {
  return steer_by_number(fcinfo, "revoke", "leases", "lease_id", ANSWER_WAIT_MS);
}

PG_FUNCTION_INFO_V1(tidepool_wait_applied);
Datum tidepool_wait_applied(PG_FUNCTION_ARGS) {
  tide_error error = TIDE_ERROR_INIT;
  tide_status status;
  int64 wait_us;
  tidepool_check_version();
  if (PG_ARGISNULL(0)) tidepool_refuse_null("wait_applied", "command_id");
  wait_us = tidepool_interval_us(fcinfo, 1, "wait_applied", "timeout");
  if (wait_us < 0 || wait_us > USECS_PER_DAY || wait_us % 1000 != 0) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("timeout is out of range"),
                    errdetail("Accepted: 0 to 1 day, in whole milliseconds.")));
  }
  status = tidepool_order_await((uint64)PG_GETARG_INT64(0), tidepool_directory(), wait_us / 1000, &error);
  if (status != TIDE_OK && status != TIDE_TIMEOUT) tidepool_report(&error, NULL);
  PG_RETURN_BOOL(status == TIDE_OK);
}
