// CachedCalls: queries that may be answered by the query cache.
//
// F1  A query is executed by at most one caller for each key at a time, unless the data changed in between.
// F2  A waiting caller holds no lease. Its deadline is its own, and an error that it gets is its own.
// F3  Only a statement that only reads is cached, and only one that is steady, unless the caller accepts others.
// Threads: any. Failure: Status.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/sql_scanner.hpp"
#include "service/cache/query_cache.hpp"
#include "service/service.hpp"

namespace tide {

// Adds all that the result of a call depends on, except for what is the same for all sessions of a pool: database, user and
// settings such as search_path.
void write_cache_key(const Call& call, const CacheTerms& terms, std::string& out);

class CachedCalls {
 public:
  // Executes a call on a lease of its own.
  using Execute = std::function<Status(const Call&, const CallTerms&, ResultTable&)>;
  // Runs a work in another thread; fails if there is none.
  using Later = std::function<Status(std::function<void()>)>;

  CachedCalls(Pool& pool, Execute execute, Later later);

  QueryCache& cache() { return cache_; }
  Status run(const Call& call, const CallTerms& terms, ResultTable& out);

 private:
  struct Kept;

  // The call, begun at `began`, was not answered from the cache.
  [[gnu::noinline]] Status miss(const Call& call, const CallTerms& terms, const HashedKey& key, Instant began,
                                ResultTable& out);
  Status fill(const std::shared_ptr<CacheEntry>& flight, const Call& call, CallTerms& terms, ResultTable& out);
  // Returns early if the token is tripped.
  Status wait(const std::shared_ptr<CacheEntry>& flight, Instant deadline, Instant began, const CancelToken* cancel);
  void renew(const Call& call, const CallTerms& terms, const std::string& key);
  void renew_now(Kept& kept);
  bool is_cacheable(const Call& call, const CacheTerms& terms) const;
  CacheLimits limits_of(const CacheTerms& terms) const {
    return {terms.ttl.is_zero() ? cache_.default_ttl() : terms.ttl, terms.stale};
  }
  Instant wait_until(const CallTerms& terms, Instant began) const;

  Pool& pool_;
  const Execute execute_;
  const Later later_;
  const Dialect dialect_;
  QueryCache cache_;
};

}  // namespace tide
