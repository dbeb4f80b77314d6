#include "driver/sqlite/connector.hpp"

#include <deque>
#include <map>
#include <new>
#include <string>
#include <utility>

#include "driver/sqlite/driver.hpp"
#include "driver/sqlite/open_files.hpp"
#include "driver/sqlite/version.hpp"
#include "driver/threaded/connector.hpp"

namespace tide {
namespace sqlite {
namespace {

// The delay before a busy database is opened again.
constexpr Span kRetrySpan = Span::millis(10);
// The number of requests per step, because the keeper has other work.
constexpr size_t kRequestsPerStepMax = 8;
// How often the file of an unused pool is checked.
constexpr Span kLookSpan = Span::seconds(1);

// SqliteConnector: every request is executed, in order, by the next step(): for a database in memory, which does not
// block, and for tests that observe each step.
//
// K1  Every request is answered exactly once, by a completion of its slot.
// Threads: only the keeper.
// Failure: completions; an open blocked by a lock of another process is retried until its deadline.
class SqliteConnector final : public Connector {
 public:
  SqliteConnector(const std::string& path_or_memory, const Policy& policy, const Clock& clock)
      : driver_(path_or_memory, policy, clock) {}
  ~SqliteConnector() override {
    if (!is_abandoned_) return;
    for (Request& request : requests_) {
      if (request.owned != nullptr) request.owned->abandon();
    }
  }

  void open(uint32_t slot, Instant now, Instant deadline) override {
    generations_.erase(slot);
    requests_.push_back({Request::Kind::open, slot, deadline, now, nullptr, nullptr, ResetMode::none, {}});
  }
  void validate(uint32_t slot, Connection& connection, Instant now, Instant deadline) override {
    requests_.push_back({Request::Kind::validate, slot, deadline, now, &connection, nullptr, ResetMode::none, {}});
  }
  void reset(uint32_t slot, Connection& connection, ResetMode mode, Instant now, Instant deadline) override {
    requests_.push_back({Request::Kind::reset, slot, deadline, now, &connection, nullptr, mode, {}});
  }
  void close(uint32_t slot, std::unique_ptr<Connection> connection, Instant now) override {
    requests_.push_back(
        {Request::Kind::close, slot, Instant::never(), now, nullptr, std::move(connection), ResetMode::none, {}});
  }
  Instant step(Instant now, std::vector<Completion>& out) override;
  void set_policy(const Policy& policy) override { driver_.set_policy(policy); }
  int64_t memory_bytes() const override { return driver_.memory_bytes(); }
  std::shared_ptr<ChangeWatch> change_watch() override { return driver_.change_watch(); }
  FileFacts file_facts() override { return driver_.look(); }
  void abandon() noexcept override {
    is_abandoned_ = true;
    driver_.abandon();
  }

 private:
  struct Request {
    enum class Kind : uint8_t { open, validate, reset, close };
    Kind kind;
    uint32_t slot;
    Instant deadline;
    Instant due;  // not before this time
    Connection* session;
    std::unique_ptr<Connection> owned;
    ResetMode mode;
    Status last = {};  // the last error of an open
  };

  static Completion::Kind failure_of(Request::Kind kind);
  // False if it must be retried later.
  bool carry_out(Request& request, Instant now, std::vector<Completion>& out);
  bool carry_out_open(Request& request, Instant now, std::vector<Completion>& out);
  // Sessions with a missing file, once each.
  Instant look_at_file(Instant now, std::vector<Completion>& out);

