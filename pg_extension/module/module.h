/* Shared by the files of tidepool.so: its settings, and the check that library and script match. */
#ifndef TIDEPOOL_MODULE_H
#define TIDEPOOL_MODULE_H

#include <tidepool/observe.h>

#include "common/pg_compat.h"

/* tidepool.dir in UTF-8, or NULL for the default segment directory. */
extern const char* tidepool_directory(void);

/* The relation of this name in the library's catalogue, or NULL. */
extern const tide_relation* tidepool_relation(const char* name);

/* Whether the current user sees masked columns. */
extern bool tidepool_sees_all(void);

/* The text of an argument in UTF-8; NULL if it is not given or NULL. For filters, '' also means all. */
extern const char* tidepool_text_argument(FunctionCallInfo fcinfo, int n);

/* Fails unless the extension of this database was created by the script of this library's version. Called by every
 * entry point except version(). */
extern void tidepool_check_version(void);

#endif
