// Site: where a call is executed: on a pool, on a lease, or in a transaction.
//
// Threads: any. Failure: Status.
#pragma once

#include <tidepool/transaction.h>

#include "calls.hpp"
#include "handles.hpp"
#include "result.hpp"

namespace tide {

class Site {
 public:
  explicit Site(tide_pool* pool) : pool_(pool), kind_(Kind::pool) {}
  explicit Site(tide_lease lease) : pool_(lease.pool), id_(lease.id), kind_(Kind::lease) {}
  explicit Site(tide_tx tx) : pool_(tx.pool), id_(tx.id), kind_(Kind::transaction) {}

  tide_pool* pool() const { return pool_; }
  bool is_pool() const { return kind_ == Kind::pool; }
  bool is_transaction() const { return kind_ == Kind::transaction; }
  // The pool stays open while it exists.
  Door door() const { return kind_ == Kind::lease ? Door(tide_lease{pool_, id_}) : Door(pool_); }

  // The following are called within a door that opened.
  Status run(Service& service, const Call& call, const CallTerms& terms, ResultTable& out) const;
  Status batch(Service& service, std::span<const Call> calls, const CallTerms& terms,
               std::vector<ResultTable>& out) const;
  Status stream(Service& service, const Call& call, const CallTerms& terms, RowSink& sink, ResultTable& out) const;
  // Not in a transaction. `lease`: whose rows they are; `from`: its pool, if that is not the pool of the site.
  Status open_rows(Service& service, const Call& call, const CallTerms& terms, LeaseId& lease, const Pool*& from,
                   ResultTable& page) const;

 private:
  enum class Kind : uint8_t { pool, lease, transaction };

  tide_pool* pool_;
  uint64_t id_ = 0;
  Kind kind_;
};

// For a lease that is not one, and the text for one that has ended.
Status check_lease(LeaseId lease);
Status explain_stale(Status status);

}  // namespace tide
