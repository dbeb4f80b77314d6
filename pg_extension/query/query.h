/*
 * Internal interfaces of the query functions.
 *
 *   Target  a foreign server as the current user may use it   (targets.c)
 *   line    to the worker, which lends connections            (line.c)
 *   Shell   libpq's side of a leased connection           (shells.c)
 *   Hold    a lease this session has: Target + lease + Shell  (holds.c)
 *   ask     runs a statement on a Hold                        (ask.c)
 *   Sink    consumer of the results                           (sinks.c)
 *
 * A backend waits only in line_wait(), which handles interrupts and the exit of the postmaster.
 */
#ifndef TIDEPOOL_QUERY_H
#define TIDEPOOL_QUERY_H

#include <tidepool/observe.h>

#include "common/pg_compat.h"

#include <access/tupdesc.h>
#include <lib/ilist.h>
#include <nodes/execnodes.h>
#include <utils/tuplestore.h>

#include <libpq-fe.h>

#include "common/linger.h"
#include "common/wire.h"

#define POOL_NAME_BYTES 63
#define TAG_BYTES 128

/* -- targets.c */
typedef struct TargetKey {
  Oid user;
  char server[NAMEDATALEN];
} TargetKey;

typedef struct Target {
  TargetKey key;
  uint64 made_at; /* generation of the catalogue at the time of reading */
  MemoryContext memory;
  Oid server;
  Oid mapping;
  bool has_password;
  bool may_lack_password; /* password_required 'false', which only a superuser can set */
  char pool[POOL_NAME_BYTES];
  char tag[TAG_BYTES];
  char* conninfo;
  char* options;
  int64 min_size, max_size;                     /* -1: not given */
  int64 acquire_timeout_ms, connect_timeout_ms; /* -1: not given */
  bool is_always_reset;                         /* reset_on_release is full: a reset after every statement */
} Target;

/* Fails if the server does not exist, or if the current user may not use it or has no mapping. Valid until the next
 * call. */
extern const Target* target_for(const char* server);
/* Fails unless the current user is a superuser, or the server required a password, or the mapping waives it. */
extern void target_check_password(bool may_lack_password, bool used_password);

/* -- validator.c */
typedef enum OptionPlace { OPTION_POOL, OPTION_CONNECTION, OPTION_MAPPING, OPTION_OWN, OPTION_UNKNOWN } OptionPlace;
extern OptionPlace option_place(const char* name);

/* -- line.c */
typedef struct Lent {
  uint64 lease;
  int server_pid;
  bool used_password;
  bool is_relayed;
  LingerSlot* slot; /* NULL: the lease cannot linger */
  int fd;
  char instance[33];
  char greeting[512]; /* name, NUL, value, NUL, ... of the remote session's parameters */
  size_t greeting_bytes;
} Lent;

/* Number of the connection to the worker: leases end with it. */
extern uint64 line_number(void);
/* Fails with the pool's reason. Asks again if the worker was restarted. */
extern void line_lease(const Target* target, const char* tag, Lent* out);
/* True if the connection of that number has ended because the worker exited. */
extern bool line_is_lost(uint64 line);
extern void line_release(uint64 line, uint64 lease, WireState state);
extern void line_drop(const WireKey* key);
/* Lists the worker's pools; false without a worker. `in` is valid until the next call into the line. */
extern bool line_list(WireIn** in);
/* Waits for sockets of leases. */
extern bool line_watch(int fd, bool for_write);
extern void line_unwatch(int fd);
extern void line_wait(void);
/* To be called when a wait ended without the expected data: the line may have received something instead. */
extern void line_sweep(void);
/* Waits briefly for one socket, for answers that come immediately. False if none came: use line_watch() and
 * line_wait(). */
extern bool line_wait_briefly(int fd);

/* -- traces.c: can a statement leave state in the session that a later one could see? */
typedef enum Traces {
  TRACES_NONE,
  TRACES_RESETTABLE,
  TRACES_LASTING /* DISCARD ALL does not undo it */
} Traces;
extern Traces traces_of(const char* sql);
/* True if statement `n` of the text, from 0, is COMMIT, END or PREPARE TRANSACTION. */
extern bool commits_at(const char* sql, int n);
/* True if it is COPY into a table. */
extern bool copies_in_at(const char* sql, int n);

/* -- shells.c */
typedef struct Notice {
  struct Notice* next;
  int level; /* of ereport() */
  char sqlstate[6];
  char *message, *detail, *hint; /* malloc'd; may be NULL */
} Notice;

