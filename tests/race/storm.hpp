// Shared by the storm tests: threads that start together, a segment in private memory, and waiting for conditions.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/rng.hpp"
#include "os/clock.hpp"
#include "segment/attach.hpp"
#include "segment/board.hpp"
#include "segment/segment.hpp"

namespace tide::race {

inline Instant now() { return SystemClock::instance().now(); }

// Runs several threads at once; returns when all have ended.
inline void storm(uint32_t threads, const std::function<void(uint32_t)>& work) {
  std::latch start(threads);
  std::vector<std::jthread> all;
  for (uint32_t i = 0; i < threads; ++i) {
    all.emplace_back([&, i] {
      start.arrive_and_wait();
      work(i);
    });
  }
}

// False: it did not become true within a time that no healthy run needs.
template <typename Condition>
bool comes_true(Condition&& condition, Span timeout = Span::seconds(60)) {
  const Instant deadline = now() + timeout;
  while (!condition()) {
    if (now() >= deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

// Holds something for a while without yielding the processor for longer than that.
inline void linger(Span span) {
  for (const Instant until = now() + span; now() < until;) std::this_thread::yield();
}

inline std::unique_ptr<Segment> private_segment(uint32_t capacity) {
  SegmentSpec spec;
  spec.instance_id = random_instance_id();
  spec.pool = "storm";
  spec.capacity = capacity;
  auto segment = Segment::create(spec);
  return segment ? segment.take() : nullptr;
}

// A board whose first `size` slots are idle.
struct Deck {
  explicit Deck(uint32_t size, uint32_t capacity = 8) : segment(private_segment(capacity)), board(*segment) {
    for (uint32_t i = 0; i < size; ++i) {
      const uint32_t slot = board.open_lowest();
      board.advance(slot, board.word(slot), SlotState::idle);
    }
  }
  uint64_t acquires() {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < board.used(); ++i) sum += read(board.slot(i).acquires_total);
    return sum;
  }
  uint64_t releases() {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < board.used(); ++i) sum += read(board.stats(i).releases_total);
    return sum;
  }
  uint64_t waited() {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < board.used(); ++i) sum += read(board.stats(i).waited_total);
    return sum;
  }
  uint64_t generations() const {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < board.used(); ++i) sum += board.word(i).generation();
    return sum;
  }
  bool is_all_idle() const {
    for (uint32_t i = 0; i < board.used(); ++i) {
      if (board.word(i).state() != SlotState::idle) return false;
    }
    return true;
  }

  std::unique_ptr<Segment> segment;
  Board board;
};

}  // namespace tide::race
