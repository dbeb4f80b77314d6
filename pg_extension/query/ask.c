/*
 * Ask: runs one SQL text on a leased connection, from sending it to reading the last result.
 *
 * Results are read row by row, so that libpq never keeps a whole result in memory. A remote error is copied and raised
 * only after the result has been read to its end, so that the connection remains usable. A local error in between (a
 * cancel, a value that does not fit) interrupts the remote statement, and the connection is closed.
 */
#include "query.h"

#include <miscadmin.h>

#include "common/report.h"

/* libpq's own messages contain guesses in further lines. */
static char* first_line(char* text) {
  text[strcspn(text, "\n")] = '\0';
  return text;
}

static void note_fault(Fault* fault, const PGresult* result, PGconn* conn) {
  const char* sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  if (fault->is_set) return;
  fault->is_set = true;
  fault->message = dialect_message(conn, PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
  fault->detail = dialect_message(conn, PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL));
  fault->hint = dialect_message(conn, PQresultErrorField(result, PG_DIAG_MESSAGE_HINT));
  fault->context = dialect_message(conn, PQresultErrorField(result, PG_DIAG_CONTEXT));
  fault->sqlstate = tidepool_sqlstate_of(sqlstate);
  if (fault->sqlstate == 0) fault->sqlstate = ERRCODE_CONNECTION_FAILURE;
  if (fault->message == NULL) fault->message = first_line(dialect_message(conn, PQerrorMessage(conn)));
  if (fault->message[0] == '\0') fault->message = pstrdup("the connection to the remote server was lost");
}

static void report(const Fault* fault, const char* server) {
  ereport(ERROR, (errcode(fault->sqlstate), errmsg("%s", fault->message),
                  fault->detail != NULL ? errdetail("%s", fault->detail) : 0,
                  fault->hint != NULL ? errhint("%s", fault->hint) : 0,
                  fault->context != NULL ? errcontext("%s", fault->context) : 0, errcontext("server \"%s\"", server)));
}

/* Passes all pending output to the kernel. */
static void flush(Hold* hold) {
  PGconn* conn = hold->shell->conn;
  while (PQflush(conn) > 0) {
    hold->is_watched = line_watch(PQsocket(conn), true);
    line_wait();
    line_sweep();
    (void)PQconsumeInput(conn);
    (void)line_watch(PQsocket(conn), false);
  }
}

static void begin_watching(Hold* hold) {
  if (!hold->is_watched) hold->is_watched = line_watch(PQsocket(hold->shell->conn), false);
}

/* NULL after the last result. */
static PGresult* next_result(Hold* hold) {
  PGconn* conn = hold->shell->conn;
  for (bool is_first = true; PQisBusy(conn); is_first = false) {
    if (!line_wait_briefly(PQsocket(conn))) {
      if (!is_first) line_sweep();
      begin_watching(hold);
      line_wait();
    }
    if (PQconsumeInput(conn) == 0) break; /* the connection is lost: a result reports it */
  }
  return PQgetResult(conn);
}

static void end_watching(Hold* hold) {
  if (hold->is_watched) line_unwatch(PQsocket(hold->shell->conn));
  hold->is_watched = false;
}

static void refuse_copy(Hold* hold) {
  ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("COPY cannot be used in a query of a hosted pool"),
                  errhint("Copy between files and tables on the remote server itself, or use INSERT and SELECT."),
                  errcontext("server \"%s\"", hold->name)));
}

/* If a statement of the transaction has failed, the server answers COMMIT with ROLLBACK and without an error. */
static void check_commit(const PGresult* result, const char* sql, int n, Fault* fault) {
  if (fault->is_set || strcmp(PQcmdStatus((PGresult*)result), "ROLLBACK") != 0 || !commits_at(sql, n)) return;
  fault->is_set = true;
  fault->sqlstate = ERRCODE_IN_FAILED_SQL_TRANSACTION;
  fault->message = pstrdup("the transaction was rolled back");
  fault->detail = pstrdup("A statement in it had failed, so none of it was committed.");
  fault->hint = pstrdup("Check the error of that statement, then run the transaction again.");
}

