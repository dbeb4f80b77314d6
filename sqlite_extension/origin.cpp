#include "origin.hpp"

#include <vector>

SQLITE_EXTENSION_INIT3

namespace tide::sqlite {
namespace {

constexpr int kTxnStateVersionMin = 3034000;

bool is_word_char(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
         byte >= 0x80;
}

bool is_same_word(std::string_view a, std::string_view b) {
  return a.size() == b.size() && sqlite3_strnicmp(a.data(), b.data(), static_cast<int>(a.size())) == 0;
}

// Searches the whole text, including quotes and comments: the arguments of a module may be quoted in any way.
bool has_word(std::string_view text, std::string_view word) {
  for (size_t at = 0; at + word.size() <= text.size(); ++at) {
    if (at > 0 && is_word_char(text[at - 1])) continue;
    if (at + word.size() < text.size() && is_word_char(text[at + word.size()])) continue;
    if (is_same_word(text.substr(at, word.size()), word)) return true;
  }
  return false;
}

size_t end_of(std::string_view sql, size_t from, std::string_view end) {
  const size_t at = sql.find(end, from);
  return at == std::string_view::npos ? sql.size() : at + end.size();
}

// Searches for an identifier of the statement, bare or quoted, but not in texts or comments.
bool has_identifier(std::string_view sql, std::string_view name) {
  for (size_t at = 0; at < sql.size();) {
    const char c = sql[at];
    const size_t start = at;
    if (sql.substr(at, 2) == "--") {
      at = end_of(sql, at, "\n");
    } else if (sql.substr(at, 2) == "/*") {
      at = end_of(sql, at + 2, "*/");
    } else if (c == '\'') {
      at = end_of(sql, at + 1, "'");  // a doubled quote starts another text, which is skipped in the same way
    } else if (c == '"' || c == '`' || c == '[') {
      at = end_of(sql, at + 1, c == '[' ? "]" : sql.substr(at, 1));
      if (at - start > 2 && is_same_word(sql.substr(start + 1, at - start - 2), name)) return true;
    } else if (is_word_char(c)) {
      while (at < sql.size() && is_word_char(sql[at])) ++at;
      if (is_same_word(sql.substr(start, at - start), name)) return true;
    } else {
      ++at;
    }
  }
  return false;
}

struct Running {
  int naming = 0;
  int others = 0;
};

// Statements that have started and not ended, including those between two rows, because SQLite does not distinguish
// them.
Running running_statements(sqlite3* db, std::string_view name) {
  Running running;
  for (sqlite3_stmt* s = sqlite3_next_stmt(db, nullptr); s != nullptr; s = sqlite3_next_stmt(db, s)) {
    if (sqlite3_stmt_busy(s) == 0) continue;
    const char* sql = sqlite3_sql(s);
    ++(sql != nullptr && has_identifier(sql, name) ? running.naming : running.others);
  }
  return running;
}

// Calls `visit` with each row until it returns false. Returns false if the statement failed.
template <typename Visit>
bool for_each_row(sqlite3* db, const std::string& sql, Visit&& visit) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(db, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) return false;
  int code = SQLITE_ROW;
  try {
    while ((code = sqlite3_step(statement)) == SQLITE_ROW && visit(statement)) {
    }
  } catch (...) {
    sqlite3_finalize(statement);
    throw;
  }
  sqlite3_finalize(statement);
  return code == SQLITE_ROW || code == SQLITE_DONE;
}

std::string column(sqlite3_stmt* row, int index) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(row, index));
  return text == nullptr ? std::string() : std::string(text, static_cast<size_t>(sqlite3_column_bytes(row, index)));
}

std::string in_quotes(const std::string& name) {
  std::string quoted = "\"";
  for (const char c : name) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + "\"";
}

// The object in the files of this transaction whose definition contains `name`; nothing if there is none.
std::optional<std::string> naming_object(sqlite3* db, std::string_view name) {
  std::vector<std::string> schemas;
  const bool is_listed = for_each_row(db, "PRAGMA database_list", [&](sqlite3_stmt* row) {
    if (column(row, 1) != "temp") schemas.push_back(column(row, 1));
    return true;
  });
  if (!is_listed) return "PRAGMA database_list must be allowed";
  for (const std::string& schema : schemas) {
    if (sqlite3_libversion_number() >= kTxnStateVersionMin &&
        sqlite3_txn_state(db, schema.c_str()) == SQLITE_TXN_NONE) {
      continue;
    }
    std::optional<std::string> found;
    // NOT INDEXED: the file may contain an index on its schema with different contents.
    const std::string sql = "SELECT type, name, sql FROM " + in_quotes(schema) + ".sqlite_master NOT INDEXED";
    const bool is_read = for_each_row(db, sql, [&](sqlite3_stmt* row) {
      if (!has_word(column(row, 2), name)) return true;
      found = column(row, 0) + " " + in_quotes(column(row, 1)) + " of the database " + in_quotes(schema) + " names it";
      return false;
    });
    if (!is_read) return "the schema of the database " + in_quotes(schema) + " cannot be read";
    if (found) return found;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> refuse_command(sqlite3* db, std::string_view name) {
  if (running_statements(db, name).naming == 0) {
    const auto object = naming_object(db, name);
    return "a database file must not control pools: no running statement of this session names the function" +
           (object ? "\nDetail: " + *object : std::string());
  }
  const auto object = naming_object(db, name);
  if (!object) return std::nullopt;
  return "refused while a database that could call it takes part in the transaction\nDetail: " + *object +
         "\nHint: call it in a statement of its own that does not use this database";
}

std::optional<std::string> refuse_reading(sqlite3* db, std::string_view name) {
  if (running_statements(db, name).others == 0) return std::nullopt;
  const auto object = naming_object(db, name);
  if (!object) return std::nullopt;
  return "a database file must not read pools: a running statement does not name this table\nDetail: " + *object +
         "\nHint: read it by its name while no other statement runs";
}

}  // namespace tide::sqlite
