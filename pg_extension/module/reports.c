/*
 * tidepool.export(), health_report(), dashboard(): the state of the pools of this host as one text or JSON.
 *
 * The library writes the whole text into its own memory; it is copied into the server's and freed before anything else
 * can fail. Users without the privileges of pg_read_all_stats get what the views show them: without targets, users, tags
 * and messages.
 */
#include <tidepool/export.h>

#include "common/pg_compat.h"

#include <utils/timestamp.h>

#include "command.h"
#include "common/report.h"
#include "module.h"

/* NULL and '' mean all pools; 32 hexadecimal digits are an instance_id, as in commands. */
static void choose_pool(FunctionCallInfo fcinfo, int n, tide_export_options* options) {
  const char* pool = tidepool_text_argument(fcinfo, n);
  if (pool != NULL && strlen(pool) == 32 && strspn(pool, "0123456789abcdef") == 32) {
    options->instance_id = pool;
  } else {
    options->pool = pool;
  }
}

/* As tide_export_options.since_ms: how far back from now, below 0; 0 for NULL. */
static int64 since_argument(FunctionCallInfo fcinfo, int n, const char* function) {
  int64 us;
  if (PG_ARGISNULL(n)) return 0;
  us = tidepool_interval_us(PG_GETARG_INTERVAL_P(n), function, "since");
  if (us < 0) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("tidepool.%s(): since is negative, which is in the future", function),
                    errdetail("Accepted: how far back from now, such as interval '1 hour'.")));
  }
  return -(us / 1000 + (us % 1000 != 0 ? 1 : 0));
}

/* A separate function, so that a longjmp out of it leaves no local variable of the caller undefined. */
static pg_noinline char* copy_and_free(char* text, size_t length) {
  char* volatile copy = NULL;
  PG_TRY();
  { copy = tidepool_from_utf8(text, length, NULL); }
  PG_CATCH();
  {
    tide_free(text);
    PG_RE_THROW();
  }
  PG_END_TRY();
  tide_free(text);
  return copy;
}

/* The text of a report, palloc'd. */
static char* exported(const char* format, tide_export_options* options) {
  tide_error error = TIDE_ERROR_INIT;
  char* text = NULL;
  size_t length = 0;
  tidepool_check_version();
  options->directory = tidepool_directory();
  if (!tidepool_sees_all()) options->flags |= TIDE_EXPORT_MASKED;
  if (tide_export_with(format, options, &text, &length, &error) != TIDE_OK) tidepool_report(&error, NULL);
  return copy_and_free(text, length);
}

PG_FUNCTION_INFO_V1(tidepool_export);
Datum tidepool_export(PG_FUNCTION_ARGS) {
  tide_export_options options = TIDE_EXPORT_OPTIONS_INIT;
  const char* format = tidepool_text_argument(fcinfo, 0);
  if (format == NULL) {
    ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("tidepool.export(): format is NULL")));
  }
  choose_pool(fcinfo, 1, &options);
  options.since_ms = since_argument(fcinfo, 2, "export");
  if (!PG_ARGISNULL(3) && PG_GETARG_BOOL(3)) options.flags |= TIDE_EXPORT_LEGACY_NAMES;
  PG_RETURN_TEXT_P(cstring_to_text(exported(format, &options)));
}

PG_FUNCTION_INFO_V1(tidepool_health_report);
Datum tidepool_health_report(PG_FUNCTION_ARGS) {
  tide_export_options options = TIDE_EXPORT_OPTIONS_INIT;
  const char* format = tidepool_text_argument(fcinfo, 1);
  if (format == NULL) format = "text";
  if (strcmp(format, "text") != 0 && strcmp(format, "json") != 0) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("tidepool.health_report(): format is \"%s\"", text_to_cstring(PG_GETARG_TEXT_PP(1))),
                    errdetail("Accepted: text, json.")));
  }
  choose_pool(fcinfo, 0, &options);
  PG_RETURN_TEXT_P(cstring_to_text(exported(psprintf("health_%s", format), &options)));
}

PG_FUNCTION_INFO_V1(tidepool_dashboard);
Datum tidepool_dashboard(PG_FUNCTION_ARGS) {
  tide_export_options options = TIDE_EXPORT_OPTIONS_INIT;
  Datum json;
  choose_pool(fcinfo, 0, &options);
  options.since_ms = since_argument(fcinfo, 1, "dashboard");
  if (!tidepool_jsonb(exported("dashboard", &options), &json)) {
    ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("tidepool.dashboard(): too large for jsonb"),
                    errhint("Give a pool, or a shorter time.")));
  }
  PG_RETURN_DATUM(json);
}
