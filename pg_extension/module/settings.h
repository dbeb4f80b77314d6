/* The settings tidepool.*: what the server's configuration says of tidepool. */
#ifndef TIDEPOOL_SETTINGS_H
#define TIDEPOOL_SETTINGS_H

#include "common/pg_compat.h"

extern void tidepool_define_settings(void);

/* tidepool.dir in UTF-8, or NULL for the default directory of the plane. */
extern const char* tidepool_directory(void);

/* tidepool.worker as the server was started. */
extern bool tidepool_wants_worker(void);

#endif
