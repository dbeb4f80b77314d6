// SqliteDriver: opens, checks, resets and closes sessions of one database file, or of one database in memory.
//
// K2  A database in memory has an additional session, the anchor, which keeps it alive as long as the driver.
// Threads: any; calls for different sessions may overlap.
// Failure: as threaded/blocking_driver.hpp says. An open that is blocked by a lock of another process is busy.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "driver/sqlite/commit_watch.hpp"
#include "driver/sqlite/database_file.hpp"
#include "driver/threaded/blocking_driver.hpp"

namespace tide::sqlite {

class SqliteDriver final : public BlockingDriver {
 public:
  SqliteDriver(const std::string& path_or_memory, const Policy& policy, const Clock& clock);
  ~SqliteDriver() override;

  Opened open(Instant deadline) override;
  Status validate(Connection& session, Instant deadline) override;
  Status reset(Connection& session, ResetMode mode, Instant deadline) override;
  FileFacts look() override;
  bool wants_work() const noexcept override { return file_->is_guarded() && file_->guard().is_wanted(); }
  void work() override { file_->guard().work(); }
  void on_wanted(std::function<void()> wake) override { file_->guard().on_wanted(std::move(wake)); }
  bool has_file() const noexcept override { return !target_.is_memory; }
  uint64_t lost_generation() const noexcept override { return file_->lost_generation(); }
  Status loss() const override { return file_->loss(); }
  std::string whose() const override { return "SQLite's"; }
  std::string hint() const override;
  bool may_overlap() const noexcept override { return true; }
  // Of the whole process, including other pools and databases of the application.
  int64_t memory_bytes() const override { return sqlite3_memory_used(); }
  std::shared_ptr<ChangeWatch> change_watch() override { return watch_; }
  void set_policy(const Policy& policy) override;
  void abandon() noexcept override {
    is_abandoned_ = true;
    watch_->abandon();
  }

 private:
  std::shared_ptr<const Policy> policy() const;
  // On failure returns null and sets `failure`.
  Database open_handle(const Policy& policy, OpenFailure& failure);
  Status too_late(const char* what) const;

  mutable std::mutex mutex_;  // guards policy_
  std::shared_ptr<const Policy> policy_;
  const Clock& clock_;
  const std::shared_ptr<DatabaseFile> file_;
  const SqliteTarget& target_ = file_->target();
  const std::shared_ptr<CommitWatch> watch_ = std::make_shared<CommitWatch>(file_, clock_);
  Database anchor_;
  OpenFailure anchor_failure_;
  std::atomic<uint64_t> sessions_total_{0};
  bool is_abandoned_ = false;
};

}  // namespace tide::sqlite
