#include "driver/sqlite/errors.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "os/shortage.hpp"

namespace tide::sqlite {
namespace {

struct Wording {
  std::string_view part;      // part of the message of SQLite ...
  std::string_view sqlstate;  // ... and its SQLSTATE
};

// SQLITE_ERROR is used for all errors of parser and code generator; only the messages differ.
constexpr Wording kWordings[] = {
    {"syntax error", "42601"},
    {"incomplete input", "42601"},
    {"unrecognized token", "42601"},
    {"no such table", "42P01"},
    {"no such view", "42P01"},
    {"no such column", "42703"},
    {"has no column named", "42703"},
    {"no such function", "42883"},
    {"wrong number of arguments to function", "42883"},
    {"ambiguous column name", "42702"},
    {"already exists", "42P07"},
    {"within a transaction", "25001"},
    {"no transaction is active", "25P01"},
    {"no such savepoint", "3B001"},
    {"integer overflow", "22003"},
    {"unable to identify the object to be reindexed", "42P01"},
};

std::string_view sqlstate_of_constraint(int extended_code) {
  switch (extended_code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID: return "23505";
    case SQLITE_CONSTRAINT_FOREIGNKEY: return "23503";
    case SQLITE_CONSTRAINT_NOTNULL: return "23502";
    case SQLITE_CONSTRAINT_CHECK: return "23514";
    case SQLITE_CONSTRAINT_DATATYPE: return "42804";
    case SQLITE_CONSTRAINT_TRIGGER: return "P0001";
    default: return "23000";
  }
}

std::string hint_of(int extended_code, std::string_view sqlstate) {
  if (extended_code == SQLITE_BUSY_SNAPSHOT) {
    return "The transaction read before it wrote, and the database has changed since; retry the transaction.";
  }
  if (extended_code == SQLITE_READONLY_DBMOVED) return "Put the file back, and acquire a new lease.";
  switch (extended_code & 0xFF) {
    case SQLITE_BUSY:
      return "Another process or a session outside the pool holds the lock. Roll back and retry; begin a "
             "transaction that writes with BEGIN IMMEDIATE; or raise sqlite_busy_timeout.";
    case SQLITE_LOCKED: return "Another statement of this session still uses the table; finish it first.";
    case SQLITE_READONLY: return "Acquire a read-write lease; if it is one, check the permissions of the file.";
    case SQLITE_FULL: return "Free space on the disk, or raise PRAGMA max_page_count.";
    case SQLITE_NOTADB: return "Check the path; an encrypted file or another kind of file cannot be opened.";
    case SQLITE_CORRUPT: return "Run PRAGMA integrity_check on a copy and restore from a backup.";
    case SQLITE_SCHEMA: return "Another session changed the schema; retry.";
    default: break;
  }
  if (sqlstate == "25001") return "A transaction is open already; use SAVEPOINT to nest.";
  if (sqlstate == "42P01") return "Check the spelling, and whether the pool uses the right file.";
  return {};
}

bool is_character_begin(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }

// The character of the given text, from 1, for a byte of the compiled text.
int32_t position_of(const TextPlace& text, size_t byte) {
  const std::string_view compiled = text.translated != nullptr ? text.translated->sql : text.given;
  const std::string_view before = compiled.substr(0, byte);
  const auto position = static_cast<int32_t>(std::count_if(before.begin(), before.end(), is_character_begin) + 1);
  return text.translated != nullptr ? text.translated->position_in(text.given, position) : position;
}

// The byte of the text, from 0, at which a character begins.
size_t byte_of(std::string_view text, int32_t position) {
  size_t byte = 0;
  for (int32_t character = 0; byte < text.size(); ++byte) {
    if (is_character_begin(text[byte]) && ++character == position) break;
  }
  return byte;
}

// "UNIQUE constraint failed: t.a, t.b", "UNIQUE constraint failed: index 'i'", "CHECK constraint failed: name". A name with a
// dot cannot be told from two names.
void read_constraint(int code, std::string_view message, ErrorPlace& place) {
  constexpr std::string_view kFailed = " constraint failed: ";
  const size_t at = message.find(kFailed);
  if (at == std::string_view::npos) return;
  const std::string_view about = message.substr(at + kFailed.size());
  if (code == SQLITE_CONSTRAINT_CHECK) {
    place.constraint = about;
    return;
  }
  constexpr std::string_view kIndex = "index '";
  if (about.starts_with(kIndex) && about.ends_with('\'')) {
    place.constraint = about.substr(kIndex.size(), about.size() - kIndex.size() - 1);
    return;
  }
  const size_t dot = about.find('.');
  if (dot == std::string_view::npos) return;
  place.table = about.substr(0, dot);
  if (about.find(", ") == std::string_view::npos) place.column = about.substr(dot + 1);
}

}  // namespace

std::string_view sqlstate_of(int extended_code, std::string_view message) {
  if (extended_code == SQLITE_IOERR_NOMEM) return "53200";
  if (extended_code == SQLITE_READONLY_DBMOVED) return "58030";
  switch (extended_code & 0xFF) {
    case SQLITE_ERROR:
      for (const Wording& wording : kWordings) {
        if (message.find(wording.part) != std::string_view::npos) return wording.sqlstate;
      }
      return "HY000";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_SCHEMA:
    case SQLITE_PROTOCOL: return "40001";
    case SQLITE_ABORT: return "40000";
    case SQLITE_CONSTRAINT: return sqlstate_of_constraint(extended_code);
    case SQLITE_INTERRUPT: return "57014";
    case SQLITE_READONLY: return "25006";
    case SQLITE_FULL: return "53100";
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN: return "58030";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return "XX001";
    case SQLITE_NOMEM: return "53200";
    case SQLITE_TOOBIG: return "54000";
    case SQLITE_MISMATCH: return "42804";
    case SQLITE_PERM:
    case SQLITE_AUTH: return "42501";
    default: return "HY000";
  }
}

bool is_busy(int result_code) noexcept {
  const int primary = result_code & 0xFF;
  return primary == SQLITE_BUSY || primary == SQLITE_LOCKED || primary == SQLITE_PROTOCOL;
}

bool is_hopeless(int result_code) noexcept {
  if (result_code == SQLITE_READONLY_DBMOVED) return false;  // the file may be put back
  switch (result_code & 0xFF) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
    case SQLITE_ERROR:
    case SQLITE_MISUSE: return true;
    default: return false;
  }
}

