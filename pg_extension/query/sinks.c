/*
 * Sinks: consumers of results. They return rows with the types of the column list, JSON objects, or the number of
 * changed rows. Of several result sets the last one is returned.
 */
#include "query.h"

#include <access/transam.h>
#include <catalog/pg_type.h>
#include <funcapi.h>
#include <utils/json.h>
#include <utils/lsyscache.h>

static void ignore_end(Sink* sink) {}
static void end_set(Sink* sink, PGresult* result) { dialect_leave(&sink->dialect); }

/* The type's name, if it has the same meaning on both servers. */
static const char* remote_type(Oid type) {
  return type < FirstNormalObjectId ? format_type_be(type) : psprintf("a type of its own (oid %u)", type);
}

/* -- rows */

typedef struct RowSink {
  Sink sink;
  TupleDesc row;
  Tuplestorestate* rows;
  const char* server;
  AttInMetadata* input;
  MemoryContext per_row;
  Datum* values;
  bool* nulls;
  int given;       /* columns of the last result set */
  char* mismatch;  /* why the last result set does not match the column list; NULL: it matches */
  volatile int at; /* the column being converted */
} RowSink;

static char* describe_columns(const RowSink* self, const PGresult* result) {
  StringInfoData text;
  initStringInfo(&text);
  for (int i = 0; i < PQnfields(result) && i < 20; ++i) {
    appendStringInfo(&text, "%s%s %s", i == 0 ? "" : ", ", PQfname(result, i), remote_type(PQftype(result, i)));
  }
  return text.data;
}

static void rows_begin(Sink* sink, const PGresult* result) {
  RowSink* self = (RowSink*)sink;
  tuplestore_clear(self->rows);
  dialect_adopt(&sink->dialect, sink->conn, result);
  self->given = PQnfields(result);
  self->mismatch = self->given == self->row->natts ? NULL : describe_columns(self, result);
}

static pg_noinline void raise_misfit(const RowSink* self, const PGresult* result, MemoryContext outside) {
  Form_pg_attribute column = TupleDescAttr(self->row, self->at);
  const Oid remote = PQftype(result, self->at);
  ErrorData* original;
  int category;
  MemoryContextSwitchTo(outside);
  original = CopyErrorData();
  category = ERRCODE_TO_CATEGORY(original->sqlerrcode);
  if (category != ERRCODE_TO_CATEGORY(ERRCODE_DATA_EXCEPTION) &&
      category != ERRCODE_TO_CATEGORY(ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION)) {
    PG_RE_THROW();
  }
  FlushErrorState();
  dialect_explain(&self->sink.dialect, self->sink.conn, self->at, PQgetvalue(result, 0, self->at));
  if (remote == column->atttypid) {
    ereport(ERROR,
            (errcode(original->sqlerrcode),
             errmsg("a value of column \"%s\" cannot be read as %s", NameStr(column->attname), format_type_be(remote)),
             errdetail("%s", original->message), errhint("Use another type in the column list, such as text."),
             errcontext("server \"%s\"", self->server)));
  }
  ereport(ERROR,
          (errcode(original->sqlerrcode),
           errmsg("column \"%s\" of the result does not fit: the server sends %s, the column list says %s",
                  NameStr(column->attname), remote_type(remote), format_type_be(column->atttypid)),
           errdetail("%s", original->message), errhint("Use another type in the column list, or cast in the query."),
           errcontext("server \"%s\"", self->server)));
}

static void convert(RowSink* self, const PGresult* result) {
  for (int i = 0; i < self->row->natts; ++i) {
    char* value = PQgetisnull(result, 0, i) ? NULL : PQgetvalue(result, 0, i);
    self->at = i;
    self->nulls[i] = value == NULL;
    if (value != NULL) value = dialect_text(&self->sink.dialect, value, PQgetlength(result, 0, i));
    self->values[i] =
        InputFunctionCall(&self->input->attinfuncs[i], value, self->input->attioparams[i], self->input->atttypmods[i]);
    if (value != NULL)
      dialect_check(&self->sink.dialect, self->sink.conn, i, value, PQftype(result, i),
                    TupleDescAttr(self->row, i)->atttypid);
  }
}