/* `sql`: the caller's SQL text; NULL for internal statements. Returns the number of results. */
static int read_answers(Hold* hold, const char* sql, Sink* sink, Fault* fault) {
  bool is_inside = false; /* of a result set */
  int answers = 0;
  while ((hold->result = next_result(hold)) != NULL) {
    PGresult* result = hold->result;
    switch (PQresultStatus(result)) {
      case PGRES_SINGLE_TUPLE:
      case PGRES_TUPLES_OK:
        if (!is_inside && sink != NULL) sink->begin(sink, result);
        is_inside = PQresultStatus(result) == PGRES_SINGLE_TUPLE;
        if (sink != NULL && PQntuples(result) > 0) sink->row(sink, result);
        if (is_inside) break;
        if (sink != NULL) sink->command(sink, result);
        ++answers;
        break;
      case PGRES_COMMAND_OK:
        if (sink != NULL) sink->command(sink, result);
        if (sql != NULL) check_commit(result, sql, answers, fault);
        ++answers;
        break;
      case PGRES_EMPTY_QUERY: ++answers; break;
      case PGRES_COPY_IN:
      case PGRES_COPY_OUT:
      case PGRES_COPY_BOTH: refuse_copy(hold); break;
      default:
        is_inside = false;
        note_fault(fault, result, hold->shell->conn);
        break;
    }
    PQclear(result);
    hold->result = NULL;
    if (PQstatus(hold->shell->conn) == CONNECTION_BAD) break;
  }
  return answers;
}

/* A worker that exits interrupts the statements on its connections; the remote server reports that as a cancellation.
 * Until the connection is closed, the worker reads from it too, so that the report may be missing here: then there is
 * no evidence that the statement was executed. */
static void explain_end(const Hold* hold, int answers, Fault* fault) {
  const bool is_lost = line_is_lost(hold->line);
  if (fault->is_set && (fault->sqlstate != ERRCODE_QUERY_CANCELED || !is_lost)) return;
  if (!fault->is_set && answers > 0 && !is_lost) return;
  fault->is_set = true;
  if (!is_lost) {
    fault->sqlstate = ERRCODE_CONNECTION_FAILURE;
    fault->message = pstrdup("the connection was closed while the statement was running");
    fault->detail = pstrdup("No answer was received; whether the statement had an effect is unknown.");
    fault->hint = pstrdup("The lease may have been revoked; see tidepool.commands.");
    return;
  }
  fault->sqlstate = ERRCODE_ADMIN_SHUTDOWN;
  fault->message = pstrdup("the worker that hosts pools exited while the statement was running");
  fault->detail = pstrdup("It interrupts statements on its connections; whether this one had an effect is unknown.");
  fault->hint = pstrdup("The server restarts it; check the server's log, then repeat the statement.");
}

static void fail_to_send(Hold* hold, Fault* fault) {
  fault->is_set = true;
  fault->sqlstate = ERRCODE_CONNECTION_FAILURE;
  fault->message = first_line(dialect_message(hold->shell->conn, PQerrorMessage(hold->shell->conn)));
}

/* Number of parameters of the statement, or -1 if the server does not report it. */
static int count_parameters(Hold* hold, const char* sql) {
  PGconn* conn = hold->shell->conn;
  Fault ignored = {0};
  int count = -1;
  if (PQtransactionStatus(conn) != PQTRANS_IDLE || PQsendPrepare(conn, "", sql, 0, NULL) == 0) return -1;
  flush(hold);
  (void)read_answers(hold, NULL, NULL, &ignored);
  if (ignored.is_set || PQsendDescribePrepared(conn, "") == 0) return -1;
  flush(hold);
  while ((hold->result = next_result(hold)) != NULL) {
    if (PQresultStatus(hold->result) == PGRES_COMMAND_OK) count = PQnparams(hold->result);
    PQclear(hold->result);
    hold->result = NULL;
  }
  return count;
}

