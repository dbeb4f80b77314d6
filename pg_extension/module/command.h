/*
 * Commands: what a user asks pools for, by a function or by UPDATE.
 *
 * tidepool_sign() is the choke point: every command passes it before it is given, whether a function or an UPDATE asks for
 * it, and it checks that the current user may execute the SQL function of the verb.
 */
#ifndef TIDEPOOL_COMMAND_H
#define TIDEPOOL_COMMAND_H

#include <tidepool/control.h>

#include "common/pg_compat.h"

/*
 * Makes a command the current user's: in the directory of the settings, in the current memory context. Fails (42501) unless
 * the user may execute the extension's function of its verb.
 */
extern void tidepool_sign(tide_command* command);

/*
 * tide_control_batch() for the current session: a wait can be cancelled, and a failure is an error. Never holds a handle of
 * the C API when it fails.
 */
extern void tidepool_give(tide_command* const* commands, int count, int32 mode, int64 wait_ms);

#endif
