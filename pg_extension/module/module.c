/*
 * tidepool.so: shows and steers the pools of this host. It hosts no pool, knows no libpq, starts no thread and maps no
 * foreign file: a segment its owner truncates costs a row, not the server. Preloaded, it also registers the worker of
 * tidepool_worker.so, which hosts pools.
 */
#include <tidepool/base.h>

#include "common/pg_compat.h"

#include <miscadmin.h>
#include <postmaster/bgworker.h>

#include "drops.h"
#include "settings.h"
#include "staging.h"

TIDEPOOL_MODULE_MAGIC("tidepool");

extern PGDLLEXPORT void _PG_init(void);

static void register_worker(void) {
  BackgroundWorker worker;
  memset(&worker, 0, sizeof worker);
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker.bgw_start_time = BgWorkerStart_ConsistentState; /* standbys too */
  worker.bgw_restart_time = 1;                           /* seconds */
  strlcpy(worker.bgw_name, "tidepool worker", sizeof worker.bgw_name);
  strlcpy(worker.bgw_type, "tidepool worker", sizeof worker.bgw_type);
  strlcpy(worker.bgw_library_name, "tidepool_worker", sizeof worker.bgw_library_name);
  strlcpy(worker.bgw_function_name, "tidepool_worker_main", sizeof worker.bgw_function_name);
  RegisterBackgroundWorker(&worker);
}

void _PG_init(void) {
  if (IsBinaryUpgrade) return; /* pg_upgrade's servers must start no worker */
  tidepool_define_settings();
  tidepool_staging_watch();
  if (!process_shared_preload_libraries_in_progress) return;
  tidepool_drops_watch();
  if (tidepool_wants_worker()) register_worker();
}
