#include "reports.hpp"

#include <tidepool/observe.h>

#include <memory>
#include <new>
#include <string>

#include "origin.hpp"
#include "translate.hpp"

SQLITE_EXTENSION_INIT3

namespace tide::sqlite {
namespace {

struct CloseCursor {
  void operator()(tide_cursor* cursor) const { tide_cursor_close(cursor); }
};
using Rows = std::unique_ptr<tide_cursor, CloseCursor>;

int column_of(const char* relation, const char* name) {
  for (int i = 0; const tide_relation* each = tide_relation_at(i); ++i) {
    if (std::string_view(each->name) != relation) continue;
    for (int column = 0; column < each->ncolumns; ++column) {
      if (std::string_view(each->columns[column].name) == name) return column;
    }
  }
  return -1;
}

std::string cell_of(const Rows& rows, int column) {
  const char* text = tide_cursor_text(rows.get(), column, nullptr);
  return text != nullptr ? text : "null";
}

// The worst of the instances of this name, as {"healthy":...,"status":...,"issues":[...],...}.
std::string worst_health(const char* pool) {
  tide_filter filter = TIDE_FILTER_INIT;
  filter.pool = pool;
  tide_cursor* cursor = nullptr;
  tide_error error = TIDE_ERROR_INIT;
  if (tide_cursor_open("health", &filter, &cursor, &error) != TIDE_OK) throw std::runtime_error(explain(error));
  const Rows rows(cursor);
  constexpr std::string_view kWords[] = {"healthy", "degraded", "unhealthy"};
  const int status_column = column_of("health", "status");
  size_t worst = 0;
  std::string json;
  while (tide_cursor_next(cursor) != 0) {
    const std::string status = cell_of(rows, status_column);
    size_t how_bad = 0;
    while (how_bad + 1 < std::size(kWords) && kWords[how_bad] != status) ++how_bad;
    if (!json.empty() && how_bad <= worst) continue;
    worst = how_bad;
    json = std::string("{\"healthy\":") + (how_bad == 0 ? "true" : "false") + ",\"status\":\"" + status + "\"";
    for (const char* name : {"issues", "recommendations", "checks"}) {
      json += std::string(",\"") + name + "\":" + cell_of(rows, column_of("health", name));
    }
    json += "}";
  }
  if (json.empty()) throw std::runtime_error("tidepool_health(): no pool \"" + std::string(pool) + "\"");
  return json;
}

void run_health(sqlite3_context* context, int, sqlite3_value** values) {
  try {
    if (auto why = refuse_reading(sqlite3_context_db_handle(context), "tidepool_health"))
      throw std::runtime_error(*why);
    const auto pool = text_of(values[0]);
    if (!pool || pool->empty()) throw std::runtime_error("tidepool_health(): pool is NULL or empty");
    const std::string json = worst_health(pool->c_str());
    sqlite3_result_text(context, json.c_str(), static_cast<int>(json.size()), SQLITE_TRANSIENT);
  } catch (const std::bad_alloc&) {
    sqlite3_result_error_nomem(context);
  } catch (const std::exception& broken) {
    sqlite3_result_error(context, broken.what(), -1);
  }
}

// ---- tidepool_check_options: four columns and the hidden argument ------------------------------------------------------

constexpr int kArgument = 4;

struct Findings : sqlite3_vtab_cursor {
  Rows rows;
  bool is_on_row = false;
  int64_t rowid = 0;
  std::string options;
};
Findings& findings_of(sqlite3_vtab_cursor* cursor) { return *static_cast<Findings*>(cursor); }

int findings_connect(sqlite3* db, void*, int, const char* const*, sqlite3_vtab** out, char**) {
  const int code =
      sqlite3_declare_vtab(db, "CREATE TABLE x(kind TEXT, message TEXT, detail TEXT, hint TEXT, options TEXT HIDDEN)");
  if (code != SQLITE_OK) return code;
  *out = new (std::nothrow) sqlite3_vtab{};
  return *out != nullptr ? SQLITE_OK : SQLITE_NOMEM;
}

int findings_disconnect(sqlite3_vtab* table) {
  delete table;
  return SQLITE_OK;
}

int findings_best_index(sqlite3_vtab* table, sqlite3_index_info* plan) {
  for (int i = 0; i < plan->nConstraint; ++i) {
    const auto& constraint = plan->aConstraint[i];
    if (constraint.iColumn != kArgument || constraint.op != SQLITE_INDEX_CONSTRAINT_EQ) continue;
    if (constraint.usable == 0) return SQLITE_CONSTRAINT;  // another order of the join knows it first
    plan->aConstraintUsage[i].argvIndex = 1;
    plan->aConstraintUsage[i].omit = 1;
    plan->idxNum = 1;
    plan->estimatedCost = 10;
    plan->estimatedRows = 4;
    return SQLITE_OK;
  }
  set_message(table,
              "tidepool_check_options() needs the options\nHint: SELECT * FROM tidepool_check_options('max_size=20')");
  return SQLITE_ERROR;
}

int findings_open(sqlite3_vtab*, sqlite3_vtab_cursor** out) {
  *out = new (std::nothrow) Findings();
  return *out != nullptr ? SQLITE_OK : SQLITE_NOMEM;
}

int findings_close(sqlite3_vtab_cursor* cursor) {
  delete &findings_of(cursor);
  return SQLITE_OK;
}

int findings_next(sqlite3_vtab_cursor* base) {
  Findings& cursor = findings_of(base);
  ++cursor.rowid;
  cursor.is_on_row = cursor.rows != nullptr && tide_cursor_next(cursor.rows.get()) != 0;
  return SQLITE_OK;
}

int findings_filter(sqlite3_vtab_cursor* base, int, const char*, int, sqlite3_value** values) {
  return guarded(base->pVtab, [&] {
    Findings& cursor = findings_of(base);
    cursor.rows.reset();
    cursor.rowid = 0;
    cursor.options = text_of(values[0]).value_or("");
    tide_cursor* rows = nullptr;
    tide_error error = TIDE_ERROR_INIT;
    if (tide_options_check(nullptr, cursor.options.c_str(), &rows, &error) != TIDE_OK) {
      set_message(base->pVtab, explain(error));
      return SQLITE_ERROR;
    }
    cursor.rows.reset(rows);
    return findings_next(base);
  });
}

int findings_eof(sqlite3_vtab_cursor* base) { return findings_of(base).is_on_row ? 0 : 1; }

int findings_rowid(sqlite3_vtab_cursor* base, sqlite3_int64* out) {
  *out = findings_of(base).rowid;
  return SQLITE_OK;
}

int findings_column(sqlite3_vtab_cursor* base, sqlite3_context* context, int column) {
  const Findings& cursor = findings_of(base);
  size_t length = cursor.options.size();
  const char* const text =
      column == kArgument ? cursor.options.c_str() : tide_cursor_text(cursor.rows.get(), column, &length);
  if (text != nullptr) sqlite3_result_text(context, text, static_cast<int>(length), SQLITE_TRANSIENT);
  return SQLITE_OK;
}

constexpr sqlite3_module make_findings_module() {
  sqlite3_module m{};
  m.iVersion = 1;
  m.xConnect = findings_connect;
  m.xBestIndex = findings_best_index;
  m.xDisconnect = findings_disconnect;
  m.xOpen = findings_open;
  m.xClose = findings_close;
  m.xFilter = findings_filter;
  m.xNext = findings_next;
  m.xEof = findings_eof;
  m.xColumn = findings_column;
  m.xRowid = findings_rowid;
  return m;
}
constexpr sqlite3_module kFindings = make_findings_module();

}  // namespace

int register_reports(sqlite3* db) {
  const int code = sqlite3_create_function_v2(db, "tidepool_health", 1, SQLITE_UTF8 | SQLITE_DIRECTONLY, nullptr,
                                              run_health, nullptr, nullptr, nullptr);
  return code != SQLITE_OK ? code
                           : sqlite3_create_module_v2(db, "tidepool_check_options", &kFindings, nullptr, nullptr);
}

void unregister_reports(sqlite3* db) {
  sqlite3_create_function_v2(db, "tidepool_health", 1, SQLITE_UTF8, nullptr, nullptr, nullptr, nullptr, nullptr);
  sqlite3_create_module_v2(db, "tidepool_check_options", nullptr, nullptr, nullptr);
}

}  // namespace tide::sqlite
