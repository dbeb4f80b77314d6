/*
 * The process that notifies of alerts: started by the worker for some notifications (alerts.c), it connects to the
 * database that tidepool.database names, sends them in one transaction, and exits. If there is no such database, the
 * server logs that, and the notifications are lost.
 */
#include "worker.h"

#include <access/xact.h>
#include <commands/async.h>
#include <pgstat.h>
#include <postmaster/bgworker.h>
#include <storage/dsm.h>
#include <storage/ipc.h>

#define CHANNEL "tidepool_alerts"

PGDLLEXPORT void tidepool_notifier_main(Datum argument);

void tidepool_notifier_main(Datum argument) {
  dsm_segment* texts;
  const char* at;
  uint32 count;

  BackgroundWorkerUnblockSignals();
  texts = dsm_attach(DatumGetUInt32(argument));
  if (texts == NULL) proc_exit(0); /* the worker has ended */
  at = dsm_segment_address(texts);
  memcpy(&count, at, sizeof count);
  at += sizeof count;
  BackgroundWorkerInitializeConnection(at, NULL, 0);
  pgstat_report_appname("tidepool");
  SetCurrentStatementStartTimestamp();
  StartTransactionCommand();
  for (uint32 i = 0; i < count; ++i) {
    at += strlen(at) + 1;
    Async_Notify(CHANNEL, at);
  }
  CommitTransactionCommand();
  proc_exit(0);
}
