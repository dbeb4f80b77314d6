// Staging: the orders an open transaction has asked for and that no pool has heard of yet.
//
// Why not steer in xUpdate: what is done there survives ROLLBACK. Here UPDATE only stages; COMMIT publishes, ROLLBACK
// drops, and ROLLBACK TO drops what came after the savepoint.
// Why in xSync: it is the last callback whose failure SQLite hears of, and a pool's refusal must fail the commit. The
// price: where SQLite itself fails after it (the disk is full), the pools have obeyed; that goes to SQLite's error log.
//
// S1  No order reaches a pool before COMMIT, and none before all orders of the transaction have passed every check that
//     can be made beforehand.
// S2, S3  Which of them are published, and in which order: the library says (tide_settle()).
// Threads: one Staging for each connection, guarded by that connection's mutex like all its virtual tables.
// Failure: stage() and publish() return why; then SQLite rolls the statement or the transaction back. An order that is
// posted and not answered in time is no failure: it stands in tidepool_commands as queued.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "assign.hpp"

namespace tide::sqlite {

class Staging {
 public:
  // `table` tells the tables of a connection apart: SQLite tells each of them of begin, savepoint and end.
  using Table = const void*;

  void begin(Table table);
  // The orders of one row. All of them or, if one is refused, none: then the text says why.
  std::optional<std::string> stage(Table table, std::vector<Order> orders);

  void savepoint(Table table, int number);
  void release(Table table, int number);
  void rollback_to(Table table, int number);

  // At COMMIT: check everything, post everything, wait for the answers. The text says what was refused, and by whom.
  std::optional<std::string> publish();
  void commit(Table table);
  void drop(Table table);

 private:
  struct Staged {
    Table table;
    uint64_t sequence;
    Order order;
  };

  std::vector<Staged> staged_;
  std::map<Table, std::map<int, uint64_t>> marks_;  // savepoint number -> the sequence number that came next
  uint64_t next_sequence_ = 0;
  std::vector<Order> published_;  // obeyed, while SQLite has not committed yet
};

}  // namespace tide::sqlite
