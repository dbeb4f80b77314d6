#include "driver/sqlite/driver.hpp"

#include <utility>

#include "driver/sqlite/errors.hpp"
#include "driver/sqlite/open_files.hpp"
#include "driver/sqlite/session.hpp"

namespace tide::sqlite {
namespace {

// The pool returns only connections of this driver.
SqliteConnection& own(Connection& session) { return static_cast<SqliteConnection&>(session); }

WalGuard::Limits limits_of(const Policy& policy) {
  return {policy.sqlite_wal_limit, policy.sqlite_synchronous != SqliteSynchronous::off};
}

}  // namespace

SqliteDriver::SqliteDriver(const std::string& path_or_memory, const Policy& policy, const Clock& clock)
    : policy_(std::make_shared<const Policy>(policy)),
      clock_(clock),
      file_(std::make_shared<DatabaseFile>(make_target(path_or_memory, policy.sqlite_access), clock)) {
  file_->turn().set_window(policy.fairness_window);
  file_->guard().set_limits(limits_of(policy));
  if (target_.is_memory) anchor_failure_ = open_database(target_, anchor_);
}

SqliteDriver::~SqliteDriver() {
  // Sessions may outlive the driver. In a child of fork() a thread of the parent may hold the lock.
  if (!is_abandoned_) {
    file_->guard().on_wanted({});
    watch_->close();
    return;
  }
  [[maybe_unused]] sqlite3* leaked = anchor_.release();  // as SqliteConnection::abandon()
}

void SqliteDriver::set_policy(const Policy& policy) {
  file_->turn().set_window(policy.fairness_window);
  file_->guard().set_limits(limits_of(policy));
  auto changed = std::make_shared<const Policy>(policy);
  const std::lock_guard lock(mutex_);
  policy_.swap(changed);
}

std::shared_ptr<const Policy> SqliteDriver::policy() const {
  const std::lock_guard lock(mutex_);
  return policy_;
}

std::string SqliteDriver::hint() const {
  return "Check whether the disk of " + target_.shown + " is slow, or another process has locked the file.";
}

Status SqliteDriver::too_late(const char* what) const {
  return Status::error(Code::timeout, what + (" " + target_.shown) + " did not finish in time", "", hint());
}

FileFacts SqliteDriver::look() {
  const bool is_missing = file_->is_missing();  // checks
  if (file_->is_guarded()) file_->guard().look();
  return {file_->wal_bytes(), is_missing, file_->guard().facts()};
}

Status SqliteDriver::validate(Connection& session, Instant deadline) {
  if (clock_.now() >= deadline) return too_late("validating a session of");
  return own(session).validate(policy()->validation_query, deadline);
}

// In every mode: the settings take microseconds and no round trip.
Status SqliteDriver::reset(Connection& session, ResetMode, Instant deadline) {
  if (clock_.now() >= deadline) return too_late("resetting a session of");
  return own(session).restore(deadline);
}

Database SqliteDriver::open_handle(const Policy& policy, OpenFailure& failure) {
  failure = anchor_failure_;
  bool may_create = true;
  if (failure.status) failure = file_->admit(may_create);
  const SqliteJournalMode journal = policy.sqlite_journal_mode;
  const bool needs_journal = journal != SqliteJournalMode::memory && journal != SqliteJournalMode::off;
  if (failure.status && !target_.is_memory) {
    failure.status = check_not_inherited(target_.path, target_.shown);
    failure.is_permanent = true;  // of a failure; nothing ends it
  }
  if (failure.status) failure = look_at(target_, needs_journal);
  Database database;
  if (failure.status) failure = open_database(target_, database, may_create);
  if (!failure.status && !may_create) {
    // Deleted since the check: that is temporary, unlike according to SQLite.
    if (OpenFailure now_missing = file_->admit(may_create); !now_missing.status) failure = std::move(now_missing);
  }
  if (!failure.status) database.reset();
  return database;
}

BlockingDriver::Opened SqliteDriver::open(Instant deadline) {
  Opened opened;
  if (clock_.now() >= deadline) {
    opened.status = too_late("opening");
    return opened;
  }
  const std::shared_ptr<const Policy> policy = this->policy();
  watch_->close_if_outdated();
  OpenFailure failure;
  Database database = open_handle(*policy, failure);
  if (database == nullptr) {
    opened.status = std::move(failure.status);
    opened.is_permanent = failure.is_permanent;
    return opened;
  }
  auto session = std::make_unique<SqliteConnection>(std::move(database), ++sessions_total_, file_, *policy, clock_);
  opened.status = session->furnish(deadline);
  Status& status = opened.status;
  if (status) {
    opened.generation = session->generation();
    opened.connection = std::move(session);
    return opened;
  }
  session.reset();
  if (is_busy(status.native_code)) {
    status.code = Code::unavailable;
    status.is_retryable = opened.is_busy = true;
  } else if ((status.native_code & 0xFF) == SQLITE_INTERRUPT) {
    status = too_late("opening");
  } else {
    opened.is_permanent = is_hopeless(status.native_code);
    status.is_retryable = !opened.is_permanent;
  }
  return opened;
}

}  // namespace tide::sqlite
