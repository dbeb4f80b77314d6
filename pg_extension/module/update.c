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

/* Why a value is refused. */
static void refuse_value(const char* column, const char* value, const char* accepted) {
  ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                  value != NULL ? errmsg("%s cannot be \"%s\"", column, value) : errmsg("%s cannot be NULL", column),
                  errdetail("Accepted: %s.", accepted)));
}

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

static void assign_option(TidepoolAssignment* to, const char* instance_id, const char* option, const char* value) {
  const tide_value values[] = {tidepool_text_value(option), tidepool_text_value(value)};
  to->subject = pstrdup(option);
  to->order = tidepool_order("set", instance_id, values, lengthof(values));
}

static void assign_limit(TidepoolAssignment* to, const char* instance_id, const char* option, const char* value) {
  char* end = NULL;
  if (value == NULL) refuse_value(option, value, "a whole number of connections");
  to->is_limit = true;
  errno = 0;
  to->limit = strtoll(value, &end, 10);
  if (errno != 0 || end == value || *end != '\0') refuse_value(option, value, "a whole number of connections");
  assign_option(to, instance_id, option, value);
}

static void assign_state(TidepoolAssignment* to, const char* instance_id, const char* value) {
  const char* verb = NULL;
  if (value != NULL && strcmp(value, "paused") == 0) verb = "pause";
  if (value != NULL && strcmp(value, "running") == 0) verb = "resume";
  if (value != NULL && strcmp(value, "draining") == 0) verb = "drain";
  if (verb == NULL) {
    refuse_value("state", value,
                 "\"paused\" to pause, \"running\" to resume, \"draining\" to drain; a pool finds the other states by "
                 "itself");
  }
  to->subject = "state";
  to->order = tidepool_order(verb, instance_id, NULL, 0);
}

/* An alert that was acknowledged stays so: there is no order that takes it back. */
static void assign_ack(TidepoolAssignment* to, const char* instance_id, const char* alert_id, const char* by) {
  const tide_value values[] = {tidepool_whole_value(strtoll(alert_id, NULL, 10)), tidepool_text_value(by)};
  if (by == NULL || by[0] == '\0') refuse_value("acked_by", by, "the name of who has seen the alert");
  to->subject = psprintf("alert %s", alert_id);
  to->order = tidepool_order("ack", instance_id, values, lengthof(values));
}

static void assign(TidepoolAssignment* to, const char* column, const Row* old, const Row* new) {
  const char* instance_id = key_of(old, "instance_id");
  const char* value = value_of(new, column);
  if (strcmp(old->relation, "alerts") == 0) {
    assign_ack(to, instance_id, key_of(old, "alert_id"), value);
  } else if (strcmp(old->relation, "settings") == 0) {
    const char* name = key_of(old, "name");
    if (strcmp(name, "min_size") == 0 || strcmp(name, "max_size") == 0) {
      assign_limit(to, instance_id, name, value);
    } else if (value == NULL) {
      refuse_value(column, value, "a text; the option's default stands in default_value");
    } else {
      assign_option(to, instance_id, name, value);
    }
  } else if (strcmp(column, "state") == 0) {
    assign_state(to, instance_id, value);
  } else if (strcmp(column, "target_size") == 0) {
    /* A bigint, as SPI wrote it. */
    tide_value size = tidepool_whole_value(value != NULL ? strtoll(value, NULL, 10) : 0);
    if (value == NULL) size.type = TIDE_VALUE_NULL;
    to->subject = "target_size";
    to->order = tidepool_order("scale", instance_id, &size, 1);
  } else {
    assign_limit(to, instance_id, column, value);
  }
}

static bool number_of(const char* text, int64* out) {
  char* end = NULL;
  if (text == NULL) return false;
  *out = strtoll(text, &end, 10);
  return end != text && *end == '\0';
}

static TidepoolLimits limits_of(const Row* row) {
  TidepoolLimits limits = {0};
  if (strcmp(row->relation, "pools") == 0) {
    limits.has_min_size = number_of(value_of(row, "min_size"), &limits.min_size);
    limits.has_max_size = number_of(value_of(row, "max_size"), &limits.max_size);
  } else if (strcmp(row->relation, "settings") == 0) {
    const char* name = key_of(row, "name");
    const char* value = value_of(row, "value");
    if (strcmp(name, "min_size") == 0) limits.has_min_size = number_of(value, &limits.min_size);
    if (strcmp(name, "max_size") == 0) limits.has_max_size = number_of(value, &limits.max_size);
  }
  return limits;
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
    assignments[count].pool = key_of(&old, "pool");
    assignments[count].before = limits_of(&old);
    assign(&assignments[count++], relation->columns[i].name, &old, &new);
  }
  tidepool_stage(assignments, count);
  MemoryContextSwitchTo(outside);
  return PointerGetDatum(trigger->tg_newtuple);
}
