#include "service/cache/s3_fifo.hpp"

#include <new>

namespace tide {

using Queue = CacheEntry::Queue;

void S3Fifo::push(List& list, CacheEntry& entry) {
  entry.older = list.newest;
  entry.newer = nullptr;
  (list.newest != nullptr ? list.newest->newer : list.oldest) = &entry;
  list.newest = &entry;
  ++list.count;
  list.bytes += entry.bytes;
}

void S3Fifo::pull(List& list, CacheEntry& entry) {
  (entry.newer != nullptr ? entry.newer->older : list.newest) = entry.older;
  (entry.older != nullptr ? entry.older->newer : list.oldest) = entry.newer;
  entry.newer = entry.older = nullptr;
  --list.count;
  list.bytes -= entry.bytes;
}

void S3Fifo::add(CacheEntry& entry) {
  entry.queue = take_ghost(entry.hash) ? Queue::main : Queue::small;
  push(list_of(entry), entry);
  bytes_ += entry.bytes;
}

void S3Fifo::remove(CacheEntry& entry) {
  pull(list_of(entry), entry);
  entry.queue = Queue::none;
  bytes_ -= entry.bytes;
  trim_ghosts();
}

bool S3Fifo::is_small_large() const {
  return small_.count * 10 > entries_max_ || small_.bytes > bytes_max_ / 10 || main_.count == 0;
}

CacheEntry* S3Fifo::evict() {
  while (entries() > 0) {
    const bool is_small = small_.count > 0 && is_small_large();
    CacheEntry& entry = *(is_small ? small_ : main_).oldest;
    const uint8_t uses = entry.uses.load(std::memory_order_relaxed);
    if (uses == 0) {
      const uint64_t hash = entry.hash;
      remove(entry);
      if (is_small) note_ghost(hash);
      return &entry;
    }
    pull(is_small ? small_ : main_, entry);
    entry.uses.store(is_small ? 0 : static_cast<uint8_t>(uses - 1), std::memory_order_relaxed);
    entry.queue = Queue::main;
    push(main_, entry);
  }
  return nullptr;
}

void S3Fifo::clear() {
  for (List* list : {&small_, &main_}) {
    while (list->oldest != nullptr) {
      CacheEntry& entry = *list->oldest;
      pull(*list, entry);
      entry.queue = Queue::none;
    }
  }
  bytes_ = 0;
  ghosts_.clear();
  is_ghost_.clear();
}

void S3Fifo::note_ghost(uint64_t hash) noexcept {
  try {
    ghosts_.emplace_back(hash, ++ghosts_total_);
    is_ghost_[hash] = ghosts_total_;
  } catch (const std::bad_alloc&) {
    // Not remembered, or outdated: both are harmless.
  }
  trim_ghosts();
}

bool S3Fifo::take_ghost(uint64_t hash) { return is_ghost_.erase(hash) != 0; }

void S3Fifo::trim_ghosts() {
  while (ghosts_.size() > entries()) {
    const auto [hash, number] = ghosts_.front();
    ghosts_.pop_front();
    const auto found = is_ghost_.find(hash);
    if (found != is_ghost_.end() && found->second == number) is_ghost_.erase(found);
  }
}

}  // namespace tide