typedef struct Shell {
  dlist_node node;
  PGconn* conn;
  int greeting; /* the connection's own descriptor, used while no lease is attached */
  int peer;     /* the other end of it, also in this process */
  bool is_out;
  bool is_aligned;
  char* parameters;
  size_t parameters_bytes;
  Notice* notices;
  int notices_count;
} Shell;

/* Takes ownership of `lent->fd` in every case. */
extern Shell* shell_take(Lent* lent);
/* True if libpq has read only whole messages, so that the shell can be used again; otherwise it has been freed. Never
 * raises an error. */
extern bool shell_give_back(Shell* shell, bool is_fit);
extern void shell_report_notices(Shell* shell);

/* -- holds.c */
typedef struct Hold {
  dlist_node node;
  Oid server;
  Oid mapping;
  char name[NAMEDATALEN];
  uint64 line;
  uint64 lease;
  bool used_password;
  bool is_kept; /* by tidepool.lease() */
  bool is_lost; /* an error interrupted a statement or transaction */
  bool is_watched;
  bool has_own_tag; /* so it cannot be used for other statements */
  Traces traces;    /* what statements may have left in the session */
  LingerSlot* slot;
  uint64 made_at; /* the target's */
  Oid user;
  int64 lent_ns;
  SubTransactionId owner;
  Shell* shell; /* NULL if lost */
  PGresult* result;
} Hold;

extern Hold* hold_find(const Target* target);
extern Hold* hold_begin(const Target* target, const char* tag, bool is_kept);
extern void hold_end(Hold* hold);
/* After an error: interrupts the running statement and gives up the connection. Never raises an error. */
extern void hold_lose(Hold* hold);

/* -- ask.c, dialect.c */
typedef struct Fault {
  bool is_set;
  int sqlstate;
  char *message, *detail, *hint, *context;
} Fault;

/* -- dialect.c: how the remote session writes texts, dates and intervals */
#define DIALECT_SETTINGS 4

typedef struct Dialect {
  char settings[DIALECT_SETTINGS][64]; /* as the session reported them when the result set began */
  char* kinds;                         /* one for each column; NULL before the first result set */
  bool has_dates;                      /* some column of a result set is, or may contain, a date or interval */
  bool names_styles;                   /* the statement may set a style, perhaps only locally, which is not reported */
  int encoding;
  int nest;      /* GUC nesting level; 0: local and remote settings are the same */
  bool is_plain; /* ISO dates, postgres intervals: every value is unambiguous */
} Dialect;

/* Announces the statement whose results will be read. */
extern void dialect_expect(Dialect* dialect, const char* sql);
/* Until dialect_leave(), values are read under the settings that the session reports. Fails if that is not possible. An
 * error ends it as well. */
extern void dialect_adopt(Dialect* dialect, PGconn* conn, const PGresult* result);
extern void dialect_leave(Dialect* dialect);
/* Converts a text to the remote session's encoding, or from it; fails if the text is invalid. */
extern const char* dialect_sent(PGconn* conn, const char* text);
extern char* dialect_text(const Dialect* dialect, char* text, int length);
/* The same for messages, which never fails: returns a copy, NULL for NULL. */
extern char* dialect_message(PGconn* conn, const char* text);
/* Fails if the column's `value`, of the remote type `remote`, is ambiguous as a `local`. */
extern void dialect_check(const Dialect* dialect, PGconn* conn, int column, char* value, Oid remote, Oid local);
/* For a value that could not be read: fails with the reason if the styles may be the cause. */
extern void dialect_explain(const Dialect* dialect, PGconn* conn, int column, const char* value);
/* The value with ISO dates and postgres intervals; fails like dialect_check(). */
extern char* dialect_restate(const Dialect* dialect, PGconn* conn, int column, char* value, Oid remote);
/* After the last result: servers since version 14 report here which settings the statement changed. */
extern void dialect_settle(const Dialect* dialect, PGconn* conn, Fault* fault);

/* -- ask.c */
typedef struct Sink {
  PGconn* conn;    /* on which the statement runs */
  const char* sql; /* the statement */
  Dialect dialect;
  void (*begin)(struct Sink* sink, const PGresult* result); /* a result set's columns; earlier results are discarded */
  void (*row)(struct Sink* sink, const PGresult* result);
  void (*command)(struct Sink* sink, PGresult* result);
  void (*end)(struct Sink* sink); /* all results have been read */
} Sink;

/* Runs `sql` and passes its results to `sink`. Fails with the remote error. */
extern void ask(Hold* hold, const char* sql, int nparams, const char* const* params, Sink* sink);

/* -- sinks.c */
extern Sink* sink_rows(TupleDesc row, Tuplestorestate* rows, const char* server);
extern Sink* sink_json(Tuplestorestate* rows, TupleDesc row);
extern Sink* sink_count(int64* count);

#endif
