// Store: the key-value table of a FakeServer, with transactions in snapshot isolation: of two that change the same key
// the first to commit wins, the other fails with 40001.
//
// S1  A transaction sees what was committed before it began, and its own changes.
// S2  An id is assigned with the first change of a transaction, and its fate is known from then on.
// S3  A transaction that commits changed no key that another one has changed since it began.
// Threads: none of its own; the server's mutex. Failure: Status with the SQLSTATE of PostgreSQL.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.hpp"

namespace tide::fake {

using StoreValues = std::map<std::string, std::string, std::less<>>;

class StoreTransaction {
 public:
  // 0: it has changed nothing.
  uint64_t id() const { return id_; }

 private:
  friend class Store;
  struct Changes {
    StoreValues seen;  // the snapshot with the changes
    std::set<std::string, std::less<>> keys;
  };
  struct Savepoint {
    std::string name;
    Changes changes;
  };
  std::vector<Savepoint>::iterator find(std::string_view name);

  Changes changes_;
  std::vector<Savepoint> savepoints_;
  uint64_t commits_before_ = 0;
  uint64_t id_ = 0;
  bool is_read_only_ = false;
};

class Store {
 public:
  StoreTransaction begin(bool is_read_only) const;
  std::optional<std::string> get(const StoreTransaction& transaction, std::string_view key) const;
  Status put(StoreTransaction& transaction, std::string_view key, std::string value);
  void savepoint(StoreTransaction& transaction, std::string_view name) const;
  Status rollback_to(StoreTransaction& transaction, std::string_view name) const;
  Status release(StoreTransaction& transaction, std::string_view name) const;
  Status commit(StoreTransaction& transaction);  // 40001: it was aborted
  void abort(const StoreTransaction& transaction);
  // "in progress", "committed", "aborted"; empty: no such transaction.
  std::string_view fate(uint64_t id) const;
  const StoreValues& values() const { return values_; }

 private:
  bool has_changed_since(const StoreTransaction& transaction, std::string_view key) const;

  StoreValues values_;                                         // committed
  std::map<std::string, uint64_t, std::less<>> committed_in_;  // by key: the number of the last commit that changed it
  std::map<uint64_t, std::string_view> fates_;
  uint64_t commits_ = 0;
  uint64_t last_id_ = 0;
};

}  // namespace tide::fake
