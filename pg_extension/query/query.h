/*
 * The query functions: what their files know of each other.
 *
 *   Target  a foreign server as the current user may use it   (targets.c)
 *   line    to the worker, which lends connections            (line.c)
 *   Shell   libpq's side of a lent connection                 (shells.c)
 *   Hold    a lease this session has: Target + lease + Shell  (holds.c)
 *   ask     runs a statement on a Hold                        (ask.c)
 *   Sink    what becomes of the answer                        (sinks.c)
 *
 * A backend waits only in line_wait(), which sees interrupts and the postmaster's death.
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
  uint64 made_at; /* generation of the catalogue it was read in */
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
  bool is_always_reset;                         /* reset_on_release is full: no statement is trusted */
} Target;

/* Fails when there is no such server, or the current user may not use it or has no mapping. Lives until the next call. */
extern const Target* target_for(const char* server);
/* Fails unless the current user is a superuser, or a password was needed, or the mapping says that none is. */
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
  LingerSlot* slot; /* NULL: it cannot linger */
  int fd;
  char instance[33];
  char greeting[512]; /* name, NUL, value, NUL, ... of the remote session's parameters */
  size_t greeting_bytes;
} Lent;

/* Which connection to the worker this is: leases end with it. */
extern uint64 line_number(void);
/* Fails with the pool's reason. A worker that was restarted is asked again. */
extern void line_lease(const Target* target, const char* tag, Lent* out);
/* Whether the connection of that number is over: the worker is gone. */
extern bool line_is_lost(uint64 line);
extern void line_release(uint64 line, uint64 lease, WireState state);
extern void line_drop(const WireKey* key);
/* The worker's pools; false when the worker is not there. `in` is valid until the next call into the line. */
extern bool line_list(WireIn** in);
/* Waiting for sockets of leases. */
extern bool line_watch(int fd, bool for_write);
extern void line_unwatch(int fd);
extern void line_wait(void);
/* When a wait ended and what was waited for is not there: something may have come on the line instead. */
extern void line_sweep(void);
/* The same for one socket alone, and for an answer that comes at once. False: it did not, so watch and wait. */
extern bool line_wait_briefly(int fd);

/* -- traces.c: may the statement leave something that the next one in the session could see? */
typedef enum Traces {
  TRACES_NONE,
  TRACES_RESETTABLE,
  TRACES_LASTING /* DISCARD ALL does not undo it */
} Traces;
extern Traces traces_of(const char* sql);
/* Whether statement `n` of the text, from 0, is COMMIT, END or PREPARE TRANSACTION. */
extern bool commits_at(const char* sql, int n);
/* Whether it is COPY into a table. */
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
  int greeting; /* what the connection's descriptor is when nothing is lent */
  int peer;     /* the greeting's other end: ours too */
  bool is_out;
  bool is_aligned;
  char* parameters;
  size_t parameters_bytes;
  Notice* notices;
  int notices_count;
} Shell;

/* Takes `lent->fd` in every case. */
extern Shell* shell_take(Lent* lent);
/* True: all that was read was whole messages, and the shell can serve again. False: it is gone. Never raises. */
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
  bool is_lost; /* an error left it in the middle of something */
  bool is_watched;
  bool has_own_tag; /* so it is no use for other statements */
  Traces traces;    /* what a statement may have left in the session */
  LingerSlot* slot;
  uint64 made_at; /* the target's */
  Oid user;
  int64 lent_ns;
  SubTransactionId owner;
  Shell* shell; /* NULL once it is lost */
  PGresult* result;
} Hold;

extern Hold* hold_find(const Target* target);
extern Hold* hold_begin(const Target* target, const char* tag, bool is_kept);
extern void hold_end(Hold* hold);
/* After an error: interrupts what runs and gives the connection up. Never raises. */
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
  char* kinds;                         /* of the columns; NULL before the first result set */
  bool has_dates;                      /* a column of any result set, or it may be one */
  bool names_styles; /* the statement may set one, perhaps for its own time alone, which nobody reports */
  int encoding;
  int nest;      /* of settings; 0: our own are the remote session's */
  bool is_plain; /* ISO dates, postgres intervals: each value can be read in one way only */
} Dialect;

/* The statement whose answer is to be read. */
extern void dialect_expect(Dialect* dialect, const char* sql);
/* From here to dialect_leave(), values are read as the session reports to write them. Fails when it cannot be. An error
 * ends it as well. */
extern void dialect_adopt(Dialect* dialect, PGconn* conn, const PGresult* result);
extern void dialect_leave(Dialect* dialect);
/* A text of ours as the remote session takes it, and one of its own as we do; fails when it is none. */
extern const char* dialect_sent(PGconn* conn, const char* text);
extern char* dialect_text(const Dialect* dialect, char* text, int length);
/* The same for messages, which are never refused: a copy, NULL for NULL. */
extern char* dialect_message(PGconn* conn, const char* text);
/* Fails when the column's `value`, of the type `remote` over there, may mean two things as a `local`. */
extern void dialect_check(const Dialect* dialect, PGconn* conn, int column, char* value, Oid remote, Oid local);
/* Of a value that could not be read: fails with the reason if the styles may be it. */
extern void dialect_explain(const Dialect* dialect, PGconn* conn, int column, const char* value);
/* The value as it is written with ISO dates and postgres intervals; fails as dialect_check() does. */
extern char* dialect_restate(const Dialect* dialect, PGconn* conn, int column, char* value, Oid remote);
/* Behind the last answer, when a server since version 14 tells what the statement has set. */
extern void dialect_settle(const Dialect* dialect, PGconn* conn, Fault* fault);

/* -- ask.c */
typedef struct Sink {
  PGconn* conn;    /* that answers */
  const char* sql; /* what is answered */
  Dialect dialect;
  void (*begin)(struct Sink* sink, const PGresult* result); /* a result set's columns; what came before is void */
  void (*row)(struct Sink* sink, const PGresult* result);
  void (*command)(struct Sink* sink, PGresult* result);
  void (*end)(struct Sink* sink); /* everything arrived */
} Sink;

/* Runs `sql` and gives its answer to `sink`. Fails with the remote error. */
extern void ask(Hold* hold, const char* sql, int nparams, const char* const* params, Sink* sink);

/* -- sinks.c */
extern Sink* sink_rows(TupleDesc row, Tuplestorestate* rows, const char* server);
extern Sink* sink_json(Tuplestorestate* rows, TupleDesc row);
extern Sink* sink_count(int64* count);

#endif
