/*
 * Alerts of hosted pools: lines of the server log and, if tidepool.database is set, notifications on the channel
 * tidepool_alerts of that database.
 *
 * This process is connected to no database, so that it never blocks DROP DATABASE. The notifications of a moment are
 * sent by another process (notifier.c), which is connected only while it sends them. One runs at a time, and at least
 * kLaunchEveryMs pass between two, so that a DROP DATABASE that waits finds a moment without a connection.
 *
 * Each change of an alert is reported once: that it fires, is acknowledged, is resolved. At most PENDING_MAX
 * notifications wait; when there are more, the oldest is lost, and the log says so.
 */
#include "worker.h"

#include <access/xlog.h>
#include <math.h>
#include <mb/pg_wchar.h>
#include <miscadmin.h>
#include <postmaster/bgworker.h>
#include <storage/dsm.h>
#include <time.h>

#define PENDING_MAX 64
#define PAYLOAD_BYTES_MAX 7999 /* the server's limit */

enum { kFired = 1, kAcknowledged = 2, kResolved = 4 };
static const char* const kStepNames[] = {
    [kFired] = "firing", [kAcknowledged] = "acknowledged", [kResolved] = "resolved"};

static const double kLaunchEveryMs = 1000;
static const double kLookMs = 1000; /* whether the notifier has ended, if its signal is missed */
static const double kNothingToDoMs = 60000;

typedef struct ToldAlert {
  uint64 alert_id; /* 0: free */
  int steps;       /* bits of kFired ... */
  bool is_shown;   /* in the relation, during alerts_look() */
} ToldAlert;

struct AlertsTold {
  ToldAlert alert[HOSTED_ALERTS_MAX];
};

static char* pending[PENDING_MAX];
static int pending_count;

static BackgroundWorkerHandle* notifier;
static dsm_segment* notifier_texts;
static double launched_ms;
static bool is_refusal_told, is_standby_told;

/* ---- one alert */

/* The columns of an alert as the cursor has them. */
typedef struct AlertRow {
  const tide_relation* relation;
  tide_cursor* cursor;
} AlertRow;

static int column_named(const AlertRow* row, const char* name) {
  for (int c = 0; c < row->relation->ncolumns; ++c) {
    if (strcmp(row->relation->columns[c].name, name) == 0) return c;
  }
  return -1;
}

static const char* text_of(const AlertRow* row, const char* name) {
  const char* text = tide_cursor_text(row->cursor, column_named(row, name), NULL);
  return text == NULL ? "" : text;
}

static int64 whole_of(const AlertRow* row, const char* name) {
  return tide_cursor_int(row->cursor, column_named(row, name));
}

static double number_of(const AlertRow* row, const char* name) {
  return tide_cursor_double(row->cursor, column_named(row, name));
}

/* What is not ASCII is escaped: the payload is the same in every encoding of a database. */
static void put_json_text(StringInfo out, const char* text) {
  appendStringInfoChar(out, '"');
  for (const unsigned char* at = (const unsigned char*)text; *at != '\0';) {
    const int length = pg_utf_mblen(at);
    uint32 code = '?';
    if (strnlen((const char*)at, (size_t)length) < (size_t)length || !pg_utf8_islegal(at, length)) {
      ++at;
    } else {
      code = utf8_to_unicode(at);
      at += length;
    }
    if (code == '"' || code == '\\') {
      appendStringInfo(out, "\\%c", (int)code);
    } else if (code >= 0x10000) {
      appendStringInfo(out, "\\u%04x\\u%04x", 0xD800 + ((code - 0x10000) >> 10), 0xDC00 + ((code - 0x10000) & 0x3FF));
    } else if (code < ' ' || code > '~') {
      appendStringInfo(out, "\\u%04x", code);
    } else {
      appendStringInfoChar(out, (char)code);
    }
  }
  appendStringInfoChar(out, '"');
}

static void put_json_time(StringInfo out, int64 unix_us) {
  const time_t seconds = (time_t)(unix_us / 1000000);
  struct tm parts;
  char text[32];
  gmtime_r(&seconds, &parts);
  strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  appendStringInfo(out, "\"%s.%06dZ\"", text, (int)(unix_us % 1000000));
}

static void put_json_value(StringInfo out, tide_cursor* cursor, int column, int32 type) {
  const double number = tide_cursor_double(cursor, column);
  if (tide_cursor_is_null(cursor, column) || (type == TIDE_DOUBLE && !isfinite(number))) {
    appendStringInfoString(out, "null");
  } else if (type == TIDE_DOUBLE) {
    appendStringInfo(out, "%.15g", number);
  } else if (type == TIDE_TIME) {
    put_json_time(out, tide_cursor_int(cursor, column));
  } else if (type == TIDE_TEXT) {
    put_json_text(out, tide_cursor_text(cursor, column, NULL));
  } else {
    appendStringInfo(out, INT64_FORMAT, tide_cursor_int(cursor, column));
  }
}

