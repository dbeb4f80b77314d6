// tide_lease_query, tide_pool_query and results.
#include <tidepool/tidepool.h>

#include <memory>
#include <utility>
#include <vector>

#include "guard.hpp"
#include "handles.hpp"

using namespace tide;

struct tide_result {
  ResultTable table;
};

namespace {

constexpr int kParamsMax = 32766;

Status check_query(const char* sql, int nparams, const char* const* params) {
  if (sql == nullptr) return Status::error(Code::bad_argument, "sql is NULL", "accepted: one statement", "");
  if (nparams < 0 || nparams > kParamsMax || (nparams > 0 && params == nullptr)) {
    return Status::error(Code::bad_argument,
                         "nparams is " + std::to_string(nparams) + (params == nullptr ? " and params is NULL" : ""),
                         "accepted: 0 to 32766, with as many params");
  }
  return Status::ok();
}

using ResultHandle = std::unique_ptr<tide_result>;

Status run(Pool& pool, LeaseId lease, const char* sql, int nparams, const char* const* params, ResultHandle& result) {
  if (lease.is_none()) return Status::error(Code::stale_lease, "invalid lease");
  result = std::make_unique<tide_result>();
  QueryRequest request;
  request.sql = sql;
  std::vector<SqlValue> values;
  for (int i = 0; i < nparams; ++i) values.push_back(SqlValue::of_text_or_null(params[i]));
  request.params = values;
  Status status = pool.query(lease, request, result->table);
  if (status.code == Code::stale_lease && status.message.empty()) {
    status.message = "the lease has already ended";
    status.detail = "it was released or revoked, or was never issued by its pool";
  }
  return status;
}

Status give(Status status, ResultHandle result, tide_result** out) {
  if (status && out != nullptr) *out = result.release();
  return status;
}

// The lease ends with the call, and the transaction with the lease, although the caller expects to be inside it.
Status check_transaction(const Pool& pool, LeaseId lease) {
  LeaseFacts facts;
  if (pool.facts(lease, facts) != Code::ok || !facts.is_in_transaction) return Status::ok();
  Status status = Status::error(Code::bad_argument, "the statement left a transaction open",
                                "the next call may use another connection; the transaction is rolled back",
                                "use tide_pool_acquire() and tide_lease_query() for the whole transaction");
  status.sqlstate = "25001";
  return status;
}

}  // namespace

tide_status tide_lease_query(tide_lease lease, const char* sql, int nparams, const char* const* params,
                             tide_result** out, tide_error* err) {
  return guarded(err, [&]() -> Status {
    if (Status checked = check_query(sql, nparams, params); !checked) return checked;
    const Door door(lease);
    if (!door) return no_entry(door.code());
    ResultHandle result;
    Status status = run(*door, LeaseId(lease.id), sql, nparams, params, result);
    return give(std::move(status), std::move(result), out);
  });
}

tide_status tide_pool_query(tide_pool* pool, const char* tag, const char* sql, int nparams, const char* const* params,
                            tide_result** out, tide_error* err) {
  return guarded(err, [&]() -> Status {
    if (Status checked = check_query(sql, nparams, params); !checked) return checked;
    tide_lease lease;
    tide_error why = TIDE_ERROR_INIT;
    if (tide_pool_acquire(pool, tag, -1, &lease, &why) != TIDE_OK) return status_of(why);
    Status status;
    ResultHandle result;
    try {
      const Door door(lease);
      status = door ? run(*door, LeaseId(lease.id), sql, nparams, params, result) : no_entry(door.code());
      if (status) status = check_transaction(*door, LeaseId(lease.id));
    } catch (...) {
      tide_lease_release(lease, nullptr);
      throw;
    }
    tide_lease_release(lease, nullptr);
    return give(std::move(status), std::move(result), out);
  });
}

int64_t tide_result_rows(const tide_result* r) { return r == nullptr ? 0 : r->table.rows(); }

int64_t tide_result_affected(const tide_result* r) { return r == nullptr ? -1 : r->table.affected(); }

const char* tide_result_command(const tide_result* r) { return r == nullptr ? nullptr : r->table.command().c_str(); }

int tide_result_columns(const tide_result* r) { return r == nullptr ? 0 : r->table.columns(); }

const char* tide_result_name(const tide_result* r, int column) {
  return r == nullptr ? nullptr : r->table.name(column);
}

const char* tide_result_text(const tide_result* r, int64_t row, int column) {
  return r == nullptr ? nullptr : r->table.text(row, column);
}

size_t tide_result_length(const tide_result* r, int64_t row, int column) {
  size_t length = 0;
  if (r != nullptr) (void)r->table.text(row, column, &length);
  return length;
}

void tide_result_free(tide_result* r) { delete r; }
