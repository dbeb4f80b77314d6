// The tables tidepool_pools, tidepool_leases, ...: all relations of the catalogue, readable in SQLite, a few of them
// writable. They are eponymous: nothing has to be created, and no database file refers to them.
//
//   SELECT pool, state, in_use, size, waiting FROM tidepool_pools;
//   -- app|running|3|8|0
//   SELECT tag, age_ms FROM tidepool_leases WHERE pool = 'app' ORDER BY age_ms DESC LIMIT 1;
//   -- monthly report|5013.2
//   SELECT status, issues FROM tidepool_health('app');                  -- here the argument is the pool
//   -- healthy|[]
//   SELECT count(*) FROM tidepool_connections('/srv/other/tidepool');   -- the pools of another directory
//   -- 12
//   UPDATE tidepool_pools SET target_size = 8 WHERE pool = 'app';       -- a command; see tidepool_commands
//   SELECT target_size, size_source FROM tidepool_pools WHERE pool = 'app';
//   -- 8|manual
//
// How it works. One module implements all relations: names and types come from tide_relation_at(). A cursor is a
// snapshot that tide_cursor_open() takes in xFilter, so a scan never sees a partial change of a pool, and is not
// affected when a pool disappears meanwhile. Equality on `pool` and `instance_id` is passed to the reader, which then
// reads only matching segments; SQLite tests it again, so a filter may be too wide but never too narrow. UPDATE becomes
// commands, which are held until COMMIT (write.hpp).
//
// The hidden column `dir` is the argument of the table-valued form, and the directory a row was read from:
// D1  `dir = X` (also IS, IN, and `dir = X OR dir = Y`, which is IN), combined with the other conditions by AND, makes
//     a scan read X. All other conditions read the default directory and compare its name: `dir = X OR pool = 'z'`,
//     `dir LIKE X`, `NOT dir = X`.
// D2  SQLite may scan once for each side of an OR, and one side alone looks like D1. The cost estimate prevents it: a
//     scan by `dir` costs more than a full scan of the default directory, so an OR with such a side is never split.
// D3  A scan whose `dir` is compared with a table that is read later reads the default directory. Its cost makes SQLite
//     prefer an order in which the directory is known first. If there is none (a.dir = b.dir alone), all scans must
//     read the default directory while it is open, or the statement fails. For the left side of LEFT and CROSS JOIN,
//     whose order is fixed, SQLite does not report the comparison: then the default directory is read.
//
// Threads: everything here belongs to one connection and is guarded by its mutex.
// Failure: result codes and zErrMsg; no exception passes into SQLite.
#include "tables.hpp"

#include <tidepool/observe.h>

#include <array>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include "origin.hpp"
#include "table.hpp"
#include "values.hpp"

SQLITE_EXTENSION_INIT3