Status driver_error(std::string_view sqlstate, int native_code, std::string message, std::string detail,
                    std::string hint) {
  Status status = Status::error(Code::database, std::move(message), std::move(detail), std::move(hint));
  status.text().sqlstate = sqlstate;
  status.native_code = native_code;
  status.is_retryable = sqlstate == "40001";
  return status;
}

Status database_error(sqlite3* database, int result_code, const TextPlace* text) {
  // The code of the connection is more precise, if it is about the same failure.
  int code = sqlite3_extended_errcode(database);
  const char* told = sqlite3_errmsg(database);
  if ((code & 0xFF) != (result_code & 0xFF)) {
    code = result_code;
    told = sqlite3_errstr(result_code);
  }
  std::string message = told != nullptr ? told : "unknown error";
  const std::string_view sqlstate = sqlstate_of(code, message);
  ErrorPlace place;
  if ((code & 0xFF) == SQLITE_CONSTRAINT) read_constraint(code, message, place);
  if ((code & 0xFF) == SQLITE_CANTOPEN) message += shortage_text(sqlite3_system_errno(database));
  std::string detail;
  const int offset = text != nullptr ? sqlite3_error_offset(database) : -1;
  if (offset >= 0) {
    place.position = position_of(*text, text->offset + static_cast<size_t>(offset));
    detail = "At byte " + std::to_string(byte_of(text->given, place.position) + 1) + " of the text.";
  }
  std::string hint = hint_of(code, sqlstate);
  Status status = driver_error(sqlstate, code, std::move(message), std::move(detail), std::move(hint));
  if (place.position != 0 || !place.table.empty() || !place.constraint.empty()) {
    status.text().place = std::make_shared<const ErrorPlace>(std::move(place));
  }
  return status;
}

}  // namespace tide::sqlite
