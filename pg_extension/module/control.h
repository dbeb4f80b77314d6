/* What the controls share: arguments out of SQL, and the way from an order to its answer. */
#ifndef TIDEPOOL_CONTROL_H
#define TIDEPOOL_CONTROL_H

#include "common/pg_compat.h"

#include <utils/timestamp.h>

#include "order.h"

#define ANSWER_WAIT_MS 5000

/* "tidepool.verb(): argument is NULL". */
pg_noreturn extern void tidepool_refuse_null(const char* verb, const char* argument);

/* The n-th argument, which must not be NULL. */
extern char* tidepool_text_argument(FunctionCallInfo fcinfo, int n, const char* verb, const char* name);

/*
 * The same of an interval, in microseconds and exactly: the one place where intervals are converted. A day has 24 hours;
 * months, which have no one length, are refused.
 */
extern int64 tidepool_interval_us(FunctionCallInfo fcinfo, int n, const char* verb, const char* name);
/* The same as a duration that orders take. */
extern char* tidepool_interval_text(FunctionCallInfo fcinfo, int n, const char* verb, const char* name);

/* Gives an order and waits for its answer. The command id; a refusal is an error. `pool` NULL: the arguments say it. */
extern Datum tidepool_steer(const char* verb, const char* pool, const char* arguments, int64 wait_ms);

/* The place of a column in the library's catalogue. */
extern int tidepool_place_of(const char* relation_name, const char* column_name);

#endif
