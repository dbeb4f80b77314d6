#include "driver/sqlite/inspector.hpp"

#include <string_view>

namespace tide::sqlite {
namespace {

// These take a value but do not change the session: they query a table, or act on the file.
constexpr std::string_view kHarmlessPragmas[] = {
    "table_info",     "table_xinfo",        "table_list",        "index_info",      "index_xinfo",
    "index_list",     "foreign_key_list",   "foreign_key_check", "integrity_check", "quick_check",
    "wal_checkpoint", "incremental_vacuum", "optimize",          "user_version",    "application_id",
};
// The policy has a value for each of these, which can be restored.
constexpr std::string_view kRestorablePragmas[] = {"journal_mode", "synchronous", "cache_size",   "foreign_keys",
                                                   "temp_store",   "query_only",  "busy_timeout", "journal_size_limit"};
// These have an effect without a value.
constexpr std::string_view kActingPragmas[] = {"wal_checkpoint", "incremental_vacuum", "optimize", "shrink_memory"};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_word(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

template <size_t N>
bool is_one_of(std::string_view name, const std::string_view (&names)[N]) {
  for (const std::string_view known : names) {
    if (same_word(name, known)) return true;
  }
  return false;
}

}  // namespace

void Inspector::install(sqlite3* database) noexcept {
  sqlite3_set_authorizer(database, &Inspector::on_authorize, this);
}

void Inspector::remove(sqlite3* database) noexcept {
  // Statements leaked by a holder keep the handle alive after close; they must not find the inspector, nor be recompiled.
  sqlite3_set_authorizer(
      database, [](void*, int, const char*, const char*, const char*, const char*) { return SQLITE_DENY; }, nullptr);
}

bool Inspector::is_installed(sqlite3* database) noexcept {
  const uint64_t before = seen_total_;
  sqlite3_stmt* statement = nullptr;
  sqlite3_prepare_v2(database, "SELECT 1", -1, &statement, nullptr);
  sqlite3_finalize(statement);
  return seen_total_ != before;
}

int Inspector::on_authorize(void* self, int action, const char* first, const char* second, const char* schema,
                            const char* trigger) noexcept {
  Inspector& inspector = *static_cast<Inspector*>(self);
  ++inspector.seen_total_;
  if (inspector.is_own_) return SQLITE_OK;
  if (inspector.is_refusing_.load()) return SQLITE_DENY;
  inspector.see(action, first, second, schema, trigger != nullptr);
  return SQLITE_OK;
}

void Inspector::alter(Alteration how) noexcept {
  if (how > alteration()) alteration_.store(how, std::memory_order_relaxed);
}

void Inspector::see_pragma(std::string_view name, bool has_value, std::string_view schema) noexcept {
  intent_.is_pragma = true;
  intent_.is_busy_timeout = same_word(name, "busy_timeout");
  intent_.is_pragma_question = !has_value && !is_one_of(name, kActingPragmas);
  if (!has_value || is_one_of(name, kHarmlessPragmas)) return;
  if (same_word(name, "journal_mode")) has_journal_change_.store(true, std::memory_order_relaxed);
  // restore_session() sets main's values; an attached database is detached anyway.
  const bool is_known = is_one_of(name, kRestorablePragmas) && !same_word(schema, "temp");
  alter(is_known ? Alteration::restorable : Alteration::lasting);
}

void Inspector::see(int action, const char* first, const char* second, const char* schema, bool is_trigger) noexcept {
  const std::string_view name = first != nullptr ? first : "";
  switch (action) {
    case SQLITE_INSERT: intent_.is_insert = intent_.is_insert || !is_trigger; [[fallthrough]];
    case SQLITE_UPDATE:
    case SQLITE_DELETE: intent_.is_change = true; return;
    case SQLITE_PRAGMA: see_pragma(name, second != nullptr, schema != nullptr ? schema : ""); return;
    case SQLITE_SAVEPOINT: intent_.is_transaction = true; return;
    case SQLITE_TRANSACTION:
      intent_.is_transaction = true;
      intent_.is_rollback = same_word(name, "ROLLBACK");
      return;
    case SQLITE_CREATE_TEMP_INDEX:
    case SQLITE_CREATE_TEMP_TABLE:
    case SQLITE_CREATE_TEMP_TRIGGER:
    case SQLITE_CREATE_TEMP_VIEW:
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
      intent_.is_attach = intent_.is_attach || action == SQLITE_ATTACH;
      alter(Alteration::restorable);
      [[fallthrough]];
    case SQLITE_CREATE_INDEX:
    case SQLITE_CREATE_TABLE:
    case SQLITE_CREATE_TRIGGER:
    case SQLITE_CREATE_VIEW:
    case SQLITE_CREATE_VTABLE:
    case SQLITE_DROP_INDEX:
    case SQLITE_DROP_TABLE:
    case SQLITE_DROP_TEMP_INDEX:
    case SQLITE_DROP_TEMP_TABLE:
    case SQLITE_DROP_TEMP_TRIGGER:
    case SQLITE_DROP_TEMP_VIEW:
    case SQLITE_DROP_TRIGGER:
    case SQLITE_DROP_VIEW:
    case SQLITE_DROP_VTABLE:
    case SQLITE_ALTER_TABLE:
    case SQLITE_REINDEX:
    case SQLITE_ANALYZE: intent_.is_definition = true; return;
    default: return;
  }
}

}  // namespace tide::sqlite
