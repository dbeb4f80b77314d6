// Transaction: an open transaction on a lease, and what is known about its outcome.
//
// T1  A failed statement makes the transaction fail, on every database: it can only be rolled back, or returned to a
//     savepoint. COMMIT is sent only if no statement failed.
// T2  Past its deadline, or when its token is tripped, it is rolled back at the next call. A COMMIT that was sent is not
//     cancelled.
// T3  If COMMIT was sent and not answered, the outcome is asked for, or Code::unknown_outcome. That of the driver is
//     passed on.
// Threads: one call at a time, by Entry, which refuses others; in a body only the thread that runs it.
// Failure: Status.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "service/lease_use.hpp"
#include "service/retry.hpp"
#include "service/service.hpp"

namespace tide {

enum class Ending : uint8_t { committed, rolled_back, timed_out, unknown, cancelled };

class Transaction {
 public:
  // Whose it is: of a handle, or of a body, which ends when the body returns.
  enum class Holder : uint8_t { handle, body };

  // Takes the lease, and releases it at the end.
  Transaction(OwnLease& lease, Pauses& pauses, const TransactionTerms& terms, Instant deadline, Holder holder);
  // On a lease of the caller.
  Transaction(LeaseUse lease, Pauses& pauses, const TransactionTerms& terms, Instant deadline, Holder holder);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  // The right to make a call. `is_end`: the call ends the transaction.
  class Entry {
   public:
    Entry(Transaction& transaction, bool is_end);
    ~Entry();
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    const Status& status() const { return status_; }

   private:
    Transaction& transaction_;
    Status status_;
  };

  Status begin();
  // Within an Entry. The deadline of the requests is set here.
  Status query(QueryRequest request, const CallLimits& limits, ResultTable& out);
  Status stream(QueryRequest request, const CallLimits& limits, RowSink& sink, ResultTable& out);
  Status batch(std::span<QueryRequest> requests, const CallLimits& limits, std::vector<ResultTable>& out,
               size_t& failed_at);
  Status savepoint(std::string_view name);
  Status rollback_to(std::string_view name);
  Status release(std::string_view name);
  // `is_body`: the error of the statement that failed is returned as it was.
  Status commit(bool is_body);
  // A further attempt of a transaction that failed: its commit is counted as help.
  void mark_repetition() { is_repetition_ = true; }
  void roll_back();

  Ending ending() const { return ending_; }
  Pool& pool() const { return lease_.pool(); }
  // The first error since the transaction was last usable.
  const Status& failure() const { return failure_; }
  // The whole transaction may be repeated: it is known not to be committed, and why may pass.
  bool is_repeatable() const;

 private:
  template <typename Work>
  Status statement(const CallLimits& limits, Work&& work);
  Status savepoint_word(std::string_view word, std::string_view name);
  Status refusal();
  bool is_late() const { return pool().clock().now() >= deadline_; }
  bool wants_id() const;
  void note_success(const ResultTable* result, bool was_asked);
  Status note_failure(Status status);
  Status time_out();
  Status cancel_out(Status why);
  // It must not go on: past its deadline, or its token is tripped. Rolls back.
  Status stop();
  Status send_commit();
  Status settle_commit(Status lost);
  void finish(Ending ending);

  LeaseUse lease_;
  OwnLease owned_;  // none: the caller's
  Pauses& pauses_;
  const TransactionKind kind_;
  const Instant deadline_;
  const CancelRef cancel_;
  const uint32_t thread_;  // of the body; 0: any
  std::atomic<bool> is_busy_{false};

  bool is_repetition_ = false;
  bool is_open_ = false;
  Ending ending_ = Ending::rolled_back;
  Status failure_;
  bool has_succeeded_ = false;         // a statement after BEGIN
  bool is_checked_ = false;            // its id is asked for
  bool may_have_written_ = false;      // although no id is known
  bool is_commit_sent_ = false;        // it may have been
  bool is_known_uncommitted_ = false;  // although the connection was lost during COMMIT
  std::string id_;                     // in the database; empty: none is known
  std::string server_;                 // that assigned it
  const OutcomeWords* words_ = nullptr;
};

}  // namespace tide
