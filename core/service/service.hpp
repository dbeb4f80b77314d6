// Service: statements, batches and transactions for callers that never touch a lease by hand.
//
// It knows the pool and the driver port alone. On top of a lease it adds: retries, transactions whose outcome is told
// truly, refusal of statements that would end a transaction behind the caller's back, and asynchronous calls.
//
// V1  A call on a pool has released its lease when it returns.
// V2  Nothing is repeated that may have taken effect: a transaction only if it is known not to be committed, a statement
//     only if it is known not to have been executed, or if it only reads.
// V3  Of transactions and batches: ok: it took effect. unknown_outcome: nobody can tell. Every other code: it has not.
//     A statement outside of a transaction may have taken effect if its connection was lost or its time ran out, unless
//     Status::is_unexecuted.
// V4  A transaction ends once; its number is never reused, so that a call after the end is refused.
// V5  The callback of an asynchronous call is called exactly once.
// V6  After a call's token is tripped the call begins nothing new except what ends it: no statement, attempt or COMMIT. A
//     COMMIT that was sent is waited for, so that a cancel never makes an outcome unknown.
// Threads: any; calls of one transaction one at a time. Asynchronous calls run in threads of their own.
// Failure: Status.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.hpp"
#include "base/status.hpp"
#include "pool/pool.hpp"
#include "service/listener.hpp"

namespace tide {

class QueryCache;

// A statement and how it is to be executed.
struct Call {
  enum class Kind : uint8_t { query, first, execute };

  Kind kind = Kind::query;
  std::string_view sql;
  std::span<const SqlValue> params;
  Placeholders placeholders = Placeholders::numbered;
  std::span<const std::string_view> names = {};
  int64_t rows_max = 0;   // as QueryRequest
  int64_t bytes_max = 0;  // as QueryRequest
};

// How a result is cached; without `is_wanted` it is not.
struct CacheTerms {
  bool is_wanted = false;
  bool accepts_volatile = false;  // also a statement whose result may change without a change of data
  Span ttl;                       // zero: query_cache_ttl
  Span stale;                     // how long an expired result may be returned while one caller renews it
  std::string_view key;           // "": derived from the statement, its parameters and the session
  std::string_view tags;          // separated by spaces
};

// The limits of a call on a lease or in a transaction.
struct CallLimits {
  CallLimits(Span time, CancelToken* token = nullptr) : timeout(time), cancel(token) {}  // NOLINT: mostly a time only
  Span timeout;                                                                          // negative: query_timeout
  CancelToken* cancel;                                                                   // may be null
};

// How a call on a pool, or a batch, is to be made.
struct CallTerms {
  LeaseMode mode = LeaseMode::read_write;
  Span timeout =
      Span::nanos(-1);  // of the whole; negative: acquire_timeout for the lease, query_timeout for the statement
  const char* tag = "";
  int64_t retry_attempts = -1;  // negative: that of the policy
  Priority priority = Priority::normal;
  CancelToken* cancel = nullptr;  // the caller has a reference until the call returns
  CacheTerms cache = {};
};

struct TransactionTerms {
  using Isolation = tide::Isolation;
  Isolation isolation = Isolation::unset;
  bool is_read_only = false;
  bool is_deferrable = false;
  Span timeout = Span::nanos(-1);  // of the whole with its repetitions; negative: none
  const char* tag = "";
  int64_t retry_attempts = -1;  // negative: that of the policy; only for transact()
  Priority priority = Priority::normal;
  CancelToken* cancel = nullptr;  // the transaction takes a reference
};

using TransactionId = uint64_t;  // 0: none

// What the service needs from outside, beyond the pool.
struct ServiceNeeds {
  std::function<void(Span)> pause;  // waits between two attempts
  uint64_t seed = 0;                // of the jitter
  ListenerNeeds listening = {};
  std::string cache_channel = {};  // notifications of it invalidate cached results; "": none
  // Runs a work outside of the calling thread; empty: in a thread of the service.
  std::function<Status(std::function<void()>)> later = {};
};

class Replicas;

class Service {
 public:
  Service(Pool& pool, ServiceNeeds needs);
  ~Service();
  // Begins what works beside the calls, once the pool can be found by those who prepare for a fork(): the query cache
  // listens to its channel.
  void start();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // ---- statements: on the pool, on a lease, in a transaction
  Status run(const Call& call, const CallTerms& terms, ResultTable& out);
  Status run_on(LeaseId lease, const Call& call, const CallLimits& limits, ResultTable& out);
  Status run_in(TransactionId id, const Call& call, const CallLimits& limits, ResultTable& out);
  Status batch(std::span<const Call> calls, const CallTerms& terms, std::vector<ResultTable>& out);
  Status batch_on(LeaseId lease, std::span<const Call> calls, const CallLimits& limits, std::vector<ResultTable>& out);
  Status batch_in(TransactionId id, std::span<const Call> calls, const CallLimits& limits,
                  std::vector<ResultTable>& out);
  Status stream(const Call& call, const CallTerms& terms, RowSink& sink, ResultTable& out);
  Status stream_on(LeaseId lease, const Call& call, const CallLimits& limits, RowSink& sink, ResultTable& out);
  Status stream_in(TransactionId id, const Call& call, const CallLimits& limits, RowSink& sink, ResultTable& out);
  // Rows that are pulled, with Pool::fetch_rows() and close_rows(). On the pool: `lease` is the caller's to release.
  // `from`: the pool of the lease, which is another one if the rows are read from a replica.
  Status open_rows(const Call& call, const CallTerms& terms, LeaseId& lease, const Pool*& from, ResultTable& page);
  Status open_rows_on(LeaseId lease, const Call& call, const CallLimits& limits, ResultTable& page);

  // ---- the query cache (cache/query_cache.hpp), which run() uses if the terms ask for it
  QueryCache& cache();

  // ---- transactions
  // 0: commit; another value: roll back. May be called several times.
  using Body = std::function<int(TransactionId)>;
  Status transact(const TransactionTerms& terms, const Body& body);
  Status transact_on(LeaseId lease, const TransactionTerms& terms, const Body& body);
  Status begin(const TransactionTerms& terms, TransactionId& out);
  Status begin_on(LeaseId lease, const TransactionTerms& terms, TransactionId& out);
  Status savepoint(TransactionId id, std::string_view name);
  Status rollback_to(TransactionId id, std::string_view name);
  Status release(TransactionId id, std::string_view name);
  Status commit(TransactionId id);
  Status rollback(TransactionId id);

  // ---- replicas
  // Reads, and read-only transactions, go to them from now on. Before the first call.
  void set_replicas(Replicas* replicas);

  // ---- asynchronous calls
  // Runs `work` in a thread of the service; fails if none can be started or the service is ending. `work` may block; the
  // number of threads is limited, so that works wait for each other.
  Status run_later(std::function<void()> work);

  // ---- notifications
  Listener& listener();

  // No further asynchronous call is accepted; waits for those in progress, and ends all subscriptions. False: some have not
  // returned in time.
  bool finish(Instant give_up);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace tide
