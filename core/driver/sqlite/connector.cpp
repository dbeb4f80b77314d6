#include "driver/sqlite/connector.hpp"

#include <deque>
#include <new>
#include <map>
#include <string>
#include <utility>

#include "driver/sqlite/database_file.hpp"
#include "driver/sqlite/errors.hpp"
#include "driver/sqlite/open_files.hpp"
#include "driver/sqlite/session.hpp"

namespace tide {
namespace sqlite {
namespace {

// When a database is busy, how long until the keeper tries to open it again.
constexpr Span kRetrySpan = Span::millis(10);
// Requests carried out in one step: the keeper has other things to look after.
constexpr size_t kRequestsPerStepMax = 8;

// SqliteConnector: there is no network, so every request is carried out, in order, by the next step().
//
// K1  Every request is answered exactly once, by a completion of its slot.
// K2  A database in memory has one more session than the pool knows, the anchor: it exists as long as the connector.
// Threads: the keeper's only.
// Failure: completions; an open that meets a foreign lock is tried again until its deadline.
class SqliteConnector final : public Connector {
 public:
  SqliteConnector(const std::string& path_or_memory, const Policy& policy, const Clock& clock)
      : policy_(policy),
        clock_(clock),
        file_(std::make_shared<DatabaseFile>(make_target(path_or_memory, policy.sqlite_access), clock)) {
    if (target_.is_memory) anchor_failure_ = open_database(target_, anchor_);
  }
  ~SqliteConnector() override {
    if (!is_abandoned_) return;
    [[maybe_unused]] sqlite3* leaked = anchor_.release();  // as SqliteConnection::abandon()
    for (Request& request : requests_) {
      if (request.owned != nullptr) request.owned->abandon();
    }
  }

  void open(uint32_t slot, Instant now, Instant deadline) override {
    generations_.erase(slot);
    requests_.push_back({Request::Kind::open, slot, deadline, now, nullptr, nullptr, ResetMode::none, {}});
  }
  void validate(uint32_t slot, Connection& connection, Instant now, Instant deadline) override {
    requests_.push_back(
        {Request::Kind::validate, slot, deadline, now, &session(connection), nullptr, ResetMode::none, {}});
  }
  void reset(uint32_t slot, Connection& connection, ResetMode mode, Instant now, Instant deadline) override {
    requests_.push_back({Request::Kind::reset, slot, deadline, now, &session(connection), nullptr, mode, {}});
  }
  void close(uint32_t slot, std::unique_ptr<Connection> connection, Instant now) override {
    requests_.push_back(
        {Request::Kind::close, slot, Instant::never(), now, nullptr, std::move(connection), ResetMode::none, {}});
  }
  Instant step(Instant now, std::vector<Completion>& out) override;
  void set_policy(const Policy& policy) override { policy_ = policy; }
  // Of the whole process, so also what other pools and the application's own databases use.
  int64_t memory_bytes() const override { return sqlite3_memory_used(); }
  FileFacts file_facts() override {
    const bool is_missing = file_->is_missing();  // looks
    return {file_->wal_bytes(), is_missing};
  }
  void abandon() noexcept override { is_abandoned_ = true; }

 private:
  struct Request {
    enum class Kind : uint8_t { open, validate, reset, close };
    Kind kind;
    uint32_t slot;
    Instant deadline;
    Instant due;  // not before
    SqliteConnection* session;
    std::unique_ptr<Connection> owned;
    ResetMode mode;
    Status last = {};  // what an open met when it was tried last
  };

  // The pool gives back only what it got from here.
  static SqliteConnection& session(Connection& connection) { return static_cast<SqliteConnection&>(connection); }
  static Completion::Kind failure_of(Request::Kind kind);
  // False when it must be tried again later.
  bool carry_out(Request& request, Instant now, std::vector<Completion>& out);
  bool carry_out_open(Request& request, Instant now, std::vector<Completion>& out);
  // Sessions whose file is gone, each once.
  Instant look_at_file(Instant now, std::vector<Completion>& out);

