/*
 * Commands: what users tell pools to do, by a function or by UPDATE.
 *
 * Every command passes tidepool_sign() before it is posted, whether it comes from a function or an UPDATE: it checks
 * that the current user may execute the SQL function of the verb.
 */
#ifndef TIDEPOOL_COMMAND_H
#define TIDEPOOL_COMMAND_H

#include <tidepool/control.h>

#include "common/pg_compat.h"

#include <datatype/timestamp.h>

/*
 * Sets the current user and the directory of the settings in a command; allocates in the current memory context. Fails
 * (42501) unless the user may execute the extension's function of the verb.
 */
extern void tidepool_sign(tide_command* command);

/*
 * tide_control_batch() for the current session: waits can be cancelled, and failures are raised as errors. No handle of
 * the C API is open when it raises an error.
 */
extern void tidepool_give(tide_command* const* commands, int count, int32 mode, int64 wait_ms);

/*
 * Converts an interval to microseconds, exactly; no other code converts intervals. A day has 24 hours; months are
 * refused because their length varies. `function` and `name`, of the argument, are for the error.
 */
extern int64 tidepool_interval_us(const Interval* span, const char* function, const char* name);

#endif
