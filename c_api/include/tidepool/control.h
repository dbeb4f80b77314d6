/* Steering the pools of this host. Include <tidepool/tidepool.h>. */
#ifndef TIDEPOOL_CONTROL_H
#define TIDEPOOL_CONTROL_H

#include <tidepool/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Give a pool of this host a command.
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
 * @param command_id        may be NULL; set as soon as the command is posted
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
  const char* via;       /* with the user's name: what is used to steer, such as "sqlite"; NULL: the process id */
  /* Asked some times in each wait, every 20 ms at least; other than 0 ends it with TIDE_TIMEOUT. May be NULL. Must neither
     throw nor jump. */
  int (*is_interrupted)(void* context);
  void* context;
} tide_control_options;

#define TIDE_CONTROL_OPTIONS_INIT \
  { (uint32_t)sizeof(tide_control_options), 0, NULL, NULL, NULL, NULL, NULL }

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
 * Check a command without posting it: the pool exists, alive and unique, the verb is known, the arguments have the right
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
  /* Where the pool stands among the parameters of a function: first, behind the arguments (and not required) where these say
     which pool is meant, or nowhere. */
  int32_t pool_place; /* 0, narguments or -1 */
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

enum { TIDE_VALUES_MAX = 16 }; /* no verb has more arguments */

/* What became of a command of a batch. */
enum {
  TIDE_COMMAND_NOT_GIVEN = 0,
  TIDE_COMMAND_GIVEN = 1, /* posted, and not answered in time */
  TIDE_COMMAND_APPLIED = 2,
  TIDE_COMMAND_REFUSED = 3,
  TIDE_COMMAND_REPLACED = 4 /* by a later one on the same subject; never posted */
};

/* A verb and its values, for one pool or several. */
typedef struct tide_command {
  uint32_t size;         /* TIDE_COMMAND_INIT */
  int32_t nvalues;       /* those behind are not given */
  const char* pool;      /* as of tide_control(); NULL where tide_verb.sent_to finds the pools */
  const char* verb;      /* see tide_verb_at() */
  const char* directory; /* NULL: as the call's options say */
  const char* actor;     /* NULL: as the call's options say */
  /* By the places of the verb's arguments. A text stands for a duration such as "30s", a whole number for milliseconds. */
  tide_value values[TIDE_VALUES_MAX];
  int32_t state;       /* out: TIDE_COMMAND_NOT_GIVEN ... */
  int32_t pools;       /* out: how many have it */
  uint64_t command_id; /* out: as in `commands`; of several pools the last one's */
} tide_command;

#define TIDE_COMMAND_INIT \
  { (uint32_t)sizeof(tide_command), 0, NULL, NULL, NULL, NULL, {{0, 0, 0, 0, NULL}}, 0, 0, 0 }

/* What is done with the commands of a batch. */
enum {
  TIDE_BATCH_CHECK = 0, /* only the checks that do not depend on the state of the pools, as tide_control_check() */
  TIDE_BATCH_GIVE = 1,  /* all are checked, also against the limits of the pools, before the first is posted */
  TIDE_BATCH_POST = 2   /* they are posted as they are, in their order, and the pools check them */
};

/**
 * Give several commands, one after the other: what a transaction asked for, or one command to every pool.
 *
 * Of several on one subject of one pool the last alone is given; with TIDE_BATCH_GIVE resume goes first, limits go before
 * sizes, and pause and drain go last, so that every step between is valid. A command for several pools is posted to all of
 * them before the first answer is awaited. After a refusal nothing more is posted; after an answer that did not come in time
 * the others are posted and only looked at.
 *
 * @param commands  their members `state`, `pools` and `command_id` are set; those that are TIDE_COMMAND_APPLIED are not given
 *                  again, and for those that are TIDE_COMMAND_GIVEN it is waited
 * @param count     how many
 * @param mode      TIDE_BATCH_CHECK ...
 * @param wait_ms   for all answers together; negative: each verb has its tide_verb.wait_ms
 * @param with      may be NULL
 * @param err       may be NULL
 * Threads  any.
 * Owns     nothing.
 * Fails    as tide_control(), with the first refusal; its detail names the commands that were given before it.
 *          TIDE_BAD_ARGUMENT also where commands contradict each other: min_size above max_size, target_size outside of
 *          both. TIDE_TIMEOUT: interrupted; the same call again goes on. Of the pools of a command for every pool those
 *          that cannot be told are left out, unless none can. A command without an answer is no failure.
 * Since    0.1
 */
TIDE_API tide_status tide_control_batch(tide_command* const* commands, int32_t count, int32_t mode, int64_t wait_ms,
                                        const tide_control_options* with, tide_error* err);

/**
 * What `UPDATE relation SET column = value` means for one row. Nothing is posted.
 *
 * @param relation  such as "pools"
 * @param column    one of those that tide_column.is_writable says
 * @param key       what the row has in the column tide_column.key; NULL where that is NULL or ""
 * @param value     TIDE_INT or TIDE_TEXT, or TIDE_VALUE_NULL
 * @param out       set only on success: the verb and its values, whose texts live as long as those of the key and the value
 * @param err       may be NULL
 * Threads  any.
 * Owns     nothing.
 * Fails    TIDE_BAD_ARGUMENT.
 * Since    0.1
 */
TIDE_API tide_status tide_assign(const char* relation, const char* column, const char* key, const tide_value* value,
                                 tide_command* out, tide_error* err);

/**
 * Wait until a command is answered and applied: the barrier.
 *
 * @param command_id  from tide_control()
 * @param wait_ms     up to 86400000; negative: 5000
 * @param with        may be NULL
 * @param err         may be NULL
 * Threads  any.
 * Owns     nothing.
 * Fails    TIDE_TIMEOUT (not applied yet), TIDE_REFUSED (with the pool's reason; also expired), TIDE_NOT_FOUND.
 * Since    0.1
 */
TIDE_API tide_status tide_wait_applied(uint64_t command_id, int64_t wait_ms, const tide_control_options* with,
                                       tide_error* err);

#ifdef __cplusplus
}
#endif

#endif
