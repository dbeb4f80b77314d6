/*
 * The controls about alerts: tidepool.ack(), set_alert(), drop_alert(). An alert's number says whose it is; a rule may
 * be meant for all pools at once.
 */
#include <tidepool/observe.h>

#include "common/pg_compat.h"

#include <math.h>
#include <utils/json.h>

#include "common/report.h"
#include "control.h"
#include "settings.h"
#include "version.h"

typedef struct Addressee {
  char* instance_id;
  char* pool; /* in UTF-8 */
  uint64 command_id;
} Addressee;

PG_FUNCTION_INFO_V1(tidepool_ack);
Datum tidepool_ack(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0)) tidepool_refuse_null("ack", "alert_id");
  return tidepool_steer("ack", NULL, psprintf("{\"alert_id\":" INT64_FORMAT "}", PG_GETARG_INT64(0)), ANSWER_WAIT_MS);
}

static char* text_at(const tide_cursor* cursor, int column) {
  const char* text = tide_cursor_text(cursor, column, NULL);
  return pstrdup(text != NULL ? text : "");
}

/* Its own function, so that a jump out of it leaves no local of the caller undefined. */
static void copy_living(tide_cursor* cursor, List** living) {
  const int instance = tidepool_place_of("pools", "instance_id");
  const int pool = tidepool_place_of("pools", "pool");
  const int state = tidepool_place_of("pools", "state");
  while (tide_cursor_next(cursor)) {
    const char* word = tide_cursor_text(cursor, state, NULL);
    Addressee* one;
    if (word == NULL || strcmp(word, "dead") == 0 || strcmp(word, "closed") == 0) continue;
    one = palloc0(sizeof *one);
    one->instance_id = text_at(cursor, instance);
    one->pool = text_at(cursor, pool);
    *living = lappend(*living, one);
  }
}

static List* living_pools(void) {
  tide_filter filter = TIDE_FILTER_INIT;
  tide_error error = TIDE_ERROR_INIT;
  tide_cursor* cursor = NULL;
  List** living = palloc0(sizeof *living); /* not a local, which a jump would leave undefined */
  filter.directory = tidepool_directory();
  if (tide_cursor_open("pools", &filter, &cursor, &error) != TIDE_OK) tidepool_report(&error, NULL);
  PG_TRY();
  { copy_living(cursor, living); }
  PG_FINALLY();
  { tide_cursor_close(cursor); }
  PG_END_TRY();
  return *living;
}

/* How many pools have the order now. If it is none because the order is wrong, that is the error. */
static int post_all(List* living, const char* verb, const char* arguments) {
  tide_error first = TIDE_ERROR_INIT;
  ListCell* cell;
  int posted = 0;
  foreach (cell, living) {
    Addressee* one = lfirst(cell);
    tide_error error = TIDE_ERROR_INIT;
    const TidepoolOrder order = tidepool_order(verb, one->instance_id, arguments);
    one->command_id = tidepool_order_post(&order, &error);
    if (one->command_id != 0) ++posted;
    if (one->command_id == 0 && first.status == TIDE_OK) first = error;
  }
  if (posted > 0) return posted;
  if (first.status == TIDE_BAD_ARGUMENT) tidepool_report(&first, NULL);
  ereport(
      ERROR,
      (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
       errmsg("there is no pool here that may be steered from this server"),
       first.status != TIDE_OK ? errdetail("%s", tidepool_from_utf8(first.message, strlen(first.message), NULL)) : 0));
}

