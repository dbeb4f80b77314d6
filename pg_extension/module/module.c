/*
 * tidepool.so: shows and controls the pools of this host. It hosts no pool, does not use libpq, starts no thread and
 * maps no foreign file: a segment that its owner truncates loses a row and does not crash the server. If preloaded, it
 * also registers the worker of tidepool_worker.so, which hosts pools.
 */
#include <tidepool/base.h>

#include "common/pg_compat.h"

#include <access/genam.h>
#include <access/htup_details.h>
#include <access/table.h>
#include <catalog/indexing.h>
#include <catalog/pg_extension.h>
#include <limits.h>
#include <miscadmin.h>
#include <postmaster/bgworker.h>
#include <utils/fmgroids.h>
#include <utils/rel.h>

#include "common/report.h"
#include "drops.h"
#include "module.h"
#include "update.h"

TIDEPOOL_MODULE_MAGIC("tidepool");

/* The version of the script that matches this library: tidepool--0.1.sql. */
#define SCRIPT_VERSION "0.1"

extern PGDLLEXPORT void _PG_init(void);

/*
 * The settings tidepool.*. They are defined here because this module is always loaded first; tidepool_worker.so and
 * tidepool_query.so share no symbols with it and read them by name (GetConfigOption). All are SIGHUP: the worker and
 * every backend must see the same value, and settings of a session are not visible to the worker.
 */
static char* directory;
static char* alerts_database;
static bool wants_worker;
static int max_hosted_connections;
static int hosted_max_size;
static int hosted_idle_timeout_ms;
static int hosted_acquire_timeout_ms;

static bool check_directory(char** value, void** extra, GucSource source) {
  if ((*value)[0] == '\0' || is_absolute_path(*value)) return true;
  GUC_check_errdetail("It must be an absolute path, or empty for the default directory.");
  return false;
}

static void define_number(const char* name, const char* meaning, int* variable, int value, int min, int max,
                          int flags) {
  DefineCustomIntVariable(name, meaning, NULL, variable, value, min, max, PGC_SIGHUP, flags, NULL, NULL, NULL);
}

static void define_settings(void) {
  DefineCustomStringVariable(
      "tidepool.dir", "Directory of the segments of this host's pools.",
      "If empty: TIDEPOOL_DIR of the server's environment, otherwise /run/tidepool or the user's directory.",
      &directory, "", PGC_SIGHUP, 0, check_directory, NULL, NULL);
  DefineCustomStringVariable("tidepool.database", "Database in which alerts of hosted pools are notified.",
                             "Sessions there that LISTEN tidepool_alerts get each change of an alert as a JSON object. "
                             "If empty: none; alerts are in the server log in any case.",
                             &alerts_database, "", PGC_SIGHUP, 0, NULL, NULL, NULL);
  DefineCustomBoolVariable("tidepool.worker", "Runs the worker that hosts pools.",
                           "Needs shared_preload_libraries = 'tidepool'; off at start: the worker is not started at "
                           "all; off later: it closes its pools.",
                           &wants_worker, true, PGC_SIGHUP, 0, NULL, NULL, NULL);
  define_number("tidepool.max_hosted_connections", "Maximum number of connections of all hosted pools together.",
                &max_hosted_connections, 100, 0, 10000, 0);
  define_number("tidepool.hosted_max_size", "max_size of a hosted pool whose server does not set it.", &hosted_max_size,
                10, 1, 10000, 0);
  define_number("tidepool.hosted_idle_timeout", "Idle time after which a hosted pool is closed; 0 disables it.",
                &hosted_idle_timeout_ms, 5 * 60 * 1000, 0, INT_MAX, GUC_UNIT_MS);
  define_number("tidepool.hosted_acquire_timeout", "How long a query waits for a connection of a hosted pool.",
                &hosted_acquire_timeout_ms, 10 * 1000, 1, INT_MAX, GUC_UNIT_MS);
  tidepool_reserve_settings();
}

const char* tidepool_directory(void) {
  return directory == NULL || directory[0] == '\0' ? NULL : tidepool_to_utf8(directory);
}

PG_FUNCTION_INFO_V1(tidepool_version);

/* The version that CREATE or ALTER EXTENSION stored in the catalogue; NULL outside of an extension. */
static char* script_version(void) {
  char* version = NULL;
  ScanKeyData key;
  Relation extensions = table_open(ExtensionRelationId, AccessShareLock);
  SysScanDesc scan;
  HeapTuple found;
  ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ, CStringGetDatum("tidepool"));
  scan = systable_beginscan(extensions, ExtensionNameIndexId, true, NULL, 1, &key);
  found = systable_getnext(scan);
  if (HeapTupleIsValid(found)) {
    bool is_null;
    Datum value = heap_getattr(found, Anum_pg_extension_extversion, RelationGetDescr(extensions), &is_null);
    if (!is_null) version = TextDatumGetCString(value);
  }
  systable_endscan(scan);
  table_close(extensions, AccessShareLock);
  return version;
}

void tidepool_check_version(void) {
  /* Not cached: ALTER EXTENSION may run at any time, and one index lookup is cheap. */
  const char* script = script_version();
  if (script == NULL || strcmp(script, SCRIPT_VERSION) == 0) return;
  ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                  errmsg("extension tidepool is at version %s, its library at %s", script, SCRIPT_VERSION),
                  errdetail("The library is tidepool %s.", tide_version()),
                  errhint("Run ALTER EXTENSION tidepool UPDATE, or install the library of version %s and reconnect.",
                          script)));
}

/* The only entry point that does not check: it reports the version when the versions differ. */
Datum tidepool_version(PG_FUNCTION_ARGS) { PG_RETURN_TEXT_P(cstring_to_text(tide_version())); }

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
  if (IsBinaryUpgrade) return; /* the servers that pg_upgrade starts must not run the worker */
  define_settings();
  tidepool_update_watch();
  if (!process_shared_preload_libraries_in_progress) return;
  tidepool_drops_watch();
  if (wants_worker) register_worker();
}