/* {"event": "firing", ...} with every column of the relation. */
static char* payload_of(const AlertRow* row, int step) {
  StringInfoData out;
  initStringInfo(&out);
  appendStringInfo(&out, "{\"event\":\"%s\"", kStepNames[step]);
  for (int c = 0; c < row->relation->ncolumns; ++c) {
    const tide_column* column = &row->relation->columns[c];
    appendStringInfo(&out, ",\"%s\":", column->name);
    put_json_value(&out, row->cursor, c, column->type);
  }
  appendStringInfoChar(&out, '}');
  return out.data;
}

static void log_step(const AlertRow* row, int step) {
  const char* pool = text_of(row, "pool");
  const char* rule = text_of(row, "rule");
  if (step == kFired) {
    const bool is_minor = strcmp(text_of(row, "severity"), "info") == 0;
    const char* advice = text_of(row, "advice");
    ereport(is_minor ? LOG : WARNING,
            (errmsg("pool \"%s\": alert %s (%s): %s", pool, rule, text_of(row, "severity"), text_of(row, "message")),
             errdetail("%s is %g, the threshold is %g.", text_of(row, "metric"), number_of(row, "value"),
                       number_of(row, "threshold")),
             advice[0] != '\0' ? errhint("%s", advice) : 0));
  } else if (step == kAcknowledged) {
    ereport(LOG, (errmsg("pool \"%s\": alert %s acknowledged by %s", pool, rule, text_of(row, "acked_by"))));
  } else {
    const double seconds = (double)(whole_of(row, "resolved_at") - whole_of(row, "since")) / 1e6;
    ereport(LOG, (errmsg("pool \"%s\": alert %s resolved after %.1f s", pool, rule, seconds)));
  }
}

static const char* target_database(void) {
  const char* name = GetConfigOption("tidepool.database", true, false);
  return name == NULL ? "" : name;
}

static void drop_pending(int count) {
  for (int i = 0; i < count; ++i) pfree(pending[i]);
  memmove(pending, pending + count, sizeof pending[0] * (size_t)(pending_count - count));
  pending_count -= count;
}

static void queue(const char* payload) {
  if (strlen(payload) > PAYLOAD_BYTES_MAX) return; /* the columns are shorter */
  if (pending_count == PENDING_MAX) {
    ereport(LOG, (errmsg("a notification of an alert is lost because %d others wait", PENDING_MAX)));
    drop_pending(1);
  }
  pending[pending_count++] = MemoryContextStrdup(TopMemoryContext, payload);
}

static void tell(const AlertRow* row, int step) {
  log_step(row, step);
  if (target_database()[0] != '\0') queue(payload_of(row, step));
}

/* ---- the alerts of a pool */

static ToldAlert* told_alert(struct AlertsTold* told, uint64 alert_id) {
  ToldAlert* free_one = NULL;
  for (int i = 0; i < HOSTED_ALERTS_MAX; ++i) {
    ToldAlert* each = &told->alert[i];
    if (each->alert_id == alert_id) return each;
    if (free_one == NULL && !each->is_shown) free_one = each;
  }
  if (free_one != NULL) *free_one = (ToldAlert){.alert_id = alert_id};
  return free_one; /* the relation has no more rows than this table */
}

static int steps_of(const AlertRow* row) {
  const char* state = text_of(row, "state");
  const bool is_resolved = strcmp(state, "resolved") == 0;
  if (!is_resolved && strcmp(state, "firing") != 0) return 0;
  return kFired | (text_of(row, "acked_by")[0] != '\0' ? kAcknowledged : 0) | (is_resolved ? kResolved : 0);
}

static void tell_new_steps(const AlertRow* row, ToldAlert* told) {
  const int steps = steps_of(row);
  for (int step = kFired; step <= kResolved; step <<= 1) {
    if ((steps & step) != 0 && (told->steps & step) == 0) tell(row, step);
  }
  told->steps |= steps;
}

/* Ids that are still in the relation keep their places. */
static void mark_shown(const AlertRow* row, struct AlertsTold* told) {
  const uint64 alert_id = (uint64)whole_of(row, "alert_id");
  for (int i = 0; i < HOSTED_ALERTS_MAX; ++i) {
    if (told->alert[i].alert_id == alert_id) told->alert[i].is_shown = true;
  }
}

static bool open_alerts(const char* directory, const char* instance, AlertRow* row) {
  tide_filter filter = TIDE_FILTER_INIT;
  filter.directory = directory;
  filter.instance_id = instance;
  row->relation = hosted_relation("alerts");
  return tide_cursor_open("alerts", &filter, &row->cursor, NULL) == TIDE_OK;
}

