#include "service/cache/s3_fifo.hpp"

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
  entry.queue = ghosts_.take(entry.hash, entries()) ? Queue::main : Queue::small;
  push(list_of(entry), entry);
  bytes_ += entry.bytes;
}

void S3Fifo::remove(CacheEntry& entry) {
  pull(list_of(entry), entry);
  entry.queue = Queue::none;
  bytes_ -= entry.bytes;
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
      if (is_small) ghosts_.note(hash, entries());
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
}

}  // namespace tide
