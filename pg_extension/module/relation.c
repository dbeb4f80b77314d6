/*
 * tidepool.read_pools(), read_leases(), ...: the rows behind the views, one function for each relation of the
 * catalogue.
 *
 *   SELECT pool, state, in_use, size FROM tidepool.pools;   -- the view is SELECT * FROM tidepool.read_pools()
 *
 * A call is a snapshot: tide_cursor_open() reads every segment with pread, so an owner that truncates its file
 * meanwhile loses rows and does not crash the server. Datums are created directly from the cursor's numbers. No state
 * is kept between calls.
 *
 * Users without the privileges of pg_read_all_stats do not see targets, users, tags and messages, however they read the
 * row: masking is done here, not in the views. The library defines which columns are masked.
 */
#include <tidepool/observe.h>

#include "common/pg_compat.h"

#include <catalog/pg_type.h>
#include <common/int.h>
#include <funcapi.h>
#include <miscadmin.h>
#include <utils/lsyscache.h>
#include <utils/memutils.h>
#include <utils/timestamp.h>
#include <utils/tuplestore.h>

#include "common/report.h"
#include "module.h"

#define MASK "<insufficient privilege>"

/* How a column of the catalogue is converted to a datum of the function's row type. */
typedef struct Column {
  Oid type;
  bool is_masked;
} Column;

const tide_relation* tidepool_relation(const char* name) {
  const tide_relation* relation;
  for (int i = 0; (relation = tide_relation_at(i)) != NULL; ++i) {
    if (strcmp(relation->name, name) == 0) return relation;
  }
  return NULL;
}

static bool fits(int32 kind, Oid type) {
  switch (kind) {
    case TIDE_INT: return type == INT8OID || type == INT4OID;
    case TIDE_DOUBLE: return type == FLOAT8OID;
    case TIDE_TEXT: return type == TEXTOID;
    case TIDE_BOOL: return type == BOOLOID;
    case TIDE_TIME: return type == TIMESTAMPTZOID;
    case TIDE_JSON: return type == JSONBOID;
    default: return false;
  }
}

bool tidepool_sees_all(void) { return has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS); }

/* Checks the script's row type against the library's catalogue: a datum of the wrong type would crash the server. */
static Column* columns_of(const tide_relation* relation, TupleDesc row) {
  Column* columns = palloc(sizeof(Column) * (Size)row->natts);
  const bool sees_all = tidepool_sees_all();
  if (row->natts != relation->ncolumns) {
    elog(ERROR, "relation %s has %d columns, its function %d", relation->name, relation->ncolumns, row->natts);
  }
  for (int i = 0; i < row->natts; ++i) {
    columns[i].type = TupleDescAttr(row, i)->atttypid;
    columns[i].is_masked = !sees_all && relation->columns[i].is_masked != 0;
    if (!fits(relation->columns[i].type, columns[i].type)) {
      elog(ERROR, "column %s of relation %s has another type in its function", relation->columns[i].name,
           relation->name);
    }
  }
  return columns;
}

static Datum text_datum(const char* text, size_t length) {
  size_t clean_length;
  const char* clean = tidepool_from_utf8(text, length, &clean_length);
  return PointerGetDatum(cstring_to_text_with_len(clean, (int)clean_length));
}

