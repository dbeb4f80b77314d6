#include "service/lease_use.hpp"

namespace tide {
namespace {

Status told(Status status) {
  if (status.code != Code::stale_lease) return status;
  // The pool itself adds no text, and has not passed the statement on; a driver may have been interrupted.
  if (status.message().empty()) {
    status.text().message = "the lease has already ended";
    status.text().detail = "it was released or revoked, or was never issued by its pool";
    status.is_unexecuted = true;
  }
  return status;
}

Status no_lease() { return told(Status::error(Code::stale_lease, "")); }

}  // namespace

Status LeaseUse::query(const QueryRequest& request, ResultTable& out) const {
  if (lease_.is_none()) return no_lease();
  const Visit visit(key());
  Status status = pool_->query(lease_, request, out);
  if (status) [[likely]]
    return status;
  return told(std::move(status));
}

Status LeaseUse::stream(const QueryRequest& request, RowSink& sink, ResultTable& out) const {
  if (lease_.is_none()) return no_lease();
  const Visit visit(key());
  return told(pool_->stream(lease_, request, sink, out));
}

Status LeaseUse::open_rows(const QueryRequest& request, ResultTable& page) const {
  if (lease_.is_none()) return no_lease();
  const Visit visit(key());
  return told(pool_->open_rows(lease_, request, page));
}

Status LeaseUse::batch(std::span<const QueryRequest> requests, Instant deadline, std::vector<ResultTable>& out,
                       size_t& failed_at) const {
  if (lease_.is_none()) return no_lease();
  const Visit visit(key());
  return told(pool_->batch(lease_, requests, deadline, out, failed_at));
}

Code LeaseUse::facts(LeaseFacts& out) const {
  if (lease_.is_none()) return Code::stale_lease;
  const Visit visit(key());
  return pool_->facts(lease_, out);
}

bool LeaseUse::is_in_transaction() const {
  const Visit visit(key());
  return pool_->is_in_transaction(lease_);
}

std::string LeaseUse::begin_text(const TransactionKind& kind) const {
  const Visit visit(key());
  return pool_->begin_text(lease_, kind);
}

const OutcomeWords* LeaseUse::outcome_words() const {
  const Visit visit(key());
  return pool_->outcome_words(lease_);
}

void LeaseUse::count_retry() const {
  const Visit visit(key());
  pool_->count_retry(lease_);
}

void LeaseUse::count_retry_helped() const {
  const Visit visit(key());
  pool_->count_retry_helped(lease_);
}

void LeaseUse::count_transaction() const {
  const Visit visit(key());
  pool_->count_transaction(lease_);
}

Status OwnLease::acquire(const AcquireRequest& request) {
  const Visit visit(Presence::key_of_pool(pool_->key()));
  const Code code = pool_->acquire(request, lease_);
  if (code == Code::ok) [[likely]]
    return Status::ok();
  lease_ = {};
  return pool_->explain(code, request.timeout);
}

void OwnLease::release() {
  if (lease_.is_none()) return;
  const Visit visit(key());
  (void)pool_->release(std::exchange(lease_, {}));  // stale: it was revoked
}

void OwnLease::discard() {
  if (lease_.is_none()) return;
  const Visit visit(key());
  (void)pool_->discard(std::exchange(lease_, {}));
}

}  // namespace tide
