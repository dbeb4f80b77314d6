#include "driver/sqlite/pragmas.hpp"

#include <string>
#include <vector>

#include "base/text.hpp"
#include "driver/sqlite/errors.hpp"
#include "driver/sqlite/open_files.hpp"
#include "driver/sqlite/statement.hpp"

namespace tide::sqlite {
namespace {

int temp_store_number(SqliteTempStore store) { return static_cast<int>(store); }  // numbers of SQLite: 0, 1, 2

int synchronous_number(SqliteSynchronous synchronous) {
  // A session that shares syncs lowers it itself (session_sync.cpp).
  if (synchronous == SqliteSynchronous::group) return static_cast<int>(SqliteSynchronous::full);
  return static_cast<int>(synchronous);  // 0 .. 3
}

// A WAL that is begun anew is cut to this size: some of it, because a file that grows costs more than one that is there.
int64_t kept_wal_bytes(const Policy& policy) {
  constexpr int64_t kShare = 4;
  return policy.sqlite_wal_limit == 0 ? -1 : policy.sqlite_wal_limit / kShare;
}

Status failed(sqlite3* database, int code, std::string_view setting, const SqliteTarget& target) {
  Status status = database_error(database, code);
  status.text().message = "could not set " + std::string(setting) + " on " + target.shown + ": " + status.message();
  if (is_busy(code)) status.is_retryable = true;
  return status;
}

Status apply_journal_mode(sqlite3* database, const SqliteTarget& target, SqliteJournalMode mode) {
  const std::string wanted(journal_mode_name(mode));
  std::string found;
  int code = run_own(database, "PRAGMA main.journal_mode", &found);
  // Query first: switching needs exclusive access, and a second session would get SQLITE_BUSY needlessly.
  if (code == SQLITE_OK && found == wanted) return Status::ok();
  if (code == SQLITE_OK) code = run_own(database, ("PRAGMA main.journal_mode=" + wanted).c_str(), &found);
  if (code != SQLITE_OK) return failed(database, code, "journal mode " + wanted, target);
  if (found == wanted) return Status::ok();
  return driver_error("55000", SQLITE_READONLY,
                      "journal mode " + wanted + " is not possible for " + target.shown + ": SQLite kept " + found, {},
                      "wal requires a writable directory on a local file system. Put the file there, or set "
                      "sqlite_journal_mode=" +
                          found + ".");
}

Status run_setting(sqlite3* database, const SqliteTarget& target, std::string_view name, int64_t value) {
  const std::string text = "PRAGMA " + std::string(name) + "=" + std::to_string(value);
  const int code = run_own(database, text.c_str());
  return code == SQLITE_OK ? Status::ok() : failed(database, code, name, target);
}

std::vector<std::string> attached_databases(sqlite3* database, int& code) {
  std::vector<std::string> names;
  Statement statement;
  std::string_view rest;
  code = compile(database, "SELECT name FROM pragma_database_list WHERE seq > 1", statement, rest);
  if (code != SQLITE_OK) return names;
  while ((code = sqlite3_step(statement.get())) == SQLITE_ROW) {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement.get(), 0));
    names.emplace_back(text != nullptr ? text : "");
  }
  if (code == SQLITE_DONE) code = SQLITE_OK;
  return names;
}

}  // namespace

std::string_view journal_mode_name(SqliteJournalMode mode) {
  switch (mode) {
    case SqliteJournalMode::wal: return "wal";
    case SqliteJournalMode::delete_: return "delete";
    case SqliteJournalMode::truncate: return "truncate";
    case SqliteJournalMode::persist: return "persist";
    case SqliteJournalMode::memory: return "memory";
    case SqliteJournalMode::off: return "off";
  }
  return "wal";
}

Status apply_pragmas(sqlite3* database, const SqliteTarget& target, const Policy& policy) {
  // The first statement that reads the file: it detects a file that is not a database.
  if (const int code = run_own(database, "PRAGMA main.schema_version"); code != SQLITE_OK) {
    Status status = database_error(database, code);
    status.text().message = "could not use " + target.shown + ": " + status.message();
    const int primary = code & 0xFF;
    if ((primary == SQLITE_CANTOPEN || primary == SQLITE_READONLY) && target.access == SqliteAccess::read_only) {
      status.text().detail =
          "A database in WAL mode requires a -shm file in the same directory, which this user may not create.";
      status.text().hint =
          "Give this user write permission on the directory, or open the pool with immutable=1 if no process "
          "changes the file.";
    }
    if (status.detail().empty()) status.text().detail = "Expected an SQLite 3 database, or an empty or missing file.";
    return status;
  }
  // A database in memory has no choice of journal: SQLite always returns "memory".
  if (!target.is_memory && target.is_writable()) {
    if (Status status = apply_journal_mode(database, target, policy.sqlite_journal_mode); !status) return status;
  }
  struct Assignment {
    std::string_view name;
    int64_t value;
  };
  const Assignment settings[] = {
      {"main.synchronous", synchronous_number(policy.sqlite_synchronous)},
      {"main.cache_size", policy.sqlite_cache_pages},
      {"foreign_keys", policy.sqlite_foreign_keys ? 1 : 0},
      {"temp_store", temp_store_number(policy.sqlite_temp_store)},
  };
  for (const Assignment& setting : settings) {
    if (Status status = run_setting(database, target, setting.name, setting.value); !status) return status;
  }
  const bool has_wal =
      !target.is_memory && target.is_writable() && policy.sqlite_journal_mode == SqliteJournalMode::wal;
  return has_wal ? run_setting(database, target, "main.journal_size_limit", kept_wal_bytes(policy)) : Status::ok();
}

Status restore_session(sqlite3* database, const SqliteTarget& target, const Policy& policy) {
  int code = SQLITE_OK;
  for (const std::string& name : attached_databases(database, code)) {
    code = run_own(database, ("DETACH " + sql_quoted(name, '"')).c_str());
    if (code != SQLITE_OK) break;
  }
  if (code != SQLITE_OK) return failed(database, code, "the list of databases", target);
  forget_attached_files(database);
  // Changing temp_store drops every temporary object; apply_pragmas() sets it back.
  const int other = policy.sqlite_temp_store == SqliteTempStore::file ? 2 : 1;
  if (Status status = run_setting(database, target, "temp_store", other); !status) return status;
  if (Status status = run_setting(database, target, "query_only", 0); !status) return status;
  return apply_pragmas(database, target, policy);
}

}  // namespace tide::sqlite
