// Where SQLite finds the extension: `.load tidepool` or load_extension('tidepool') calls sqlite3_tidepool_init().
//
// A program that links SQLite itself compiles these files with -DSQLITE_CORE and passes the entry point to
// sqlite3_auto_extension().
#include <sqlite3ext.h>

#include <memory>
#include <mutex>
#include <new>

#include "control.hpp"
#include "staging.hpp"
#include "tables.hpp"

SQLITE_EXTENSION_INIT1

namespace {

constexpr int kSqliteVersionMin = 3031000;  // the first with DIRECTONLY

#ifndef SQLITE_CORE
// Connections of several threads may load at once, and all share the one pointer to SQLite's functions.
std::mutex g_api_mutex;

bool adopt(const sqlite3_api_routines* api) {
  const std::lock_guard lock(g_api_mutex);
  if (sqlite3_api == nullptr) sqlite3_api = api;
  return sqlite3_api == api;
}
#endif

int refuse(const sqlite3_api_routines* api, char** message, const char* text) {
#ifndef SQLITE_CORE
  if (message != nullptr) *message = api->mprintf("tidepool: %s", text);
#else
  (void)api;
  if (message != nullptr) *message = sqlite3_mprintf("tidepool: %s", text);
#endif
  return SQLITE_ERROR;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int sqlite3_tidepool_init(sqlite3* db, char** message,
                                                                            const sqlite3_api_routines* api) {
#ifndef SQLITE_CORE
  if (api->libversion_number() < kSqliteVersionMin) return refuse(api, message, "needs SQLite 3.31 or newer");
  // A process may hold two copies of SQLite. A pointer that serves both would mix them up.
  if (!adopt(api)) return refuse(api, message, "is in use by another copy of SQLite in this process");
#else
  if (sqlite3_libversion_number() < kSqliteVersionMin) return refuse(api, message, "needs SQLite 3.31 or newer");
#endif
  try {
    // Functions first: where they cannot be replaced because a statement runs, nothing has been touched.
    int code = tide::sqlite::register_functions(db);
    if (code == SQLITE_BUSY) {
      return refuse(api, message, "is loaded already, and cannot be loaded again while a statement runs");
    }
    if (code == SQLITE_OK) code = tide::sqlite::register_tables(db, std::make_shared<tide::sqlite::Staging>());
    if (code == SQLITE_OK) return SQLITE_OK;
    // SQLite unloads the code of an extension that fails, so nothing may point to it.
    tide::sqlite::unregister_tables(db);
    tide::sqlite::unregister_functions(db);
    return code;
  } catch (const std::bad_alloc&) {
    tide::sqlite::unregister_tables(db);
    tide::sqlite::unregister_functions(db);
    return SQLITE_NOMEM;
  }
}
