// tide_tx_*, tide_pool_transaction, tide_lease_transaction.
#include <tidepool/tidepool.h>

#include <exception>
#include <optional>
#include <string>
#include <utility>

#include "callbacks.hpp"
#include "cancel.hpp"
#include "guard.hpp"
#include "statements.hpp"
#include "structs.hpp"

using namespace tide;

namespace {

Status read_terms(const tide_tx_options* with, TransactionTerms& out) {
  tide_tx_options wanted = TIDE_TX_OPTIONS_INIT;
  if (Status read = read_struct(with, "tide_tx_options", wanted); !read) return read;
  if (Status checked = check_timeout(wanted.timeout_ms); !checked) return checked;
  if (Status checked = check_priority(wanted.priority); !checked) return checked;
  using Isolation = TransactionTerms::Isolation;
  switch (wanted.isolation) {
    case TIDE_ISOLATION_DEFAULT: out.isolation = Isolation::unset; break;
    case TIDE_READ_COMMITTED: out.isolation = Isolation::read_committed; break;
    case TIDE_REPEATABLE_READ: out.isolation = Isolation::repeatable_read; break;
    case TIDE_SERIALIZABLE: out.isolation = Isolation::serializable; break;
    default:
      return Status::error(
          Code::bad_argument, "isolation is " + std::to_string(wanted.isolation),
          "accepted: TIDE_ISOLATION_DEFAULT, TIDE_READ_COMMITTED, TIDE_REPEATABLE_READ, TIDE_SERIALIZABLE");
  }
  out.is_read_only = wanted.read_only != 0;
  out.is_deferrable = wanted.deferrable != 0;
  out.timeout = timeout_of(wanted.timeout_ms);
  out.tag = with == nullptr || wanted.tag == nullptr ? "" : wanted.tag;
  out.retry_attempts = wanted.retry_attempts;
  out.priority = priority_of(wanted.priority);
  out.cancel = token_of(wanted.cancel);
  return Status::ok();
}

// Calls the body of a transaction. An exception becomes a rollback, because it cannot cross the ABI.
class BodyCaller {
 public:
  BodyCaller(tide_pool* pool, tide_tx_body body, void* context) : pool_(pool), body_(body), context_(context) {}
  int operator()(TransactionId id) {
    const CallbackScope scope(Handles::number_of(pool_));
    try {
      thrown_.reset();
      return body_(context_, tide_tx{pool_, id});
    } catch (const std::exception& problem) {
      thrown_ = "the body threw an exception: " + std::string(problem.what());
    } catch (...) {
      thrown_ = "the body threw an exception of unknown type";
    }
    return 1;
  }
  // What is reported for a transaction whose last attempt ended with `status`.
  Status outcome(Status status) const {
    if (!thrown_ || status.code != Code::rolled_back) return status;
    return Status::error(Code::rolled_back, *thrown_, "nothing was committed", "the body must not throw");
  }

 private:
  tide_pool* const pool_;
  const tide_tx_body body_;
  void* const context_;
  std::optional<std::string> thrown_;
};

// `transact` runs a body with the given terms, within a door.
template <typename Transact>
tide_status run_body(const Site& site, tide_tx_body body, void* context, const tide_tx_options* with, tide_error* err,
                     Transact&& transact) noexcept {
  return guarded(err, [&]() -> Status {
    if (body == nullptr) return Status::error(Code::bad_argument, "body is NULL", "accepted: a function");
    TransactionTerms terms;
    if (Status read = read_terms(with, terms); !read) return read;
    const Door door = site.door();
    if (!door) return no_entry(door.code());
    BodyCaller caller(site.pool(), body, context);
    Status status = transact(door.service(), terms, [&caller](TransactionId id) { return caller(id); });
    return caller.outcome(std::move(status));
  });
}

template <typename Begin>
tide_status begin_at(const Site& site, const tide_tx_options* with, tide_tx* out, tide_error* err,
                     Begin&& begin) noexcept {
  return guarded(err, [&]() -> Status {
    if (out == nullptr) return Status::error(Code::bad_argument, "out is NULL", "", "pass the address of a tide_tx");
    TransactionTerms terms;
    if (Status read = read_terms(with, terms); !read) return read;
    const Door door = site.door();
    if (!door) return no_entry(door.code());
    TransactionId id = 0;
    if (Status begun = begin(door.service(), terms, id); !begun) return begun;
    *out = {site.pool(), id};
    return Status::ok();
  });
}

using OnSavepoint = Status (Service::*)(TransactionId, std::string_view);

tide_status at_savepoint(tide_tx tx, const char* name, OnSavepoint what, tide_error* err) noexcept {
  return guarded(err, [&]() -> Status {
    if (name == nullptr) {
      return Status::error(Code::bad_argument, "name is NULL", "accepted: 1 to 62 letters, digits or '_'");
    }
    const Door door(tx.pool);
    if (!door) return no_entry(door.code());
    return (door.service().*what)(tx.id, name);
  });
}

tide_status end_transaction(tide_tx tx, Status (Service::*how)(TransactionId), tide_error* err) noexcept {
  return guarded(err, [&]() -> Status {
    const Door door(tx.pool);
    if (!door) return no_entry(door.code());
    return (door.service().*how)(tx.id);
  });
}

}  // namespace

