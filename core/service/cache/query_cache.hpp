// QueryCache: results of queries, shared by all callers of a pool.
//
// A caller that finds nothing joins the flight of its key: the first one leads it and executes the query, the others wait
// for its result. What was invalidated meanwhile lands, but is not kept.
//
// Q3  At no moment entries() is above query_cache_entries or bytes() above query_cache_bytes: room is made before an entry
//     is added. Results that callers still hold do not count.
// Q4  An entry is used only until its time is over, and only while the ChangeWatch, if there is one, says that the data is
//     unchanged since before its query began.
// Q5  Of a flight that began before an invalidation of its key, of one of its tags or of all, nothing is kept, and nobody joins
//     it afterwards.
// Q6  With a channel for invalidation nothing is used or kept while nobody listens to it: before listening(), and from
//     lost() to the next listening(), which both remove everything.
// Q7  A flight has one leader. When it fails, another caller leads the next flight; every caller gets an error only of its
//     own.
// Threads: any. Order of the mutexes: the cache, then a part or a flight. None is held while the database, the watch or the
//          program is called, nor while more than a few entries are destroyed.
// Failure: std::bad_alloc; land() swallows it: then the result is not kept.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/instant.hpp"
#include "base/status.hpp"
#include "model/counters.hpp"
#include "policy/policy.hpp"
#include "pool/change_watch.hpp"
#include "segment/format.hpp"
#include "service/cache/entry.hpp"
#include "service/cache/key_table.hpp"
#include "service/cache/s3_fifo.hpp"

namespace tide {

// What an invalidation names: a given key, or a tag.
std::string label_of_key(std::string_view key);
std::string label_of_tag(std::string_view tag);

// How long a caller accepts a result.
struct CacheLimits {
  Span ttl;
  Span stale;  // after that, while somebody renews it
};

class QueryCache {
 public:
  static constexpr uint32_t kStripes = 16;
  static constexpr size_t kShareOfResult = 8;              // a larger part of query_cache_bytes is not cached
  static constexpr Span kRenewalPause = Span::seconds(1);  // between two attempts to renew an entry

  // Runs a work in another thread; fails if there is none.
  using Later = std::function<Status(std::function<void()>)>;

  // `stripes`: kStripes records of the segment. `watch`: nullptr: only what is told invalidates. `later`: destroys many
  // entries at once; may be empty.
  QueryCache(format::CacheStats* stripes, std::shared_ptr<ChangeWatch> watch, bool has_channels, Later later);
  ~QueryCache();
  QueryCache(const QueryCache&) = delete;
  QueryCache& operator=(const QueryCache&) = delete;

  // ---- for calls
  bool is_on() const { return is_on_.load(std::memory_order_relaxed); }
  Span default_ttl() const { return Span::nanos(ttl_ns_.load(std::memory_order_relaxed)); }
  // The cache does not know what a session has left to the next one (reset_on_release=none).
  bool is_session_clean() const { return is_session_clean_.load(std::memory_order_relaxed); }
  // Reads lag behind what invalidates (read replicas).
  bool needs_primary() const { return needs_primary_.load(std::memory_order_relaxed); }
  void count(Counter counter, uint64_t n = 1);

  enum class Found : uint8_t {
    none,
    fresh,
    stale,
    stale_to_renew  // the caller takes care that it is renewed
  };
  Found find(const HashedKey& key, const CacheLimits& limits, Instant now, std::shared_ptr<const FrozenTable>& out);

  // Before a query, for join(); false: its result cannot be cached now.
  bool read_mark(ChangeMark& out);
  enum class Role : uint8_t {
    leader,    // executes the query, and calls land()
    follower,  // waits for the flight
    late,      // there is an entry now
    none       // nothing is cached now
  };
  Role join(const HashedKey& key, std::vector<std::string> labels, const ChangeMark& mark, const CacheLimits& limits,
            Instant now, std::shared_ptr<CacheEntry>& flight);
  // The leader is done: with the table that it has filled, which is kept if nothing speaks against it, or without: failed or alone.
  void land(const std::shared_ptr<CacheEntry>& flight, Span ttl) noexcept;
  void end(const std::shared_ptr<CacheEntry>& flight, CacheEntry::State state) noexcept;
  // What a result may need at most to be kept.
  size_t result_bytes_max() const { return bytes_max_.load(std::memory_order_relaxed) / kShareOfResult; }

  // ---- invalidation. Returns how many results were removed.
  uint64_t clear_key(std::string_view key) { return clear_label(label_of_key(key)); }
  uint64_t clear_tag(std::string_view tag) { return clear_label(label_of_tag(tag)); }
  uint64_t clear();
  // The one with this key, or those with this tag; both empty: all.
  uint64_t clear(std::string_view key, std::string_view tag);

  // ---- for whoever listens to query_cache_channel
  void listening();  // LISTEN has taken effect, for the first time or after an outage
  void lost();       // what is sent now is missed
  // A key, "tag:NAME", or "" for all.
  void notified(std::string_view payload);

  // ---- for the keeper
  void set_policy(const Policy& policy);
  void shed_memory();

  size_t entries() const { return entries_.load(std::memory_order_relaxed); }
  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  using EntryPtr = KeyTable::EntryPtr;
  // Entries that are destroyed after the mutex is released; one needs no memory.
  class Garbage {
   public:
    void reserve(size_t count) { more_.reserve(count); }
    void add(EntryPtr entry) {
      if (first_ == nullptr) {
        first_ = std::move(entry);
      } else {
        more_.push_back(std::move(entry));
      }
    }

   private:
    EntryPtr first_;
    std::vector<EntryPtr> more_;
  };
  static constexpr size_t kParts = 64;
  struct alignas(64) Part {
    std::mutex mutex;
    KeyTable table;
  };
  Part& part_of(const HashedKey& key) { return parts_[key.hash >> 58]; }

  bool is_serving() const { return is_serving_.load(std::memory_order_acquire); }
  EntryPtr look_up(const HashedKey& key);
  static bool is_fresh(const CacheEntry& entry, const CacheLimits& limits, Instant now);
  void drop_outdated(const EntryPtr& entry);
  void dispose(std::vector<KeyTable> tables, uint64_t entries) noexcept;
  uint64_t clear_label(const std::string& label);
  // With the mutex of the cache:
  void keep(EntryPtr entry, Garbage& garbage);
  void make_room(size_t bytes, Garbage& garbage);
  EntryPtr take(CacheEntry& entry);
  uint64_t take_all(std::vector<KeyTable>& tables);
  void publish();
  void set_serving() { is_serving_.store(is_on() && !is_blind_, std::memory_order_release); }

  format::CacheStats* const stripes_;
  const std::shared_ptr<ChangeWatch> watch_;
  const bool has_channels_;
  const Later later_;

  std::atomic<bool> is_on_{false};
  std::atomic<bool> is_serving_{false};
  std::atomic<bool> is_session_clean_{true};
  std::atomic<bool> needs_primary_{false};
  std::atomic<int64_t> ttl_ns_{0};
  std::atomic<size_t> bytes_max_{0};
  std::atomic<size_t> entries_{0};
  std::atomic<size_t> bytes_{0};

  std::array<Part, kParts> parts_;

  std::mutex mutex_;  // guards the following
  bool is_blind_ = false;
  bool is_listening_ = false;
  S3Fifo queues_;
  std::unordered_map<std::string, std::vector<CacheEntry*>> labelled_;
  KeyTable flights_;  // those whose results may be kept; others go on without being in it
};

}  // namespace tide
