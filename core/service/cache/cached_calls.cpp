#include "service/cache/cached_calls.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "base/assert.hpp"
#include "pool/call_cancel.hpp"
#include "pool/cancel_token.hpp"
#include "pool/keeper.hpp"
#include "statement/steadiness.hpp"

namespace tide {
namespace {

// A waiting caller looks at the clock of the pool, which may be another one than that of the wait.
constexpr Span kSlice = Span::millis(20);
constexpr size_t kBufferMax = size_t{64} << 10;

bool has_text(const SqlValue& value) {
  return value.kind == SqlValue::Kind::text || value.kind == SqlValue::Kind::bytes;
}

// Writes into memory of the right size: keys are made for every call.
class KeyWriter {
 public:
  explicit KeyWriter(char* at) : at_(at) {}
  void byte(char value) { *at_++ = value; }
  template <typename Number>
  void number(Number value) {
    std::memcpy(at_, &value, sizeof value);
    at_ += sizeof value;
  }
  void bytes(std::string_view text) {
    if (!text.empty()) std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  void text(std::string_view text) {
    number(text.size());
    bytes(text);
  }
  void value(const SqlValue& value) {
    byte(static_cast<char>(value.kind));
    if (has_text(value)) {
      text(value.data);
    } else if (value.kind == SqlValue::Kind::real) {
      number(value.real);
    } else {
      number(value.is_null() ? 0 : value.integer);
    }
  }
  const char* at() const { return at_; }

 private:
  char* at_;
};

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

// Of the texts that a thread has used lately: to find out takes longer than a short query.
Steadiness known_steadiness(std::string_view sql, Dialect dialect) {
  constexpr size_t kTextBytesMax = 4096;
  struct Known {
    std::string text;
    Dialect dialect{};
    Steadiness steadiness{};
  };
  // Not in the thread's own memory, of which a library that is loaded at run time gets little.
  static thread_local const auto known_texts = std::make_unique<std::array<Known, 64>>();
  std::array<Known, 64>& texts = *known_texts;
  if (sql.size() > kTextBytesMax) return steadiness_of(sql, dialect);
  const auto is_known = [&](const Known& known) { return known.dialect == dialect && known.text == sql; };
  // Most texts are constants, which are found by their address without calculating anything.
  Known& by_address = texts[(reinterpret_cast<uintptr_t>(sql.data()) >> 4) % texts.size()];
  if (is_known(by_address)) return by_address.steadiness;
  Known& by_text = texts[std::hash<std::string_view>()(sql) % texts.size()];
  if (!is_known(by_text)) by_text = {std::string(sql), dialect, steadiness_of(sql, dialect)};
  const Steadiness steadiness = by_text.steadiness;
  by_address = by_text;
  return steadiness;
}

// Ends a flight, also if its leader throws.
class Landing {
 public:
  Landing(QueryCache& cache, const std::shared_ptr<CacheEntry>& flight) : cache_(cache), flight_(flight) {}
  ~Landing() {
    if (state_ == CacheEntry::State::landed) {
      cache_.land(flight_, ttl_);
    } else {
      cache_.end(flight_, state_);
    }
  }
  Landing(const Landing&) = delete;
  Landing& operator=(const Landing&) = delete;
  void with(CacheEntry::State state) { state_ = state; }
  void with_table(Span ttl) {
    state_ = CacheEntry::State::landed;
    ttl_ = ttl;
  }

