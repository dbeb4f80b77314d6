// Checker: checks everything after every step, and compares the pool's published state with the books.
//
// The numbers are those of core/README.md. I3, I7, I8 and I9 are partly checked in the books, where requests are
// answered and leases released.
// Threads: one. Failure: complaints in the trace.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.hpp"
#include "pool/pool.hpp"
#include "segment/slot_word.hpp"

namespace tide::sim {

class World;

class Checker {
 public:
  explicit Checker(World& world) : world_(world) {}

  void check();
  // From the event sink.
  void told(PoolEvent event, const char* text);
  // A command was posted.
  void ordered(std::string_view verb);

  // I10: faults are over. From now on the pool must reach its size within one backoff period.
  void expect_whole();
  bool is_expecting_whole() const { return is_expecting_whole_; }
  bool is_drained() const;
  void check_closed();
  // Every command has one record, in the order in which they were posted.
  void check_orders(uint64_t posted);
  uint64_t pending_orders() const;

 private:
  // Counts of the board.
  struct Look {
    std::array<uint32_t, kSlotStates> in_state{};
    uint32_t full = 0;  // not empty
    uint64_t acquires = 0, releases = 0, waited = 0, queries = 0, query_errors = 0;
    uint64_t use_ns = 0, wait_ns = 0;
    uint32_t of(SlotState state) const { return in_state[static_cast<size_t>(state)]; }
  };
  Look look();
  void check_word(uint32_t slot, SlotWord before, SlotWord after);
  void check_slot(uint32_t slot, SlotWord word);
  void check_limit(const Look& look);
  void check_leases(const Look& look);
  void check_revocations();
  void check_reserve(const Look& look);
  void check_queue(const Look& look);
  void check_time();
  void check_counters(const Look& look);
  void check_connects(const Look& look);
  void check_recovery(const Look& look);
  void check_pressure();
  void check_unpooled();
  void say_state(const Look& look);

  World& world_;
  std::vector<SlotWord> words_;
  std::string state_text_;
  uint32_t used_ = 0;  // higher slots were never used
  uint32_t full_before_ = 0;
  uint32_t opening_before_ = 0;
  uint64_t failures_ = 0;
  int64_t open_to_all_ = 0;  // connections that normal requests may take
  int64_t reserved_ = 0;     // connections that they may not take
  Instant to_all_lowered_at_;
  Instant ordered_at_;
  Instant drain_ordered_at_;
  Instant unavailable_until_;
  Span connect_timeout_max_;  // an open in progress has the one in force when it began
  Instant unpooled_since_;
  Instant shed_expected_since_;  // short of memory without waiters since; unset: not the case
  bool is_expecting_whole_ = false;
  Instant expected_since_;
  uint64_t connects_at_start_ = 0;
};

}  // namespace tide::sim
