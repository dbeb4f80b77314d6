// The checksum of a command in a mailbox: FNV-1a over every byte except its own field. It detects torn commands, not
// forged ones; a process that may write the mailbox may control the pool.
#pragma once

#include <cstdint>
#include <cstring>

#include "segment/format.hpp"

namespace tide {

inline uint64_t mailbox_checksum(const format::MailboxCommand& command) {
  format::MailboxCommand copy;
  std::memcpy(static_cast<void*>(&copy), &command, sizeof copy);
  copy.checksum = 0;
  unsigned char bytes[sizeof copy];
  std::memcpy(bytes, &copy, sizeof bytes);
  uint64_t sum = 0xCBF29CE484222325ULL;
  for (const unsigned char byte : bytes) sum = (sum ^ byte) * 0x100000001B3ULL;
  return sum;
}

}  // namespace tide
