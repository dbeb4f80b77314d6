// What a session and its connector know about statements.
#pragma once

#include <libpq-fe.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.hpp"
#include "driver/libpq/traces.hpp"
#include "pool/result_table.hpp"
#include "statement/placeholders.hpp"
#include "statement/statement_cache.hpp"

namespace tide::libpq {

// A statement that is prepared in the session.
struct PgStatement {
  std::string name;                              // empty: not prepared
  std::vector<Oid> parameters;                   // their types
  std::shared_ptr<const ResultColumns> columns;  // of its latest result; nullptr: there was none
  explicit operator bool() const noexcept { return !name.empty(); }
};

// The types of the parameters of a statement that was described.
std::vector<Oid> parameters_in(const PGresult* described);

// What the driver found out about a text.
struct TextNotes {
  Trace trace = Trace::none;
  bool is_plannable = false;       // a single SELECT, INSERT, UPDATE, DELETE, MERGE, VALUES or TABLE, also behind WITH
  bool names_search_path = false;  // may be SET search_path
  bool names_temporary = false;    // what it defines may be of this session only
  Status shared;                   // with a pooler in transaction mode: whether it may be executed,
  Status shared_read;              // ... also on a read lease
};

TextNotes notes_of(const StatementText& text, bool is_shared);

using Statements = StatementCache<PgStatement>;

// Shared by all sessions of a connector.
struct StatementWatch {
  enum class Tracking : uint8_t {
    unknown,
    none,  // a prepared statement stays in the server session that happened to get it
    full,  // the pooler prepares it where it is needed
  };
  explicit StatementWatch(std::string own_mark) : mark(std::move(own_mark)) {}

  // Raised when prepared statements may have become invalid: those of all sessions are prepared again.
  std::atomic<uint64_t> epoch{0};
  std::atomic<Tracking> pooler{Tracking::unknown};  // of a pooler in transaction mode
  const std::string mark;                           // differs from that of every other connector
};

// Whether a statement with this command tag may change the result of others.
bool changes_definitions(std::string_view tag) noexcept;
// Whether the error means that a prepared statement has to be prepared again.
bool is_stale_statement(const Status& status) noexcept;

}  // namespace tide::libpq
