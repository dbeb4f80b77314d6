// PgConnection: prepared statements.
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

#include "driver/libpq/errors.hpp"
#include "driver/libpq/session.hpp"

namespace tide::libpq {
namespace {

constexpr size_t kCachedTextMax = size_t{64} << 10;  // longer texts are rarely used twice
constexpr size_t kBehindPoolerMax = 100;             // half of what PgBouncer tracks by default
constexpr size_t kClosedAtOnceMax = 16;
constexpr uint64_t kStatementBytes = 1024;  // of a prepared statement besides its text, roughly
constexpr int kReportsSearchPathSince = 180000;

#ifdef LIBPQ_HAS_CLOSE_PREPARED
constexpr bool kCanClose = true;
#else
constexpr bool kCanClose = false;
#endif

}  // namespace

size_t PgConnection::statements_max(const Policy& policy, bool is_shared) noexcept {
  const auto wanted = static_cast<size_t>(policy.statement_cache_size);
  return is_shared ? std::min(wanted, kBehindPoolerMax) : wanted;
}

// Finds out which statement the text is, and what is known about it.
Status PgConnection::look_up(const QueryRequest& request, Running& running) {
  if (watch_->epoch.load(std::memory_order_relaxed) != epoch_) suspect_statements();
  if (PQserverVersion(conn_.get()) >= kReportsSearchPathSince) {
    const char* const path = PQparameterStatus(conn_.get(), "search_path");
    if (path != nullptr && search_path_ != path) {
      if (!search_path_.empty()) suspect_statements();
      search_path_ = path;
    }
  }
  running.entry = nullptr;
  if (statements_max_ > 0 && request.may_prepare && request.sql.size() <= kCachedTextMax) {
    Parameters::note_types(request.params, types_);
    Result<Statements::Entry*> found = statements_.use(request.sql, request.placeholders, request.names, types_);
    if (!found) return found.take_status();
    running.entry = *found;
    running.text = &running.entry->text;
    if (running.entry->notes == nullptr) {
      running.entry->notes = std::make_shared<const TextNotes>(notes_of(*running.text, terms_.is_shared));
    }
    running.notes = static_cast<const TextNotes*>(running.entry->notes.get());
    return Status::ok();
  }
  Result<StatementText> text = translate(request.sql, Dialect::postgresql, request.placeholders, request.names);
  if (!text) return text.take_status();
  uncached_ = text.take();
  uncached_notes_ = notes_of(uncached_, terms_.is_shared);
  running.text = &uncached_;
  running.notes = &uncached_notes_;
  return Status::ok();
}

// Whether a statement that is not prepared yet should be, and can be now.
bool PgConnection::may_prepare(const Running& running) const {
  if (running.entry == nullptr || !running.notes->is_plannable || is_preparing_refused_) return false;
  if (running.is_healed) return false;
  if (!statements_.is_worth_preparing(*running.entry)) return false;
  const PGTransactionStatusType state = PQtransactionStatus(conn_.get());
  if (state != PQTRANS_IDLE && state != PQTRANS_INTRANS) return false;  // a failed transaction refuses it
  if (!terms_.is_shared) return true;
  if (watch_->pooler.load(std::memory_order_relaxed) != StatementWatch::Tracking::full) return false;
  return has_room_for_statements(1);
}

// Where none can be closed, none is evicted.
bool PgConnection::has_room_for_statements(size_t more) const noexcept {
  return !terms_.is_shared || kCanClose || names_total_ + more <= kBehindPoolerMax;
}

// Whether a pooler in transaction mode tracks prepared statements, as PgBouncer does since 1.21 unless
// max_prepared_statements is 0. One that does not passes them on to the server session that it happens to use; then the
// next transaction would not find them, or would find those of another client. A prepared statement that looks for its own
// name in that session shows it, without leaving anything there.
Status PgConnection::find_out_tracking(Running& running) {
  using Tracking = StatementWatch::Tracking;
  if (!terms_.is_shared || running.entry == nullptr || !statements_.is_worth_preparing(*running.entry) ||
      watch_->pooler.load(std::memory_order_relaxed) != Tracking::unknown ||
      PQtransactionStatus(conn_.get()) != PQTRANS_IDLE) {
    return Status::ok();
  }
  const std::string name =
      "tide_probe_" + std::to_string(getpid()) + "_" + std::to_string(clock_.now().ns()) + "_" + std::to_string(slot_);
  const std::string sql =
      "SELECT pg_catalog.count(*) FROM pg_catalog.pg_prepared_statements WHERE name = '" + name + "'";
  const std::string close = "DEALLOCATE " + name;
  PGconn* const conn = conn_.get();
  plan_ = {Answer::prepare, Answer::statement, Answer::close, Answer::sync};
  answer_at_ = 0;
  const bool is_sent = PQenterPipelineMode(conn) != 0 &&
                       PQsendPrepare(conn, name.c_str(), sql.c_str(), 0, nullptr) != 0 &&
                       PQsendQueryPrepared(conn, name.c_str(), 0, nullptr, nullptr, nullptr, 0) != 0 &&
                       PQsendQueryParams(conn, close.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0) != 0 &&
                       PQpipelineSync(conn) != 0;
  if (!is_sent) {
    is_broken_ = true;
    return connection_error(conn);
  }
  Tracking found = Tracking::none;
  for (;;) {
    if (const Wait waited = wait_readable(running); waited != Wait::ready) {
      leave_unread(running);
      return stopped(waited, running);
    }
    ResultHandle result;
    const Taken taken = take_next(result);
    if (taken == Taken::end) break;
    if (taken == Taken::result && answer() == Answer::statement && PQntuples(result.get()) == 1 &&
        std::string_view(PQgetvalue(result.get(), 0, 0)) == "0") {
      found = Tracking::full;
    }
  }
  if (PQstatus(conn) != CONNECTION_OK) return connection_error(conn);
  watch_->pooler.store(found);
  return Status::ok();
}

std::string PgConnection::next_name() { return "tide_" + std::to_string(++names_total_); }

// A pooler prepares the same text only once in a server session, also for another name. So a statement that has become
// invalid there must be prepared with another text: with a comment that no other pool uses. Valid until the next call.
const char* PgConnection::text_to_prepare(const std::string& sql) {
  if (!terms_.is_shared || epoch_ == 0) return sql.c_str();
  marked_text_ = sql + " /* " + watch_->mark + "." + std::to_string(epoch_) + " */";
  return marked_text_.c_str();
}

// The statement exists now, whatever becomes of its execution.
void PgConnection::note_described(const PGresult* result, Running& running) {
  if (running.entry == nullptr || running.preparing.name.empty()) return;
  running.preparing.parameters = parameters_in(result);
  keep(*running.entry, std::exchange(running.preparing, {}));
}

void PgConnection::keep(Statements::Entry& entry, PgStatement statement) {
  entry.kept = std::move(statement);
  entry.bytes = kStatementBytes + entry.text.sql.size();
  statements_.note_prepared(entry);
  note_evicted();
}

void PgConnection::note_evicted() {
  for (PgStatement& statement : statements_.take_evicted()) {
    if (!terms_.is_shared || kCanClose) to_close_.push_back(std::move(statement.name));
  }
}

// All prepared statements may be invalid.
void PgConnection::suspect_statements() {
  epoch_ = watch_->epoch.load();
  statements_.evict_all();
  note_evicted();
}

// The session has no prepared statements any more.
void PgConnection::forget_statements() noexcept {
  statements_.drop_all();
  to_close_.clear();
}

// Closes statements that are not used any more, in a pipeline, before anything else. By protocol this cannot fail; as a
// statement it could, so it gets a transaction of its own, and is not sent to a pooler.
bool PgConnection::send_closes() {
  const bool is_possible = kCanClose || (PQtransactionStatus(conn_.get()) == PQTRANS_IDLE && !terms_.is_shared &&
                                         policy_.pooler != Pooler::session);
  if (!is_possible || to_close_.empty()) return true;
  for (size_t i = 0; i < kClosedAtOnceMax && !to_close_.empty(); ++i) {
    const std::string name = std::move(to_close_.back());
    to_close_.pop_back();
    plan_.push_back(Answer::close);
#ifdef LIBPQ_HAS_CLOSE_PREPARED
    if (PQsendClosePrepared(conn_.get(), name.c_str()) == 0) return false;
#else
    const std::string sql = "DEALLOCATE " + name;
    if (PQsendQueryParams(conn_.get(), sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0) == 0) return false;
#endif
  }
  plan_.push_back(Answer::sync);
  return PQpipelineSync(conn_.get()) != 0;
}

bool PgConnection::heal(Status& status, Running& running) {
  if (status.code != Code::database) return false;
  if (status.sqlstate() == "42P05" && status.message().find("\"tide_") != std::string::npos) {
    is_preparing_refused_ = true;  // somebody else uses these names
    return !running.was_in_block && !has_unread_;
  }
  // Also one that was prepared a moment ago: a pooler answers with the statement of the same text that another client had
  // prepared before, and a table may change between preparing and executing.
  if ((!running.is_prepared && !running.is_preparing) || !is_stale_statement(status)) return false;
  if (status.sqlstate() == "26000") {
    forget_statements();
    if (terms_.is_shared) watch_->pooler.store(StatementWatch::Tracking::none);
  }
  // Of several sessions that meet the same change, the first makes all statements suspect.
  uint64_t seen = epoch_;
  watch_->epoch.compare_exchange_strong(seen, seen + 1);
  suspect_statements();
  running.entry = nullptr;
  running.is_healed = true;
  running.is_repeatable = is_within_own_;  // when that transaction has been rolled back
  if (is_within_own_) return false;
  if (!running.was_in_block) return !has_unread_ && PQstatus(conn_.get()) == CONNECTION_OK;
  status.text().detail += (status.detail().empty() ? "" : " ") +
                          std::string(
                              "A prepared statement became invalid, for example "
                              "because a table was changed, and cannot be prepared again in a failed transaction.");
  status.text().hint = "Roll back, then repeat the transaction.";
  return false;
}

void PgConnection::publish_counts() noexcept {
  const StatementCounts& counts = statements_.counts();
  counts_.hits_total.store(counts.hits_total, std::memory_order_relaxed);
  counts_.misses_total.store(counts.misses_total, std::memory_order_relaxed);
  counts_.evictions_total.store(counts.evictions_total, std::memory_order_relaxed);
  counts_.held.store(counts.held, std::memory_order_relaxed);
  counts_.bytes.store(counts.bytes, std::memory_order_relaxed);
}

}  // namespace tide::libpq