/* False if the value is NULL. */
static bool value_of(const tide_cursor* cursor, int i, const Column* column, Datum* out) {
  if (tide_cursor_is_null(cursor, i)) return false;
  switch (column->type) {
    case INT8OID: *out = Int64GetDatum(tide_cursor_int(cursor, i)); return true;
    case INT4OID: {
      const int64 number = tide_cursor_int(cursor, i);
      *out = Int32GetDatum((int32)number);
      return number >= PG_INT32_MIN && number <= PG_INT32_MAX;
    }
    case FLOAT8OID: *out = Float8GetDatum(tide_cursor_double(cursor, i)); return true;
    case BOOLOID: *out = BoolGetDatum(tide_cursor_int(cursor, i) != 0); return true;
    case TIMESTAMPTZOID: {
      const int64 epoch = (int64)(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
      int64 time;
      if (pg_sub_s64_overflow(tide_cursor_int(cursor, i), epoch, &time) || !IS_VALID_TIMESTAMP(time)) return false;
      *out = TimestampTzGetDatum(time);
      return true;
    }
    default: {
      size_t length = 0;
      const char* text;
      if (column->is_masked && column->type == JSONBOID) return false;
      if (column->is_masked) {
        *out = PointerGetDatum(cstring_to_text(MASK));
        return true;
      }
      text = tide_cursor_text(cursor, i, &length);
      if (text == NULL) return false;
      if (column->type == JSONBOID) return tidepool_jsonb(tidepool_from_utf8(text, length, NULL), out);
      *out = text_datum(text, length);
      return true;
    }
  }
}

/* A separate function, so that a longjmp out of it leaves no local variable of the caller undefined. */
static pg_noinline void copy_rows(tide_cursor* cursor, const Column* columns, TupleDesc row, Tuplestorestate* rows) {
  Datum* values = palloc(sizeof(Datum) * (Size)row->natts);
  bool* nulls = palloc(sizeof(bool) * (Size)row->natts);
  MemoryContext per_row = AllocSetContextCreate(CurrentMemoryContext, "tidepool row", ALLOCSET_DEFAULT_SIZES);
  MemoryContext outside = MemoryContextSwitchTo(per_row);
  while (tide_cursor_next(cursor)) {
    CHECK_FOR_INTERRUPTS();
    for (int i = 0; i < row->natts; ++i) {
      values[i] = (Datum)0;
      nulls[i] = !value_of(cursor, i, &columns[i], &values[i]);
    }
    tuplestore_putvalues(rows, row, values, nulls);
    MemoryContextReset(per_row);
  }
  MemoryContextSwitchTo(outside);
  MemoryContextDelete(per_row);
}

const char* tidepool_text_argument(FunctionCallInfo fcinfo, int n) {
  if (PG_NARGS() <= n || PG_ARGISNULL(n)) return NULL;
  return tidepool_to_utf8(text_to_cstring(PG_GETARG_TEXT_PP(n)));
}

/* Destination of the rows of this call. */
static Tuplestorestate* result_rows(FunctionCallInfo fcinfo, const char* name, TupleDesc* row) {
  ReturnSetInfo* result = (ReturnSetInfo*)fcinfo->resultinfo;
  Tuplestorestate* rows;
  MemoryContext outside;
  if (result == NULL || !IsA(result, ReturnSetInfo) || (result->allowedModes & SFRM_Materialize) == 0) {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("tidepool.%s() returns a set", name),
                    errhint("Write SELECT * FROM tidepool.%s(...).", name)));
  }
  outside = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
  if (get_call_result_type(fcinfo, NULL, row) != TYPEFUNC_COMPOSITE) elog(ERROR, "return type must be a row type");
  *row = CreateTupleDescCopy(*row);
  rows = tuplestore_begin_heap((result->allowedModes & SFRM_Materialize_Random) != 0, false, work_mem);
  MemoryContextSwitchTo(outside);
  result->returnMode = SFRM_Materialize;
  result->setResult = rows;
  result->setDesc = *row;
  return rows;
}

static pg_noinline void take_rows(tide_cursor* cursor, const Column* columns, TupleDesc row, Tuplestorestate* rows) {
  PG_TRY();
  { copy_rows(cursor, columns, row, rows); }
  PG_CATCH();
  {
    tide_cursor_close(cursor);
    PG_RE_THROW();
  }
  PG_END_TRY();
  tide_cursor_close(cursor);
}

static Datum read_relation(FunctionCallInfo fcinfo, const char* name) {
  const tide_relation* relation = tidepool_relation(name);
  tide_filter filter = TIDE_FILTER_INIT;
  tide_error error = TIDE_ERROR_INIT;
  tide_cursor* cursor = NULL;
  TupleDesc row;
  Tuplestorestate* rows;
  const Column* columns;

  tidepool_check_version();
  if (relation == NULL) elog(ERROR, "library has no relation %s", name);
  rows = result_rows(fcinfo, psprintf("read_%s", name), &row);
  columns = columns_of(relation, row);
  filter.directory = tidepool_directory();
  filter.pool = tidepool_text_argument(fcinfo, 0);
  filter.instance_id = tidepool_text_argument(fcinfo, 1);
  if (tide_cursor_open(name, &filter, &cursor, &error) != TIDE_OK) tidepool_report(&error, NULL);
  take_rows(cursor, columns, row, rows);
  return (Datum)0;
}

PG_FUNCTION_INFO_V1(tidepool_check_options);
Datum tidepool_check_options(PG_FUNCTION_ARGS) {
  tide_error error = TIDE_ERROR_INIT;
  tide_cursor* cursor = NULL;
  TupleDesc row;
  Tuplestorestate* rows = result_rows(fcinfo, "check_options", &row);
  const char* options = tidepool_text_argument(fcinfo, 0);
  Column* columns = palloc0(sizeof(Column) * (Size)row->natts);
  for (int i = 0; i < row->natts; ++i) columns[i].type = TEXTOID;
  /* Checked without the environment: the server's environment does not apply to the program that will open the pool. */
  if (tide_options_check(NULL, options, &cursor, &error) != TIDE_OK) tidepool_report(&error, NULL);
  take_rows(cursor, columns, row, rows);
  return (Datum)0;
}

/* The SQL function read_x() reads the relation x. */
PG_FUNCTION_INFO_V1(tidepool_read);
Datum tidepool_read(PG_FUNCTION_ARGS) {
  const char* name = get_func_name(fcinfo->flinfo->fn_oid);
  if (strncmp(name, "read_", strlen("read_")) != 0) elog(ERROR, "function %s has lost its name", name);
  return read_relation(fcinfo, name + strlen("read_"));
}
