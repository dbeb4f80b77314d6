// The checksum of an order in a mailbox: FNV-1a over every byte but its own field. It finds torn orders, not forged
// ones; whoever may write the mailbox may steer the pool.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "plane/format.hpp"

namespace tide {

inline uint64_t mailbox_checksum(const format::MailboxOrder& order) {
  format::MailboxOrder copy;
  std::memcpy(static_cast<void*>(&copy), &order, sizeof copy);
  copy.checksum = 0;
  unsigned char bytes[sizeof copy];
  std::memcpy(bytes, &copy, sizeof bytes);
  uint64_t sum = 0xCBF29CE484222325ULL;
  for (const unsigned char byte : bytes) sum = (sum ^ byte) * 0x100000001B3ULL;
  return sum;
}

}  // namespace tide
