/*
 * Orders: what a user asks a pool for.
 *
 * tidepool_order() is the choke point: the only way to make an order, whether a function or an UPDATE asks for it, and
 * it checks that the current user may execute the SQL function of the verb. What is posted has passed it.
 */
#ifndef TIDEPOOL_ORDER_H
#define TIDEPOOL_ORDER_H

#include <tidepool/control.h>

#include "common/pg_compat.h"

/* All texts in UTF-8. */
typedef struct TidepoolOrder {
  const char* directory; /* of the segments; NULL: the default one */
  const char* pool;      /* a name or an instance_id; NULL where the verb says which */
  const char* verb;      /* as tide_verb_at() has it */
  const tide_value* values;
  int nvalues;
  const char* actor; /* the role that gave it */
} TidepoolOrder;

/* The verb of this name; NULL: there is none. */
extern const tide_verb* tidepool_verb(const char* name);

extern tide_value tidepool_text_value(const char* text);

/*
 * Makes an order of the current user, in the current memory context. `pool` and the texts of `values` are in the
 * server's encoding. Fails (42501) unless the user may execute the extension's function <verb>.
 */
extern TidepoolOrder tidepool_order(const char* verb, const char* pool, const tide_value* values, int nvalues);

/* The same of texts that are in UTF-8 already. */
extern TidepoolOrder tidepool_order_in_utf8(const char* verb, const char* pool, const tide_value* values, int nvalues);

/* Whether the pool lives and the arguments have the right form; else why not. Posts nothing. */
extern bool tidepool_order_is_right(const TidepoolOrder* order, tide_error* error);

/* Posts an order, to at most `room` pools, and does not wait. How many have it now; 0: `error` says why. */
extern int tidepool_order_post(const TidepoolOrder* order, uint64* command_ids, int room, tide_error* error);

/*
 * Waits for the answer, at most `wait_ms`, as tide_wait_applied(), but in slices between which the query can be
 * cancelled. Never holds a handle of the C API while it waits.
 */
extern tide_status tidepool_order_await(uint64 command_id, const char* directory, int64 wait_ms, tide_error* error);

#endif
