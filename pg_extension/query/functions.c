/*
 * tidepool_query.so: runs queries in other databases over hosted pools.
 *
 *   SELECT * FROM tidepool.query('orders', 'SELECT id, total FROM orders WHERE day = $1', '2026-01-31')
 *     AS (id bigint, total numeric);
 *
 * It contains libpq but no pool: the worker passes it a connection for one statement, or for as long as
 * tidepool.lease() keeps it. The statement runs directly on that connection, with no process in between.
 */
#include "query.h"

#include <catalog/pg_type.h>
#include <funcapi.h>
#include <miscadmin.h>
#include <utils/array.h>
#include <utils/syscache.h>
#include <utils/timestamp.h>

#include "common/report.h"

TIDEPOOL_MODULE_MAGIC("tidepool_query");

PG_FUNCTION_INFO_V1(tide_sql_query);
PG_FUNCTION_INFO_V1(tide_sql_query_json);
PG_FUNCTION_INFO_V1(tide_sql_execute);
PG_FUNCTION_INFO_V1(tide_sql_lease);
PG_FUNCTION_INFO_V1(tide_sql_release);
PG_FUNCTION_INFO_V1(tide_sql_read_hosted);

typedef struct Question {
  const char* server;
  const char* sql;
  int nparams;
  const char** params;
} Question;

static char* text_argument(FunctionCallInfo fcinfo, int n, const char* what) {
  if (PG_ARGISNULL(n)) {
    ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", what)));
  }
  return text_to_cstring(PG_GETARG_TEXT_PP(n));
}

static Question question_of(FunctionCallInfo fcinfo) {
  Question question = {text_argument(fcinfo, 0, "server"), text_argument(fcinfo, 1, "sql"), 0, NULL};
  Datum* values;
  bool* nulls;
  if (PG_ARGISNULL(2)) return question;
  deconstruct_array(PG_GETARG_ARRAYTYPE_P(2), TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &question.nparams);
  if (question.nparams > 65535) {
    ereport(ERROR, (errcode(ERRCODE_TOO_MANY_ARGUMENTS), errmsg("a statement takes at most 65535 parameters")));
  }
  question.params = palloc(sizeof(char*) * (Size)Max(question.nparams, 1));
  for (int i = 0; i < question.nparams; ++i) question.params[i] = nulls[i] ? NULL : TextDatumGetCString(values[i]);
  return question;
}

static void put(const Question* question, Sink* sink) {
  const Target* target = target_for(question->server);
  Hold* hold = hold_find(target);
  if (hold == NULL) {
    hold = hold_begin(target, target->tag, false);
  } else {
    target_check_password(target->may_lack_password, hold->used_password);
  }
  ask(hold, question->sql, question->nparams, question->params, sink);
}

/* A materialised result set, in the query's memory context. */
static ReturnSetInfo* set_of(FunctionCallInfo fcinfo, Tuplestorestate** rows, TupleDesc* row, const char* hint) {
  ReturnSetInfo* result = (ReturnSetInfo*)fcinfo->resultinfo;
  MemoryContext outside;
  if (result == NULL || !IsA(result, ReturnSetInfo) || (result->allowedModes & SFRM_Materialize) == 0 ||
      result->expectedDesc == NULL) {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("set-valued function called in context that cannot accept a set"), errhint("%s", hint)));
  }
  outside = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
  *row = CreateTupleDescCopy(result->expectedDesc);
  *rows = tuplestore_begin_heap((result->allowedModes & SFRM_Materialize_Random) != 0, false, work_mem);
  MemoryContextSwitchTo(outside);
  result->returnMode = SFRM_Materialize;
  result->setResult = *rows;
  result->setDesc = *row;
  return result;
}

Datum tide_sql_query(PG_FUNCTION_ARGS) {
  const Question question = question_of(fcinfo);
  Tuplestorestate* rows;
  TupleDesc row;
  (void)set_of(fcinfo, &rows, &row, "Write SELECT * FROM tidepool.query(...) AS (name type, ...).");
  put(&question, sink_rows(row, rows, question.server));
  return (Datum)0;
}

Datum tide_sql_query_json(PG_FUNCTION_ARGS) {
  const Question question = question_of(fcinfo);
  Tuplestorestate* rows;
  TupleDesc row;
  (void)set_of(fcinfo, &rows, &row, "Write SELECT * FROM tidepool.query_json(...).");
  put(&question, sink_json(rows, row));
  return (Datum)0;
}

Datum tide_sql_execute(PG_FUNCTION_ARGS) {
  const Question question = question_of(fcinfo);
  int64 count;
  put(&question, sink_count(&count));
  PG_RETURN_INT64(count);
}

Datum tide_sql_lease(PG_FUNCTION_ARGS) {
  const char* server = text_argument(fcinfo, 0, "server");
  const Target* target = target_for(server);
  const char* tag = PG_ARGISNULL(1) ? target->tag : tidepool_to_utf8(text_to_cstring(PG_GETARG_TEXT_PP(1)));
  if (hold_find(target) != NULL) {
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_IN_USE), errmsg("this session already holds a lease on server \"%s\"", server),
             errhint("Statements on that server use it; end it with tidepool.release().")));
  }
  PG_RETURN_INT64((int64)hold_begin(target, tag, true)->lease);
}

Datum tide_sql_release(PG_FUNCTION_ARGS) {
  const char* server = text_argument(fcinfo, 0, "server");
  Hold* hold = hold_find(target_for(server));
  if (hold == NULL) {
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("this session holds no lease on server \"%s\"", server),
                    errhint("A lease ends with the transaction that took it; take one with tidepool.lease().")));
  }
  hold_end(hold);
  PG_RETURN_VOID();
}

/* Reports pools whose server or mapping no longer exists to the worker. */
static void drop_orphan(const WireKey* key) {
  const bool has_server = SearchSysCacheExists1(FOREIGNSERVEROID, ObjectIdGetDatum(key->server));
  const bool has_mapping = SearchSysCacheExists1(USERMAPPINGOID, ObjectIdGetDatum(key->mapping));
  if (!has_server || !has_mapping) line_drop(key);
}

/* The worker's pools of this database: server oid, mapping oid, instance_id, is_closing, last_used_at. */
Datum tide_sql_read_hosted(PG_FUNCTION_ARGS) {
  Tuplestorestate* rows;
  TupleDesc row;
  WireIn* in;
  uint32 count;
  List* seen = NIL;
  ListCell* cell;
  (void)set_of(fcinfo, &rows, &row, "Write SELECT * FROM tidepool.servers.");
  if (row->natts != 5) elog(ERROR, "tidepool.read_hosted() has %d columns", row->natts);
  if (!line_list(&in)) return (Datum)0;
  count = wire_get_u32(in);
  for (uint32 i = 0; i < count && !in->is_bad; ++i) {
    WireKey* key = palloc(sizeof *key);
    bool nulls[5] = {false};
    Datum values[5];
    *key = wire_get_key(in);
    values[0] = ObjectIdGetDatum(key->server);
    values[1] = ObjectIdGetDatum(key->mapping);
    values[2] = CStringGetTextDatum(wire_get_text(in));
    values[4] = TimestampTzGetDatum((TimestampTz)wire_get_u64(in));
    values[3] = BoolGetDatum(wire_get_u32(in) != 0);
    if (in->is_bad || key->database != MyDatabaseId) continue;
    seen = lappend(seen, key);
    tuplestore_putvalues(rows, row, values, nulls);
  }
  /* The answer has been read: from here on the line may be used for other requests. */
  foreach (cell, seen) drop_orphan(lfirst(cell));
  return (Datum)0;
}
