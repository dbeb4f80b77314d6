/*
 * The settings tidepool.*. They live here because this module is always loaded first; tidepool_worker.so and
 * tidepool_query.so share no symbols with it and read them by name (GetConfigOption). All are SIGHUP: the worker and
 * every backend must see the same value, and the worker never sees what a session sets.
 */
#include "settings.h"

#include <limits.h>

#include "common/report.h"

static char* directory;
static bool worker;
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

void tidepool_define_settings(void) {
  DefineCustomStringVariable("tidepool.dir", "Directory of the segments of this host's pools.",
                             "Empty: TIDEPOOL_DIR of the server's environment, else /run/tidepool, else the user's.",
                             &directory, "", PGC_SIGHUP, 0, check_directory, NULL, NULL);
  DefineCustomBoolVariable("tidepool.worker", "Runs the worker that hosts pools.",
                           "Needs shared_preload_libraries = 'tidepool'; off at start: the worker is not started at "
                           "all; off later: it closes its pools.",
                           &worker, true, PGC_SIGHUP, 0, NULL, NULL, NULL);
  define_number("tidepool.max_hosted_connections", "Most connections that all hosted pools have together.",
                &max_hosted_connections, 100, 0, 10000, 0);
  define_number("tidepool.hosted_max_size", "max_size of a hosted pool whose server does not give one.",
                &hosted_max_size, 10, 1, 10000, 0);
  define_number("tidepool.hosted_idle_timeout", "A hosted pool that nobody used for this long is closed; 0 is never.",
                &hosted_idle_timeout_ms, 5 * 60 * 1000, 0, INT_MAX, GUC_UNIT_MS);
  define_number("tidepool.hosted_acquire_timeout", "How long a query waits for a connection of a hosted pool.",
                &hosted_acquire_timeout_ms, 10 * 1000, 1, INT_MAX, GUC_UNIT_MS);
  tidepool_reserve_settings();
}

const char* tidepool_directory(void) {
  return directory == NULL || directory[0] == '\0' ? NULL : tidepool_to_utf8(directory);
}

bool tidepool_wants_worker(void) { return worker; }
