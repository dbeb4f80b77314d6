// SlotWord: state and lease generation of a slot in one 64-bit word, which alone determines both.
//
// word = generation << 8 | state. The generation grows by one with every lease, so (slot, generation) identifies a lease
// and is never reused: a second release or a use after revocation is one comparison that fails.
//
// Transitions and who may make them (one table, is_allowed(); every other transition violates an invariant):
//   keeper   empty->opening  opening->idle|leased|empty  idle->held|closing  held->idle|leased|closing
//            soiled->held|closing  leased->revoked  revoked->closing  closing->empty
//   caller   idle->leased  leased->returning  returning->idle|leased'|soiled
//            (leased': handed to a waiter, next generation)
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace tide {

enum class SlotState : uint8_t {
  empty = 0,      // no connection
  opening = 1,    // being connected
  idle = 2,       // any caller may lease it
  leased = 3,     // held by a caller
  soiled = 4,     // returned, but the keeper must reset or retire it first
  held = 5,       // used by the keeper for validation or reset
  closing = 6,    // the server's session may still exist
  revoked = 7,    // revoked from its holder; closed as soon as the holder has left the library's code
  returning = 8,  // the lease has ended; the thread that ended it settles the session
};
inline constexpr int kSlotStates = 9;

// A burst of twice the largest max_size, and 2^48 leases of each slot, fit into a positive 64-bit lease id: 89 years
// with one lease every 10 microseconds.
inline constexpr uint32_t kSlotsMax = 20000;
inline constexpr int kLeaseSlotBits = 15;
inline constexpr uint64_t kGenerationMax = (uint64_t{1} << (63 - kLeaseSlotBits)) - 1;
static_assert(kSlotsMax < uint32_t{1} << kLeaseSlotBits);

struct SlotWord {
  uint64_t bits = 0;

  constexpr SlotWord() = default;
  constexpr explicit SlotWord(uint64_t b) : bits(b) {}
  constexpr SlotWord(SlotState state, uint64_t generation) : bits(generation << 8 | static_cast<uint64_t>(state)) {}

  constexpr SlotState state() const { return static_cast<SlotState>(bits & 0xFFU); }
  constexpr uint64_t generation() const { return bits >> 8; }
  constexpr SlotWord with(SlotState next) const {
    return SlotWord((bits & ~uint64_t{0xFF}) | static_cast<uint64_t>(next));
  }
  constexpr SlotWord leased_next() const { return SlotWord(SlotState::leased, generation() + 1); }
  constexpr bool operator==(const SlotWord&) const = default;
  // False for a word that no owner of this version writes (for readers' checks).
  constexpr bool is_sane() const { return (bits & 0xFFU) < kSlotStates && generation() <= kGenerationMax; }
};

struct LeaseId {
  uint64_t bits = 0;  // 0 is no lease

  constexpr LeaseId() = default;
  constexpr explicit LeaseId(uint64_t b) : bits(b) {}
  constexpr LeaseId(uint32_t slot, uint64_t generation) : bits(generation << kLeaseSlotBits | (slot + 1)) {}
  constexpr bool is_none() const { return (bits & ((1U << kLeaseSlotBits) - 1)) == 0; }
  constexpr uint32_t slot() const { return static_cast<uint32_t>(bits & ((1U << kLeaseSlotBits) - 1)) - 1; }
  constexpr uint64_t generation() const { return bits >> kLeaseSlotBits; }
  constexpr SlotWord word() const { return SlotWord(SlotState::leased, generation()); }
};

// The number of slots in each state.
class SlotCounts {
 public:
  void add(SlotState state) { ++of_[static_cast<size_t>(state)]; }
  uint32_t of(SlotState state) const { return of_[static_cast<size_t>(state)]; }
  uint32_t idle() const { return of(SlotState::idle); }
  uint32_t in_use() const { return of(SlotState::leased) + of(SlotState::returning); }
  uint32_t connecting() const { return of(SlotState::opening); }
  uint32_t validating() const { return of(SlotState::held) + of(SlotState::soiled); }
  uint32_t open() const { return idle() + in_use() + validating(); }
  // Closing connections are not part of the size, although they still count against the limit.
  uint32_t size() const { return open() + connecting(); }

 private:
  std::array<uint32_t, kSlotStates> of_{};
};

enum class SlotActor : uint8_t { keeper, caller };

constexpr bool is_allowed(SlotState from, SlotState to, SlotActor actor) {
  using S = SlotState;
  if (actor == SlotActor::caller) {
    return (from == S::idle && to == S::leased) || (from == S::leased && to == S::returning) ||
           (from == S::returning && (to == S::idle || to == S::leased || to == S::soiled));
  }
  switch (from) {
    case S::empty: return to == S::opening;
    case S::opening: return to == S::idle || to == S::leased || to == S::empty;
    case S::idle: return to == S::held || to == S::closing || to == S::leased;
    case S::held: return to == S::idle || to == S::leased || to == S::closing;
    case S::soiled: return to == S::held || to == S::closing;
    case S::leased: return to == S::revoked;
    case S::revoked: return to == S::closing;
    case S::closing: return to == S::empty;
    case S::returning: return false;  // changed by the thread that ended the lease
  }
  return false;
}

}  // namespace tide