tide_status tide_pool_transaction(tide_pool* pool, tide_tx_body body, void* context, const tide_tx_options* with,
                                  tide_error* err) {
  return run_body(Site(pool), body, context, with, err,
                  [](Service& service, const TransactionTerms& terms, const Service::Body& call) {
                    return service.transact(terms, call);
                  });
}

tide_status tide_lease_transaction(tide_lease lease, tide_tx_body body, void* context, const tide_tx_options* with,
                                   tide_error* err) {
  return run_body(Site(lease), body, context, with, err,
                  [id = LeaseId(lease.id)](Service& service, const TransactionTerms& terms, const Service::Body& call) {
                    if (Status valid = check_lease(id); !valid) return valid;
                    return explain_stale(service.transact_on(id, terms, call));
                  });
}

tide_status tide_tx_begin(tide_pool* pool, const tide_tx_options* with, tide_tx* out, tide_error* err) {
  return begin_at(Site(pool), with, out, err, [](Service& service, const TransactionTerms& terms, TransactionId& id) {
    return service.begin(terms, id);
  });
}

tide_status tide_tx_begin_on(tide_lease lease, const tide_tx_options* with, tide_tx* out, tide_error* err) {
  return begin_at(Site(lease), with, out, err,
                  [own = LeaseId(lease.id)](Service& service, const TransactionTerms& terms, TransactionId& id) {
                    if (Status valid = check_lease(own); !valid) return valid;
                    return explain_stale(service.begin_on(own, terms, id));
                  });
}

tide_status tide_tx_query(tide_tx tx, const char* sql, int nparams, const tide_value* params,
                          const tide_query_options* with, tide_result** out, tide_error* err) {
  return run_statement(Site(tx), Call::Kind::query, sql, nparams, params, with, out, err);
}

tide_status tide_tx_query_first(tide_tx tx, const char* sql, int nparams, const tide_value* params,
                                const tide_query_options* with, tide_result** out, tide_error* err) {
  return run_statement(Site(tx), Call::Kind::first, sql, nparams, params, with, out, err);
}

tide_status tide_tx_execute(tide_tx tx, const char* sql, int nparams, const tide_value* params,
                            const tide_query_options* with, tide_result** out, tide_error* err) {
  return run_statement(Site(tx), Call::Kind::execute, sql, nparams, params, with, out, err);
}

tide_status tide_tx_batch(tide_tx tx, const tide_statement* statements, int count, const tide_query_options* with,
                          tide_result** out, tide_error* err) {
  return run_batch(Site(tx), statements, count, with, out, err);
}

tide_status tide_tx_stream(tide_tx tx, const char* sql, int nparams, const tide_value* params,
                           const tide_query_options* with, tide_row_callback on_row, void* context, tide_result** out,
                           tide_error* err) {
  return run_stream(Site(tx), sql, nparams, params, with, {on_row, context}, out, err);
}

tide_status tide_tx_savepoint(tide_tx tx, const char* name, tide_error* err) {
  return at_savepoint(tx, name, &Service::savepoint, err);
}

tide_status tide_tx_rollback_to(tide_tx tx, const char* name, tide_error* err) {
  return at_savepoint(tx, name, &Service::rollback_to, err);
}

tide_status tide_tx_release(tide_tx tx, const char* name, tide_error* err) {
  return at_savepoint(tx, name, &Service::release, err);
}

tide_status tide_tx_commit(tide_tx tx, tide_error* err) { return end_transaction(tx, &Service::commit, err); }

tide_status tide_tx_rollback(tide_tx tx, tide_error* err) { return end_transaction(tx, &Service::rollback, err); }
