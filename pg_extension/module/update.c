/*
 * UPDATE of the views pools, settings and alerts: the trigger that turns changed columns into assignments (staging.h).
 *
 * A trigger is told the old and the new row, not which columns the statement named. So an assignment of the value a
 * column has already is no order; scale() says it nevertheless.
 */
#include <tidepool/observe.h>

#include "common/pg_compat.h"

#include <access/htup_details.h>
#include <commands/trigger.h>
#include <executor/spi.h>
#include <utils/datum.h>
#include <utils/rel.h>
#include <utils/typcache.h>

#include "common/extension.h"
#include "common/report.h"
#include "staging.h"
#include "version.h"

typedef struct Row {
  HeapTuple tuple;
  TupleDesc shape;
  const char* relation;
} Row;

/* A value as text, or NULL. */
static char* value_of(const Row* row, const char* column) {
  const int n = SPI_fnumber(row->shape, column);
  if (n <= 0) elog(ERROR, "view tidepool.%s has no column %s", row->relation, column);
  return SPI_getvalue(row->tuple, row->shape, n);
}

/* One of the columns that say which row it is: never NULL in tidepool's own views. */
static char* key_of(const Row* row, const char* column) {
  char* value = value_of(row, column);
  if (value == NULL) elog(ERROR, "%s of tidepool.%s is NULL", column, row->relation);
  return value;
}

/* Somebody's own view may bear the name, and show whatever he likes. */
static const tide_relation* relation_of(Relation view) {
  const tide_relation* relation;
  for (int i = 0; (relation = tide_relation_at(i)) != NULL; ++i) {
    if (strcmp(relation->name, RelationGetRelationName(view)) != 0) continue;
    if (tidepool_is_own(RelationRelationId, RelationGetRelid(view))) return relation;
  }
  ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                  errmsg("tidepool.update() belongs to tidepool's own views")));
}

static char* writable_columns(const tide_relation* relation) {
  StringInfoData names;
  initStringInfo(&names);
  for (int i = 0; i < relation->ncolumns; ++i) {
    if (!relation->columns[i].is_writable) continue;
    appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", relation->columns[i].name);
  }
  return names.data;
}

static bool number_of(const char* text, int64* out) {
  char* end = NULL;
  if (text == NULL) return false;
  *out = strtoll(text, &end, 10);
  return end != text && *end == '\0';
}

static int64 limit_of(const Row* row, const char* limit) {
  int64 number = -1;
  if (strcmp(row->relation, "pools") == 0) (void)number_of(value_of(row, limit), &number);
  if (strcmp(row->relation, "settings") == 0 && strcmp(key_of(row, "name"), limit) == 0) {
    (void)number_of(value_of(row, "value"), &number);
  }
  return number;
}

/* All texts are copied into the current memory context, where they live as long as the assignment. */
static void assign(TidepoolAssignment* to, const char* column, const Row* old, const Row* new) {
  const tide_row shown = TIDE_ROW_INIT;
  const tide_assignment none = TIDE_ASSIGNMENT_INIT;
  const char* text = value_of(new, column);
  tide_error error = TIDE_ERROR_INIT;
  tide_value value = {0};
  value.type = text != NULL ? TIDE_TEXT : TIDE_VALUE_NULL;
  value.text = text != NULL ? tidepool_to_utf8(text) : NULL;
  to->pool = key_of(old, "pool");
  to->row = shown;
  to->what = none;
  to->row.relation = old->relation;
  to->row.instance_id = key_of(old, "instance_id");
  to->row.pool = tidepool_to_utf8(to->pool);
  if (strcmp(old->relation, "settings") == 0) to->row.key = tidepool_to_utf8(key_of(old, "name"));
  if (strcmp(old->relation, "alerts") == 0) to->row.key = key_of(old, "alert_id");
  to->row.min_size = limit_of(old, "min_size");
  to->row.max_size = limit_of(old, "max_size");
  if (tide_assign(&to->row, column, &value, &to->what, &error) != TIDE_OK) tidepool_report(&error, NULL);
  to->order = tidepool_order_in_utf8(to->what.verb, to->row.instance_id, to->what.values, to->what.nvalues);
}

static bool is_changed(const Row* old, const Row* new, int i) {
  const Form_pg_attribute column = TupleDescAttr(old->shape, i);
  bool was_null;
  bool is_null;
  const Datum before = heap_getattr(old->tuple, i + 1, old->shape, &was_null);
  const Datum after = heap_getattr(new->tuple, i + 1, new->shape, &is_null);
  if (was_null || is_null) return was_null != is_null;
  return !datum_image_eq(before, after, column->attbyval, column->attlen);
}

PG_FUNCTION_INFO_V1(tidepool_update);
Datum tidepool_update(PG_FUNCTION_ARGS) {
  TriggerData* trigger = (TriggerData*)fcinfo->context;
  const tide_relation* relation;
  TidepoolAssignment assignments[8];
  MemoryContext outside;
  Row old;
  Row new;
  int count = 0;

  if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_INSTEAD(trigger->tg_event)) {
    ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                    errmsg("tidepool.update() is called by triggers of tidepool's views")));
  }
  tidepool_check_version();
  relation = relation_of(trigger->tg_relation);
  if (!TRIGGER_FIRED_BY_UPDATE(trigger->tg_event)) {
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("cannot %s tidepool.%s: rows come and go with the pools themselves",
                           TRIGGER_FIRED_BY_INSERT(trigger->tg_event) ? "insert into" : "delete from", relation->name),
                    errhint("UPDATE may set %s.", writable_columns(relation))));
  }
  old.tuple = trigger->tg_trigtuple;
  new.tuple = trigger->tg_newtuple;
  old.shape = new.shape = RelationGetDescr(trigger->tg_relation);
  old.relation = new.relation = relation->name;

  memset(assignments, 0, sizeof assignments);
  outside = MemoryContextSwitchTo(tidepool_staging_context());
  for (int i = 0; i < Min(old.shape->natts, relation->ncolumns); ++i) {
    if (!is_changed(&old, &new, i)) continue;
    if (!relation->columns[i].is_writable) {
      ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                      errmsg("column %s of tidepool.%s cannot be set", relation->columns[i].name, relation->name),
                      errhint("UPDATE may set %s.", writable_columns(relation))));
    }
    Assert(count < (int)lengthof(assignments));
    assign(&assignments[count++], relation->columns[i].name, &old, &new);
  }
  tidepool_stage(assignments, count);
  MemoryContextSwitchTo(outside);
  return PointerGetDatum(trigger->tg_newtuple);
}
