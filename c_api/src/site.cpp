#include "site.hpp"

#include <utility>

namespace tide {

Status check_lease(LeaseId lease) {
  return lease.is_none() ? Status::error(Code::stale_lease, "invalid lease", "accepted: a lease of tide_pool_acquire()")
                         : Status::ok();
}

Status explain_stale(Status status) {
  if (status.code == Code::stale_lease && status.message().empty()) {
    status.text().message = "the lease has already ended";
    status.text().detail = "it was released or revoked, or was never issued by its pool";
  }
  return status;
}

static CallLimits limits_of(const CallTerms& terms) { return {terms.timeout, terms.cancel}; }

Status Site::run(Service& service, const Call& call, const CallTerms& terms, ResultTable& out) const {
  switch (kind_) {
    case Kind::pool: return service.run(call, terms, out);
    case Kind::transaction: return service.run_in(id_, call, limits_of(terms), out);
    case Kind::lease: break;
  }
  if (Status valid = check_lease(LeaseId(id_)); !valid) return valid;
  return explain_stale(service.run_on(LeaseId(id_), call, limits_of(terms), out));
}

Status Site::batch(Service& service, std::span<const Call> calls, const CallTerms& terms,
                   std::vector<ResultTable>& out) const {
  switch (kind_) {
    case Kind::pool: return service.batch(calls, terms, out);
    case Kind::transaction: return service.batch_in(id_, calls, limits_of(terms), out);
    case Kind::lease: break;
  }
  if (Status valid = check_lease(LeaseId(id_)); !valid) return valid;
  return explain_stale(service.batch_on(LeaseId(id_), calls, limits_of(terms), out));
}

Status Site::stream(Service& service, const Call& call, const CallTerms& terms, RowSink& sink, ResultTable& out) const {
  switch (kind_) {
    case Kind::pool: return service.stream(call, terms, sink, out);
    case Kind::transaction: return service.stream_in(id_, call, limits_of(terms), sink, out);
    case Kind::lease: break;
  }
  if (Status valid = check_lease(LeaseId(id_)); !valid) return valid;
  return explain_stale(service.stream_on(LeaseId(id_), call, limits_of(terms), sink, out));
}

Status Site::open_rows(Service& service, const Call& call, const CallTerms& terms, LeaseId& lease, const Pool*& from,
                       ResultTable& page) const {
  if (kind_ == Kind::pool) return service.open_rows(call, terms, lease, from, page);
  lease = LeaseId(id_);
  if (Status valid = check_lease(lease); !valid) return valid;
  return explain_stale(service.open_rows_on(lease, call, limits_of(terms), page));
}

}  // namespace tide
