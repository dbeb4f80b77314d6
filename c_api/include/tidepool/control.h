/* Steering the pools of this host. Include <tidepool/tidepool.h>. */
#ifndef TIDEPOOL_CONTROL_H
#define TIDEPOOL_CONTROL_H

#include <tidepool/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Give a pool of this host an order.
 *
 * Verbs and their arguments (JSON object; durations as '30s' or milliseconds):
 *   scale {"target_size": 8 or null (automatic), "reason": "..."}   burst {"duration": "60s"}   end_burst {}
 *   set {"option": "max_size", "value": "20"}   pause {}   resume {}   recycle {"spread": "10s"}   drain {}
 *   close_connection {"conn_id": 7}   revoke {"lease_id": 123}   reset_stats {}   check_health {}
 *   evaluate {}: the sizer decides now; the answer, in `commands`, says what and why
 *   ack {"alert_id": 123, "by": "alice"}   by whom: without it, the actor
 *   set_alert {"rule": "long_queue", "metric": "waiting", "comparison": ">", "threshold": 5, "hold": "30s",
 *              "severity": "warning", "enabled": true, "message": "...", "advice": "...", "clear_at": 2}
 *              makes a rule or changes one; only "rule" is needed, what is not given stays as it is
 *   drop_alert {"rule": "long_queue"}
 *
 * @param pool_or_instance  a pool's name, or an instance_id where several pools bear the name; NULL for ack, whose
 *                          number says which pool is meant
 * @param verb              see above
 * @param arguments_json    NULL for none
 * @param wait_ms           how long to wait for the answer; 0: do not wait; negative: 5000
 * @param command_id        may be NULL; set as soon as the order is posted
 * @param err               may be NULL
 * Threads  any.
 * Owns     nothing.
 * Fails    TIDE_NOT_FOUND (lists the pools that exist), TIDE_REFUSED (with the pool's reason; also when the owner is
 *          dead, or this user may not write the mailbox), TIDE_BAD_ARGUMENT (also a name that several instances bear:
 *          lists them), TIDE_BAD_OPTION, TIDE_TIMEOUT (posted, not answered yet: see `commands`).
 * Since    0.1
 */
TIDE_API tide_status tide_control(const char* pool_or_instance, const char* verb, const char* arguments_json,
                                  int64_t wait_ms, uint64_t* command_id, tide_error* err);

typedef struct tide_control_options {
  uint32_t size; /* TIDE_CONTROL_OPTIONS_INIT */
  uint32_t reserved;
  const char* directory; /* NULL: the default plane directory */
  const char* actor;     /* who steers, shown in `commands`; NULL: the user's name */
} tide_control_options;

#define TIDE_CONTROL_OPTIONS_INIT \
  { (uint32_t)sizeof(tide_control_options), 0, NULL, NULL }

/**
 * tide_control() with a directory and an actor.
 *
 * @param pool_or_instance, verb, arguments_json, wait_ms, command_id, err  as tide_control()
 * @param with  may be NULL
 * Threads  any.
 * Owns     nothing.
 * Fails    as tide_control().
 * Since    0.1
 */
TIDE_API tide_status tide_control_with(const char* pool_or_instance, const char* verb, const char* arguments_json,
                                       int64_t wait_ms, const tide_control_options* with, uint64_t* command_id,
                                       tide_error* err);

/**
 * Check an order without posting it: the pool exists, alive and unique, the verb is known, the arguments have the right
 * form, an option's value is accepted by its kind and range and may change while the pool is open, and the mailbox can be
 * written by this user and has room. What depends on the pool's state and on its other options is not known here.
 *
 * @param pool_or_instance, verb, arguments_json, with, err  as tide_control_with()
 * Threads  any.
 * Owns     nothing.
 * Fails    as tide_control().
 * Since    0.1
 */
TIDE_API tide_status tide_control_check(const char* pool_or_instance, const char* verb, const char* arguments_json,
                                        const tide_control_options* with, tide_error* err);

typedef struct tide_argument {
  const char* name; /* "target_size" */
  int32_t type;     /* TIDE_INT ... */
  int32_t is_required;
  int32_t is_nullable; /* 1: null asks for something; 0: it stands for "not given" */
  int32_t reserved;
  const char* meaning;  /* one sentence */
  const char* sql_type; /* as PostgreSQL calls it: "interval" */
} tide_argument;

/* Which pool a command is for. */
enum {
  TIDE_TO_POOL = 0,       /* the one that is named */
  TIDE_TO_EVERY_POOL = 1, /* the one that is named, or if none is, each that lives */
  TIDE_TO_CONNECTION = 2, /* the one that has the connection, if none is named */
  TIDE_TO_LEASE = 3,      /* the one that has the lease, if none is named */
  TIDE_TO_ALERT = 4       /* the one whose alert it is: none is to be named */
};

typedef struct tide_verb {
  const char* name;    /* "scale" */
  int32_t sent_to;     /* TIDE_TO_POOL ... */
  int32_t wait_ms;     /* how long it makes sense to wait for the answer */
  const char* meaning; /* one sentence */
  int32_t narguments;
  int32_t reserved;
  const tide_argument* arguments;
} tide_verb;

/**
 * What pools can be told, in order.
 *
 * @param index  from 0
 * Threads  any.
 * Owns     lives for ever.
 * Fails    NULL behind the last one.
 * Since    0.1
 */
