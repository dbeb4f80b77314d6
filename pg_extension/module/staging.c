#include "staging.h"

#include <access/xact.h>
#include <lib/stringinfo.h>
#include <utils/memutils.h>
#include <utils/timestamp.h>

#include "common/report.h"

#define ANSWERS_WAIT_MS_MAX 1000 /* all answers of one commit together */

typedef struct Staged {
  SubTransactionId owner; /* the subtransaction whose rollback drops it */
  uint64 command_id;
  TidepoolAssignment what;
} Staged;

/* All of the open transaction, in the order of the statements. Memory of the transaction's context. */
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

MemoryContext tidepool_staging_context(void) {
  if (context == NULL) context = AllocSetContextCreate(TopMemoryContext, "tidepool staging", ALLOCSET_SMALL_SIZES);
  return context;
}

static void refuse_wrong(const TidepoolAssignment* assignment) {
  tide_error error = TIDE_ERROR_INIT;
  if (tidepool_order_is_right(&assignment->order, &error)) return;
  /* The order went by instance_id; people know the pool by its name. */
  tidepool_report(&error, strstr(error.message, assignment->pool) == NULL
                              ? tidepool_to_utf8(psprintf("pool \"%s\"", assignment->pool))
                              : NULL);
}

/* Into `order`, which has room for all of them, the places of those that are to be given, in that order; how many. */
static int settle(const TidepoolAssignment* const* assignments, int n, bool assumes_rows, int32_t* order) {
  const tide_row** rows = palloc(sizeof *rows * (Size)Max(n, 1));
  const tide_assignment** whats = palloc(sizeof *whats * (Size)Max(n, 1));
  tide_error error = TIDE_ERROR_INIT;
  int32_t settled = 0;
  for (int i = 0; i < n; ++i) {
    rows[i] = &assignments[i]->row;
    whats[i] = &assignments[i]->what;
  }
  if (tide_settle(rows, whats, n, assumes_rows ? 1 : 0, order, &settled, &error) != TIDE_OK) {
    tidepool_report(&error, NULL);
  }
  for (int i = 0; i < settled; ++i) refuse_wrong(assignments[order[i]]);
  return settled;
}

void tidepool_stage(const TidepoolAssignment* assignments, int added) {
  const TidepoolAssignment** all = palloc(sizeof *all * (Size)Max(added, 1));
  int32_t* order = palloc(sizeof *order * (Size)Max(added, 1));
  for (int i = 0; i < added; ++i) all[i] = &assignments[i];
  (void)settle(all, added, false, order);
  if (count + added > room) {
    const int more = Max(2 * room, count + added);
    staged = staged == NULL ? MemoryContextAlloc(tidepool_staging_context(), sizeof(Staged) * (Size)more)
                            : repalloc(staged, sizeof(Staged) * (Size)more);
    room = more;
  }
  for (int i = 0; i < added; ++i) {
    Staged* last = &staged[count++];
    last->owner = GetCurrentSubTransactionId();
    last->command_id = 0;
    last->what = assignments[i];
  }
}

/* An error after some orders were posted: they cannot be taken back, so the message names them. */
static void refuse_half(const Staged* failed, tide_error* error, Staged* const* given) {
  StringInfoData posted;
  initStringInfo(&posted);
  for (; *given != failed; ++given) {
    appendStringInfo(&posted, "%s" INT64_FORMAT " (%s of %s)", posted.len > 0 ? ", " : "", (int64)(*given)->command_id,
                     (*given)->what.what.subject, (*given)->what.order.pool);
  }
  if (posted.len > 0) {
    const size_t used = strlen(error->detail);
    snprintf(error->detail + used, sizeof error->detail - used, "%sPosted before and in force: command %s",
             used > 0 ? "\n" : "", posted.data);
  }
  tidepool_report(error, psprintf("%s of pool \"%s\"", failed->what.what.subject, failed->what.row.pool));
}

static void publish(void) {
  const TidepoolAssignment** all = palloc(sizeof *all * (Size)count);
  int32_t* order = palloc(sizeof *order * (Size)count);
  Staged** given = palloc(sizeof *given * (Size)count);
  tide_error error = TIDE_ERROR_INIT;
  TimestampTz end;
  int settled;
  for (int i = 0; i < count; ++i) all[i] = &staged[i].what;
  settled = settle(all, count, true, order);
  for (int i = 0; i < settled; ++i) given[i] = &staged[order[i]];
  /* One after the other, so that a refusal keeps the rest from being posted. */
  end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ANSWERS_WAIT_MS_MAX);
  for (int i = 0; i < settled; ++i) {
    const TidepoolOrder* what = &given[i]->what.order;
    tide_status status;
    if (tidepool_order_post(what, &given[i]->command_id, 1, &error) == 0) refuse_half(given[i], &error, given);
    status = tidepool_order_await(given[i]->command_id, what->directory,
                                  TimestampDifferenceMilliseconds(GetCurrentTimestamp(), end), &error);
    if (status != TIDE_OK && status != TIDE_TIMEOUT) refuse_half(given[i], &error, given);
  }
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
                      errmsg("cannot PREPARE a transaction that has steered tidepool's pools by UPDATE"),
                      errhint("Use the functions tidepool.scale(), set() and so on, or COMMIT.")));
    case XACT_EVENT_COMMIT:
    case XACT_EVENT_PREPARE:
    case XACT_EVENT_ABORT: drop_all(); break;
    default: break; /* parallel workers stage nothing */
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

void tidepool_staging_watch(void) {
  RegisterXactCallback(on_transaction, NULL);
  RegisterSubXactCallback(on_subtransaction, NULL);
}
