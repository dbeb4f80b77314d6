#include "cursor.hpp"

#include <tidepool/observe.h>

#include <array>
#include <charconv>
#include <optional>
#include <stdexcept>
#include <string>
#include <unordered_map>

#include "assign.hpp"
#include "origin.hpp"
#include "table.hpp"
#include "translate.hpp"

SQLITE_EXTENSION_INIT3

namespace tide::sqlite {
namespace {

struct Cursor : sqlite3_vtab_cursor {
  tide_cursor* rows = nullptr;
  bool is_on_row = false;
  std::string directory;                        // read from
  bool is_blind = false, is_elsewhere = false;  // counted in OpenScans
  int64_t rowid = 0;
  std::unordered_map<uint64_t, int64_t> seen;  // rows so far of each instance
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
  // SQLite carries out `a OR b` as two scans and drops what it saw before by rowid. So the number must be the same
  // whatever the filter: which instance, and the how manyeth row of it.
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

// D3: false where the answer would depend on which table is read first.
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
  const auto number = [&](int column) -> std::optional<int64_t> {
    if (column < 0 || tide_cursor_is_null(cursor.rows, column) != 0) return std::nullopt;
    return tide_cursor_int(cursor.rows, column);
  };
  RowIdentity row;
  row.directory = cursor.directory;
  row.instance_id = text_at(cursor.rows, table.instance_id);
  row.pool = text_at(cursor.rows, table.pool);
  row.key = text_at(cursor.rows, table.key);
  row.min_size = number(table.min_size);
  row.max_size = number(table.max_size);
  if (row.key == "min_size" || row.key == "max_size") {
    const std::string text = text_at(cursor.rows, table.value);
    int64_t limit = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), limit).ec == std::errc{}) {
      (row.key == "min_size" ? row.min_size : row.max_size) = limit;
    }
  }
  return row;
}

void text_result(sqlite3_context* context, const std::string& text) {
  sqlite3_result_text(context, text.c_str(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
}

}  // namespace

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

    // `= NULL` is never true. A value that is not text may still be equal after SQLite converted it, and "" would mean
    // "all" to the reader: then nothing is handed down and SQLite compares.
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
    // An UPDATE asks for the columns it leaves alone. Silence marks them so for xUpdate; the identity goes along.
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

}  // namespace tide::sqlite