/* All orders are out before the first answer is awaited; the answers have the time of one. The last command id. */
static Datum steer_all(const char* verb, const char* arguments) {
  List* living;
  ListCell* cell;
  TimestampTz end;
  tide_error first = TIDE_ERROR_INIT;
  uint64 last = 0;
  const char* refuser = NULL;
  int posted;
  int refused = 0;
  tidepool_check_version();
  (void)tidepool_order(verb, NULL, arguments); /* the right to it is asked for even where no pool lives */
  living = living_pools();
  posted = post_all(living, verb, arguments);
  end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ANSWER_WAIT_MS);
  foreach (cell, living) {
    const Addressee* one = lfirst(cell);
    tide_error error = TIDE_ERROR_INIT;
    tide_status status;
    if (one->command_id == 0) continue;
    last = one->command_id;
    status = tidepool_order_await(last, tidepool_directory(),
                                  TimestampDifferenceMilliseconds(GetCurrentTimestamp(), end), &error);
    if (status == TIDE_OK || status == TIDE_TIMEOUT || refused++ > 0) continue;
    first = error;
    refuser = one->pool;
  }
  if (refused > 0) {
    tidepool_report(
        &first, psprintf("%s was refused by %d of %d pools; the first, \"%s\", says", verb, refused, posted, refuser));
  }
  ereport(NOTICE,
          (errmsg_plural("%s was given to %d pool", "%s was given to %d pools", (unsigned long)posted, verb, posted)));
  return Int64GetDatum((int64)last);
}

static Datum steer_rule(FunctionCallInfo fcinfo, const char* verb, const char* arguments) {
  if (PG_ARGISNULL(0)) return steer_all(verb, arguments);
  return tidepool_steer(verb, tidepool_text_argument(fcinfo, 0, verb, "pool"), arguments, ANSWER_WAIT_MS);
}

static void begin_rule(FunctionCallInfo fcinfo, const char* verb, StringInfo arguments) {
  initStringInfo(arguments);
  appendStringInfoString(arguments, "{\"rule\":");
  escape_json(arguments, tidepool_text_argument(fcinfo, 1, verb, "rule"));
}

PG_FUNCTION_INFO_V1(tidepool_drop_alert);
Datum tidepool_drop_alert(PG_FUNCTION_ARGS) {
  StringInfoData arguments;
  begin_rule(fcinfo, "drop_alert", &arguments);
  appendStringInfoChar(&arguments, '}');
  return steer_rule(fcinfo, "drop_alert", arguments.data);
}

/* Each adds the n-th argument under its name; NULL is not given. */
static void add_text(FunctionCallInfo fcinfo, int n, const char* name, StringInfo arguments) {
  if (PG_ARGISNULL(n)) return;
  appendStringInfo(arguments, ",\"%s\":", name);
  escape_json(arguments, text_to_cstring(PG_GETARG_TEXT_PP(n)));
}

static void add_number(FunctionCallInfo fcinfo, int n, const char* name, StringInfo arguments) {
  double number;
  if (PG_ARGISNULL(n)) return;
  number = PG_GETARG_FLOAT8(n);
  if (isnan(number) || isinf(number)) { /* JSON has no such number; what is accepted is the library's to say */
    appendStringInfo(arguments, ",\"%s\":\"%s\"", name, isnan(number) ? "NaN" : number < 0 ? "-Infinity" : "Infinity");
    return;
  }
  appendStringInfo(arguments, ",\"%s\":%.17g", name, number);
}

PG_FUNCTION_INFO_V1(tidepool_set_alert);
Datum tidepool_set_alert(PG_FUNCTION_ARGS) {
  StringInfoData arguments;
  begin_rule(fcinfo, "set_alert", &arguments);
  add_text(fcinfo, 2, "metric", &arguments);
  add_text(fcinfo, 3, "comparison", &arguments);
  add_number(fcinfo, 4, "threshold", &arguments);
  if (!PG_ARGISNULL(5)) {
    appendStringInfo(&arguments, ",\"for\":\"%s\"", tidepool_interval_text(fcinfo, 5, "set_alert", "hold"));
  }
  add_text(fcinfo, 6, "severity", &arguments);
  if (!PG_ARGISNULL(7)) appendStringInfo(&arguments, ",\"enabled\":%s", PG_GETARG_BOOL(7) ? "true" : "false");
  add_text(fcinfo, 8, "message", &arguments);
  add_text(fcinfo, 9, "advice", &arguments);
  add_number(fcinfo, 10, "clear_at", &arguments);
  appendStringInfoChar(&arguments, '}');
  return steer_rule(fcinfo, "set_alert", arguments.data);
}
