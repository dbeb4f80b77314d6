// Ids of commands and alerts: part of the instance id of the pool, and a number assigned by the pool.
//
// They are below 2^53, so that programs which have only doubles for numbers (JavaScript, JSON readers) can represent them.
// 21 bits of the instance id distinguish the pools of a host; if two are equal, the records decide.
#pragma once

#include <cstdint>

namespace tide {

inline constexpr uint32_t kOwnerBits = 21;
inline constexpr uint64_t kIdMax = (uint64_t{1} << (kOwnerBits + 32)) - 1;

// The part of an instance id that is contained in the ids of its pool.
constexpr uint32_t owner_bits(const uint8_t* instance_id) {
  const uint32_t first = uint32_t{instance_id[0]} << 16 | uint32_t{instance_id[1]} << 8 | uint32_t{instance_id[2]};
  return first >> (24 - kOwnerBits);
}

// Only the lower 32 bits of the number are used.
constexpr uint64_t owned_id(uint32_t owner, uint64_t number) { return uint64_t{owner} << 32 | (number & 0xFFFF'FFFF); }
constexpr uint64_t owner_of(uint64_t id) { return id >> 32; }
constexpr uint32_t number_of(uint64_t id) { return static_cast<uint32_t>(id); }

}  // namespace tide
