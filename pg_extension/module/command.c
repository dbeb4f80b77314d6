/*
 * The commands: tidepool.scale(), pause(), ... One C function implements all of them: the SQL function's name is the
 * verb, and the library's catalogue defines its arguments. Each call builds a command (command.h), posts it
 * immediately, independent of the transaction, and waits for the answer, so that a refusal is an error of the
 * statement. For commands that take long by nature (draining, recycling) it waits only long enough for an immediate
 * refusal; use wait_applied() to wait for completion.
 */
#include "command.h"

#include <access/htup_details.h>
#include <common/int.h>
#include <miscadmin.h>
#include <utils/catcache.h>
#include <utils/syscache.h>
#include <utils/timestamp.h>

#include "common/extension.h"
#include "common/report.h"
#include "module.h"

/* The SQL function of a verb: the function of this name that belongs to the extension, whatever its schema is called.
 * It cannot be taken from the call, because UPDATE calls no function. */
static Oid function_of(const char* verb, Oid* schema) {
  CatCList* functions = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(verb));
  Oid found = InvalidOid;
  for (int i = 0; i < functions->n_members && !OidIsValid(found); ++i) {
    Form_pg_proc function = (Form_pg_proc)GETSTRUCT(&functions->members[i]->tuple);
    if (!tidepool_is_own(ProcedureRelationId, function->oid)) continue;
    found = function->oid;
    *schema = function->pronamespace;
  }
  ReleaseCatCacheList(functions);
  return found;
}

static void check_right(const char* verb) {
  Oid schema = InvalidOid;
  const Oid function = function_of(verb, &schema);
  if (!OidIsValid(function)) {
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
                    errmsg("extension tidepool has no function %s in this database", verb),
                    errhint("Rename the function back, or run CREATE EXTENSION tidepool.")));
  }
  if (tidepool_may_execute(function, GetUserId())) return;
  ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("permission denied for command %s", verb),
                  errhint("EXECUTE on the function %s is required.",
                          quote_qualified_identifier(get_namespace_name(schema), verb))));
}

void tidepool_sign(tide_command* command) {
  const char* directory = tidepool_directory();
  check_right(command->verb);
  command->directory = directory != NULL ? pstrdup(directory) : NULL;
  command->actor = tidepool_to_utf8(GetUserNameFromId(GetUserId(), false));
}

static int is_interrupted(void* unused) { return InterruptPending && InterruptHoldoffCount == 0; }

static int64 left_until(TimestampTz end) { return TimestampDifferenceMilliseconds(GetCurrentTimestamp(), end); }

void tidepool_give(tide_command* const* commands, int count, int32 mode, int64 wait_ms) {
  const TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), wait_ms);
  tide_control_options with = TIDE_CONTROL_OPTIONS_INIT;
  with.is_interrupted = is_interrupted;
  for (;;) {
    tide_error error = TIDE_ERROR_INIT;
    const tide_status status =
        tide_control_batch(commands, count, mode, wait_ms < 0 ? wait_ms : left_until(end), &with, &error);
    CHECK_FOR_INTERRUPTS();
    if (status == TIDE_OK) return;
    if (status != TIDE_TIMEOUT) tidepool_report(&error, NULL);
  }
}

pg_noreturn static void refuse_null(const char* verb, const char* argument) {
  ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("tidepool.%s(): %s is NULL", verb, argument)));
}

int64 tidepool_interval_us(const Interval* span, const char* verb, const char* name) {
  int64 us;
  if (span->month != 0) { /* also set in infinite intervals */
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("tidepool.%s(): %s must not contain months or years", verb, name),
                    errhint("Use days, such as '30 days'.")));
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
    case TIDE_DURATION: value.integer = tidepool_interval_us(PG_GETARG_INTERVAL_P(n), verb, argument->name); break;
    default: value.type = TIDE_TEXT; value.text = tidepool_to_utf8(text_to_cstring(PG_GETARG_TEXT_PP(n)));
  }
  return value;
}

PG_FUNCTION_INFO_V1(tidepool_command);
Datum tidepool_command(PG_FUNCTION_ARGS) {
  const char* name = get_func_name(fcinfo->flinfo->fn_oid);
  const tide_verb* verb;
  tide_command command = TIDE_COMMAND_INIT;
  tide_command* const one = &command;
  int parameters = 0;
  tidepool_check_version();
  for (int i = 0; (verb = tide_verb_at(i)) != NULL && strcmp(verb->name, name) != 0;) ++i;
  if (verb == NULL) {
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION), errmsg("there is no command %s", name),
                    errhint("Rename the function back.")));
  }
  if (PG_NARGS() != verb->narguments + (verb->pool_place >= 0 ? 1 : 0)) {
    elog(ERROR, "function %s has %d arguments, its verb %d", verb->name, PG_NARGS(), verb->narguments);
  }
  command.verb = verb->name;
  if (verb->pool_place >= 0 && !PG_ARGISNULL(verb->pool_place)) {
    command.pool = tidepool_to_utf8(text_to_cstring(PG_GETARG_TEXT_PP(verb->pool_place)));
  } else if (verb->sent_to == TIDE_TO_POOL) {
    refuse_null(verb->name, "pool");
  }
  while (command.nvalues < verb->narguments) {
    const int i = command.nvalues++;
    if (parameters == verb->pool_place) ++parameters;
    command.values[i] = value_at(fcinfo, parameters++, verb->name, &verb->arguments[i]);
  }
  tidepool_sign(&command);
  tidepool_give(&one, 1, TIDE_BATCH_POST, -1);
  if (command.pool == NULL && verb->sent_to == TIDE_TO_EVERY_POOL) {
    ereport(NOTICE, (errmsg_plural("%s was sent to %d pool", "%s was sent to %d pools", (unsigned long)command.pools,
                                   verb->name, command.pools)));
  }
  PG_RETURN_INT64((int64)command.command_id);
}

PG_FUNCTION_INFO_V1(tidepool_wait_applied);
Datum tidepool_wait_applied(PG_FUNCTION_ARGS) {
  tide_control_options with = TIDE_CONTROL_OPTIONS_INIT;
  tide_error error;
  tide_status status;
  TimestampTz end;
  int64 wait_us;
  tidepool_check_version();
  if (PG_ARGISNULL(0)) refuse_null("wait_applied", "command_id");
  if (PG_ARGISNULL(1)) refuse_null("wait_applied", "timeout");
  wait_us = tidepool_interval_us(PG_GETARG_INTERVAL_P(1), "wait_applied", "timeout");
  if (wait_us < 0 || wait_us > USECS_PER_DAY || wait_us % 1000 != 0) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("timeout is out of range"),
                    errdetail("Accepted: 0 to 1 day, in whole milliseconds.")));
  }
  end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), wait_us / 1000);
  with.directory = tidepool_directory();
  with.is_interrupted = is_interrupted;
  do {
    const tide_error fresh = TIDE_ERROR_INIT;
    error = fresh;
    status = tide_wait_applied((uint64_t)PG_GETARG_INT64(0), left_until(end), &with, &error);
    CHECK_FOR_INTERRUPTS();
  } while (status == TIDE_TIMEOUT && left_until(end) > 0);
  if (status != TIDE_OK && status != TIDE_TIMEOUT) tidepool_report(&error, NULL);
  PG_RETURN_BOOL(status == TIDE_OK);
}
