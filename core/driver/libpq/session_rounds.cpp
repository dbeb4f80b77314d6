// PgConnection: rounds of the keeper.
#include <charconv>
#include <cstring>
#include <utility>

#include "driver/libpq/errors.hpp"
#include "driver/libpq/session.hpp"

namespace tide::libpq {
namespace {

// Client sessions, compared with the number that users without privileges may open. Such a user cannot see the type of
// sessions of other roles; these have a user and a database, unlike internal processes of the server.
constexpr char kSurvey[] =
    "SELECT (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend'"
    " OR (backend_type IS NULL AND usesysid IS NOT NULL AND datid IS NOT NULL)),"
    " pg_catalog.current_setting('max_connections')::pg_catalog.int4"
    " - pg_catalog.current_setting('superuser_reserved_connections')::pg_catalog.int4"
    " - coalesce(pg_catalog.current_setting('reserved_connections', true), '0')::pg_catalog.int4";

// Why the server rejects writes of a session that was reset; null if it accepts them, or if read-only sessions were requested
// by the program, by ALTER ROLE or by options of the target.
constexpr char kWhyReadOnly[] =
    "SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN 'the server is a standby'"
    " WHEN setting = 'on' AND source NOT IN ('session', 'client', 'user', 'database user', 'interactive')"
    " THEN 'default_transaction_read_only is on' END"
    " FROM pg_catalog.pg_settings WHERE name = 'default_transaction_read_only'";

// -1 if it is not a number.
int64_t count_in(const char* text) noexcept {
  int64_t count = -1;
  const char* const end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, count);
  return error == std::errc() && stop == end && count >= 0 ? count : -1;
}

}  // namespace

void PgConnection::begin_round() noexcept {
  round_.clear();
  round_next_ = 0;
  survey_at_ = why_read_only_at_ = kNotAsked;
  load_ = {};
}

void PgConnection::begin_reset(ResetMode mode) {
  begin_round();
  is_round_sent_ = has_unread_;
  is_reset_ = true;
  const PGTransactionStatusType state = PQtransactionStatus(conn_.get());
  if (state != PQTRANS_IDLE) round_.emplace_back("ROLLBACK");
  const bool is_full = mode == ResetMode::full || (mode == ResetMode::smart && trace_ != Trace::none);
  is_full_reset_ = is_full && !terms_.is_shared;
  if (is_full_reset_) {
    round_.emplace_back("DISCARD ALL");
    if (!terms_.settings.empty()) round_.push_back(terms_.settings);
  } else if (is_read_only_ && !terms_.is_shared) {
    round_.push_back(writable_words());
  }
  if (is_round_sent_) round_.insert(round_.begin(), "");  // the result of the cancelled statement
  if (is_write_refused_) {
    why_read_only_at_ = round_.size();
    round_.emplace_back(kWhyReadOnly);
  }
  if (round_.empty()) round_.emplace_back("");  // only a cancel was in progress: an empty statement receives it
}

void PgConnection::begin_validation(const std::string& validation_query) {
  begin_round();
  round_.push_back(validation_query);
  is_round_sent_ = false;
  is_reset_ = is_full_reset_ = false;
}

void PgConnection::begin_survey(const std::string& validation_query) {
  begin_validation(validation_query);
  if (is_survey_refused_) return;
  if (validation_query.empty()) round_.clear();  // the query alone checks the session
  survey_at_ = round_.size();
  round_.emplace_back(kSurvey);
}

// False if the session must not be used again.
bool PgConnection::take_survey(const PGresult* result) noexcept {
  const char* const told = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const std::string_view sqlstate = told != nullptr ? told : "";
  if (PQresultStatus(result) == PGRES_FATAL_ERROR) {
    // A query that is not supported or not permitted now will not be later.
    is_survey_refused_ = sqlstate.starts_with("42") || sqlstate.starts_with("0A") || sqlstate.starts_with("22");
    return !sqlstate.empty() && !ends_session(sqlstate);
  }
  if (PQntuples(result) == 1 && PQnfields(result) == 2) {
    load_ = {count_in(PQgetvalue(result, 0, 0)), count_in(PQgetvalue(result, 0, 1))};
  }
  return true;
}

// False if the session must not be used again.
bool PgConnection::take_why_read_only(const PGresult* result) {
  is_write_refused_ = false;
  if (PQresultStatus(result) == PGRES_FATAL_ERROR) {
    const Status why = error_of(result);
    return !why.sqlstate().empty() && !ends_session(why.sqlstate());
  }
  if (PQntuples(result) != 1 || PQgetisnull(result, 0, 0) != 0) return true;
  Status status = own_error("25006", std::string("a write was rejected: ") + PQgetvalue(result, 0, 0));
  notices_->add_bad_news(slot_, NoticeKind::doomed, status);
  return true;
}

PgConnection::Round PgConnection::step_round() {
  const auto fail = [this](Status why) {
    round_failure_ = std::move(why);
    is_broken_ = true;
    return Round::failed;
  };
  if (cancel_->is_pending.load()) return Round::pending;  // send nothing before the signal was sent (C3)
  if (cancel_->has_failed.load()) return fail(own_error("08006", "a cancel request could not be delivered"));
  wants_to_write_ = false;
  while (round_next_ < round_.size()) {
    if (!is_round_sent_) {
      if (PQsendQuery(conn_.get(), round_[round_next_].c_str()) == 0) return fail(connection_error(conn_.get()));
      is_round_sent_ = true;
    }
    const int flushed = PQflush(conn_.get());
    if (flushed < 0) return fail(connection_error(conn_.get()));
    wants_to_write_ = flushed > 0;
    if (PQconsumeInput(conn_.get()) == 0) return fail(connection_error(conn_.get()));
    const bool is_leftover = has_unread_;
    for (;;) {
      if (PQisBusy(conn_.get()) != 0) return Round::pending;
      ResultHandle result;
      const Taken taken = take_next(result);
      if (taken == Taken::end) break;
      if (taken == Taken::between) continue;
      const ExecStatusType status = PQresultStatus(result.get());
      const bool is_copy = status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
      const bool is_failure = is_leftover                        ? !take_leftover(result.get())
                              : round_next_ == survey_at_        ? !take_survey(result.get())
                              : round_next_ == why_read_only_at_ ? !take_why_read_only(result.get())
                                                                 : status == PGRES_FATAL_ERROR;
      if (is_copy || is_failure) return fail(error_of(result.get()));
      if (PQstatus(conn_.get()) != CONNECTION_OK) return fail(connection_error(conn_.get()));
    }
    has_unread_ = is_own_unread_ = false;
    is_round_sent_ = false;
    ++round_next_;
  }
  while (PGnotify* notify = PQnotifies(conn_.get())) PQfreemem(notify);
  if (!is_provably_idle()) return fail(own_error("08P01", "the session is not idle after a reset"));
  if (is_full_reset_ && trace_ == Trace::lasting) return fail(own_error("08P01", "the session cannot be reset"));
  if (is_full_reset_) {
    trace_ = Trace::none;
    forget_statements();
    publish_counts();
  }
  if (is_reset_) is_read_only_ = is_within_own_ = false;
  return Round::done;
}

}  // namespace tide::libpq