  Policy policy_;
  const Clock& clock_;
  const std::shared_ptr<DatabaseFile> file_;
  const SqliteTarget& target_ = file_->target();
  Database anchor_;
  OpenFailure anchor_failure_;
  std::deque<Request> requests_;  // at most one per slot: the pool waits for the answer
  std::map<uint32_t, uint64_t> generations_;  // of the file, by slot, of sessions that are open and not lost
  Instant next_look_;
  uint64_t sessions_total_ = 0;
  bool is_abandoned_ = false;
};

Completion answer(Completion::Kind kind, uint32_t slot, Status status = {}, bool is_permanent = false) {
  return {kind, slot, nullptr, std::move(status), is_permanent};
}

// How often the file is looked at where nobody uses it.
constexpr Span kLookSpan = Span::seconds(1);

Status too_late(const std::string& what, const SqliteTarget& target) {
  return Status::error(Code::timeout, what + " " + target.shown + " did not finish in time", "",
                       "Look whether the disk is slow, or another process holds the file.");
}

Completion::Kind SqliteConnector::failure_of(Request::Kind kind) {
  switch (kind) {
    case Request::Kind::open: return Completion::Kind::open_failed;
    case Request::Kind::validate: return Completion::Kind::validation_failed;
    case Request::Kind::reset: return Completion::Kind::reset_failed;
    case Request::Kind::close: break;
  }
  return Completion::Kind::closed;
}

Instant SqliteConnector::step(Instant now, std::vector<Completion>& out) {
  out.reserve(out.size() + requests_.size() + 1);  // K1: what is carried out can be answered, whatever memory is left
  size_t carried_out = 0;
  Instant next = Instant::never();
  // Once round the queue: what has to wait goes to its end.
  for (size_t left = requests_.size(); left > 0; --left) {
    Request request = std::move(requests_.front());
    requests_.pop_front();
    try {
      if (request.due <= now && carried_out < kRequestsPerStepMax) {
        ++carried_out;
        if (carry_out(request, now, out)) continue;
        request.due = earliest(now + kRetrySpan, request.deadline);
      }
      next = earliest(next, request.due);
      requests_.push_back(std::move(request));
    } catch (const std::bad_alloc&) {
      request.owned.reset();
      out.push_back(answer(failure_of(request.kind), request.slot, Status::error(Code::no_memory, "out of memory")));
    }
  }
  return earliest(next, look_at_file(now, out));
}

Instant SqliteConnector::look_at_file(Instant now, std::vector<Completion>& out) {
  if (generations_.empty() || target_.is_memory) return Instant::never();
  if (now >= next_look_) {
    file_->is_missing();
    next_look_ = now + kLookSpan;
  }
  for (auto entry = generations_.begin(); entry != generations_.end();) {
    const auto [slot, generation] = *entry;
    entry = file_->is_lost(generation) ? generations_.erase(entry) : std::next(entry);
    if (file_->is_lost(generation)) out.push_back(answer(Completion::Kind::lost, slot, file_->loss()));
  }
  return next_look_;
}

bool SqliteConnector::carry_out(Request& request, Instant now, std::vector<Completion>& out) {
  using Kind = Completion::Kind;
  switch (request.kind) {
    case Request::Kind::open: return carry_out_open(request, now, out);
    case Request::Kind::validate: {
      Status status = now >= request.deadline ? too_late("validating a session of", target_)
                                              : request.session->validate(policy_.validation_query, request.deadline);
      const Kind kind = status ? Kind::validated : Kind::validation_failed;
      if (kind == Kind::validation_failed) generations_.erase(request.slot);  // told already
      out.push_back(answer(kind, request.slot, std::move(status)));
      return true;
    }
    case Request::Kind::reset: {
      // Whatever the mode: the settings cost microseconds here and no round trip.
      Status status = now >= request.deadline ? too_late("resetting a session of", target_)
                                              : request.session->restore(request.deadline);
      const Kind kind = status ? Kind::reset_done : Kind::reset_failed;
      out.push_back(answer(kind, request.slot, std::move(status)));
      return true;
    }
    case Request::Kind::close:
      generations_.erase(request.slot);
      request.owned.reset();
      out.push_back(answer(Kind::closed, request.slot));
      return true;
  }
  return true;
}

bool SqliteConnector::carry_out_open(Request& request, Instant now, std::vector<Completion>& out) {
  const auto fail = [&](Status status, bool is_permanent) {
    out.push_back(answer(Completion::Kind::open_failed, request.slot, std::move(status), is_permanent));
    return true;
  };
  if (now >= request.deadline) {
    return fail(request.last ? too_late("opening", target_) : std::move(request.last), false);
  }
  OpenFailure failure = anchor_failure_;
  bool may_create = true;
  if (failure.status) failure = file_->admit(may_create);
  const SqliteJournalMode journal = policy_.sqlite_journal_mode;
  const bool needs_journal = journal != SqliteJournalMode::memory && journal != SqliteJournalMode::off;
  if (failure.status && !target_.is_memory) {
    failure.status = check_not_inherited(target_.path, target_.shown);
    failure.is_permanent = true;  // of a failure; nothing ends it
  }
  if (failure.status) failure = look_at(target_, needs_journal);
  Database database;
  if (failure.status) failure = open_database(target_, database, may_create);
  if (!failure.status && !may_create) {
    // Gone since it was looked for: that comes back, other than what SQLite makes of it.
    if (OpenFailure now_missing = file_->admit(may_create); !now_missing.status) failure = std::move(now_missing);
  }
  if (!failure.status) return fail(std::move(failure.status), failure.is_permanent);
  auto session = std::make_unique<SqliteConnection>(std::move(database), ++sessions_total_, file_, policy_, clock_);
  Status status = session->furnish(request.deadline);
  if (status) {
    generations_[request.slot] = session->generation();
    out.push_back({Completion::Kind::opened, request.slot, std::move(session), {}, false});
    return true;
  }
  session.reset();
  if (is_busy(status.native_code)) {
    status.code = Code::unavailable;
    status.is_retryable = true;
    request.last = std::move(status);
    return false;
  }
  if ((status.native_code & 0xFF) == SQLITE_INTERRUPT) return fail(too_late("opening", target_), false);
  const bool is_permanent = is_hopeless(status.native_code);
  status.is_retryable = !is_permanent;
  return fail(std::move(status), is_permanent);
}

}  // namespace
}  // namespace sqlite

Status check_sqlite_target(const std::string& path_or_memory) {
  const sqlite::SqliteTarget target = sqlite::make_target(path_or_memory);
  return target.is_memory ? Status::ok() : sqlite::check_not_inherited(target.path, target.shown);
}

std::unique_ptr<Connector> make_sqlite_connector(const std::string& path_or_memory, const Policy& policy,
                                                 const Clock& clock) {
  sqlite::prepare_for_forks();
  return std::make_unique<sqlite::SqliteConnector>(path_or_memory, policy, clock);
}

}  // namespace tide
