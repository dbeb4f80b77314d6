#include "driver/fake/store.hpp"

#include <algorithm>
#include <utility>

namespace tide::fake {
namespace {

Status store_error(std::string_view sqlstate, std::string message) {
  Status status = Status::error(Code::database, std::move(message));
  status.text().sqlstate = sqlstate;
  return status;
}

Status changed_meanwhile(std::string_view key) {
  Status status = store_error("40001", "could not serialize access to key \"" + std::string(key) + "\"");
  status.is_retryable = true;
  return status;
}

Status no_savepoint(std::string_view name) {
  return store_error("3B001", "savepoint \"" + std::string(name) + "\" does not exist");
}

}  // namespace

// The last one of this name, as in SQL.
std::vector<StoreTransaction::Savepoint>::iterator StoreTransaction::find(std::string_view name) {
  const auto found =
      std::find_if(savepoints_.rbegin(), savepoints_.rend(), [&](const Savepoint& s) { return s.name == name; });
  return found == savepoints_.rend() ? savepoints_.end() : std::prev(found.base());
}

StoreTransaction Store::begin(bool is_read_only) const {
  StoreTransaction transaction;
  transaction.changes_.seen = values_;
  transaction.commits_before_ = commits_;
  transaction.is_read_only_ = is_read_only;
  return transaction;
}

std::optional<std::string> Store::get(const StoreTransaction& transaction, std::string_view key) const {
  const auto found = transaction.changes_.seen.find(key);
  if (found == transaction.changes_.seen.end()) return std::nullopt;
  return found->second;
}

bool Store::has_changed_since(const StoreTransaction& transaction, std::string_view key) const {
  const auto found = committed_in_.find(key);
  return found != committed_in_.end() && found->second > transaction.commits_before_;
}

Status Store::put(StoreTransaction& transaction, std::string_view key, std::string value) {
  if (transaction.is_read_only_) return store_error("25006", "cannot write in a read-only transaction");
  if (has_changed_since(transaction, key)) return changed_meanwhile(key);
  if (transaction.id_ == 0) {
    transaction.id_ = ++last_id_;
    fates_[transaction.id_] = "in progress";
  }
  transaction.changes_.seen.insert_or_assign(std::string(key), std::move(value));
  transaction.changes_.keys.emplace(key);
  return Status::ok();
}

void Store::savepoint(StoreTransaction& transaction, std::string_view name) const {
  transaction.savepoints_.push_back({std::string(name), transaction.changes_});
}

Status Store::rollback_to(StoreTransaction& transaction, std::string_view name) const {
  const auto found = transaction.find(name);
  if (found == transaction.savepoints_.end()) return no_savepoint(name);
  transaction.changes_ = found->changes;
  transaction.savepoints_.erase(std::next(found), transaction.savepoints_.end());
  return Status::ok();
}

Status Store::release(StoreTransaction& transaction, std::string_view name) const {
  const auto found = transaction.find(name);
  if (found == transaction.savepoints_.end()) return no_savepoint(name);
  transaction.savepoints_.erase(found, transaction.savepoints_.end());
  return Status::ok();
}

Status Store::commit(StoreTransaction& transaction) {
  for (const std::string& key : transaction.changes_.keys) {
    if (!has_changed_since(transaction, key)) continue;
    abort(transaction);
    return changed_meanwhile(key);
  }
  if (transaction.id_ != 0) fates_[transaction.id_] = "committed";
  if (transaction.changes_.keys.empty()) return Status::ok();
  ++commits_;
  for (const std::string& key : transaction.changes_.keys) {
    values_[key] = transaction.changes_.seen.find(key)->second;
    committed_in_[key] = commits_;
  }
  return Status::ok();
}

void Store::abort(const StoreTransaction& transaction) {
  if (transaction.id_ != 0) fates_[transaction.id_] = "aborted";
}

std::string_view Store::fate(uint64_t id) const {
  const auto found = fates_.find(id);
  return found == fates_.end() ? std::string_view() : found->second;
}

}  // namespace tide::fake
