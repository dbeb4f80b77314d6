// Execution: one statement of the holder, from its text to its end.
//
// E1  A statement that is kept prepared is reset and refers to no bytes of its values when its execution ends, in whatever
//     way. The next execution replaces all values.
// Threads: the one that has the hands of the session. Failure: none.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/instant.hpp"
#include "driver/sqlite/errors.hpp"
#include "driver/sqlite/statement.hpp"
#include "statement/statement_cache.hpp"

namespace tide::sqlite {

struct KeptStatement {
  Statement statement;
  Traits traits;
  std::shared_ptr<const ResultColumns> columns = nullptr;  // nullptr: it has not been executed yet
  explicit operator bool() const noexcept { return statement != nullptr; }
};
using Cache = StatementCache<KeptStatement>;

struct Running {
  Instant started;
  Instant deadline;
  TextPlace text;  // without `given`: it is not known any more
};

struct Execution {
  Execution() = default;
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;
  ~Execution() { release(); }

  // The statement at hand is not used any more.
  void release() noexcept {
    if (is_kept && statement != nullptr) {
      sqlite3_reset(statement);
      if (has_bound_bytes) sqlite3_clear_bindings(statement);
    }
    own.reset();
    statement = nullptr;
    is_kept = false;
  }

  // The text
  Running running;
  Instant request_deadline;
  StatementText own_text;         // if it is translated and not in the cache
  std::string_view compiled;      // all of it, as SQLite gets it
  std::string_view rest;          // of `compiled`: what follows the statement at hand
  Cache::Entry* entry = nullptr;  // of the whole text; nullptr: it is not kept prepared

  // The statement at hand
  sqlite3_stmt* statement = nullptr;
  const Traits* traits = nullptr;
  bool is_kept = false;  // it is the one of `entry`
  bool has_bound_bytes = false;
  Statement own;  // the others
  Traits own_traits;
  bool was_in_transaction = false;
  uint64_t seen_before = 0;  // by the inspector
  int code = SQLITE_OK;      // of the last step
};

}  // namespace tide::sqlite
