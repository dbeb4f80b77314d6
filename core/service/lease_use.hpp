// LeaseUse: the calls of the service on one lease. OwnLease: a lease of the service, released at the end of its scope.
//
// Each call names the slot in the calling thread (pool/presence.hpp) only while it runs, so that a revoked lease is not
// kept busy by the functions of the program that are called between them.
// Threads: one at a time. Failure: as Pool; an ended lease is told by a text, and is_unexecuted.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/status.hpp"
#include "pool/pool.hpp"

namespace tide {

class LeaseUse {
 public:
  LeaseUse(Pool& pool, LeaseId lease) : pool_(&pool), lease_(lease) {}

  // Makes a call of this lease, which the token, if there is one, cancels.
  template <typename Work>
  Status cancellable(CancelToken* token, Work&& work) const {
    if (token == nullptr) [[likely]]
      return work();
    const CallCancel cancel(*pool_, lease_, *token);
    return cancel.may_begin() ? cancel.told(work()) : cancelled_before("the call");
  }

  Pool& pool() const { return *pool_; }
  LeaseId id() const { return lease_; }
  Status query(const QueryRequest& request, ResultTable& out) const;
  Status stream(const QueryRequest& request, RowSink& sink, ResultTable& out) const;
  Status open_rows(const QueryRequest& request, ResultTable& page) const;
  Status batch(std::span<const QueryRequest> requests, Instant deadline, std::vector<ResultTable>& out,
               size_t& failed_at) const;
  Code facts(LeaseFacts& out) const;
  bool is_in_transaction() const;
  std::string begin_text(const TransactionKind& kind) const;
  const OutcomeWords* outcome_words() const;
  void count_retry() const;
  void count_retry_helped() const;
  void count_transaction() const;

 protected:
  Presence::Key key() const { return Presence::key_of_slot(pool_->key(), lease_.slot()); }

  Pool* pool_;
  LeaseId lease_;
};

class OwnLease : public LeaseUse {
 public:
  explicit OwnLease(Pool& pool) : LeaseUse(pool, {}) {}
  ~OwnLease() { release(); }
  OwnLease(const OwnLease&) = delete;
  OwnLease& operator=(const OwnLease&) = delete;

  // The pool from which it is acquired, while there is no lease.
  void use(Pool& pool) { pool_ = &pool; }
  Status acquire(const AcquireRequest& request);
  void adopt(LeaseId lease) { lease_ = lease; }
  void release();
  // The session must not be used again.
  void discard();
  // Somebody else releases it.
  LeaseId take() { return std::exchange(lease_, {}); }
};

}  // namespace tide
