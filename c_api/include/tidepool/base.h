/*
 * Statuses, errors, versions and memory, used by all other headers. Include <tidepool/tidepool.h>.
 *
 * Conventions. They apply to every function of the API; the comment of a function states only what differs from them,
 * under the tags Threads, Owns, Fails and Since.
 *
 *  Errors    A function that can fail returns a tide_status and fills the tide_error passed to it. `err` is always the
 *            last parameter, may be NULL, belongs to the caller and needs no release. On failure no other output is
 *            changed. Fails lists the statuses to expect, but not, unless they have a special meaning, TIDE_BAD_ARGUMENT (a
 *            required pointer is NULL, a handle is invalid, a number is out of range), TIDE_CLOSED and TIDE_FORKED, which
 *            functions that take a pool or a lease return, and TIDE_NO_MEMORY and TIDE_INTERNAL. A function without
 *            a tide_status cannot fail; its comment says what it returns for invalid arguments.
 *  Threads   Every function may be called from any thread, and calls may run at the same time. A tide_cursor and
 *            tide_rows are used by one thread at a time. A tide_result may be read by several threads, but not while one of them frees it.
 *  Handles   tide_pool *, tide_registry *, tide_result *, tide_rows * and tide_cursor * are opaque. Pools, registries, leases
 *            and transactions are validated before use: one that is NULL, closed, ended or not from this library causes
 *            an error, never undefined behaviour. Whoever opens a pool closes it with tide_pool_close(), a cursor with
 *            tide_cursor_close(), rows with tide_rows_close(); leases are given back with tide_lease_release(), results
 *            with tide_result_free(). Results remain valid after their lease and their pool have ended.
 *  Strings   Strings are NUL-terminated UTF-8. Arguments are copied before the call returns, so that the caller may free
 *            them. A returned string or struct belongs to the library and is valid until the process ends, unless Owns
 *            says otherwise.
 *  Structs   A struct that may grow begins with its size, which TIDE_..._INIT sets. A longer struct from a newer caller is
 *            accepted if the bytes unknown to this library are zero. Members called reserved are zero.
 *  Times     Times are milliseconds in int64_t unless a name says otherwise. A timeout is at most 86400000 (one day).
 *  Process   No exception leaves the library. It never calls exit() and installs no signal handler.
 *  Since     Version 0.1.
 */
#ifndef TIDEPOOL_BASE_H
#define TIDEPOOL_BASE_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define TIDE_API __attribute__((visibility("default")))
#else
#define TIDE_API
#endif

#define TIDE_VERSION_MAJOR 0
#define TIDE_VERSION_MINOR 1
#define TIDE_VERSION_PATCH 0
#define TIDE_VERSION_TEXT "0.1.0"

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t tide_status;

/* Later versions append to these numbers: a program must accept numbers that it does not know. */
enum {
  TIDE_OK = 0,
  TIDE_TIMEOUT = 1,      /* not done within the time allowed; may be retried */
  TIDE_CLOSED = 2,       /* the pool is closed, closing or draining */
  TIDE_QUEUE_FULL = 3,   /* max_waiting callers are waiting already; may be retried */
  TIDE_UNAVAILABLE = 4,  /* no connection can be opened now; may be retried */
  TIDE_BAD_ARGUMENT = 5, /* an argument is NULL, invalid or out of range */
  TIDE_BAD_OPTION = 6,   /* an option's name or value is not accepted */
  TIDE_STALE_LEASE = 7,  /* the lease was released or revoked, or never existed */
  TIDE_DATABASE = 8,     /* the database reported an error: see sqlstate and native_code */
  TIDE_NOT_FOUND = 9,    /* no such pool, relation, connection, lease or command */
  TIDE_REFUSED = 10,     /* valid, but not possible now; the message gives the reason */
  TIDE_FORKED = 11,      /* the handle belongs to the parent process */
  TIDE_NO_MEMORY = 12,
  TIDE_UNSUPPORTED = 13, /* not supported by this driver or build */
  TIDE_INTERNAL = 14,    /* a bug in tidepool */
  TIDE_ROLLED_BACK = 15, /* the transaction was rolled back because its body returned another value than 0, or threw */
  TIDE_UNKNOWN_OUTCOME =
      16,             /* the connection was lost, or the disk failed, while a transaction was committed; it is not
                                known whether it was: check before repeating it */
  TIDE_CANCELLED = 17 /* the call's cancel token was tripped */
};

/* Types of columns and of arguments. */
enum {
  TIDE_INT = 1,
  TIDE_DOUBLE = 2,
  TIDE_TEXT = 3,
  TIDE_BOOL = 4,
  TIDE_TIME = 5, /* int64, microseconds since 1970-01-01 UTC */
  TIDE_JSON = 6,
  TIDE_DURATION = 7, /* int64, microseconds */
  TIDE_ANY = 8,      /* a text, a number or a boolean: the value of an option */
  TIDE_BYTES = 9
};

enum { TIDE_VALUE_NULL = -1, TIDE_VALUE_NONE = 0 }; /* types of a tide_value, besides those above */

/* One value: an argument of a command, a parameter of a statement, or a cell of a result. */
typedef struct tide_value {
  int32_t type; /* TIDE_VALUE_NONE: not given */
  int32_t reserved;
  int64_t integer;  /* of TIDE_INT, TIDE_BOOL, TIDE_TIME and TIDE_DURATION */
  double real;      /* of TIDE_DOUBLE */
  const char* text; /* of TIDE_TEXT and TIDE_BYTES */
  size_t length;    /* bytes of text; TIDE_TEXT: 0 means up to the NUL byte */
} tide_value;

/* Describes why a call failed. Owned by the caller; needs no release. Strings are truncated to fit. */
typedef struct tide_error {
  uint32_t size;       /* sizeof(tide_error) as compiled into the caller; set by TIDE_ERROR_INIT */
  int32_t status;      /* the tide_status that was returned */
  int32_t native_code; /* the database's own error number (SQLite: extended result code), or 0 */
  int32_t retryable;   /* 1: the same call may succeed later */
  char sqlstate[8];    /* five characters, or empty */
  char message[512];   /* what is wrong; names the pool, option or value */
  char detail[1024];   /* what is accepted, or what was found; may have several lines */
  char hint[256];      /* what to do about it */
  int32_t position;    /* character of the statement to which the error refers, from 1; 0: unknown */
  int32_t reserved;
  char schema_name[64]; /* what the error refers to, as far as the database tells it, or empty */
  char table_name[64];
  char column_name[64];
  char constraint_name[64];
} tide_error;

#define TIDE_ERROR_INIT                                                                   \
  {                                                                                       \
    (uint32_t)sizeof(tide_error), 0, 0, 0, {0}, {0}, {0}, {0}, 0, 0, {0}, {0}, {0}, { 0 } \
  }

/**
 * Return the name of a status, such as "ok" or "timeout", or "unknown".
 *
 * @param status  any number
 */
TIDE_API const char* tide_status_name(tide_status status);

/**
 * Return the version of the loaded library, such as "0.1.0". TIDE_VERSION_TEXT is the version of the headers.
 */
TIDE_API const char* tide_version(void);

/**
 * Free a buffer that a function of this library allocated for the caller: those of tide_export().
 *
 * @param memory  NULL does nothing
 */
TIDE_API void tide_free(void* memory);

#ifdef __cplusplus
}
#endif

#endif
