// Reserve: which connections only critical requests may take (reserve_size).
//
// Why slots instead of a count of leases: every lease would change a counter that all threads share. Here an acquire
// reads one flag of the slot that it has claimed, and only while there are reserved slots.
//
// I11 All but reserve_size of the connections that the limit permits, and at least one, may be taken by every request; the
//     others are taken by critical requests only. So normal requests hold at most limit_size - reserve_size connections
//     (and at least may hold one), except while leases last that were granted under an earlier limit. A pool that is
//     smaller than its limit has a smaller reserve: it can open the rest.
// Threads: the keeper. Failure: none.
#pragma once

#include <cstdint>

#include "segment/board.hpp"

namespace tide {

class Reserve {
 public:
  explicit Reserve(Board& board) : board_(board) {}

  // After each change of the slots or of the limits. True: a connection may now be taken by normal requests, so that
  // waiters must be served.
  bool settle(int64_t limit_size, int64_t reserve_size);
  // How many connections every request may take.
  static int64_t open_to_all(int64_t limit_size, int64_t reserve_size);

 private:
  // Changes up to `n` slots, those that are not in use first; the highest first.
  void change(int64_t n, bool is_reserved);

  Board& board_;
};

}  // namespace tide
