#include "service/cache/cached_calls.hpp"

#include <algorithm>
#include <cstring>
#include <exception>
#include <new>
#include <utility>
#include <vector>

#include "pool/call_cancel.hpp"
#include "pool/cancel_token.hpp"
#include "pool/keeper.hpp"

namespace tide {
namespace {

// A waiting caller looks at the clock of the pool, which may be another one than that of the wait.
constexpr Span kSlice = Span::millis(20);
constexpr size_t kBufferMax = size_t{64} << 10;

template <typename Number>
void add_number(std::string& out, Number number) {
  char bytes[sizeof number];
  std::memcpy(bytes, &number, sizeof number);
  out.append(bytes, sizeof number);
}

void add_text(std::string& out, std::string_view text) {
  add_number(out, text.size());
  out.append(text);
}

void add_value(std::string& out, const SqlValue& value) {
  out.push_back(static_cast<char>(value.kind));
  switch (value.kind) {
    case SqlValue::Kind::null: break;
    case SqlValue::Kind::text:
    case SqlValue::Kind::bytes: add_text(out, value.data); break;
    case SqlValue::Kind::real: add_number(out, value.real); break;
    default: add_number(out, value.integer); break;
  }
}

std::vector<std::string> labels_of(const CacheTerms& terms) {
  std::vector<std::string> labels;
  if (!terms.key.empty()) labels.push_back(label_of_key(terms.key));
  std::string_view tags = terms.tags;
  while (!tags.empty()) {
    const size_t end = std::min(tags.find(' '), tags.size());
    if (end > 0) labels.push_back(label_of_tag(tags.substr(0, end)));
    tags.remove_prefix(std::min(end + 1, tags.size()));
  }
  std::sort(labels.begin(), labels.end());
  labels.erase(std::unique(labels.begin(), labels.end()), labels.end());
  return labels;
}

HashedKey hashed(std::string_view key) { return {key, std::hash<std::string_view>()(key)}; }

// Ends a flight whose leader throws.
class Landing {
 public:
  Landing(QueryCache& cache, CacheFlight& flight) : cache_(cache), flight_(flight) {}
  ~Landing() { cache_.land(flight_, state_, std::move(table_), ttl_); }
  Landing(const Landing&) = delete;
  Landing& operator=(const Landing&) = delete;
  void with(CacheFlight::State state) { state_ = state; }
  void with(std::shared_ptr<const FrozenTable> table, Span ttl) {
    state_ = CacheFlight::State::landed;
    table_ = std::move(table);
    ttl_ = ttl;
  }

 private:
  QueryCache& cache_;
  CacheFlight& flight_;
  CacheFlight::State state_ = CacheFlight::State::failed;
  std::shared_ptr<const FrozenTable> table_;
  Span ttl_;
};

}  // namespace

// A call, with its texts, for a renewal after the caller has gone.
struct CachedCalls::Kept {
  Kept(const Call& of, const CallTerms& with, std::string its_key) : call(of), terms(with), key(std::move(its_key)) {
    size_t bytes = call.sql.size() + terms.cache.key.size() + terms.cache.tags.size();
    for (const SqlValue& value : call.params) bytes += value.data.size();
    for (const std::string_view name : call.names) bytes += name.size();
    texts_.reserve(bytes);  // never moved afterwards
    params_.assign(call.params.begin(), call.params.end());
    names_.assign(call.names.begin(), call.names.end());
    for (SqlValue& value : params_) keep(value.data);
    for (std::string_view& name : names_) keep(name);
    keep(call.sql);
    keep(terms.cache.key);
    keep(terms.cache.tags);
    call.params = params_;
    call.names = names_;
    tag_ = terms.tag == nullptr ? "" : terms.tag;
    terms.tag = tag_.c_str();
    terms.cancel = nullptr;  // of the caller
  }
  Kept(const Kept&) = delete;
  Kept& operator=(const Kept&) = delete;

  Call call;
  CallTerms terms;
  std::string key;