static void rows_row(Sink* sink, const PGresult* result) {
  RowSink* self = (RowSink*)sink;
  MemoryContext outside = CurrentMemoryContext;
  if (self->mismatch != NULL) return;
  if (self->input == NULL) self->input = TupleDescGetAttInMetadata(self->row);
  MemoryContextSwitchTo(self->per_row);
  PG_TRY();
  { convert(self, result); }
  PG_CATCH();
  { raise_misfit(self, result, outside); }
  PG_END_TRY();
  tuplestore_putvalues(self->rows, self->row, self->values, self->nulls);
  MemoryContextSwitchTo(outside);
  MemoryContextReset(self->per_row);
}

static void rows_end(Sink* sink) {
  RowSink* self = (RowSink*)sink;
  if (self->mismatch == NULL) return;
  ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                  errmsg("the column list has %d column%s, the result has %d", self->row->natts,
                         self->row->natts == 1 ? "" : "s", self->given),
                  errdetail("The server sends: %s.", self->mismatch), errcontext("server \"%s\"", self->server)));
}

Sink* sink_rows(TupleDesc row, Tuplestorestate* rows, const char* server) {
  RowSink* self = palloc0(sizeof *self);
  self->sink = (Sink){.begin = rows_begin, .row = rows_row, .command = end_set, .end = rows_end};
  self->row = row;
  self->rows = rows;
  self->server = server;
  self->per_row = AllocSetContextCreate(CurrentMemoryContext, "tidepool row", ALLOCSET_DEFAULT_SIZES);
  self->values = palloc(sizeof(Datum) * (Size)Max(row->natts, 1));
  self->nulls = palloc(sizeof(bool) * (Size)Max(row->natts, 1));
  return &self->sink;
}

/* -- JSON */

typedef struct JsonSink {
  Sink sink;
  TupleDesc row;
  Tuplestorestate* rows;
  MemoryContext per_row;
  MemoryContext per_result;
  char** names; /* the keys of this result's objects, as JSON strings */
} JsonSink;

static bool is_column(const PGresult* result, const char* name) {
  for (int i = 0; i < PQnfields(result); ++i) {
    if (strcmp(PQfname(result, i), name) == 0) return true;
  }
  return false;
}

static bool is_key(char** keys, int count, const char* name) {
  for (int i = 0; i < count; ++i) {
    if (strcmp(keys[i], name) == 0) return true;
  }
  return false;
}

/* Keys of an object must be unique, but a result may have two columns with the same name: the second becomes name_2, or
 * the next free number. `keys` are those of the columns before. */
static char* key_of(const PGresult* result, int column, char** keys) {
  const char* name = PQfname(result, column);
  int number = 1;
  char* key;
  for (int i = 0; i < column; ++i) {
    if (strcmp(PQfname(result, i), name) == 0) ++number;
  }
  if (number == 1) return pstrdup(name);
  do {
    key = psprintf("%s_%d", name, number++);
  } while (is_column(result, key) || is_key(keys, column, key));
  return key;
}

static void json_begin(Sink* sink, const PGresult* result) {
  JsonSink* self = (JsonSink*)sink;
  MemoryContext outside;
  char** keys;
  tuplestore_clear(self->rows);
  dialect_adopt(&sink->dialect, sink->conn, result);
  MemoryContextReset(self->per_result);
  outside = MemoryContextSwitchTo(self->per_result);
  self->names = palloc(sizeof(char*) * (Size)Max(PQnfields(result), 1));
  keys = palloc(sizeof(char*) * (Size)Max(PQnfields(result), 1));
  for (int i = 0; i < PQnfields(result); ++i) {
    StringInfoData text;
    initStringInfo(&text);
    keys[i] = key_of(result, i, keys);
    escape_json(&text, dialect_text(&self->sink.dialect, keys[i], (int)strlen(keys[i])));
    self->names[i] = text.data;
  }
  MemoryContextSwitchTo(outside);
}