void alerts_look(HostedPool* hosted, const char* directory) {
  AlertRow row;
  if (!hosted->has_alert_news && !hosted->has_firing_alerts) return;
  hosted->has_alert_news = hosted->has_firing_alerts = false;
  if (hosted->alerts == NULL) hosted->alerts = MemoryContextAllocZero(TopMemoryContext, sizeof *hosted->alerts);
  for (int i = 0; i < HOSTED_ALERTS_MAX; ++i) hosted->alerts->alert[i].is_shown = false;
  if (!open_alerts(directory, hosted->instance, &row)) return;
  while (tide_cursor_next(row.cursor)) mark_shown(&row, hosted->alerts);
  tide_cursor_close(row.cursor);
  if (!open_alerts(directory, hosted->instance, &row)) return;
  while (tide_cursor_next(row.cursor)) {
    ToldAlert* told = told_alert(hosted->alerts, (uint64)whole_of(&row, "alert_id"));
    if (told == NULL) continue;
    told->is_shown = true;
    tell_new_steps(&row, told);
    if ((told->steps & kResolved) == 0) hosted->has_firing_alerts = true; /* it may be acknowledged, without an event */
  }
  tide_cursor_close(row.cursor);
}

void alerts_forget(HostedPool* hosted) {
  if (hosted->alerts != NULL) free_later(hosted->alerts);
}

/* ---- the process that notifies */

/* NULL: no shared memory can be had now; the log says why. */
static dsm_segment* shared_memory(Size bytes) {
  dsm_segment* volatile made = NULL;
  PG_TRY();
  { made = dsm_create(bytes, DSM_CREATE_NULL_IF_MAXSEGMENTS); }
  PG_CATCH();
  {
    EmitErrorReport();
    FlushErrorState();
  }
  PG_END_TRY();
  return made;
}

/* The count, the name of the database and the payloads, as the notifier reads them. */
static dsm_segment* shared_texts(const char* database) {
  const uint32 count = (uint32)pending_count;
  dsm_segment* made;
  char* at;
  Size bytes = sizeof count + strlen(database) + 1;
  for (int i = 0; i < pending_count; ++i) bytes += strlen(pending[i]) + 1;
  made = shared_memory(bytes);
  if (made == NULL) return NULL;
  at = dsm_segment_address(made);
  memcpy(at, &count, sizeof count);
  at = stpcpy(at + sizeof count, database) + 1;
  for (int i = 0; i < pending_count; ++i) at = stpcpy(at, pending[i]) + 1;
  return made;
}

static bool launch(void) {
  BackgroundWorker worker;
  MemoryContext before;
  bool is_registered;
  notifier_texts = shared_texts(target_database());
  if (notifier_texts == NULL) return false;
  memset(&worker, 0, sizeof worker);
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
  worker.bgw_restart_time = BGW_NEVER_RESTART;
  worker.bgw_notify_pid = MyProcPid;
  worker.bgw_main_arg = UInt32GetDatum(dsm_segment_handle(notifier_texts));
  strlcpy(worker.bgw_name, "tidepool notifier", sizeof worker.bgw_name);
  strlcpy(worker.bgw_type, "tidepool notifier", sizeof worker.bgw_type);
  strlcpy(worker.bgw_library_name, "tidepool_worker", sizeof worker.bgw_library_name);
  strlcpy(worker.bgw_function_name, "tidepool_notifier_main", sizeof worker.bgw_function_name);
  before = MemoryContextSwitchTo(TopMemoryContext);
  is_registered = RegisterDynamicBackgroundWorker(&worker, &notifier);
  MemoryContextSwitchTo(before);
  if (is_registered) return true;
  dsm_detach(notifier_texts);
  return false;
}

static bool is_notifier_running(void) {
  pid_t pid;
  if (notifier == NULL) return false;
  if (GetBackgroundWorkerPid(notifier, &pid) != BGWH_STOPPED) return true;
  dsm_detach(notifier_texts);
  pfree(notifier);
  notifier = NULL;
  return false;
}

static bool is_standby(void) {
  if (!RecoveryInProgress()) return is_standby_told = false;
  if (!is_standby_told)
    ereport(LOG, (errmsg("alerts of hosted pools are not notified while this server is a standby"),
                  errdetail("They are in the server log and in tidepool.alerts.")));
  return is_standby_told = true;
}

double alerts_step(void) {
  if (is_notifier_running()) return kLookMs;
  if (pending_count == 0) return kNothingToDoMs;
  if (target_database()[0] == '\0' || is_standby()) {
    drop_pending(pending_count);
    return kNothingToDoMs;
  }
  if (now_ms() < launched_ms + kLaunchEveryMs) return launched_ms + kLaunchEveryMs - now_ms();
  launched_ms = now_ms();
  if (launch()) {
    is_refusal_told = false;
    drop_pending(pending_count);
    return kLookMs;
  }
  if (!is_refusal_told)
    ereport(LOG, (errmsg("could not start the process that notifies of alerts"),
                  errhint("It is tried again. Consider increasing max_worker_processes.")));
  is_refusal_told = true;
  return kLaunchEveryMs;
}
