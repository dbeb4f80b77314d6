/* Commands to the pools of this host. Include <tidepool/tidepool.h>. */
#ifndef TIDEPOOL_CONTROL_H
#define TIDEPOOL_CONTROL_H

#include <tidepool/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Send a command to a pool of this host.
 *
 * Verbs and their arguments (a JSON object; durations as '30s' or milliseconds):
 *   scale {"target_size": 8 or null (automatic), "reason": "..."}   burst {"duration": "60s"}   end_burst {}
 *   set {"option": "max_size", "value": "20"}   pause {}   resume {}   recycle {"spread": "10s"}   drain {}
 *   close_connection {"conn_id": 7}   revoke {"lease_id": 123}   reset_stats {}   check_health {}
 *   evaluate {}: reconsider the pool's size now; the result in `commands` gives the decision and its reason
 *   ack {"alert_id": 123, "by": "alice"}   by: default the actor
 *   set_alert {"rule": "long_queue", "metric": "waiting", "comparison": ">", "threshold": 5, "hold": "30s",
 *              "severity": "warning", "enabled": true, "message": "...", "advice": "...", "clear_at": 2}
 *              creates or changes an alert rule; only "rule" is required, omitted arguments leave the rule unchanged
 *   drop_alert {"rule": "long_queue"}
 * tide_verb_at() lists them.
 *
 * @param pool_or_instance  a pool's name, or an instance_id where several pools have that name; NULL for ack, whose
 *                          alert_id determines the pool
 * @param verb              see above
 * @param arguments_json    NULL for none
 * @param wait_ms           how long to wait for the result; 0 does not wait; negative: 5000
 * @param command_id        may be NULL; set as soon as the command is posted
 * Fails    TIDE_NOT_FOUND (the detail lists the existing pools), TIDE_REFUSED (by the pool; also if its process has exited
 *          or this user may not write the mailbox), TIDE_BAD_ARGUMENT (also if several instances have the name: the detail
 *          lists them), TIDE_BAD_OPTION, TIDE_TIMEOUT (posted but not yet executed: see `commands`).
 */
TIDE_API tide_status tide_control(const char* pool_or_instance, const char* verb, const char* arguments_json,
                                  int64_t wait_ms, uint64_t* command_id, tide_error* err);

typedef struct tide_control_options {
  uint32_t size; /* TIDE_CONTROL_OPTIONS_INIT */
  uint32_t reserved;
  const char* directory; /* NULL: tide_default_directory() */
  const char* actor;     /* who issues the command, shown in `commands`; NULL: the user's name */
} tide_control_options;

#define TIDE_CONTROL_OPTIONS_INIT \
  { (uint32_t)sizeof(tide_control_options), 0, NULL, NULL }

/**
 * Like tide_control(), with a directory and an actor.
 *
 * @param pool_or_instance, verb, arguments_json, wait_ms, command_id  as for tide_control()
 * @param with  may be NULL
 * Fails    as tide_control().
 */
TIDE_API tide_status tide_control_with(const char* pool_or_instance, const char* verb, const char* arguments_json,
                                       int64_t wait_ms, const tide_control_options* with, uint64_t* command_id,
                                       tide_error* err);

/**
 * Check a command without posting it: there is exactly one live pool of this name, the verb exists, its arguments are well
 * formed, an option's value is valid and may change while the pool is open, and the mailbox is writable and has room. What
 * depends on the pool's state or on its other options is not checked.
 *
 * @param pool_or_instance, verb, arguments_json, with  as for tide_control_with()
 * Fails    as tide_control().
 */
TIDE_API tide_status tide_control_check(const char* pool_or_instance, const char* verb, const char* arguments_json,
                                        const tide_control_options* with, tide_error* err);

typedef struct tide_argument {
  const char* name; /* "target_size" */
  int32_t type;     /* TIDE_INT ... */
  int32_t is_required;
  int32_t is_nullable; /* 1: null is a value of its own; 0: null means "not given" */
  int32_t is_narrow;   /* 1: a TIDE_INT that fits into 32 bits */
  const char* meaning; /* one sentence */
} tide_argument;

/* Which pool receives a command. */
enum {
  TIDE_TO_POOL = 0,       /* the named one */
  TIDE_TO_EVERY_POOL = 1, /* the named one, or every live pool if none is named */
  TIDE_TO_CONNECTION = 2, /* the named one, or the one that has the connection */
  TIDE_TO_LEASE = 3,      /* the named one, or the one that has the lease */
  TIDE_TO_ALERT = 4       /* the one that has the alert; no pool may be named */
};

typedef struct tide_verb {
  const char* name;    /* "scale" */
  int32_t sent_to;     /* TIDE_TO_POOL ... */
  int32_t wait_ms;     /* recommended time to wait for the result */
  const char* meaning; /* one sentence */
  int32_t narguments;
  int32_t reserved;
  const tide_argument* arguments;
} tide_verb;

/**
 * Return the verb at a position of the list of verbs, or NULL past its end.
 *
 * @param index  from 0
 */