  SqliteDriver driver_;
  std::deque<Request> requests_;              // at most one per slot
  std::map<uint32_t, uint64_t> generations_;  // of the file, by slot, of sessions that are open and not lost
  Instant next_look_;
  bool is_abandoned_ = false;
};

Completion answer(Completion::Kind kind, uint32_t slot, Status status = {}, bool is_permanent = false) {
  return {kind, slot, nullptr, std::move(status), is_permanent};
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
  out.reserve(out.size() + requests_.size() + 1);  // K1: executed requests can be answered without memory
  size_t carried_out = 0;
  Instant next = Instant::never();
  // Once through the queue: requests that must wait move to its end.
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
      out.push_back(answer(failure_of(request.kind), request.slot, Status::out_of_memory()));
    }
  }
  next = earliest(next, look_at_file(now, out));
  if (driver_.wants_work()) driver_.work();
  return next;
}

Instant SqliteConnector::look_at_file(Instant now, std::vector<Completion>& out) {
  if (generations_.empty() || !driver_.has_file()) return Instant::never();
  if (now >= next_look_) {
    driver_.look();
    next_look_ = now + kLookSpan;
  }
  const uint64_t lost = driver_.lost_generation();
  for (auto entry = generations_.begin(); entry != generations_.end();) {
    const auto [slot, generation] = *entry;
    const bool is_lost = generation <= lost;
    entry = is_lost ? generations_.erase(entry) : std::next(entry);
    if (is_lost) out.push_back(answer(Completion::Kind::lost, slot, driver_.loss()));
  }
  return next_look_;
}

bool SqliteConnector::carry_out(Request& request, Instant now, std::vector<Completion>& out) {
  using Kind = Completion::Kind;
  switch (request.kind) {
    case Request::Kind::open: return carry_out_open(request, now, out);
    case Request::Kind::validate: {
      Status status = driver_.validate(*request.session, request.deadline);
      const Kind kind = status ? Kind::validated : Kind::validation_failed;
      if (kind == Kind::validation_failed) generations_.erase(request.slot);  // reported already
      out.push_back(answer(kind, request.slot, std::move(status)));
      return true;
    }
    case Request::Kind::reset: {
      Status status = driver_.reset(*request.session, request.mode, request.deadline);
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
  if (now >= request.deadline && !request.last) {
    out.push_back(answer(Completion::Kind::open_failed, request.slot, std::move(request.last)));
    return true;
  }
  BlockingDriver::Opened opened = driver_.open(request.deadline);
  if (opened.connection != nullptr) {
    if (opened.generation != 0) generations_[request.slot] = opened.generation;
    out.push_back({Completion::Kind::opened, request.slot, std::move(opened.connection), {}, false});
    return true;
  }
  if (opened.is_busy) {
    request.last = std::move(opened.status);
    return false;
  }
  out.push_back(answer(Completion::Kind::open_failed, request.slot, std::move(opened.status), opened.is_permanent));
  return true;
}

}  // namespace
}  // namespace sqlite

Status check_sqlite_target(const std::string& path_or_memory) {
  const sqlite::SqliteTarget target = sqlite::make_target(path_or_memory);
  return target.is_memory ? Status::ok() : sqlite::check_not_inherited(target.path, target.shown);
}

std::string known_sqlite_defect(const std::string& path_or_memory, const Policy& policy) {
  const sqlite::SqliteTarget target = sqlite::make_target(path_or_memory, policy.sqlite_access);
  const bool has_wal =
      !target.is_memory && target.is_writable() && policy.sqlite_journal_mode == SqliteJournalMode::wal;
  return has_wal ? sqlite::known_defect(sqlite3_libversion_number()) : std::string();
}

std::unique_ptr<Connector> make_sqlite_connector(const std::string& path_or_memory, const Policy& policy,
                                                 const Clock& clock) {
  sqlite::prepare_for_forks();
  return std::make_unique<sqlite::SqliteConnector>(path_or_memory, policy, clock);
}

std::unique_ptr<Connector> make_threaded_sqlite_connector(const std::string& path, const Policy& policy,
                                                          const Clock& clock) {
  sqlite::prepare_for_forks();
  return make_threaded_connector(std::make_unique<sqlite::SqliteDriver>(path, policy, clock), clock);
}

}  // namespace tide
