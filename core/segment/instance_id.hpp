// The identity of one instance of a pool: 128 random bits, as text 32 hex digits.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

namespace tide {

using InstanceId = std::array<uint8_t, 16>;

inline std::string instance_hex(std::span<const uint8_t, 16> id) {
  std::string out;
  for (const uint8_t byte : id) {
    out.push_back("0123456789abcdef"[byte >> 4]);
    out.push_back("0123456789abcdef"[byte & 15]);
  }
  return out;
}

}  // namespace tide
