#include "service/cache/query_cache.hpp"

#include <algorithm>
#include <chrono>
#include <new>
#include <utility>

#include "base/assert.hpp"

namespace tide {
namespace {

constexpr size_t kNodeBytes = 96;  // of a hash table, with the allocator's part

size_t bytes_of(const CacheEntry& entry) {
  size_t bytes = sizeof(CacheEntry) + kNodeBytes + S3Fifo::kGhostBytes + entry.key.capacity() + entry.table->bytes();
  for (const std::string& label : entry.labels) bytes += kNodeBytes + 2 * (sizeof(std::string) + label.size() + 1);
  return bytes;
}

// Threads add to different stripes.
uint32_t my_stripe() {
  static std::atomic<uint32_t> next{0};
  static thread_local const uint32_t mine = next.fetch_add(1, std::memory_order_relaxed) % QueryCache::kStripes;
  return mine;
}

format::Cell& cell_of(format::CacheStats& stripe, Counter counter) {
  switch (counter) {
    case Counter::query_cache_hits_total: return stripe.query_cache_hits_total;
    case Counter::query_cache_misses_total: return stripe.query_cache_misses_total;
    case Counter::query_cache_shared_total: return stripe.query_cache_shared_total;
    case Counter::query_cache_stale_total: return stripe.query_cache_stale_total;
    case Counter::query_cache_evictions_total: return stripe.query_cache_evictions_total;
    case Counter::query_cache_invalidations_total: return stripe.query_cache_invalidations_total;
    default: return stripe.query_cache_refused_total;
  }
}

}  // namespace

std::string label_of_key(std::string_view key) { return std::string("k").append(key); }
std::string label_of_tag(std::string_view tag) { return std::string("t").append(tag); }

// ---- flights

CacheFlight::State CacheFlight::wait_for(Span span) {
  std::unique_lock lock(mutex_);
  if (state_ == State::flying) ended_.wait_for(lock, std::chrono::nanoseconds(span.ns()));
  return state_;
}

void CacheFlight::end(State state, std::shared_ptr<const FrozenTable> result) {
  const std::lock_guard lock(mutex_);
  state_ = state;
  result_ = std::move(result);
  ended_.notify_all();
}

// ---- the cache

QueryCache::QueryCache(format::CacheStats* stripes, std::shared_ptr<ChangeWatch> watch, bool has_channels, Later later)
    : stripes_(stripes), watch_(std::move(watch)), has_channels_(has_channels), later_(std::move(later)) {}

QueryCache::~QueryCache() = default;

void QueryCache::count(Counter counter, uint64_t n) {
  cell_of(stripes_[my_stripe()], counter).fetch_add(n, std::memory_order_relaxed);
}

QueryCache::EntryPtr QueryCache::look_up(const HashedKey& key) {
  Part& part = part_of(key);
  const std::lock_guard lock(part.mutex);
  const auto found = part.table.find(key);
  if (found == part.table.end()) return nullptr;
  found->second->use();
  return found->second;
}

bool QueryCache::is_fresh(const CacheEntry& entry, const CacheLimits& limits, Instant now) {
  return now < entry.fresh_until && now < entry.born + limits.ttl;
}

QueryCache::Found QueryCache::find(const HashedKey& key, const CacheLimits& limits, Instant now,
                                   std::shared_ptr<const FrozenTable>& out) {
  if (!is_serving()) return Found::none;
  EntryPtr entry = look_up(key);
  if (entry == nullptr) return Found::none;
  const bool is_fresh_now = is_fresh(*entry, limits, now);
  if (!is_fresh_now && now >= earliest(entry->fresh_until, entry->born + limits.ttl) + limits.stale) return Found::none;
  if (watch_ != nullptr && !watch_->is_current(entry->mark)) {
    drop_outdated(entry);
    return Found::none;
  }
  Found found = Found::fresh;
  if (!is_fresh_now) {
    int64_t last = entry->renewed_at_ns.load(std::memory_order_relaxed);
    const bool is_mine = (last == 0 || now.ns() - last >= kRenewalPause.ns()) &&
                         entry->renewed_at_ns.compare_exchange_strong(last, now.ns(), std::memory_order_relaxed);
    found = is_mine ? Found::stale_to_renew : Found::stale;
  }
  const FrozenTable* const table = entry->table.get();
  out = std::shared_ptr<const FrozenTable>(std::move(entry), table);
  return found;
}

bool QueryCache::read_mark(ChangeMark& out) {
  if (!is_serving()) return false;
  return watch_ == nullptr || watch_->read(out);
}

QueryCache::Role QueryCache::join(const HashedKey& key, std::string& text, std::vector<std::string> labels,
                                  const ChangeMark& mark, const CacheLimits& limits, Instant now,
                                  std::shared_ptr<CacheFlight>& out) {
  auto flight = std::make_shared<CacheFlight>();
  flight->entry_ = std::make_shared<CacheEntry>();
  CacheEntry& entry = *flight->entry_;
  const std::lock_guard lock(mutex_);
  if (!is_serving()) return Role::none;
  const auto found = flights_.find(key);
  if (found != flights_.end()) {
    // A commit between its mark and ours: its query may not see what ours must see.
    if (found->second->entry_->mark == mark) {
      out = found->second;
      return Role::follower;
    }
    found->second->is_doomed_ = true;
    flights_.erase(found);
  } else {
    const EntryPtr known = look_up(key);
    if (known != nullptr && is_fresh(*known, limits, now) && known->mark == mark) return Role::late;
    flight->has_previous_ = known != nullptr;  // until it lands, nobody else adds one: a second flight dooms it
  }
  entry.hash = key.hash;
  entry.key = std::move(text);
  entry.labels = std::move(labels);
  entry.mark = mark;
  entry.born = now;
  flights_.emplace(entry.hashed(), flight);
  out = std::move(flight);
  return Role::leader;
}

void QueryCache::land(CacheFlight& flight, CacheFlight::State state, std::shared_ptr<const FrozenTable> table,
                      Span ttl) noexcept {
  Garbage garbage;
  std::shared_ptr<CacheFlight> last;
  {
    const std::lock_guard lock(mutex_);
    EntryPtr entry = std::move(flight.entry_);
    const auto found = flights_.find(entry->hashed());
    if (found != flights_.end() && found->second.get() == &flight) {
      last = std::move(found->second);
      flights_.erase(found);
    }
    if (state == CacheFlight::State::landed && !flight.is_doomed_ && is_serving()) {
      entry->table = table;
      entry->fresh_until = entry->born + ttl;
      entry->bytes = bytes_of(*entry);
      try {
        keep(std::move(entry), flight.has_previous_, garbage);
      } catch (const std::bad_alloc&) {
        // Not kept.
      }
      publish();
    }
  }
  flight.end(state, std::move(table));
}

// ---- entries, with the mutex

void QueryCache::make_room(size_t bytes, Garbage& garbage) {
  while (!queues_.has_room(bytes)) {
    CacheEntry* const victim = queues_.evict();
    if (victim == nullptr) return;
    garbage.push_back(take(*victim));
    count(Counter::query_cache_evictions_total);
  }
}

void QueryCache::keep(EntryPtr entry, bool has_previous, Garbage& garbage) {
  if (const EntryPtr previous = has_previous ? look_up(entry->hashed()) : nullptr; previous != nullptr) {
    queues_.remove(*previous);
    garbage.push_back(take(*previous));
  }
  if (entry->bytes > result_bytes_max()) {
    count(Counter::query_cache_refused_total);
    return;
  }
  make_room(entry->bytes, garbage);
  if (!queues_.has_room(entry->bytes)) return;
  size_t labelled = 0;
  Part& part = part_of(entry->hashed());
  try {
    for (; labelled < entry->labels.size(); ++labelled) labelled_[entry->labels[labelled]].push_back(entry.get());
    queues_.add(*entry);
    const std::lock_guard lock(part.mutex);
    const bool is_new = part.table.emplace(entry->hashed(), entry).second;
    TIDE_ASSERT(is_new);
  } catch (...) {
    if (entry->queue != CacheEntry::Queue::none) queues_.remove(*entry);
    entry->labels.resize(labelled);
    (void)take(*entry);
    throw;
  }
}

// Removes an entry that has left its queue.
QueryCache::EntryPtr QueryCache::take(CacheEntry& entry) {
  for (const std::string& label : entry.labels) {
    const auto found = labelled_.find(label);
    if (found == labelled_.end()) continue;
    std::erase(found->second, &entry);
    if (found->second.empty()) labelled_.erase(found);
  }
  Part& part = part_of(entry.hashed());
  const std::lock_guard lock(part.mutex);
  const auto found = part.table.find(entry.hashed());
  if (found == part.table.end() || found->second.get() != &entry) return nullptr;
  EntryPtr taken = std::move(found->second);
  part.table.erase(found);
  return taken;
}

uint64_t QueryCache::take_all(std::vector<Table>& tables) {
  const uint64_t entries = queues_.entries();
  queues_.clear();
  labelled_.clear();
  tables.resize(kParts);
  for (size_t i = 0; i < kParts; ++i) {
    const std::lock_guard lock(parts_[i].mutex);
    tables[i].swap(parts_[i].table);
  }
  publish();
  return entries;
}

void QueryCache::doom_all() {
  for (auto& [key, flight] : flights_) flight->is_doomed_ = true;
  flights_.clear();
}

void QueryCache::publish() {
  entries_.store(queues_.entries(), std::memory_order_relaxed);
  bytes_.store(queues_.bytes(), std::memory_order_relaxed);
  stripes_[0].entries.store(queues_.entries(), std::memory_order_relaxed);
  stripes_[0].bytes.store(queues_.bytes(), std::memory_order_relaxed);
}

// ---- invalidation

void QueryCache::drop_outdated(const EntryPtr& entry) {
  EntryPtr taken;
  const std::lock_guard lock(mutex_);
  if (entry->queue == CacheEntry::Queue::none) return;  // another thread has done it
  queues_.remove(*entry);
  taken = take(*entry);
  count(Counter::query_cache_invalidations_total);
  publish();
}

uint64_t QueryCache::clear_label(const std::string& label) {
  Garbage garbage;
  const std::lock_guard lock(mutex_);
  for (auto flight = flights_.begin(); flight != flights_.end();) {
    const std::vector<std::string>& labels = flight->second->entry_->labels;
    const bool is_meant = std::find(labels.begin(), labels.end(), label) != labels.end();
    if (is_meant) flight->second->is_doomed_ = true;
    flight = is_meant ? flights_.erase(flight) : std::next(flight);
  }
  const auto found = labelled_.find(label);
  if (found == labelled_.end()) return 0;
  const std::vector<CacheEntry*> entries = std::move(found->second);
  labelled_.erase(found);
  garbage.reserve(entries.size());
  for (CacheEntry* const entry : entries) {
    queues_.remove(*entry);
    garbage.push_back(take(*entry));
    count(Counter::query_cache_invalidations_total);
  }
  publish();
  return entries.size();
}

uint64_t QueryCache::clear() {
  std::vector<Table> tables;
  uint64_t removed = 0;
  {
    const std::lock_guard lock(mutex_);
    doom_all();
    removed = take_all(tables);
  }
  count(Counter::query_cache_invalidations_total, removed);
  dispose(std::move(tables), removed);
  return removed;
}

uint64_t QueryCache::clear(std::string_view key, std::string_view tag) {
  if (key.empty() && tag.empty()) return clear();
  return (key.empty() ? 0 : clear_key(key)) + (tag.empty() ? 0 : clear_tag(tag));
}

// ---- the channel

void QueryCache::listening() {
  {
    const std::lock_guard lock(mutex_);
    is_listening_ = true;
    is_blind_ = false;
    set_serving();
  }
  clear();
}

void QueryCache::lost() {
  {
    const std::lock_guard lock(mutex_);
    is_listening_ = false;
    is_blind_ = true;
    set_serving();
  }
  clear();
}

void QueryCache::notified(std::string_view payload) {
  constexpr std::string_view kTag = "tag:";
  if (payload.empty()) {
    clear();
  } else if (payload.starts_with(kTag)) {
    clear_tag(payload.substr(kTag.size()));
  } else {
    clear_key(payload);
  }
}

// ---- the keeper

void QueryCache::set_policy(const Policy& policy) {
  Garbage garbage;
  {
    const std::lock_guard lock(mutex_);
    is_session_clean_.store(policy.reset_on_release != ResetMode::none, std::memory_order_relaxed);
    needs_primary_.store(!policy.replica_url.empty(), std::memory_order_relaxed);
    ttl_ns_.store(policy.query_cache_ttl.ns(), std::memory_order_relaxed);
    bytes_max_.store(static_cast<size_t>(policy.query_cache_bytes), std::memory_order_relaxed);
    is_on_.store(policy.query_cache, std::memory_order_relaxed);
    is_blind_ = has_channels_ && !policy.query_cache_channel.empty() && !is_listening_;
    set_serving();
    queues_.set_limits(static_cast<size_t>(policy.query_cache_entries), static_cast<size_t>(policy.query_cache_bytes));
    while (queues_.is_over()) {
      garbage.push_back(take(*queues_.evict()));
      count(Counter::query_cache_evictions_total);
    }
    publish();
  }
  if (!policy.query_cache) clear();
}

void QueryCache::shed_memory() {
  std::vector<Table> tables;
  uint64_t removed = 0;
  {
    const std::lock_guard lock(mutex_);
    removed = take_all(tables);
  }
  count(Counter::query_cache_evictions_total, removed);
  dispose(std::move(tables), removed);
}

// Many take longer than the keeper may.
void QueryCache::dispose(std::vector<Table> tables, uint64_t entries) noexcept {
  constexpr uint64_t kAtOnce = 1000;
  if (entries <= kAtOnce || later_ == nullptr) return;
  try {
    (void)later_([kept = std::make_shared<std::vector<Table>>(std::move(tables))] {});  // refused: destroyed here
  } catch (const std::bad_alloc&) {
    // Destroyed here.
  }
}

}  // namespace tide