TIDE_API const tide_verb* tide_verb_at(int index);

enum { TIDE_VALUE_NULL = -1, TIDE_VALUE_NONE = 0 }; /* types of a tide_value, beside those of arguments */

/* One value. */
typedef struct tide_value {
  int32_t type; /* TIDE_VALUE_NONE: not given */
  int32_t reserved;
  int64_t integer;  /* of TIDE_INT, TIDE_BOOL and TIDE_DURATION */
  double real;      /* of TIDE_DOUBLE */
  const char* text; /* of TIDE_TEXT, in UTF-8 */
} tide_value;

/**
 * tide_control() with typed values, for one or more pools, without waiting.
 *
 * @param pool_or_instance  as tide_control(); NULL where tide_verb.sent_to finds the pools
 * @param verb        see tide_verb_at()
 * @param values      by the places of the verb's arguments. A text stands for a duration such as "30s", a whole number for
 *                    milliseconds
 * @param nvalues     those behind are not given
 * @param with        may be NULL
 * @param command_ids out: the commands, one a pool; NULL: check only, as tide_control_check(), and post nothing
 * @param room        of command_ids; with TIDE_TO_EVERY_POOL no more pools than this are told
 * @param posted      out: how many
 * @param err         may be NULL
 * Threads  any.
 * Owns     nothing.
 * Fails    as tide_control(). Of several pools those that cannot be told are left out, unless none can.
 * Since    0.1
 */
TIDE_API tide_status tide_control_values(const char* pool_or_instance, const char* verb, const tide_value* values,
                                         int32_t nvalues, const tide_control_options* with, uint64_t* command_ids,
                                         int32_t room, int32_t* posted, tide_error* err);

/* The row that an UPDATE is about, as it was shown. */
typedef struct tide_row {
  uint32_t size; /* TIDE_ROW_INIT */
  uint32_t reserved;
  const char* relation; /* "pools" */
  const char* instance_id;
  const char* pool; /* its name, for error texts */
  const char* key;  /* of settings: the option; of alerts: the alert_id; else NULL */
  int64_t min_size; /* as far as the row shows it, else -1 */
  int64_t max_size; /* likewise */
} tide_row;

#define TIDE_ROW_INIT \
  { (uint32_t)sizeof(tide_row), 0, NULL, NULL, NULL, NULL, -1, -1 }

/* What an assignment to a column means: a verb and its values, for tide_control_values(). */
typedef struct tide_assignment {
  uint32_t size; /* TIDE_ASSIGNMENT_INIT */
  int32_t nvalues;
  const char* verb;     /* lives for ever */
  tide_value values[2]; /* their texts live as long as those of the row, the column and the value */
  char subject[96];     /* what it is about: "target_size", "state", an option's name, or an alert */
  int32_t bound;        /* 1: min_size, 2: max_size, 3: target_size; 0: none of them */
  int32_t reserved;
  int64_t number; /* of a bound */
} tide_assignment;

#define TIDE_ASSIGNMENT_INIT \
  { (uint32_t)sizeof(tide_assignment), 0, NULL, {{0, 0, 0, 0, NULL}, {0, 0, 0, 0, NULL}}, "", 0, 0, 0 }

/**
 * What `UPDATE relation SET column = value` means for one row. Nothing is posted.
 *
 * @param row     what the statement was shown
 * @param column  one of those that tide_column.is_writable says
 * @param value   TIDE_INT or TIDE_TEXT, or TIDE_VALUE_NULL
 * @param out     set only on success
 * @param err     may be NULL
 * Threads  any.
 * Owns     nothing.
 * Fails    TIDE_BAD_ARGUMENT.
 * Since    0.1
 */
TIDE_API tide_status tide_assign(const tide_row* row, const char* column, const tide_value* value, tide_assignment* out,
                                 tide_error* err);

/**
 * Which of several assignments are to be given, and in which order: of those on one subject of one instance the last alone;
 * resume first, limits before sizes, pause and drain last, so that every step between is valid.
 *
 * @param rows         the row of each
 * @param assignments  in the order in which they were made
 * @param count        how many
 * @param assumes_rows 1: a limit that is not assigned stays as its row showed it; 0: nothing is known of it
 * @param order        out: places in `assignments`; room for `count`
 * @param norder       out: how many
 * @param err          may be NULL
 * Threads  any.
 * Owns     nothing.
 * Fails    TIDE_BAD_ARGUMENT where they contradict each other: min_size above max_size, target_size outside of both.
 * Since    0.1
 */
TIDE_API tide_status tide_settle(const tide_row* const* rows, const tide_assignment* const* assignments, int32_t count,
                                 int32_t assumes_rows, int32_t* order, int32_t* norder, tide_error* err);

/**
 * Wait until an order is answered and obeyed: the barrier.
 *
 * @param command_id  from tide_control()
 * @param wait_ms     up to 86400000; negative: 5000
 * @param with        may be NULL
 * @param err         may be NULL
 * Threads  any.
 * Owns     nothing.
 * Fails    TIDE_TIMEOUT (not obeyed yet), TIDE_REFUSED (with the pool's reason; also expired), TIDE_NOT_FOUND.
 * Since    0.1
 */
TIDE_API tide_status tide_wait_applied(uint64_t command_id, int64_t wait_ms, const tide_control_options* with,
                                       tide_error* err);

#ifdef __cplusplus
}
#endif

#endif
