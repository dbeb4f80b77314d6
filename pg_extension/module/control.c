/*
 * The controls: tidepool.scale(), pause(), ... One C function serves them all: the SQL function's name is the verb, and
 * the library's catalogue says what it takes. Each makes an order (order.h, which checks the right to it), posts it at
 * once, whatever becomes of the transaction, and waits for the answer so that a refusal is an error of the statement.
 * What takes its time by nature (draining, recycling) is only given the time of a prompt refusal; wait_applied() is the
 * barrier.
 */
#include <tidepool/control.h>

#include "common/pg_compat.h"

#include <common/int.h>
#include <utils/lsyscache.h>
#include <utils/timestamp.h>

#include "common/report.h"
#include "order.h"
#include "settings.h"
#include "version.h"

#define POOLS_MAX 1000 /* that one call can reach */

pg_noreturn static void refuse_null(const char* verb, const char* argument) {
  ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("tidepool.%s(): %s is NULL", verb, argument)));
}

/*
 * An interval in microseconds, exactly: the one place where intervals are converted. A day has 24 hours; months, which
 * have no one length, are refused.
 */
static int64 interval_us(const Interval* span, const char* verb, const char* name) {
  int64 us;
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

static tide_value value_at(FunctionCallInfo fcinfo, int n, const char* verb, const tide_argument* argument) {
  tide_value value = {0}; /* not given */
  if (PG_ARGISNULL(n)) {
    if (argument->is_nullable) {
      value.type = TIDE_VALUE_NULL;
    } else if (argument->is_required) {
      refuse_null(verb, argument->name);
    }
    return value;
  }
  value.type = argument->type;
  switch (argument->type) {
    case TIDE_INT:
      value.integer = strcmp(argument->sql_type, "integer") == 0 ? PG_GETARG_INT32(n) : PG_GETARG_INT64(n);
      break;
    case TIDE_BOOL: value.integer = PG_GETARG_BOOL(n); break;
    case TIDE_DOUBLE: value.real = PG_GETARG_FLOAT8(n); break;
    case TIDE_DURATION: value.integer = interval_us(PG_GETARG_INTERVAL_P(n), verb, argument->name); break;
    default: value = tidepool_text_value(text_to_cstring(PG_GETARG_TEXT_PP(n)));
  }
  return value;
}

/* The pool stands first, but where the number alone says which is meant: there it may follow. */
static bool is_pool_first(const tide_verb* verb) {
  return verb->sent_to == TIDE_TO_POOL || verb->sent_to == TIDE_TO_EVERY_POOL;
}

static TidepoolOrder order_of(FunctionCallInfo fcinfo, const tide_verb* verb) {
  const int first = is_pool_first(verb) ? 1 : 0;
  const int pool_place = first == 1 ? 0 : verb->sent_to == TIDE_TO_ALERT ? -1 : verb->narguments;
  tide_value* values = palloc0(sizeof *values * (Size)Max(verb->narguments, 1));
  char* pool = NULL;
  if (PG_NARGS() != verb->narguments + (pool_place >= 0 ? 1 : 0)) {
    elog(ERROR, "function %s has %d arguments, its verb %d", verb->name, PG_NARGS(), verb->narguments);
  }
  if (pool_place >= 0 && !PG_ARGISNULL(pool_place)) pool = text_to_cstring(PG_GETARG_TEXT_PP(pool_place));
  if (pool == NULL && verb->sent_to == TIDE_TO_POOL) refuse_null(verb->name, "pool");
  for (int i = 0; i < verb->narguments; ++i) values[i] = value_at(fcinfo, first + i, verb->name, &verb->arguments[i]);
  return tidepool_order(verb->name, pool, values, verb->narguments);
}

/* All are out before the first answer is awaited; the answers have the time of one. */
static void await_all(const TidepoolOrder* order, const uint64* commands, int posted, int64 wait_ms) {
  const TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), wait_ms);
  tide_error first = TIDE_ERROR_INIT;
  int refused = 0;
  for (int i = 0; i < posted; ++i) {
    tide_error error = TIDE_ERROR_INIT;
    const int64 left_ms = posted == 1 ? wait_ms : TimestampDifferenceMilliseconds(GetCurrentTimestamp(), end);
    const tide_status status = tidepool_order_await(commands[i], order->directory, left_ms, &error);
    if (status == TIDE_OK || status == TIDE_TIMEOUT || refused++ > 0) continue;
    first = error;
  }
  if (refused == 0) return;
  tidepool_report(
      &first,
      posted == 1 ? NULL : psprintf("%s was refused by %d of %d pools; the first says", order->verb, refused, posted));
}

PG_FUNCTION_INFO_V1(tidepool_control);
Datum tidepool_control(PG_FUNCTION_ARGS) {
  const char* name = get_func_name(fcinfo->flinfo->fn_oid);
  const tide_verb* verb = tidepool_verb(name);
  tide_error error = TIDE_ERROR_INIT;
  TidepoolOrder order;
  uint64* commands;
  int posted;
  tidepool_check_version();
  if (verb == NULL) {
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION), errmsg("there is no control %s", name),
                    errhint("Give the function its name back.")));
  }
  order = order_of(fcinfo, verb);
  commands = palloc0(sizeof *commands * POOLS_MAX);
  posted = tidepool_order_post(&order, commands, order.pool != NULL ? 1 : POOLS_MAX, &error);
  if (posted == 0) tidepool_report(&error, NULL);
  await_all(&order, commands, posted, verb->wait_ms);
  if (order.pool == NULL && verb->sent_to == TIDE_TO_EVERY_POOL) {
    ereport(NOTICE, (errmsg_plural("%s was given to %d pool", "%s was given to %d pools", (unsigned long)posted,
                                   verb->name, posted)));
  }
  PG_RETURN_INT64((int64)commands[posted - 1]);
}

PG_FUNCTION_INFO_V1(tidepool_wait_applied);
Datum tidepool_wait_applied(PG_FUNCTION_ARGS) {
  tide_error error = TIDE_ERROR_INIT;
  tide_status status;
  int64 wait_us;
  tidepool_check_version();
  if (PG_ARGISNULL(0)) refuse_null("wait_applied", "command_id");
  if (PG_ARGISNULL(1)) refuse_null("wait_applied", "timeout");
  wait_us = interval_us(PG_GETARG_INTERVAL_P(1), "wait_applied", "timeout");
  if (wait_us < 0 || wait_us > USECS_PER_DAY || wait_us % 1000 != 0) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("timeout is out of range"),
                    errdetail("Accepted: 0 to 1 day, in whole milliseconds.")));
  }
  status = tidepool_order_await((uint64)PG_GETARG_INT64(0), tidepool_directory(), wait_us / 1000, &error);
  if (status != TIDE_OK && status != TIDE_TIMEOUT) tidepool_report(&error, NULL);
  PG_RETURN_BOOL(status == TIDE_OK);
}
