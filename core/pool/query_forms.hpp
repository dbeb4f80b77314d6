// QueryForms: the normal forms of statements by fingerprint, from the callers that execute them to the keeper.
//
// Bounded: at most kPlaces texts of kTextBytesMax bytes. A place is claimed with one compare-and-swap on its fingerprint,
// and the claimer then publishes the text; only the keeper empties places. Callers remember which fingerprints they have
// brought here; a new generation() tells them that some were removed.
// Threads: keep() and generation() any; the rest the keeper.
// Failure: without room nothing is kept, and is_short() asks the keeper for a sweep().
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/fixed_text.hpp"

namespace tide {

class QueryForms {
 public:
  static constexpr size_t kPlaces = 2048;
  static constexpr size_t kTextBytesMax = 622;

  QueryForms() : places_(kPlaces) {}
  ~QueryForms() {
    for (Place& place : places_) delete place.text.load(std::memory_order_relaxed);
  }
  QueryForms(const QueryForms&) = delete;
  QueryForms& operator=(const QueryForms&) = delete;

  uint32_t generation() const { return generation_.load(std::memory_order_acquire); }
  void keep(uint64_t fingerprint, std::string_view text) {
    std::unique_ptr<const std::string> kept;
    for (size_t i = 0; i < kProbes; ++i) {
      Place& place = place_at(fingerprint, i);
      uint64_t seen = place.fingerprint.load(std::memory_order_relaxed);
      if (seen == 0) {
        if (kept == nullptr) kept = std::make_unique<const std::string>(shortened(text, kTextBytesMax));
        if (place.fingerprint.compare_exchange_strong(seen, fingerprint, std::memory_order_acq_rel)) {
          place.text.store(kept.release(), std::memory_order_release);
          used_.fetch_add(1, std::memory_order_relaxed);
          return;
        }
      }
      if (seen == fingerprint) return;
    }
    is_short_.store(true, std::memory_order_relaxed);
  }

  // nullptr: unknown, or not published yet. Valid until the next sweep().
  const std::string* find(uint64_t fingerprint) const {
    for (size_t i = 0; i < kProbes; ++i) {
      const Place& place = place_at(fingerprint, i);
      if (place.fingerprint.load(std::memory_order_acquire) != fingerprint) continue;
      if (const std::string* text = place.text.load(std::memory_order_acquire)) return text;
    }
    return nullptr;
  }
  // Before all places are used.
  bool is_short() const {
    return used_.load(std::memory_order_relaxed) >= kPlaces / 2 || is_short_.load(std::memory_order_relaxed);
  }
  // Removes the texts whose fingerprint is not wanted.
  template <typename IsWanted>
  void sweep(IsWanted&& is_wanted) {
    for (Place& place : places_) {
      const std::string* text = place.text.load(std::memory_order_acquire);
      if (text == nullptr || is_wanted(place.fingerprint.load(std::memory_order_relaxed))) continue;
      place.text.store(nullptr, std::memory_order_relaxed);
      place.fingerprint.store(0, std::memory_order_release);
      used_.fetch_sub(1, std::memory_order_relaxed);
      delete text;
    }
    is_short_.store(false, std::memory_order_relaxed);
    generation_.fetch_add(1, std::memory_order_release);
  }

 private:
  static constexpr size_t kProbes = 16;
  struct Place {
    std::atomic<uint64_t> fingerprint{0};           // 0: free
    std::atomic<const std::string*> text{nullptr};  // nullptr: being written
  };

  Place& place_at(uint64_t fingerprint, size_t i) { return places_[(fingerprint + i) % kPlaces]; }
  const Place& place_at(uint64_t fingerprint, size_t i) const { return places_[(fingerprint + i) % kPlaces]; }

  std::vector<Place> places_;
  std::atomic<size_t> used_{0};
  std::atomic<uint32_t> generation_{0};
  std::atomic<bool> is_short_{false};
};

}  // namespace tide