namespace tide::sqlite {
namespace {

struct Binding {
  const tide_relation* relation;
  std::shared_ptr<Staging> staging;
  std::shared_ptr<OpenScans> scans;
};

// tidepool_check_options('...') has rows of the same kind; its hidden column is the argument.
constexpr tide_column text_column(const char* name) { return {name, TIDE_TEXT, 0, "", "", "text", nullptr, 0, 0}; }
constexpr tide_column kFindingColumns[] = {text_column("kind"), text_column("message"), text_column("detail"),
                                           text_column("hint")};
constexpr tide_relation kFindings = {"check_options", "", 4, 0, kFindingColumns};

constexpr double kCostBase = 100;
constexpr double kCostByDirectory = 1e12;  // D2
constexpr double kCostBlind = 1e30;        // D3

int place_of(const tide_relation& relation, const char* name) {
  for (int i = 0; i < relation.ncolumns; ++i) {
    if (std::strcmp(relation.columns[i].name, name) == 0) return i;
  }
  return -1;
}

const char* declared_type(int32_t type) {
  switch (type) {
    case TIDE_INT:
    case TIDE_BOOL: return "INTEGER";
    case TIDE_DOUBLE: return "REAL";
    default: return "TEXT";
  }
}

int connect(sqlite3* db, void* data, int, const char* const*, sqlite3_vtab** out, char**) {
  try {
    const auto& binding = *static_cast<const Binding*>(data);
    const tide_relation& relation = *binding.relation;
    std::string sql = "CREATE TABLE x(";
    for (int i = 0; i < relation.ncolumns; ++i) {
      // Quoted, because some columns are called rows, count or value.
      sql.append("\"").append(relation.columns[i].name).append("\" ");
      sql.append(declared_type(relation.columns[i].type)).append(", ");
    }
    const bool is_report = std::strcmp(relation.name, "health") == 0;
    if (is_report) sql.append("which TEXT HIDDEN, ");
    const bool is_of_pools = &relation != &kFindings;
    sql.append(is_of_pools ? "dir TEXT HIDDEN)" : "options TEXT HIDDEN)");
    if (const int code = sqlite3_declare_vtab(db, sql.c_str()); code != SQLITE_OK) return code;
    // Not from triggers and views of a database file: the author of the file must neither control nor read pools.
    if (is_of_pools) sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
    // A row is refused before any of its commands is staged, so that UPDATE OR IGNORE can skip it.
    if (is_of_pools) sqlite3_vtab_config(db, SQLITE_VTAB_CONSTRAINT_SUPPORT, 1);
    auto table = std::make_unique<Table>();
    table->db = db;
    table->relation = &relation;
    table->staging = binding.staging;
    table->scans = binding.scans;
    table->is_report = is_report;
    table->instance_id = place_of(relation, "instance_id");
    table->pool = place_of(relation, "pool");
    for (int i = 0; i < relation.ncolumns; ++i) {
      if (relation.columns[i].key != nullptr) table->key = place_of(relation, relation.columns[i].key);
    }
    *out = table.release();
    return SQLITE_OK;
  } catch (const std::bad_alloc&) {
    return SQLITE_NOMEM;
  }
}

int disconnect(sqlite3_vtab* table) {
  delete static_cast<Table*>(table);
  return SQLITE_OK;
}

int best_index(sqlite3_vtab* vtab, sqlite3_index_info* plan) {
  const Table& table = table_of(vtab);
  int by_instance = -1, by_pool = -1;
  std::vector<int> by_directory;
  bool comes_later = false;
  for (int i = 0; i < plan->nConstraint; ++i) {
    const auto& constraint = plan->aConstraint[i];
    const bool is_equality = constraint.op == SQLITE_INDEX_CONSTRAINT_EQ;
    // If rows belong to no pool (help), no directory is read either.
    const bool is_directory = constraint.iColumn == table.directory() && table.pool >= 0;
    if (!is_equality && !(is_directory && constraint.op == SQLITE_INDEX_CONSTRAINT_IS)) continue;
    // Collations such as NOCASE match more names than the reader does.
    if (std::strcmp(sqlite3_vtab_collation(plan, i), "BINARY") != 0) continue;
    comes_later = comes_later || (is_directory && constraint.usable == 0);
    if (constraint.usable == 0) continue;
    if (is_directory) by_directory.push_back(i);
    if (constraint.iColumn == table.instance_id && table.instance_id >= 0) by_instance = i;
    const bool is_pool = constraint.iColumn == table.pool || constraint.iColumn == table.which();
    if (is_pool && constraint.iColumn >= 0) by_pool = i;
  }
  if (comes_later && by_directory.empty()) plan->idxNum |= kDirectoryComesLater;
  int arguments = 0;
  const auto push = [&](int constraint, Pushed what) {
    if (constraint < 0) return;
    plan->aConstraintUsage[constraint].argvIndex = ++arguments;
    plan->idxNum |= what;
  };
  // One is enough: SQLite tests the others on the rows that were read.
  push(by_directory.empty() ? -1 : by_directory.front(), kByDirectory);
  push(by_instance, kByInstance);
  push(by_pool, kByPool);
  // An estimate that is good enough to read pools first in a join: opening the directory is expensive, pools are few,
  // their parts are many.
  const bool is_small =
      std::strcmp(table.relation->name, "pools") == 0 || std::strcmp(table.relation->name, "pool_stats") == 0;
  const int64_t rows_of_instance = is_small ? 1 : 100;
  const int64_t instances = by_instance >= 0 ? 1 : by_pool >= 0 ? 2 : 10;
  plan->estimatedRows = rows_of_instance * instances;
  const double cost = (plan->idxNum & kDirectoryComesLater) != 0 ? kCostBlind
                      : (plan->idxNum & kByDirectory) != 0       ? kCostByDirectory
                                                                 : kCostBase;
  plan->estimatedCost = cost + static_cast<double>(plan->estimatedRows);
  return SQLITE_OK;
}

// ---- rows: a cursor is a snapshot taken in xFilter ----------------------------------------------------------------------

struct Cursor : sqlite3_vtab_cursor {
  tide_cursor* rows = nullptr;
  bool is_on_row = false;
  std::string directory;                        // that is read
  bool is_blind = false, is_elsewhere = false;  // counted in OpenScans
  int64_t rowid = 0;
  std::unordered_map<uint64_t, int64_t> seen;  // number of rows so far, by instance
};

Table& table_behind(const Cursor& cursor) { return table_of(cursor.pVtab); }
Cursor& cursor_of(sqlite3_vtab_cursor* cursor) { return *static_cast<Cursor*>(cursor); }

uint64_t fnv1a(uint64_t hash, std::string_view text) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

std::string text_at(const tide_cursor* rows, int column) {
  const char* text = column >= 0 ? tide_cursor_text(rows, column, nullptr) : nullptr;
  return text != nullptr ? text : "";
}

int step(Cursor& cursor) {
  const Table& table = table_behind(cursor);
  cursor.is_on_row = tide_cursor_next(cursor.rows) != 0;
  if (!cursor.is_on_row) return SQLITE_OK;
  // SQLite executes `a OR b` as two scans and removes duplicates by rowid. So the rowid must not depend on the filter:
  // it is made of the instance and the index of the row in it.
  const std::string whose = text_at(cursor.rows, table.instance_id >= 0 ? table.instance_id : table.pool);
  const uint64_t hash = fnv1a(fnv1a(0xcbf29ce484222325ULL, cursor.directory), whose) & 0x7fffffffffULL;
  const int64_t ordinal = cursor.seen[hash]++;
  cursor.rowid = static_cast<int64_t>(hash << 24) + ordinal;
  return SQLITE_OK;
}

std::string default_directory() {
  std::array<char, 4096> path{};
  tide_error error = TIDE_ERROR_INIT;
  if (tide_default_directory(path.data(), path.size(), &error) != TIDE_OK) throw std::runtime_error(explain(error));
  return path.data();
}

void leave(Cursor& cursor) {
  OpenScans& scans = *table_behind(cursor).scans;
  if (cursor.is_blind) --scans.blind;
  if (cursor.is_elsewhere) --scans.elsewhere;
  cursor.is_blind = cursor.is_elsewhere = false;
}

// D3: false if the result would depend on which table is read first.
bool enter(Cursor& cursor, bool is_blind, bool is_elsewhere) {
  OpenScans& scans = *table_behind(cursor).scans;
  cursor.is_blind = is_blind;
  cursor.is_elsewhere = is_elsewhere;
  if (is_blind) ++scans.blind;
  if (is_elsewhere) ++scans.elsewhere;
  return scans.blind == 0 || scans.elsewhere == 0;
}

RowIdentity identity_of(const Cursor& cursor) {
  const Table& table = table_behind(cursor);
  return {cursor.directory, text_at(cursor.rows, table.instance_id), text_at(cursor.rows, table.key)};
}

void text_result(sqlite3_context* context, const std::string& text) {
  sqlite3_result_text(context, text.c_str(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
}

int cursor_open(sqlite3_vtab*, sqlite3_vtab_cursor** out) {
  *out = new (std::nothrow) Cursor();
  return *out != nullptr ? SQLITE_OK : SQLITE_NOMEM;
}

int cursor_close(sqlite3_vtab_cursor* base) {
  Cursor* cursor = &cursor_of(base);
  leave(*cursor);
  tide_cursor_close(cursor->rows);
  delete cursor;
  return SQLITE_OK;
}

int cursor_filter(sqlite3_vtab_cursor* base, int pushed, const char*, int, sqlite3_value** values) {
  return guarded(base->pVtab, [&] {
    Cursor& cursor = cursor_of(base);
    tide_cursor_close(cursor.rows);
    cursor.rows = nullptr;
    cursor.is_on_row = false;
    cursor.seen.clear();
    leave(cursor);
    if (auto why = refuse_reading(table_behind(cursor).db, table_behind(cursor).sql_name())) {
      set_message(base->pVtab, table_behind(cursor).sql_name() + ": " + *why);
      return SQLITE_ERROR;
    }

    // `= NULL` is never true. A value that is not text may still be equal after a conversion by SQLite, and "" means
    // "all" to the reader: in these cases only SQLite compares.
    bool is_empty = false;
    std::string instance_id, pool;
    const auto narrow = [&](sqlite3_value* value, std::string& to) {
      if (sqlite3_value_type(value) == SQLITE_NULL) is_empty = true;
      if (sqlite3_value_type(value) == SQLITE_TEXT) to = text_of(value).value_or("");
    };
    cursor.directory = default_directory();
    bool is_elsewhere = false;
    if ((pushed & kByDirectory) != 0) {
      sqlite3_value* value = *values++;
      const auto wanted = sqlite3_value_type(value) != SQLITE_BLOB ? text_of(value) : std::nullopt;
      is_empty = !wanted || wanted->empty();
      is_elsewhere = !is_empty && *wanted != cursor.directory;
      if (is_elsewhere) cursor.directory = *wanted;
    }
    if (!enter(cursor, (pushed & kDirectoryComesLater) != 0, is_elsewhere)) {
      set_message(base->pVtab, table_behind(cursor).sql_name() +
                                   ": cannot tell which directory is meant: dir is compared "
                                   "with a table that is read later, while \"" +
                                   cursor.directory +
                                   "\" is read"
                                   "\nHint: give every table its directory, dir = '...' or tidepool_" +
                                   table_behind(cursor).relation->name + "('...')");
      return SQLITE_ERROR;
    }
    if ((pushed & kByInstance) != 0) narrow(*values++, instance_id);
    if ((pushed & kByPool) != 0) narrow(*values++, pool);
    if (is_empty) return SQLITE_OK;

    tide_filter wanted = TIDE_FILTER_INIT;
    wanted.directory = cursor.directory.c_str();
    wanted.instance_id = instance_id.empty() ? nullptr : instance_id.c_str();
    wanted.pool = pool.empty() ? nullptr : pool.c_str();
    tide_error error = TIDE_ERROR_INIT;
    const tide_status status = tide_cursor_open(table_behind(cursor).relation->name, &wanted, &cursor.rows, &error);
    if (status == TIDE_NO_MEMORY) return SQLITE_NOMEM;
    if (status != TIDE_OK) {
      set_message(base->pVtab, explain(error));
      return SQLITE_ERROR;
    }
    return step(cursor);
  });
}

int cursor_next(sqlite3_vtab_cursor* base) {
  return guarded(base->pVtab, [&] { return step(cursor_of(base)); });
}

int cursor_eof(sqlite3_vtab_cursor* base) { return cursor_of(base).is_on_row ? 0 : 1; }

int cursor_rowid(sqlite3_vtab_cursor* base, sqlite3_int64* out) {
  *out = cursor_of(base).rowid;
  return SQLITE_OK;
}

int cursor_column(sqlite3_vtab_cursor* base, sqlite3_context* context, int index) {
  return guarded(base->pVtab, [&] {
    const Cursor& cursor = cursor_of(base);
    const Table& table = table_behind(cursor);
    const bool is_hidden = index == table.directory();
    // An UPDATE reads the columns that it does not change. Setting no result marks them as unchanged for xUpdate; the
    // identity is passed along.
    if (sqlite3_vtab_nochange(context) != 0) {
      if (!is_hidden) return SQLITE_OK;
      const std::string blob = identity_of(cursor).pack();
      sqlite3_result_blob(context, blob.data(), static_cast<int>(blob.size()), SQLITE_TRANSIENT);
      return SQLITE_OK;
    }
    if (is_hidden) {
      text_result(context, cursor.directory);
      return SQLITE_OK;
    }
    if (index == table.which()) {
      text_result(context, text_at(cursor.rows, table.pool));
      return SQLITE_OK;
    }
    if (tide_cursor_is_null(cursor.rows, index) != 0) return SQLITE_OK;
    switch (table.relation->columns[index].type) {
      case TIDE_INT:
      case TIDE_BOOL: sqlite3_result_int64(context, tide_cursor_int(cursor.rows, index)); return SQLITE_OK;
      case TIDE_DOUBLE: sqlite3_result_double(context, tide_cursor_double(cursor.rows, index)); return SQLITE_OK;
      default: {
        size_t length = 0;
        const char* text = tide_cursor_text(cursor.rows, index, &length);
        if (text != nullptr) sqlite3_result_text(context, text, static_cast<int>(length), SQLITE_TRANSIENT);
        return SQLITE_OK;
      }
    }
  });
}

int findings_best_index(sqlite3_vtab* table, sqlite3_index_info* plan) {
  for (int i = 0; i < plan->nConstraint; ++i) {
    const auto& constraint = plan->aConstraint[i];
    if (constraint.iColumn != table_of(table).directory() || constraint.op != SQLITE_INDEX_CONSTRAINT_EQ) continue;
    if (constraint.usable == 0) return SQLITE_CONSTRAINT;  // another join order has the value first
    plan->aConstraintUsage[i].argvIndex = 1;
    plan->aConstraintUsage[i].omit = 1;
    plan->idxNum = 1;
    plan->estimatedCost = 10;
    plan->estimatedRows = 4;
    return SQLITE_OK;
  }
  set_message(
      table,
      "tidepool_check_options() requires the options\nHint: SELECT * FROM tidepool_check_options('max_size=20')");
  return SQLITE_ERROR;
}

int findings_filter(sqlite3_vtab_cursor* base, int, const char*, int, sqlite3_value** values) {
  return guarded(base->pVtab, [&] {
    Cursor& cursor = cursor_of(base);
    tide_cursor_close(cursor.rows);
    cursor.rows = nullptr;
    cursor.seen.clear();
    cursor.directory = text_of(values[0]).value_or("");
    tide_error error = TIDE_ERROR_INIT;
    if (tide_options_check(nullptr, cursor.directory.c_str(), &cursor.rows, &error) == TIDE_OK) return step(cursor);
    set_message(base->pVtab, explain(error));
    return SQLITE_ERROR;
  });
}

// Without xCreate the table is eponymous only and cannot be created under another name.
constexpr sqlite3_module make_module(bool is_writable) {
  sqlite3_module m{};
  m.iVersion = 2;  // with savepoints
  m.xConnect = connect;
  m.xBestIndex = best_index;
  m.xDisconnect = disconnect;
  m.xOpen = cursor_open;
  m.xClose = cursor_close;
  m.xFilter = cursor_filter;
  m.xNext = cursor_next;
  m.xEof = cursor_eof;
  m.xColumn = cursor_column;
  m.xRowid = cursor_rowid;
  if (is_writable) {
    m.xUpdate = write_update;
    m.xBegin = write_begin;
    m.xSync = write_sync;
    m.xCommit = write_commit;
    m.xRollback = write_rollback;
    m.xSavepoint = write_savepoint;
    m.xRelease = write_release;
    m.xRollbackTo = write_rollback_to;
  }
  return m;
}

constexpr sqlite3_module kReadOnly = make_module(false);
constexpr sqlite3_module kWritable = make_module(true);
constexpr sqlite3_module kOfFindings = [] {
  sqlite3_module m = make_module(false);
  m.xBestIndex = findings_best_index;
  m.xFilter = findings_filter;
  return m;
}();

}  // namespace

int register_tables(sqlite3* db, const std::shared_ptr<Staging>& staging) {
  const auto scans = std::make_shared<OpenScans>();
  const auto define = [&](const tide_relation& relation, const sqlite3_module& module) {
    const std::string name = std::string("tidepool_") + relation.name;
    // SQLite calls the destructor when the connection closes, or immediately if the registration fails.
    return sqlite3_create_module_v2(db, name.c_str(), &module, new Binding{&relation, staging, scans},
                                    [](void* data) { delete static_cast<Binding*>(data); });
  };
  int code = define(kFindings, kOfFindings);
  for (int i = 0; const tide_relation* relation = tide_relation_at(i); ++i) {
    if (code == SQLITE_OK) code = define(*relation, assignable_columns(*relation).empty() ? kReadOnly : kWritable);
  }
  return code;
}

void unregister_tables(sqlite3* db) {
  sqlite3_create_module_v2(db, "tidepool_check_options", nullptr, nullptr, nullptr);
  for (int i = 0; const tide_relation* relation = tide_relation_at(i); ++i) {
    const std::string name = std::string("tidepool_") + relation->name;
    sqlite3_create_module_v2(db, name.c_str(), nullptr, nullptr, nullptr);
  }
}

}  // namespace tide::sqlite