static void explain_parameters(Hold* hold, const char* sql, int given, Fault* fault) {
  int taken;
  if (fault->sqlstate != ERRCODE_PROTOCOL_VIOLATION && fault->sqlstate != ERRCODE_UNDEFINED_PARAMETER) return;
  taken = count_parameters(hold, sql);
  if (taken < 0 || taken == given) return;
  fault->detail = psprintf("The statement takes %d parameter%s, and %d %s given.", taken, taken == 1 ? "" : "s", given,
                           given == 1 ? "was" : "were");
  fault->hint = pstrdup("Pass one text for each of $1, $2, ... after the statement.");
}

static const char* const* sent_texts(PGconn* conn, int count, const char* const* texts) {
  const char** sent = palloc(sizeof(char*) * (Size)count);
  for (int i = 0; i < count; ++i) sent[i] = texts[i] == NULL ? NULL : dialect_sent(conn, texts[i]);
  return sent;
}

static void run(Hold* hold, const char* sql, int nparams, const char* const* params, Sink* sink, Fault* fault) {
  PGconn* conn = hold->shell->conn;
  const char* sent = dialect_sent(conn, sql);
  const int is_sent =
      nparams == 0 ? PQsendQuery(conn, sent)
                   : PQsendQueryParams(conn, sent, nparams, NULL, sent_texts(conn, nparams, params), NULL, NULL, 0);
  if (sink != NULL) {
    sink->conn = conn;
    sink->sql = sql;
    dialect_expect(&sink->dialect, sql);
  }
  hold->traces = Max(hold->traces, traces_of(sql));
  if (is_sent) {
    (void)PQsetSingleRowMode(conn);
    flush(hold);
    explain_end(hold, read_answers(hold, sql, sink, fault), fault);
    if (!fault->is_set && sink != NULL)
      dialect_settle(&sink->dialect, conn, fault);
    else if (fault->is_set && PQstatus(conn) != CONNECTION_BAD)
      explain_parameters(hold, sql, nparams, fault);
  } else {
    fail_to_send(hold, fault);
  }
  end_watching(hold);
}

/* Other sessions get the connection after this statement, so a transaction cannot continue. */
static void end_transaction(Hold* hold, Fault* fault) {
  PGconn* conn = hold->shell->conn;
  const PGTransactionStatusType state = PQtransactionStatus(conn);
  Fault ignored = {0};
  if (state != PQTRANS_INTRANS && state != PQTRANS_INERROR) return;
  if (PQsendQuery(conn, "ROLLBACK") == 0) return; /* the connection is then closed */
  flush(hold);
  (void)read_answers(hold, NULL, NULL, &ignored);
  end_watching(hold);
  if (fault->is_set) return;
  fault->is_set = true;
  fault->sqlstate = ERRCODE_ACTIVE_SQL_TRANSACTION;
  fault->message = pstrdup("the statement left a transaction open");
  fault->detail = pstrdup("The next statement may run on another connection, so the transaction was rolled back.");
  fault->hint = pstrdup("Use tidepool.lease() to keep a connection until the end of the transaction.");
}

void ask(Hold* hold, const char* sql, int nparams, const char* const* params, Sink* sink) {
  Fault fault = {0};
  const char* server = pstrdup(hold->name);
  const bool is_kept = hold->is_kept;
  if (hold->is_lost || hold->line != line_number()) {
    ereport(ERROR,
            (errcode(ERRCODE_CONNECTION_DOES_NOT_EXIST), errmsg("the lease on server \"%s\" is lost", server),
             errdetail("An error left its connection in the middle of a statement, or the worker was restarted."),
             errhint("Release it with tidepool.release(), then take a new one.")));
  }
  PG_TRY();
  {
    run(hold, sql, nparams, params, sink, &fault);
    if (!is_kept && PQstatus(hold->shell->conn) != CONNECTION_BAD) end_transaction(hold, &fault);
    shell_report_notices(hold->shell);
  }
  PG_CATCH();
  {
    hold_lose(hold);
    PG_RE_THROW();
  }
  PG_END_TRY();
  if (PQstatus(hold->shell->conn) == CONNECTION_BAD) {
    hold_lose(hold);
  } else if (!is_kept) {
    hold_end(hold);
  }
  if (fault.is_set) report(&fault, server);
  if (sink != NULL) sink->end(sink);
}
