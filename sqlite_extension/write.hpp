// Write: UPDATE of a table, and the commands that an open transaction has asked for and that no pool has heard of yet.
//
// Why not steer in xUpdate: what is done there survives ROLLBACK. Here UPDATE only stages; COMMIT publishes, ROLLBACK
// drops, and ROLLBACK TO drops what came after the savepoint.
// Why in xSync: it is the last callback whose failure SQLite hears of, and a pool's refusal must fail the commit. The
// price: where SQLite itself fails after it (the disk is full), the commands are applied; that goes to SQLite's error log.
//
// S1  No command reaches a pool before COMMIT, and none before all commands of the transaction have passed every check that
//     can be made beforehand.
// S2, S3  Which of them are published, and in which order: the library says (tide_control_batch()).
// Threads: one Staging for each connection, guarded by that connection's mutex like all its virtual tables.
// Failure: stage() and publish() return why; then SQLite rolls the statement or the transaction back. A command that is
// posted and not answered in time is no failure: it stands in tidepool_commands as queued.
#pragma once

#include <sqlite3ext.h>
#include <tidepool/control.h>
#include <tidepool/observe.h>

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "values.hpp"

namespace tide::sqlite {

// Which row an UPDATE is about, as the snapshot showed it.
struct RowIdentity {
  std::string directory;
  std::string instance_id;
  std::string key;  // what the row has in the column tide_column.key

  // SQLite hands xUpdate only the columns that were assigned. The identity travels in the hidden column, as a blob
  // nobody writes by accident, so nothing needs to be remembered between reading a row and updating it.
  std::string pack() const;
  static std::optional<RowIdentity> unpack(std::string_view blob);
};

class Staging {
 public:
  // `table` tells the tables of a connection apart: SQLite tells each of them of begin, savepoint and end.
  using Table = const void*;

  struct Staged {
    Table table;
    RowIdentity row;
    Given value;
    uint64_t sequence = 0;
    tide_command command = TIDE_COMMAND_INIT;  // its texts are those of `row` and `value`
  };

  void begin(Table table) { drop(table); }
  // The commands of one row. All of them or, if one is refused, none: then the text says why.
  std::optional<std::string> stage(std::list<Staged> row);

  void savepoint(Table table, int number) { marks_[table][number] = next_sequence_; }
  void release(Table table, int number);
  void rollback_to(Table table, int number);

  // At COMMIT: check everything, post everything, wait for the answers. The text says what was refused, and by whom.
  std::optional<std::string> publish();
  void commit(Table table);
  void drop(Table table);

 private:
  std::list<Staged> staged_;
  std::map<Table, std::map<int, uint64_t>> marks_;  // savepoint number -> the sequence number that came next
  uint64_t next_sequence_ = 0;
  std::vector<std::string> published_;  // applied, while SQLite has not committed yet
};

// "target_size, min_size, max_size, state"
std::string assignable_columns(const tide_relation& relation);

// SQLite's callbacks. The first stages the commands that an UPDATE of one row means; INSERT and DELETE are refused.
int write_update(sqlite3_vtab* table, int count, sqlite3_value** values, sqlite3_int64* rowid);
int write_begin(sqlite3_vtab* table);
int write_sync(sqlite3_vtab* table);
int write_commit(sqlite3_vtab* table);
int write_rollback(sqlite3_vtab* table);
int write_savepoint(sqlite3_vtab* table, int number);
int write_release(sqlite3_vtab* table, int number);
int write_rollback_to(sqlite3_vtab* table, int number);

}  // namespace tide::sqlite
