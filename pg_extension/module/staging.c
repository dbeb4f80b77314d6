#include "staging.h"

#include <access/xact.h>
#include <lib/stringinfo.h>
#include <utils/memutils.h>
#include <utils/timestamp.h>

#include "common/report.h"

#define ANSWERS_WAIT_MS_MAX 1000 /* all answers of one commit together */

typedef struct Staged {
  SubTransactionId owner; /* the subtransaction whose rollback drops it */
  int rank;               /* its place in the publication (S3); set when it is published */
  uint64 command_id;
  TidepoolAssignment what;
} Staged;

/* All of the open transaction, in the order of the statements. Memory of the transaction's context. */
static MemoryContext context;
static Staged* staged;
static int count;
static int room;

static bool same_instance(const TidepoolAssignment* a, const TidepoolAssignment* b) {
  const char* one = a->order.directory != NULL ? a->order.directory : "";
  const char* two = b->order.directory != NULL ? b->order.directory : "";
  return strcmp(a->order.pool, b->order.pool) == 0 && strcmp(one, two) == 0;
}

static bool is_about(const TidepoolAssignment* assignment, const char* subject) {
  return strcmp(assignment->subject, subject) == 0;
}

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

static void refuse_contradiction(const TidepoolAssignment* at, const TidepoolLimits* after) {
  if (!after->has_min_size || !after->has_max_size || after->min_size <= after->max_size) return;
  ereport(ERROR,
          (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
           errmsg("min_size " INT64_FORMAT " would be above max_size " INT64_FORMAT, after->min_size, after->max_size),
           errdetail("Pool \"%s\", instance %s.", at->pool, at->order.pool)));
}

static void put_limit(TidepoolLimits* limits, const TidepoolAssignment* assignment) {
  if (is_about(assignment, "min_size")) {
    limits->has_min_size = true;
    limits->min_size = assignment->limit;
  } else {
    limits->has_max_size = true;
    limits->max_size = assignment->limit;
  }
}

static void refuse_wrong(const TidepoolAssignment* assignment) {
  tide_error error = TIDE_ERROR_INIT;
  if (tidepool_order_is_right(&assignment->order, &error)) return;
  /* The order went by instance_id; people know the pool by its name. */
  tidepool_report(&error, strstr(error.message, assignment->pool) == NULL
                              ? tidepool_to_utf8(psprintf("pool \"%s\"", assignment->pool))
                              : NULL);
}

void tidepool_stage(const TidepoolAssignment* assignments, int added) {
  for (int i = 0; i < added; ++i) {
    TidepoolLimits after = {0};
    for (int j = 0; j < added; ++j) {
      if (assignments[j].is_limit) put_limit(&after, &assignments[j]);
    }
    refuse_contradiction(&assignments[i], &after);
    refuse_wrong(&assignments[i]);
  }
  if (count + added > room) {
    const int more = Max(2 * room, count + added);
    staged = staged == NULL ? MemoryContextAlloc(tidepool_staging_context(), sizeof(Staged) * (Size)more)
                            : repalloc(staged, sizeof(Staged) * (Size)more);
    room = more;
  }
  for (int i = 0; i < added; ++i) {
    Staged* last = &staged[count++];
    last->owner = GetCurrentSubTransactionId();
    last->rank = 0;
    last->command_id = 0;
    last->what = assignments[i];
  }
}

/* S2: drops what a later assignment of the same subject has replaced. */
static void settle(void) {
  int kept = 0;
  for (int i = 0; i < count; ++i) {
    bool is_replaced = false;
    for (int j = i + 1; j < count && !is_replaced; ++j) {
      is_replaced =
          same_instance(&staged[i].what, &staged[j].what) && is_about(&staged[i].what, staged[j].what.subject);
    }
    if (!is_replaced) staged[kept++] = staged[i];
  }
  count = kept;
}

/* Of one instance whose both limits change: may max_size go first without falling below the old min_size? */
static bool max_goes_first(const TidepoolAssignment* limit) {
  for (int i = 0; i < count; ++i) {
    const TidepoolAssignment* max = &staged[i].what;
    if (!max->is_limit || !is_about(max, "max_size") || !same_instance(max, limit)) continue;
    return !limit->before.has_min_size || max->limit >= limit->before.min_size;
  }
  return true;
}

static int rank_of(const TidepoolAssignment* assignment) {
  /* A draining pool takes nothing else before it is resumed, and nothing after. */
  if (strcmp(assignment->order.verb, "resume") == 0) return 0;
  if (assignment->is_limit) return is_about(assignment, "max_size") == max_goes_first(assignment) ? 1 : 2;
  if (strcmp(assignment->order.verb, "set") == 0 || strcmp(assignment->order.verb, "ack") == 0) return 3;
  return strcmp(assignment->order.verb, "scale") == 0 ? 4 : 5;
}

static int by_rank(const void* a, const void* b) {
  const Staged* one = *(Staged* const*)a;
  const Staged* two = *(Staged* const*)b;
  if (one->rank != two->rank) return one->rank - two->rank;
  return one < two ? -1 : one > two; /* else as they were asked for */
}

/* The last look before anything is posted: limits against the rows as they were, pools against the living. */
static void check_all(void) {
  for (int i = 0; i < count; ++i) {
    const TidepoolAssignment* at = &staged[i].what;
    if (at->is_limit) {
      TidepoolLimits after = at->before;
      for (int j = 0; j < count; ++j) {
        if (staged[j].what.is_limit && same_instance(at, &staged[j].what)) put_limit(&after, &staged[j].what);
      }
      refuse_contradiction(at, &after);
    }
    refuse_wrong(at);
  }
}

/* An error after some orders were posted: they cannot be taken back, so the message names them. */
static void refuse_half(const Staged* failed, tide_error* error, Staged* const* order) {
  StringInfoData posted;
  initStringInfo(&posted);
  for (int i = 0; i < count; ++i) {
    if (order[i]->command_id == 0 || order[i] == failed) continue;
    appendStringInfo(&posted, "%s" INT64_FORMAT " (%s of %s)", posted.len > 0 ? ", " : "", (int64)order[i]->command_id,
                     order[i]->what.subject, order[i]->what.order.pool);
  }
  if (posted.len > 0) {
    const size_t used = strlen(error->detail);
    snprintf(error->detail + used, sizeof error->detail - used, "%sPosted before and in force: command %s",
             used > 0 ? "\n" : "", tidepool_to_utf8(posted.data));
  }
  tidepool_report(error, tidepool_to_utf8(psprintf("%s of pool \"%s\"", failed->what.subject, failed->what.pool)));
}

static void publish(void) {
  tide_error error = TIDE_ERROR_INIT;
  TimestampTz end;
  Staged** order;
  settle();
  check_all();
  order = palloc(sizeof *order * (Size)count);
  for (int i = 0; i < count; ++i) {
    staged[i].rank = rank_of(&staged[i].what);
    order[i] = &staged[i];
  }
  qsort(order, (size_t)count, sizeof *order, by_rank);
  /* One after the other, so that a refusal keeps the rest from being posted. */
  end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ANSWERS_WAIT_MS_MAX);
  for (int i = 0; i < count; ++i) {
    const TidepoolOrder* what = &order[i]->what.order;
    tide_status status;
    if (tidepool_order_post(what, &order[i]->command_id, 1, &error) == 0) refuse_half(order[i], &error, order);
    status = tidepool_order_await(order[i]->command_id, what->directory,
                                  TimestampDifferenceMilliseconds(GetCurrentTimestamp(), end), &error);
    if (status != TIDE_OK && status != TIDE_TIMEOUT) refuse_half(order[i], &error, order);
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
