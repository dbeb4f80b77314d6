// Entry point of the extension: `.load tidepool` or load_extension('tidepool') calls sqlite3_tidepool_init().
//
// A program that links SQLite itself compiles these files with -DSQLITE_CORE and passes the entry point to
// sqlite3_auto_extension().
#include <sqlite3ext.h>
#include <tidepool/base.h>

#include <cstring>
#include <memory>
#include <mutex>
#include <new>

#include "functions.hpp"
#include "tables.hpp"
#include "write.hpp"

SQLITE_EXTENSION_INIT1

namespace {

constexpr int kSqliteVersionMin = 3031000;  // the first version with DIRECTONLY

#ifndef SQLITE_CORE
// Connections of several threads may load the extension at the same time; all share one pointer to SQLite's functions.
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

// True if the extension is already loaded: then functions, tables and staged commands are left unchanged. They could
// not be replaced anyway while a statement runs (such as SELECT load_extension(...)).
bool answers(sqlite3* db, const char* sql, const char* wanted) {
  sqlite3_stmt* statement = nullptr;
  bool is_it = false;
  if (sqlite3_prepare_v2(db, sql, -1, &statement, nullptr) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW) {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
    is_it = text != nullptr && std::strcmp(text, wanted) == 0;
  }
  sqlite3_finalize(statement);
  return is_it;
}

bool is_loaded(sqlite3* db) {
  // Looks up the name first: calling a missing function would write to SQLite's error log.
  return answers(db, "SELECT name FROM pragma_function_list WHERE name = 'tidepool_version'", "tidepool_version") &&
         answers(db, "SELECT tidepool_version()", tide_version());
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int sqlite3_tidepool_init(sqlite3* db, char** message,
                                                                            const sqlite3_api_routines* api) {
#ifndef SQLITE_CORE
  if (api->libversion_number() < kSqliteVersionMin) return refuse(api, message, "needs SQLite 3.31 or newer");
  // A process may contain two copies of SQLite; one pointer cannot serve both.
  if (!adopt(api)) return refuse(api, message, "is in use by another copy of SQLite in this process");
#else
  if (sqlite3_libversion_number() < kSqliteVersionMin) return refuse(api, message, "needs SQLite 3.31 or newer");
#endif
  try {
    if (is_loaded(db)) return SQLITE_OK;
    // Functions first: if they cannot be replaced because a statement runs, nothing has been changed yet.
    int code = tide::sqlite::register_functions(db);
    if (code == SQLITE_BUSY) {
      return refuse(api, message, "another version is loaded, and cannot be replaced while a statement runs");
    }
    if (code == SQLITE_OK) code = tide::sqlite::register_tables(db, std::make_shared<tide::sqlite::Staging>());
    if (code == SQLITE_OK) return SQLITE_OK;
    // SQLite unloads an extension whose entry point fails, so nothing may point to its code.
    tide::sqlite::unregister_tables(db);
    tide::sqlite::unregister_functions(db);
    return code;
  } catch (const std::bad_alloc&) {
    tide::sqlite::unregister_tables(db);
    tide::sqlite::unregister_functions(db);
    return SQLITE_NOMEM;
  }
}
