#include "service/cache/query_cache.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "base/assert.hpp"
#include "pool/futex.hpp"

namespace tide {
namespace {

constexpr size_t kBesideEntry = 96;  // its place in the table, the number of its owners, the allocator's parts
constexpr size_t kNodeBytes = 96;    // of a hash table, with the allocator's part

size_t bytes_of(const CacheEntry& entry) {
  size_t bytes = sizeof(CacheEntry) + kBesideEntry + S3Fifo::kGhostBytes + entry.key.capacity() + entry.table.bytes();
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

namespace {
constexpr uint32_t kIsAwaited = 1U << 31;
CacheEntry::State state_of(uint32_t word) { return static_cast<CacheEntry::State>(word & ~kIsAwaited); }
}  // namespace

CacheEntry::State CacheEntry::wait_for(Span span) noexcept {
  uint32_t seen = state_word.load(std::memory_order_acquire);
  if (state_of(seen) != State::flying || span <= Span()) return state_of(seen);
  if (seen == kIsAwaited || state_word.compare_exchange_strong(seen, kIsAwaited))
    futex_wait(state_word, kIsAwaited, span);
  return state_of(state_word.load(std::memory_order_acquire));
}

void CacheEntry::end(State state) noexcept {
  const uint32_t seen = state_word.exchange(static_cast<uint32_t>(state), std::memory_order_acq_rel);
  if ((seen & kIsAwaited) != 0) futex_wake_all(&state_word);
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
  const EntryPtr& found = part.table.find(key);
  if (found != nullptr) found->use();
  return found;
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
  const FrozenTable* const table = &entry->table;
  out = std::shared_ptr<const FrozenTable>(std::move(entry), table);
  return found;
}

bool QueryCache::read_mark(ChangeMark& out) {
  if (!is_serving()) return false;
  return watch_ == nullptr || watch_->read(out);
}

QueryCache::Role QueryCache::join(const HashedKey& key, std::vector<std::string> labels, const ChangeMark& mark,
                                  const CacheLimits& limits, Instant now, std::shared_ptr<CacheEntry>& flight) {
  auto mine = std::make_shared<CacheEntry>();
  mine->key = key.text;
  const std::lock_guard lock(mutex_);
  if (!is_serving()) return Role::none;
  if (const EntryPtr& found = flights_.find(key); found != nullptr) {
    if (found->mark == mark) {
      flight = found;
      return Role::follower;
    }
    // A commit between its mark and ours: its query may not see what ours must see.
    (void)flights_.take(*found);
  } else {
    const EntryPtr known = look_up(key);
    if (known != nullptr && is_fresh(*known, limits, now) && known->mark == mark) return Role::late;
    mine->has_previous =
        known != nullptr;  // until it lands, nobody else adds one: only the last flight of a key is kept
  }
  mine->hash = key.hash;
  mine->labels = std::move(labels);
  mine->mark = mark;
  mine->born = now;
  flights_.add(mine);
  flight = std::move(mine);
  return Role::leader;
}

void QueryCache::land(const std::shared_ptr<CacheEntry>& flight, Span ttl) noexcept {
  Garbage garbage;
  flight->fresh_until = flight->born + ttl;
  flight->bytes = bytes_of(*flight);
  {
    const std::lock_guard lock(mutex_);
    EntryPtr entry = flights_.take(*flight);
    if (entry != nullptr && is_serving()) {
      try {
        keep(std::move(entry), garbage);
      } catch (const std::bad_alloc&) {
        // Not kept.
      }
      publish();
    }
  }
  flight->end(CacheEntry::State::landed);
}

void QueryCache::end(const std::shared_ptr<CacheEntry>& flight, CacheEntry::State state) noexcept {
  {
    const std::lock_guard lock(mutex_);
    (void)flights_.take(*flight);
  }
  flight->end(state);
}

// ---- entries, with the mutex

void QueryCache::make_room(size_t bytes, Garbage& garbage) {
  while (!queues_.has_room(bytes)) {
    CacheEntry* const victim = queues_.evict();
    if (victim == nullptr) return;
    garbage.add(take(*victim));
    count(Counter::query_cache_evictions_total);
  }
}

void QueryCache::keep(EntryPtr entry, Garbage& garbage) {
  if (const EntryPtr previous = entry->has_previous ? look_up(entry->hashed()) : nullptr; previous != nullptr) {
    queues_.remove(*previous);
    garbage.add(take(*previous));
  }
  if (entry->bytes > result_bytes_max()) {
    count(Counter::query_cache_refused_total);
    return;
  }
  make_room(entry->bytes, garbage);
  if (!queues_.has_room(entry->bytes)) return;
  size_t labelled = 0;
  CacheEntry& added = *entry;  // its leader owns it too
  Part& part = part_of(added.hashed());
  try {
    for (; labelled < added.labels.size(); ++labelled) labelled_[added.labels[labelled]].push_back(&added);
    queues_.add(added);
    const std::lock_guard lock(part.mutex);
    part.table.add(std::move(entry));
  } catch (...) {
    if (added.queue != CacheEntry::Queue::none) queues_.remove(added);
    added.labels.resize(labelled);
    (void)take(added);
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
  return part.table.take(entry);
}

uint64_t QueryCache::take_all(std::vector<KeyTable>& tables) {
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
  std::vector<CacheEntry*> flights;
  flights_.for_each([&](CacheEntry& flight) {
    if (std::find(flight.labels.begin(), flight.labels.end(), label) != flight.labels.end()) flights.push_back(&flight);
  });
  for (const CacheEntry* const flight : flights) (void)flights_.take(*flight);
  const auto found = labelled_.find(label);
  if (found == labelled_.end()) return 0;
  const std::vector<CacheEntry*> entries = std::move(found->second);
  labelled_.erase(found);
  garbage.reserve(entries.size());
  for (CacheEntry* const entry : entries) {
    queues_.remove(*entry);
    garbage.add(take(*entry));
    count(Counter::query_cache_invalidations_total);
  }
  publish();
  return entries.size();
}

uint64_t QueryCache::clear() {
  std::vector<KeyTable> tables;
  uint64_t removed = 0;
  {
    const std::lock_guard lock(mutex_);
    flights_.clear();
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
      garbage.add(take(*queues_.evict()));
      count(Counter::query_cache_evictions_total);
    }
    publish();
  }
  if (!policy.query_cache) clear();
}

void QueryCache::shed_memory() {
  std::vector<KeyTable> tables;
  uint64_t removed = 0;
  {
    const std::lock_guard lock(mutex_);
    removed = take_all(tables);
  }
  count(Counter::query_cache_evictions_total, removed);
  dispose(std::move(tables), removed);
}

// Many take longer than the keeper may.
void QueryCache::dispose(std::vector<KeyTable> tables, uint64_t entries) noexcept {
  constexpr uint64_t kAtOnce = 1000;
  if (entries <= kAtOnce || later_ == nullptr) return;
  try {
    (void)later_([kept = std::make_shared<std::vector<KeyTable>>(std::move(tables))] {});  // refused: destroyed here
  } catch (const std::bad_alloc&) {
    // Destroyed here.
  }
}

}  // namespace tide