 private:
  void keep(std::string_view& text) {
    if (text.data() == nullptr) return;
    const size_t at = texts_.size();
    texts_.append(text);
    text = std::string_view(texts_).substr(at);
  }
  std::string texts_;
  std::string tag_;
  std::vector<SqlValue> params_;
  std::vector<std::string_view> names_;
};

void write_cache_key(const Call& call, const CacheTerms& terms, std::string& out) {
  out.clear();
  out.push_back(terms.key.empty() ? 'd' : 'g');
  out.push_back(static_cast<char>(call.kind));
  out.push_back(terms.accepts_volatile ? 'v' : 's');
  add_number(out, call.rows_max);
  add_number(out, call.bytes_max);
  if (!terms.key.empty()) {
    out.append(terms.key);
    return;
  }
  out.push_back(static_cast<char>(call.placeholders));
  add_number(out, call.names.size());
  for (const std::string_view name : call.names) add_text(out, name);
  add_number(out, call.params.size());
  for (const SqlValue& value : call.params) add_value(out, value);
  out.append(call.sql);
}

CachedCalls::CachedCalls(Pool& pool, Execute execute, Later later)
    : pool_(pool),
      execute_(std::move(execute)),
      later_(std::move(later)),
      dialect_(pool.backend() == Backend::postgresql ? Dialect::postgresql : Dialect::sqlite),
      cache_(pool.segment().cache(), pool.change_watch(), pool.backend() == Backend::postgresql, later_) {}

Status CachedCalls::run(const Call& call, const CallTerms& terms, ResultTable& out) {
  if (!cache_.is_on()) return execute_(call, terms, out);
  if (terms.cancel != nullptr && terms.cancel->is_tripped()) return cancelled_before("the call");
  static thread_local std::string buffer;  // of one call at a time: miss() works on a copy
  write_cache_key(call, terms.cache, buffer);
  std::shared_ptr<const FrozenTable> found;
  const QueryCache::Found how = cache_.find(hashed(buffer), limits_of(terms.cache), pool_.clock().now(), found);
  if (how == QueryCache::Found::none) {
    std::string key = buffer;
    if (buffer.capacity() > kBufferMax) buffer = std::string();
    return miss(call, terms, std::move(key), out);
  }
  FrozenTable::show(std::move(found), out);
  cache_.count(how == QueryCache::Found::fresh ? Counter::query_cache_hits_total : Counter::query_cache_stale_total);
  if (how == QueryCache::Found::stale_to_renew) renew(call, terms, std::string(buffer));
  return Status::ok();
}

// Without a timeout of its own a call waits as long as it might have taken by itself.
Instant CachedCalls::wait_until(const CallTerms& terms, Instant began) const {
  if (terms.timeout.ns() >= 0) return began + terms.timeout;
  const Span query = pool_.fast_policy().query_timeout();
  return query.is_zero() ? Instant::never() : began + pool_.fast_policy().acquire_timeout() + query;
}

Status CachedCalls::miss(const Call& call, const CallTerms& terms, std::string key, ResultTable& out) {
  if (!is_cacheable(call, terms.cache)) {
    cache_.count(Counter::query_cache_refused_total);
    return execute_(call, terms, out);
  }
  const Instant began = pool_.clock().now();
  const Instant deadline = wait_until(terms, began);
  const CacheLimits limits = limits_of(terms.cache);
  const HashedKey hash = hashed(key);  // its text is moved from only by a leader, who does not look again
  CallTerms rest = terms;
  for (Instant now = began;; now = pool_.clock().now()) {
    if (terms.timeout.ns() >= 0) rest.timeout = std::max(deadline - now, Span());
    std::shared_ptr<CacheFlight> flight;
    ChangeMark mark;
    QueryCache::Role role = QueryCache::Role::none;
    if (cache_.read_mark(mark)) role = cache_.join(hash, key, labels_of(terms.cache), mark, limits, now, flight);
    // While the keeper waits here, the leader may wait for the keeper.
    if (role == QueryCache::Role::follower && pool_.keeper().is_stepped_by_me()) role = QueryCache::Role::none;
    switch (role) {
      case QueryCache::Role::leader:
        cache_.count(Counter::query_cache_misses_total);
        return fill(*flight, call, rest, out);
      case QueryCache::Role::none: cache_.count(Counter::query_cache_misses_total); return execute_(call, rest, out);
      case QueryCache::Role::follower:
        if (Status waited = wait(*flight, deadline, began, terms.cancel); !waited) return waited;
        break;
      case QueryCache::Role::late: break;
    }
    std::shared_ptr<const FrozenTable> found;
    Counter how = Counter::query_cache_shared_total;
    if (flight != nullptr) {
      switch (flight->wait_for(Span())) {
        case CacheFlight::State::landed: found = flight->result(); break;
        case CacheFlight::State::alone:
          cache_.count(Counter::query_cache_misses_total);
          if (terms.timeout.ns() >= 0) rest.timeout = std::max(deadline - pool_.clock().now(), Span());
          return execute_(call, rest, out);
        default: continue;  // the leader has failed
      }
    } else {
      if (cache_.find(hash, limits, now, found) == QueryCache::Found::none) continue;
      how = Counter::query_cache_hits_total;
    }
    FrozenTable::show(std::move(found), out);
    cache_.count(how);
    return Status::ok();
  }
}

Status CachedCalls::fill(CacheFlight& flight, const Call& call, const CallTerms& terms, ResultTable& out) {
  Landing landing(cache_, flight);
  CallTerms own = terms;
  if (cache_.needs_primary()) own.mode = LeaseMode::read_write;
  Status status = execute_(call, own, out);
  if (!status) return status;
  landing.with(CacheFlight::State::alone);
  try {
    std::shared_ptr<const FrozenTable> table = FrozenTable::of(out, cache_.result_bytes_max());
    if (table != nullptr) {
      landing.with(std::move(table), limits_of(terms.cache).ttl);
    } else {
      cache_.count(Counter::query_cache_refused_total);
    }
  } catch (const std::bad_alloc&) {
    // The caller has its result; the others execute the query.
  }
  return status;
}

Status CachedCalls::wait(CacheFlight& flight, Instant deadline, Instant began, const CancelToken* cancel) {
  for (;;) {
    const Instant now = pool_.clock().now();
    if (flight.wait_for(std::clamp(deadline - now, Span(), kSlice)) != CacheFlight::State::flying) return Status::ok();
    if (cancel != nullptr && cancel->is_tripped()) return cancelled_before("the call");
    if (pool_.clock().now() < deadline) continue;
    Status status = Status::error(
        Code::timeout, "timed out waiting for the same query of another caller",
        "Waited " + std::to_string((pool_.clock().now() - began).ms()) + " ms; the query cache executes it once.",
        "Raise the timeout of the call, or look at what the query waits for.");
    status.is_retryable = true;
    status.is_unexecuted = true;
    return status;
  }
}

// ---- renewal of expired results

void CachedCalls::renew(const Call& call, const CallTerms& terms, const std::string& key) {
  std::shared_ptr<Kept> kept;
  try {
    kept = std::make_shared<Kept>(call, terms, key);
    if (later_([this, kept] { renew_now(*kept); })) return;
  } catch (const std::bad_alloc&) {
    return;  // another caller tries again
  }
  renew_now(*kept);
}

// An error concerns nobody: the expired result remains until its time is over, and then a caller gets the error of its own
// query.
void CachedCalls::renew_now(Kept& kept) {
  try {
    ChangeMark mark;
    if (!cache_.read_mark(mark)) return;
    const Instant now = pool_.clock().now();
    // What is fresh for the caller is known to be over: an entry found now has been renewed by another one.
    std::shared_ptr<CacheFlight> flight;
    if (cache_.join(hashed(kept.key), kept.key, labels_of(kept.terms.cache), mark, limits_of(kept.terms.cache), now,
                    flight) != QueryCache::Role::leader)
      return;
    ResultTable table;
    (void)fill(*flight, kept.call, kept.terms, table);
  } catch (const std::bad_alloc&) {
    // As an error of the query.
  }
}

// ---- which statements

bool CachedCalls::is_cacheable(const Call& call, const CacheTerms& terms) {
  if (call.kind == Call::Kind::execute || !cache_.is_session_clean()) return false;
  const Steadiness steadiness = known_steadiness(call.sql);
  if (steadiness == Steadiness::unfit) return false;
  if (terms.accepts_volatile) return true;
  if (steadiness != Steadiness::steady) return false;
  return std::none_of(call.params.begin(), call.params.end(), [](const SqlValue& value) {
    return value.kind == SqlValue::Kind::text && means_current_time(value.data);
  });
}

Steadiness CachedCalls::known_steadiness(std::string_view sql) {
  if (sql.size() > kTextBytesMax) return steadiness_of(sql, dialect_);
  const std::lock_guard lock(mutex_);
  const auto found = steadiness_.find(sql);
  if (found != steadiness_.end()) return found->second;
  if (steadiness_.size() >= kTextsMax) steadiness_.clear();
  return steadiness_.emplace(sql, steadiness_of(sql, dialect_)).first->second;
}

}  // namespace tide
