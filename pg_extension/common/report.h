/* Converts texts and errors between the C API (UTF-8, tide_error) and the server (its encoding, ereport()). */
#ifndef TIDEPOOL_REPORT_H
#define TIDEPOOL_REPORT_H

#include <tidepool/base.h>

#include "common/pg_compat.h"

/* An SQLSTATE (five letters and digits) in the form that ereport() takes; 0, the code of success, for NULL and invalid
 * texts. */
extern int tidepool_sqlstate_of(const char* text);

/* SQLSTATE of a tidepool error, in the form that ereport() takes. */
extern int tidepool_sqlstate(const tide_error* error);

/*
 * ereport(ERROR): the statement fails with the error's message, detail and hint. Never returns: the caller must close
 * all handles of the C API first. `error` is on the caller's stack and needs no release. `prefix` (UTF-8) is put before
 * the message; NULL for none.
 */
pg_noreturn extern void tidepool_report(const tide_error* error, const char* prefix);

/*
 * A text from tidepool in the server's encoding, palloc'd. Never fails because of the contents: bytes that are not
 * UTF-8, or not representable in the database's encoding, become question marks.
 */
extern char* tidepool_from_utf8(const char* text, size_t length, size_t* out_length);

/* A text of the server as UTF-8, NUL-terminated. Fails if the server's conversion fails. May return `text` itself. */
extern char* tidepool_to_utf8(const char* text);

#endif
