/* Statuses, errors, versions and memory: what all other parts of the API use. Include <tidepool/tidepool.h>. */
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

/* Append only; a program must be ready for numbers it does not know. */
enum {
  TIDE_OK = 0,
  TIDE_TIMEOUT = 1,      /* waited as long as allowed; may be tried again */
  TIDE_CLOSED = 2,       /* the pool is closed, closing or draining */
  TIDE_QUEUE_FULL = 3,   /* max_waiting callers wait already; may be tried again */
  TIDE_UNAVAILABLE = 4,  /* no connection can be made now; may be tried again */
  TIDE_BAD_ARGUMENT = 5, /* the call is wrong: NULL, unknown handle, out of range */
  TIDE_BAD_OPTION = 6,   /* an option's name or value is refused */
  TIDE_STALE_LEASE = 7,  /* released before, revoked, or never given */
  TIDE_DATABASE = 8,     /* the database said no: see sqlstate and native_code */
  TIDE_NOT_FOUND = 9,    /* no such pool, relation, connection, lease or command */
  TIDE_REFUSED = 10,     /* understood and refused, for the reason in the message */
  TIDE_FORKED = 11,      /* the handle belongs to the parent process */
  TIDE_NO_MEMORY = 12,
  TIDE_UNSUPPORTED = 13, /* this driver or build cannot do that */
  TIDE_INTERNAL = 14     /* a bug in tidepool */
};

/* Types of columns and of arguments. */
enum {
  TIDE_INT = 1,
  TIDE_DOUBLE = 2,
  TIDE_TEXT = 3,
  TIDE_BOOL = 4,
  TIDE_TIME = 5, /* int64, microseconds since 1970 UTC */
  TIDE_JSON = 6,
  TIDE_DURATION = 7, /* int64, microseconds */
  TIDE_ANY = 8       /* a text, a number or a boolean: what an option takes */
};

/* Why a call failed. Yours: on your stack, needs no release. Texts are UTF-8, NUL-terminated, cut to fit. */
typedef struct tide_error {
  uint32_t size;       /* sizeof(tide_error) as you know it; set by TIDE_ERROR_INIT */
  int32_t status;      /* the tide_status also returned */
  int32_t native_code; /* the database's own number (SQLite: extended result code), 0 if none */
  int32_t retryable;   /* 1: the same call may succeed later */
  char sqlstate[8];    /* five characters, or empty */
  char message[512];   /* what was wrong; names the pool, option or value */
  char detail[1024];   /* what is accepted, or what was seen; may hold several lines */
  char hint[256];      /* what to do next */
} tide_error;

#define TIDE_ERROR_INIT                                         \
  {                                                             \
    (uint32_t)sizeof(tide_error), 0, 0, 0, {0}, {0}, {0}, { 0 } \
  }

/**
 * The name of a status: "ok", "timeout", ... or "unknown".
 *
 * @param status  any number
 * Threads  any.
 * Owns     the text lives for ever.
 * Fails    never.
 * Since    0.1
 */
TIDE_API const char* tide_status_name(tide_status status);

/**
 * The version of the library that is loaded, such as "0.1.0"; TIDE_VERSION_TEXT is the header's.
 *
 * Threads  any.
 * Owns     the text lives for ever.
 * Fails    never.
 * Since    0.1
 */
TIDE_API const char* tide_version(void);

/**
 * Give back a buffer that a function of this library handed over.
 *
 * @param memory  from tide_export() and the like; NULL does nothing
 * Threads  any.
 * Owns     takes the buffer.
 * Fails    never.
 * Since    0.1
 */
TIDE_API void tide_free(void* memory);

#ifdef __cplusplus
}
#endif

#endif