static bool is_number(const char* value) {
  return value[0] == '-' ? value[1] >= '0' && value[1] <= '9' : value[0] >= '0' && value[0] <= '9';
}

static void append_value(StringInfo out, Oid type, const char* value) {
  switch (type) {
    case BOOLOID: appendStringInfoString(out, value[0] == 't' ? "true" : "false"); return;
    case INT2OID:
    case INT4OID:
    case INT8OID:
    case OIDOID:
    case FLOAT4OID:
    case FLOAT8OID:
    case NUMERICOID: /* NaN and Infinity are not JSON numbers */
      if (!is_number(value)) break;
      appendStringInfoString(out, value);
      return;
    case JSONOID:
    case JSONBOID: appendStringInfoString(out, value); return;
    default: break;
  }
  escape_json(out, value);
}

static void json_row(Sink* sink, const PGresult* result) {
  JsonSink* self = (JsonSink*)sink;
  MemoryContext outside = MemoryContextSwitchTo(self->per_row);
  StringInfoData text;
  Datum value;
  bool is_null = false;
  initStringInfo(&text);
  for (int i = 0; i < PQnfields(result); ++i) {
    appendStringInfo(&text, "%s%s: ", i == 0 ? "{" : ", ", self->names[i]);
    if (PQgetisnull(result, 0, i)) {
      appendStringInfoString(&text, "null");
    } else {
      char* own = dialect_text(&self->sink.dialect, PQgetvalue(result, 0, i), PQgetlength(result, 0, i));
      append_value(&text, PQftype(result, i), dialect_restate(&sink->dialect, sink->conn, i, own, PQftype(result, i)));
    }
  }
  appendStringInfoString(&text, PQnfields(result) == 0 ? "{}" : "}");
  value = DirectFunctionCall1(jsonb_in, CStringGetDatum(text.data));
  tuplestore_putvalues(self->rows, self->row, &value, &is_null);
  MemoryContextSwitchTo(outside);
  MemoryContextReset(self->per_row);
}

Sink* sink_json(Tuplestorestate* rows, TupleDesc row) {
  JsonSink* self = palloc0(sizeof *self);
  self->sink = (Sink){.begin = json_begin, .row = json_row, .command = end_set, .end = ignore_end};
  self->per_result = AllocSetContextCreate(CurrentMemoryContext, "tidepool result", ALLOCSET_DEFAULT_SIZES);
  self->rows = rows;
  self->row = row;
  self->per_row = AllocSetContextCreate(CurrentMemoryContext, "tidepool row", ALLOCSET_DEFAULT_SIZES);
  return &self->sink;
}

/* -- rows changed */

typedef struct CountSink {
  Sink sink;
  int64* count;
  int commands; /* executed so far */
} CountSink;

static void count_begin(Sink* sink, const PGresult* result) {}
static void count_row(Sink* sink, const PGresult* result) {}

/* The server also reports a number of rows for SELECT, FETCH, MOVE and COPY TO. */
static bool is_change(const char* command, const char* sql, int n) {
  static const char* const kChanges[] = {"INSERT ", "UPDATE ", "DELETE ", "MERGE "};
  for (size_t i = 0; i < lengthof(kChanges); ++i) {
    if (strncmp(command, kChanges[i], strlen(kChanges[i])) == 0) return true;
  }
  return strncmp(command, "COPY ", 5) == 0 && copies_in_at(sql, n);
}

static void count_command(Sink* sink, PGresult* result) {
  CountSink* self = (CountSink*)sink;
  const bool is_counted = is_change(PQcmdStatus(result), sink->sql, self->commands++);
  *self->count = is_counted ? strtoll(PQcmdTuples(result), NULL, 10) : 0;
}

Sink* sink_count(int64* count) {
  CountSink* self = palloc0(sizeof *self);
  self->sink = (Sink){.begin = count_begin, .row = count_row, .command = count_command, .end = ignore_end};
  self->count = count;
  *count = 0;
  return &self->sink;
}
