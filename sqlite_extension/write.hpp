// Write: UPDATE of a table, and the staged commands of an open transaction, which have not been posted yet.
//
// Commands are not posted in xUpdate, because ROLLBACK could not undo them. UPDATE only stages; COMMIT publishes,
// ROLLBACK drops, and ROLLBACK TO drops what was staged after the savepoint. They are published in xSync: it is the
// last callback that can fail, and a pool's refusal must fail the commit. The drawback: if SQLite itself fails after it
// (the disk is full), the commands have been applied; this is reported in SQLite's error log.
//
// S1  No command reaches a pool before COMMIT, and none before all commands of the transaction have passed all checks
//     that are possible in advance.
// S2, S3  The library decides which of them are published, and in which order (tide_control_batch()).
// Threads: one Staging for each connection, guarded by that connection's mutex like all its virtual tables.
// Failure: stage() and publish() return the reason; then SQLite rolls the statement or the transaction back. A command
// that is posted and not answered in time is not a failure: it is shown in tidepool_commands as queued.
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

// Identifies the row of an UPDATE, as in the snapshot.
struct RowIdentity {
  std::string directory;
  std::string instance_id;
  std::string key;  // the row's value of the column tide_column.key

  // SQLite passes xUpdate only the assigned columns. The identity is passed in the hidden column, as a blob that is not
  // written by accident, so no state is kept between reading a row and updating it.
  std::string pack() const;
  static std::optional<RowIdentity> unpack(std::string_view blob);
};

class Staging {
 public:
  // `table` distinguishes the tables of a connection: SQLite notifies each of them of begin, savepoint and end.
  using Table = const void*;

  struct Staged {
    Table table;
    RowIdentity row;
    Given value;
    uint64_t sequence = 0;
    tide_command command = TIDE_COMMAND_INIT;  // its texts point into `row` and `value`
  };

  void begin(Table table) { drop(table); }
  // Stages the commands of one row: all of them or, if one is refused, none. Returns the reason then.
  std::optional<std::string> stage(std::list<Staged> row);

  void savepoint(Table table, int number) { marks_[table][number] = next_sequence_; }
  void release(Table table, int number);
  void rollback_to(Table table, int number);

  // At COMMIT: checks and posts all commands and waits for the answers. Returns what was refused, and by which pool.
  std::optional<std::string> publish();
  void commit(Table table);
  void drop(Table table);

 private:
  std::list<Staged> staged_;
  std::map<Table, std::map<int, uint64_t>> marks_;  // savepoint number -> the next sequence number at that time
  uint64_t next_sequence_ = 0;
  std::vector<std::string> published_;  // applied, but not yet committed by SQLite
};

// "target_size, min_size, max_size, state"
std::string assignable_columns(const tide_relation& relation);

// SQLite's callbacks. The first stages the commands for an UPDATE of one row; INSERT and DELETE are refused.
int write_update(sqlite3_vtab* table, int count, sqlite3_value** values, sqlite3_int64* rowid);
int write_begin(sqlite3_vtab* table);
int write_sync(sqlite3_vtab* table);
int write_commit(sqlite3_vtab* table);
int write_rollback(sqlite3_vtab* table);
int write_savepoint(sqlite3_vtab* table, int number);
int write_release(sqlite3_vtab* table, int number);
int write_rollback_to(sqlite3_vtab* table, int number);

}  // namespace tide::sqlite
