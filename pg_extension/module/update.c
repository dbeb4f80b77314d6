/*
 * UPDATE of the views pools, settings and alerts: the trigger that converts changed columns to commands, and the staged
 * commands of an open transaction, which have not been posted yet.
 *
 * A trigger gets the old and the new row, but not the columns that the statement named. Therefore assigning the current
 * value of a column is no command; scale() issues one in any case.
 *
 * Commands are not posted in the trigger, because ROLLBACK could not undo them. The trigger only stages; the commit
 * publishes, ROLLBACK drops, and ROLLBACK TO (and the end of a failed PL/pgSQL block) drops what was staged after the
 * savepoint.
 *
 * S1  No command reaches a pool before everything else in the transaction has succeeded; only the commit itself can
 *     still fail.
 * S2, S3  The library decides which of them are published, and in which order (tide_control_batch()).
 *
 * Failure: a refusal, including one by the pool, is an error and aborts the transaction. Commands posted before it
 * remain in force and are named in the detail.
 */
#include "update.h"

#include <tidepool/observe.h>

#include "command.h"

#include <access/htup_details.h>
#include <access/xact.h>
#include <commands/trigger.h>
#include <executor/spi.h>
#include <lib/stringinfo.h>
#include <utils/datum.h>
#include <utils/memutils.h>
#include <utils/rel.h>
#include <utils/typcache.h>

#include "common/extension.h"
#include "common/report.h"
#include "module.h"

#define ANSWERS_WAIT_MS_MAX 1000 /* for all answers of one commit together */

typedef struct Staged {
  SubTransactionId owner; /* the subtransaction whose rollback drops the command */
  tide_command* command;
} Staged;

/* Commands of the open transaction, in the order of the statements; allocated in the transaction's context. */
static MemoryContext context;
static Staged* staged;
static int count;
static int room;

static void drop_all(void) {
  if (context != NULL) MemoryContextDelete(context);
  context = NULL;
  staged = NULL;
  count = room = 0;
}

static void stage(tide_command* const* commands, int added) {
  tidepool_give(commands, added, TIDE_BATCH_CHECK, 0);
  if (count + added > room) {
    const int more = Max(2 * room, count + added);
    staged = staged == NULL ? palloc(sizeof(Staged) * (Size)more) : repalloc(staged, sizeof(Staged) * (Size)more);
    room = more;
  }
  for (int i = 0; i < added; ++i) staged[count++] = (Staged){GetCurrentSubTransactionId(), commands[i]};
}

static void publish(void) {
  tide_command** commands = palloc(sizeof *commands * (Size)count);
  for (int i = 0; i < count; ++i) commands[i] = staged[i].command;
  tidepool_give(commands, count, TIDE_BATCH_GIVE, ANSWERS_WAIT_MS_MAX);
}

static void on_transaction(XactEvent event, void* unused) {
  if (count == 0 && context == NULL) return;
  switch (event) {
    case XACT_EVENT_PRE_COMMIT:
      if (count > 0) publish();
      break;
    case XACT_EVENT_PRE_PREPARE:
      if (count == 0) break;
      ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                      errmsg("cannot PREPARE a transaction that has updated tidepool's views"),
                      errhint("Use the functions tidepool.scale(), set() and so on, or COMMIT.")));
    case XACT_EVENT_COMMIT:
    case XACT_EVENT_PREPARE:
    case XACT_EVENT_ABORT: drop_all(); break;
    default: break; /* parallel workers stage no commands */
  }
}

static void on_subtransaction(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void* unused) {
  int kept = 0;
  if (event != SUBXACT_EVENT_ABORT_SUB && event != SUBXACT_EVENT_COMMIT_SUB) return;
  for (int i = 0; i < count; ++i) {
    if (staged[i].owner == mine && event == SUBXACT_EVENT_ABORT_SUB) continue;
    staged[kept] = staged[i];
    if (staged[kept].owner == mine) staged[kept].owner = parent;
    ++kept;
  }
  count = kept;
}

void tidepool_update_watch(void) {
  RegisterXactCallback(on_transaction, NULL);
  RegisterSubXactCallback(on_subtransaction, NULL);
}

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

/* A column that identifies the row: never NULL in tidepool's own views. */
static char* key_of(const Row* row, const char* column) {
  char* value = value_of(row, column);
  if (value == NULL) elog(ERROR, "%s of tidepool.%s is NULL", column, row->relation);
  return value;
}

/* A user's own view may have this name and any contents. */
static const tide_relation* relation_of(Relation view) {
  const tide_relation* relation = tidepool_relation(RelationGetRelationName(view));
  if (relation != NULL && tidepool_is_own(RelationRelationId, RelationGetRelid(view))) return relation;
  ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                  errmsg("tidepool.update() can only be used on tidepool's own views")));
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

/* All texts are copied into the current memory context, where they exist as long as the command. */
static tide_command* assign(const tide_relation* relation, const tide_column* column, const Row* old, const Row* new) {
  tide_command* command = palloc0(sizeof *command);
  const char* text = value_of(new, column->name);
  const char* key = column->key != NULL ? tidepool_to_utf8(key_of(old, column->key)) : NULL;
  tide_error error = TIDE_ERROR_INIT;
  tide_value value = {0};
  value.type = text != NULL ? TIDE_TEXT : TIDE_VALUE_NULL;
  value.text = text != NULL ? tidepool_to_utf8(text) : NULL;
  if (tide_assign(relation->name, column->name, key, &value, command, &error) != TIDE_OK) tidepool_report(&error, NULL);
  command->pool = key_of(old, "instance_id");
  tidepool_sign(command);
  return command;
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
  tide_command** commands;
  MemoryContext outside;
  Row old;
  Row new;
  int changed = 0;

  if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_INSTEAD(trigger->tg_event)) {
    ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                    errmsg("tidepool.update() is called by triggers of tidepool's views")));
  }
  tidepool_check_version();
  relation = relation_of(trigger->tg_relation);
  if (!TRIGGER_FIRED_BY_UPDATE(trigger->tg_event)) {
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("cannot %s tidepool.%s: its rows follow the state of the pools",
                           TRIGGER_FIRED_BY_INSERT(trigger->tg_event) ? "insert into" : "delete from", relation->name),
                    errhint("UPDATE may set %s.", writable_columns(relation))));
  }
  old.tuple = trigger->tg_trigtuple;
  new.tuple = trigger->tg_newtuple;
  old.shape = new.shape = RelationGetDescr(trigger->tg_relation);
  old.relation = new.relation = relation->name;

  if (context == NULL) context = AllocSetContextCreate(TopMemoryContext, "tidepool staging", ALLOCSET_SMALL_SIZES);
  outside = MemoryContextSwitchTo(context);
  commands = palloc(sizeof *commands * (Size)relation->ncolumns);
  for (int i = 0; i < Min(old.shape->natts, relation->ncolumns); ++i) {
    if (!is_changed(&old, &new, i)) continue;
    if (!relation->columns[i].is_writable) {
      ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                      errmsg("column %s of tidepool.%s cannot be set", relation->columns[i].name, relation->name),
                      errhint("UPDATE may set %s.", writable_columns(relation))));
    }
    commands[changed++] = assign(relation, &relation->columns[i], &old, &new);
  }
  stage(commands, changed);
  MemoryContextSwitchTo(outside);
  return PointerGetDatum(trigger->tg_newtuple);
}
