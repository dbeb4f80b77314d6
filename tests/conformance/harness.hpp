// Harness: what one driver brings along to be put to the suite.
//
// The suite speaks in promises of pool/ports.hpp only; the harness translates them into the driver's own SQL and says
// what the driver cannot do. A new driver needs one harness and one line in harnesses().
#pragma once

#include <stdlib.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "pool/ports.hpp"

namespace tide::test {

struct Words {
  std::string prepare;          // run once on the first session; may be empty
  std::string one_row;          // exactly one row, one column ...
  std::string one_value;        // ... with this text
  std::string change;           // changes rows ...
  int64_t changed_rows = 0;     // ... this many
  std::string changed_command;  // ... and this is what the result calls it
  std::string echo_two;         // two parameters come back as two columns of one row
  std::string runs_long;        // does not end by itself
  std::string syntax_error;
  std::string begin;
  std::string rollback;
  std::vector<std::string> more_rollbacks;  // other words for it
  std::string begin_special;                // a transaction of a special kind ...
  std::string rollback_and_chain;           // ... is followed by one like it; empty where that cannot be
  std::string kind;                         // asks for it ...
  std::string special_kind;                 // ... and the answer
  std::string alter_session;                // leaves something in the session that a reset must remove
  std::string session_mark;                 // asks for it ...
  std::string unmarked;   // ... and this is the answer of a clean session; empty when it cannot be asked
  std::string be_nobody;  // the session goes on without privileges; empty where there are none
  std::string hide_load;  // nobody without privileges is told the load any more ...
  std::string show_load;  // ... and again

  // One parameter comes back as the only cell, with its type.
  std::string echo_integer;
  std::string echo_real;
  std::string echo_text;
  std::string echo_bytes;
  std::string echo_boolean;
  // The integers from 1 to this one, one a row.
  std::function<std::string(int64_t)> rows;
  std::string endless_rows;  // the same without an end; empty where that cannot be
};

struct Quirks {
  bool sees_committed_only = true;  // two sessions share data, and a rolled back change is gone
  bool can_break = false;           // break_session() works
  bool tells_loss = false;          // a broken session is told by `lost`
  bool tells_load = false;          // survey() says how many sessions there are
  std::string loss = "57P0";        // how the SQLSTATE begins that its holder meets
  bool speaks_sql = true;           // the texts of statements_test.cpp
  bool prepares = true;             // repeated statements, and counts them
  bool has_limits = true;           // rows_max, bytes_max, is_first_row_only
  bool has_booleans = true;         // otherwise they come back as integers
  bool takes_nan = true;            // otherwise it is refused
  bool takes_nul = true;            // in texts; otherwise it is refused
  bool takes_invalid_utf8 = true;   // otherwise it is an error of the database
};

inline constexpr const char* kCounting = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n";

inline std::string rows_in_sql(int64_t last) {
  return kCounting + (" WHERE i < " + std::to_string(last)) + ") SELECT i FROM n WHERE i <= " + std::to_string(last);
}

class Harness {
 public:
  virtual ~Harness() = default;
  virtual std::unique_ptr<Connector> make_connector(const Policy& policy) = 0;
  // A connector whose opens fail, for good.
  virtual std::unique_ptr<Connector> make_hopeless_connector(const Policy& policy) = 0;
  virtual const Clock& clock() const = 0;
  // Nothing to do before `until`: wait for the connector's descriptor, or let virtual time pass.
  virtual void wait(Connector& connector, Instant until) = 0;
  virtual const Words& words() const = 0;
  virtual Quirks quirks() const = 0;
  // The database ends the session, or what the session stands on.
  virtual bool break_session(Connection&) { return false; }
};

struct NamedHarness {
  std::string name;
  std::function<std::unique_ptr<Harness>()> make;
};

std::unique_ptr<Harness> make_sqlite_file_harness();
std::unique_ptr<Harness> make_sqlite_memory_harness();
std::unique_ptr<Harness> make_sqlite_threaded_harness();
std::unique_ptr<Harness> make_fake_harness();
std::unique_ptr<Harness> make_libpq_harness();

// PostgreSQL is among them where TIDE_TEST_POSTGRESQL says how to reach a server: then it alone, since the other
// drivers are put to the suite without one.
inline std::vector<NamedHarness> harnesses() {
  if (::getenv("TIDE_TEST_POSTGRESQL") != nullptr) return {{"libpq", make_libpq_harness}};
  return {{"sqlite_file", make_sqlite_file_harness},
          {"sqlite_memory", make_sqlite_memory_harness},
          {"sqlite_threaded", make_sqlite_threaded_harness},
          {"fake", make_fake_harness}};
}

}  // namespace tide::test
