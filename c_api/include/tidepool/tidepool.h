/*
 * tidepool: client-side database connection pools that SQL can see and steer.
 *
 *   #include <tidepool/tidepool.h>        link with: pkg-config --libs tidepool
 *
 * Conventions, valid for every function here and in the parts below:
 *  1. Every function that can fail returns a tide_status and fills a caller-owned tide_error, which may be NULL and
 *     never needs to be released. On failure no other output is touched.
 *  2. Handles (tide_pool *, tide_result *, tide_cursor *) are opaque. A pool handle is checked before use: NULL, closed,
 *     foreign or invented ones are answered with a status, never followed.
 *  3. Strings in are NUL-terminated UTF-8 and copied before the call returns. Strings out are borrowed; each function
 *     says until when. Buffers out that say so are yours: give them to tide_free().
 *  4. Structs begin with their size (TIDE_..._INIT sets it). A longer struct from a newer caller is accepted as long as
 *     the bytes this library does not know are zero.
 *  5. Times are milliseconds in int64_t unless a name says otherwise.
 *  6. No exception leaves the library, and it never calls exit() or installs a signal handler.
 */
#ifndef TIDEPOOL_TIDEPOOL_H
#define TIDEPOOL_TIDEPOOL_H

#include <tidepool/base.h>
#include <tidepool/control.h>
#include <tidepool/driver.h>
#include <tidepool/loop.h>
#include <tidepool/observe.h>
#include <tidepool/pool.h>
#include <tidepool/query.h>

#endif
