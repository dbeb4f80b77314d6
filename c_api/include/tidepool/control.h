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
  const char* via;       /* shown after the user's name, such as "sqlite"; NULL: the process id */
  /* Called at least every 20 ms while waiting; a result other than 0 ends the wait with TIDE_TIMEOUT. May be NULL. Must not
     throw or jump. */
  int (*is_interrupted)(void* context);
  void* context;
} tide_control_options;

#define TIDE_CONTROL_OPTIONS_INIT \
  { (uint32_t)sizeof(tide_control_options), 0, NULL, NULL, NULL, NULL, NULL }

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
  int32_t is_nullable; /* 1: null is a value; 0: null means "not given" */
  int32_t reserved;
  const char* meaning;  /* one sentence */
  const char* sql_type; /* PostgreSQL type: "interval" */
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
  /* Position of the parameter `pool` in an SQL function: 0, narguments (optional, if the arguments determine the pool), or -1:
     none. */
  int32_t pool_place;
  const tide_argument* arguments;
} tide_verb;

/**
 * Return the verb at a position of the list of verbs, or NULL past its end.
 *
 * @param index  from 0
 */
TIDE_API const tide_verb* tide_verb_at(int index);

enum { TIDE_VALUES_MAX = 16 }; /* no verb has more arguments */

/* The state of a command of a batch. */
enum {
  TIDE_COMMAND_NOT_GIVEN = 0,
  TIDE_COMMAND_GIVEN = 1, /* posted, without a result in time */
  TIDE_COMMAND_APPLIED = 2,
  TIDE_COMMAND_REFUSED = 3,
  TIDE_COMMAND_REPLACED = 4 /* by a later one on the same subject; not posted */
};

/* A verb and its values, for one pool or several. */
typedef struct tide_command {
  uint32_t size;         /* TIDE_COMMAND_INIT */
  int32_t nvalues;       /* further arguments are not given */
  const char* pool;      /* as for tide_control(); NULL where tide_verb.sent_to determines the pools */
  const char* verb;      /* see tide_verb_at() */
  const char* directory; /* NULL: that of the call's options */
  const char* actor;     /* NULL: that of the call's options */
  /* In the order of the verb's arguments. A duration may also be a text such as "30s" or an integer in milliseconds. */
  tide_value values[TIDE_VALUES_MAX];
  int32_t state;       /* out: TIDE_COMMAND_NOT_GIVEN ... */
  int32_t pools;       /* out: number of pools that received it */
  uint64_t command_id; /* out: as in `commands`; for several pools that of the last one */
} tide_command;

#define TIDE_COMMAND_INIT \
  { (uint32_t)sizeof(tide_command), 0, NULL, NULL, NULL, NULL, {{0, 0, 0, 0, NULL, 0}}, 0, 0, 0 }

/* What a batch does with its commands. */
enum {
  TIDE_BATCH_CHECK = 0, /* check only, without the state of the pools, as tide_control_check() */
  TIDE_BATCH_GIVE = 1,  /* check all, also against the limits of the pools, before the first is posted */
  TIDE_BATCH_POST = 2   /* post them in their order; the pools check them */
};

/**
 * Like tide_control_with(), with typed values instead of JSON.
 *
 * @param values   in the order of the verb's arguments; a duration may also be a text such as "30s" or an integer in
 *                 milliseconds
 * @param nvalues  further arguments are not given
 * @param wait_ms  as for tide_control_with(), but negative: tide_verb.wait_ms
 * @param pool_or_instance, verb, with, command_id  as for tide_control_with(); if the command is for several pools,
 *                 command_id is that of the last one
 * Fails    as tide_control(), except that a command without a result in time is no failure.
 */
TIDE_API tide_status tide_control_values(const char* pool_or_instance, const char* verb, const tide_value* values,
                                         int32_t nvalues, int64_t wait_ms, const tide_control_options* with,
                                         uint64_t* command_id, tide_error* err);

/**
 * Send several commands, one after the other: those of a transaction, or one command to every pool.
 *
 * Of several commands on one subject of one pool only the last is sent; with TIDE_BATCH_GIVE resume goes first, limits before
 * sizes, pause and drain last, so that every intermediate state is valid. A command for several pools is posted to all of
 * them before the first result is awaited. After a refusal nothing more is posted; after a result that did not come in time
 * the remaining commands are posted, but not waited for.
 *
 * @param commands  their members `state`, `pools` and `command_id` are set; commands that are TIDE_COMMAND_APPLIED are not
 *                  sent again, and those that are TIDE_COMMAND_GIVEN are waited for
 * @param count     number of commands
 * @param mode      TIDE_BATCH_CHECK ...
 * @param wait_ms   for all results together; negative: the tide_verb.wait_ms of each verb
 * @param with      may be NULL
 * Fails    as tide_control(), with the first refusal; its detail names the commands applied before it. TIDE_BAD_ARGUMENT also
 *          for contradictions: min_size above max_size, target_size outside these limits. TIDE_TIMEOUT: interrupted; the
 *          same call again continues. Pools that cannot be reached by a command for every pool are skipped, unless all of
 *          them are. A command without a result is no failure.
 */
TIDE_API tide_status tide_control_batch(tide_command* const* commands, int32_t count, int32_t mode, int64_t wait_ms,
                                        const tide_control_options* with, tide_error* err);

/**
 * Translate `UPDATE relation SET column = value` for one row into a command. Posts nothing.
 *
 * @param relation  such as "pools"
 * @param column    a column whose tide_column.is_writable is 1
 * @param key       the value of the row's column tide_column.key; NULL if that is NULL or ""
 * @param value     TIDE_INT, TIDE_TEXT or TIDE_VALUE_NULL
 * @param out       set only on success: the verb and its values, whose texts are valid as long as the key and the value
 * Fails    TIDE_BAD_ARGUMENT.
 */
TIDE_API tide_status tide_assign(const char* relation, const char* column, const char* key, const tide_value* value,
                                 tide_command* out, tide_error* err);

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