 private:
  QueryCache& cache_;
  const std::shared_ptr<CacheEntry>& flight_;
  CacheEntry::State state_ = CacheEntry::State::failed;
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
  constexpr size_t kNumber = sizeof(uint64_t);
  size_t bytes = 3 + 2 * kNumber + terms.key.size();
  if (terms.key.empty()) {
    bytes += 1 + 2 * kNumber + call.sql.size();
    for (const std::string_view name : call.names) bytes += kNumber + name.size();
    for (const SqlValue& value : call.params) bytes += 1 + kNumber + (has_text(value) ? value.data.size() : 0);
  }
  out.resize(bytes);
  KeyWriter write(out.data());
  write.byte(terms.key.empty() ? 'd' : 'g');
  write.byte(static_cast<char>(call.kind));
  write.byte(terms.accepts_volatile ? 'v' : 's');
  write.number(int64_t{call.rows_max});
  write.number(int64_t{call.bytes_max});
  if (!terms.key.empty()) {
    write.bytes(terms.key);
  } else {
    write.byte(static_cast<char>(call.placeholders));
    write.number(call.names.size());
    for (const std::string_view name : call.names) write.text(name);
    write.number(call.params.size());
    for (const SqlValue& value : call.params) write.value(value);
    write.bytes(call.sql);
  }
  TIDE_DEBUG_ASSERT(write.at() == out.data() + out.size());
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
  static thread_local std::string buffer;  // miss() does not look at it after the query, which may call this function
  write_cache_key(call, terms.cache, buffer);
  std::shared_ptr<const FrozenTable> found;
  const HashedKey hash = hashed(buffer);
  const Instant now = pool_.clock().now();
  const QueryCache::Found how = cache_.find(hash, limits_of(terms.cache), now, found);
  if (how == QueryCache::Found::none) {
    if (buffer.size() <= kBufferMax) return miss(call, terms, hash, now, out);
    const std::string key = std::exchange(buffer, std::string());
    return miss(call, terms, {key, hash.hash}, now, out);
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

Status CachedCalls::miss(const Call& call, const CallTerms& terms, const HashedKey& key, Instant began,
                         ResultTable& out) {
  if (!is_cacheable(call, terms.cache)) {
    cache_.count(Counter::query_cache_refused_total);
    return execute_(call, terms, out);
  }
  const Instant deadline = wait_until(terms, began);
  const CacheLimits limits = limits_of(terms.cache);
  CallTerms rest = terms;
  for (Instant now = began;; now = pool_.clock().now()) {
    if (terms.timeout.ns() >= 0) rest.timeout = std::max(deadline - now, Span());
    std::shared_ptr<CacheEntry> flight;
    ChangeMark mark;
    QueryCache::Role role = QueryCache::Role::none;
    if (cache_.read_mark(mark)) role = cache_.join(key, labels_of(terms.cache), mark, limits, now, flight);
    // While the keeper waits here, the leader may wait for the keeper.
    if (role == QueryCache::Role::follower && pool_.keeper().is_stepped_by_me()) role = QueryCache::Role::none;
    switch (role) {
      case QueryCache::Role::leader:
        cache_.count(Counter::query_cache_misses_total);
        return fill(flight, call, rest, out);
      case QueryCache::Role::none: cache_.count(Counter::query_cache_misses_total); return execute_(call, rest, out);
      case QueryCache::Role::follower:
        if (Status waited = wait(flight, deadline, began, terms.cancel); !waited) return waited;
        break;
      case QueryCache::Role::late: break;
    }
    std::shared_ptr<const FrozenTable> found;
    Counter how = Counter::query_cache_shared_total;
    if (flight != nullptr) {
      switch (flight->wait_for(Span())) {
        case CacheEntry::State::landed: found = {flight, &flight->table}; break;
        case CacheEntry::State::alone:
          cache_.count(Counter::query_cache_misses_total);
          if (terms.timeout.ns() >= 0) rest.timeout = std::max(deadline - pool_.clock().now(), Span());
          return execute_(call, rest, out);
        default: continue;  // the leader has failed
      }
    } else {
      if (cache_.find(key, limits, now, found) == QueryCache::Found::none) continue;
      how = Counter::query_cache_hits_total;
    }
    FrozenTable::show(std::move(found), out);
    cache_.count(how);
    return Status::ok();
  }
}

Status CachedCalls::fill(const std::shared_ptr<CacheEntry>& flight, const Call& call, CallTerms& terms,
                         ResultTable& out) {
  Landing landing(cache_, flight);
  if (cache_.needs_primary()) terms.mode = LeaseMode::read_write;
  Status status = execute_(call, terms, out);
  if (!status) return status;
  landing.with(CacheEntry::State::alone);
  try {
    if (flight->table.copy(out, cache_.result_bytes_max())) {
      landing.with_table(limits_of(terms.cache).ttl);
    } else {
      cache_.count(Counter::query_cache_refused_total);
    }
  } catch (const std::bad_alloc&) {
    // The caller has its result; the others execute the query.
  }
  return status;
}

Status CachedCalls::wait(const std::shared_ptr<CacheEntry>& flight, Instant deadline, Instant began,
                         const CancelToken* cancel) {
  for (;;) {
    const Instant now = pool_.clock().now();
    if (flight->wait_for(std::clamp(deadline - now, Span(), kSlice)) != CacheEntry::State::flying) return Status::ok();
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
    std::shared_ptr<CacheEntry> flight;
    if (cache_.join(hashed(kept.key), labels_of(kept.terms.cache), mark, limits_of(kept.terms.cache), now, flight) !=
        QueryCache::Role::leader)
      return;
    ResultTable table;
    (void)fill(flight, kept.call, kept.terms, table);
  } catch (const std::bad_alloc&) {
    // As an error of the query.
  }
}

// ---- which statements

bool CachedCalls::is_cacheable(const Call& call, const CacheTerms& terms) const {
  if (call.kind == Call::Kind::execute || !cache_.is_session_clean()) return false;
  const Steadiness steadiness = known_steadiness(call.sql, dialect_);
  if (steadiness == Steadiness::unfit) return false;
  if (terms.accepts_volatile) return true;
  if (steadiness != Steadiness::steady) return false;
  return std::none_of(call.params.begin(), call.params.end(), [](const SqlValue& value) {
    return value.kind == SqlValue::Kind::text && means_current_time(value.data);
  });
}

}  // namespace tide
