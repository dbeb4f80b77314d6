#include "order.h"

#include <access/htup_details.h>
#include <miscadmin.h>
#include <storage/latch.h>
#include <utils/catcache.h>
#include <utils/syscache.h>
#include <utils/timestamp.h>

#include "common/extension.h"
#include "common/report.h"
#include "settings.h"

#define SLICE_MS_MIN 1
#define SLICE_MS_MAX 20

/* The SQL function of a verb: the one of this name that is the extension's, wherever its schema is and however that is
 * called. Not the function that was called, because UPDATE calls none. */
static Oid function_of(const char* verb, Oid* schema) {
  CatCList* functions = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(verb));
  Oid found = InvalidOid;
  for (int i = 0; i < functions->n_members && !OidIsValid(found); ++i) {
    Form_pg_proc function = (Form_pg_proc)GETSTRUCT(&functions->members[i]->tuple);
    if (!tidepool_is_own(ProcedureRelationId, function->oid)) continue;
    found = function->oid;
    *schema = function->pronamespace;
  }
  ReleaseCatCacheList(functions);
  return found;
}

static void check_right(const char* verb) {
  Oid schema = InvalidOid;
  const Oid function = function_of(verb, &schema);
  if (!OidIsValid(function)) {
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
                    errmsg("extension tidepool has no function %s in this database", verb),
                    errhint("Give the function its name back, or run CREATE EXTENSION tidepool.")));
  }
  if (tidepool_may_execute(function, GetUserId())) return;
  ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("permission denied for control %s", verb),
                  errhint("It takes EXECUTE on the function %s.",
                          quote_qualified_identifier(get_namespace_name(schema), verb))));
}

const tide_verb* tidepool_verb(const char* name) {
  const tide_verb* verb;
  for (int i = 0; (verb = tide_verb_at(i)) != NULL; ++i) {
    if (strcmp(verb->name, name) == 0) return verb;
  }
  return NULL;
}

tide_value tidepool_text_value(const char* text) {
  tide_value value = {0};
  value.type = TIDE_TEXT;
  value.text = text;
  return value;
}

TidepoolOrder tidepool_order_in_utf8(const char* verb, const char* pool, const tide_value* values, int nvalues) {
  TidepoolOrder order;
  const char* directory = tidepool_directory();
  tide_value* own = palloc0(sizeof *own * (Size)Max(nvalues, 1));
  check_right(verb);
  for (int i = 0; i < nvalues; ++i) {
    own[i] = values[i];
    if (own[i].text != NULL) own[i].text = pstrdup(own[i].text);
  }
  order.directory = directory != NULL ? pstrdup(directory) : NULL;
  order.pool = pool != NULL ? pstrdup(pool) : NULL;
  order.verb = verb;
  order.values = own;
  order.nvalues = nvalues;
  order.actor = tidepool_to_utf8(GetUserNameFromId(GetUserId(), false));
  return order;
}

TidepoolOrder tidepool_order(const char* verb, const char* pool, const tide_value* values, int nvalues) {
  tide_value* own = palloc0(sizeof *own * (Size)Max(nvalues, 1));
  for (int i = 0; i < nvalues; ++i) {
    own[i] = values[i];
    if (own[i].text != NULL) own[i].text = tidepool_to_utf8(own[i].text);
  }
  return tidepool_order_in_utf8(verb, pool != NULL ? tidepool_to_utf8(pool) : NULL, own, nvalues);
}

static tide_control_options destination(const TidepoolOrder* order) {
  tide_control_options with = TIDE_CONTROL_OPTIONS_INIT;
  with.directory = order->directory;
  with.actor = order->actor;
  return with;
}

bool tidepool_order_is_right(const TidepoolOrder* order, tide_error* error) {
  const tide_control_options with = destination(order);
  return tide_control_values(order->pool, order->verb, order->values, order->nvalues, &with, NULL, 0, NULL, error) ==
         TIDE_OK;
}

int tidepool_order_post(const TidepoolOrder* order, uint64* command_ids, int room, tide_error* error) {
  const tide_control_options with = destination(order);
  int32_t posted = 0;
  (void)tide_control_values(order->pool, order->verb, order->values, order->nvalues, &with, (uint64_t*)command_ids,
                            room, &posted, error);
  return posted;
}

tide_status tidepool_order_await(uint64 command_id, const char* directory, int64 wait_ms, tide_error* error) {
  tide_control_options with = TIDE_CONTROL_OPTIONS_INIT;
  const TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), wait_ms);
  long slice_ms = SLICE_MS_MIN;
  with.directory = directory;
  for (;;) {
    const tide_error fresh = TIDE_ERROR_INIT;
    tide_status status;
    long left_ms;
    *error = fresh;
    status = tide_wait_applied(command_id, 0, &with, error);
    left_ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), end);
    if (status != TIDE_TIMEOUT || left_ms <= 0) return status;
    (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, Min(slice_ms, left_ms),
                    PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
    slice_ms = Min(slice_ms * 2, SLICE_MS_MAX);
  }
}