TIDE_API const tide_verb* tide_verb_at(int index);

enum { TIDE_VALUE_NULL = -1, TIDE_VALUE_NONE = 0 }; /* types of a tide_value, besides those of arguments */

/* One value. */
typedef struct tide_value {
  int32_t type; /* TIDE_VALUE_NONE: not given */
  int32_t reserved;
  int64_t integer;  /* of TIDE_INT, TIDE_BOOL and TIDE_DURATION */
  double real;      /* of TIDE_DOUBLE */
  const char* text; /* of TIDE_TEXT */
} tide_value;

/**
 * Send a command with typed values to one or more pools, without waiting for the result.
 *
 * @param pool_or_instance  as for tide_control(); NULL where tide_verb.sent_to determines the pools
 * @param verb        see tide_verb_at()
 * @param values      in the order of the verb's arguments. A duration may also be a text such as "30s" or an integer in
 *                    milliseconds
 * @param nvalues     further arguments are not given
 * @param with        may be NULL
 * @param command_ids out: the command of each pool; NULL: only check, as tide_control_check()
 * @param room        number of elements of command_ids; TIDE_TO_EVERY_POOL reaches no more pools than this
 * @param posted      out: number of commands posted
 * Fails    as tide_control(). If several pools are addressed, those that fail are skipped, unless all of them fail.
 */
TIDE_API tide_status tide_control_values(const char* pool_or_instance, const char* verb, const tide_value* values,
                                         int32_t nvalues, const tide_control_options* with, uint64_t* command_ids,
                                         int32_t room, int32_t* posted, tide_error* err);

/* The row that an UPDATE changes, as it was read. */
typedef struct tide_row {
  uint32_t size; /* TIDE_ROW_INIT */
  uint32_t reserved;
  const char* relation; /* "pools" */
  const char* instance_id;
  const char* pool; /* name, for error messages */
  const char* key;  /* settings: the option; alerts: the alert_id; else NULL */
  int64_t min_size; /* as read, or -1 if unknown */
  int64_t max_size; /* as read, or -1 if unknown */
} tide_row;

#define TIDE_ROW_INIT \
  { (uint32_t)sizeof(tide_row), 0, NULL, NULL, NULL, NULL, -1, -1 }

/* The command that an assignment to a column stands for: a verb and values for tide_control_values(). */
typedef struct tide_assignment {
  uint32_t size; /* TIDE_ASSIGNMENT_INIT */
  int32_t nvalues;
  const char* verb;
  tide_value values[2]; /* their texts are valid as long as those of the row, the column and the value */
  char subject[96];     /* what is assigned: "target_size", "state", an option's name, or an alert */
  int32_t bound;        /* 1: min_size, 2: max_size, 3: target_size; 0: none of these */
  int32_t reserved;
  int64_t number; /* the value if bound is not 0 */
} tide_assignment;

#define TIDE_ASSIGNMENT_INIT \
  { (uint32_t)sizeof(tide_assignment), 0, NULL, {{0, 0, 0, 0, NULL}, {0, 0, 0, 0, NULL}}, "", 0, 0, 0 }

/**
 * Translate `UPDATE relation SET column = value` for one row into a command. Posts nothing.
 *
 * @param row     the row as it was read
 * @param column  a column whose tide_column.is_writable is 1
 * @param value   TIDE_INT, TIDE_TEXT or TIDE_VALUE_NULL
 * @param out     set only on success
 * Fails    TIDE_BAD_ARGUMENT.
 */
TIDE_API tide_status tide_assign(const tide_row* row, const char* column, const tide_value* value, tide_assignment* out,
                                 tide_error* err);

/**
 * Decide which of several assignments are sent, and in which order: of several assignments to one subject of an instance
 * only the last; resume first, limits before sizes, pause and drain last, so that every intermediate state is valid.
 *
 * @param rows         the row of each assignment
 * @param assignments  in the order in which they were made
 * @param count        number of assignments
 * @param assumes_rows 1: a limit that is not assigned keeps the value in its row; 0: its value is unknown
 * @param order        out: indexes into `assignments`; has room for `count`
 * @param norder       out: number of indexes
 * Fails    TIDE_BAD_ARGUMENT for contradictions: min_size above max_size, target_size outside these limits.
 */
TIDE_API tide_status tide_settle(const tide_row* const* rows, const tide_assignment* const* assignments, int32_t count,
                                 int32_t assumes_rows, int32_t* order, int32_t* norder, tide_error* err);

/**
 * Wait until a command has been executed.
 *
 * @param command_id  from tide_control()
 * @param wait_ms     negative: 5000
 * @param with        may be NULL
 * Fails    TIDE_TIMEOUT (not yet executed), TIDE_REFUSED (by the pool, or expired), TIDE_NOT_FOUND.
 */
TIDE_API tide_status tide_wait_applied(uint64_t command_id, int64_t wait_ms, const tide_control_options* with,
                                       tide_error* err);

#ifdef __cplusplus
}
#endif

#endif
