/* The two worlds' texts and errors: UTF-8 and tide_error there, the server's encoding and ereport() here. */
#ifndef TIDEPOOL_REPORT_H
#define TIDEPOOL_REPORT_H

#include <tidepool/base.h>

#include "common/pg_compat.h"

/* Five letters and digits as ereport() takes them; 0, the code of success, for NULL and for what is no SQLSTATE. */
extern int tidepool_sqlstate_of(const char* text);

/* SQLSTATE of an error of tidepool, as ereport() takes it. */
extern int tidepool_sqlstate(const tide_error* error);

/*
 * ereport(ERROR): the statement fails with the error's message, detail and hint. Never returns, so whoever calls has
 * closed every handle of the C API before; `error` stands on the caller's stack and needs no release.
 * `prefix` (in UTF-8) goes before the message; NULL for none.
 */
pg_noreturn extern void tidepool_report(const tide_error* error, const char* prefix);

/*
 * A text from tidepool in the server's encoding, palloc'd. Never fails for its contents: what is no UTF-8, or cannot be
 * in a database of another encoding, becomes question marks.
 */
extern char* tidepool_from_utf8(const char* text, size_t length, size_t* out_length);

/* A text of the server as UTF-8, NUL-terminated. Fails where the server's conversion does. May return `text` itself. */
extern char* tidepool_to_utf8(const char* text);

#endif
