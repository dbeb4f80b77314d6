#include "pool/reserve.hpp"

#include <algorithm>
#include <limits>

namespace tide {
namespace {

// A connection that can be leased, now or later.
bool is_of_use(SlotState state) {
  return state != SlotState::empty && state != SlotState::closing && state != SlotState::revoked;
}

}  // namespace

int64_t Reserve::open_to_all(int64_t limit_size, int64_t reserve_size) {
  if (reserve_size == 0) return std::numeric_limits<int64_t>::max();
  return std::max<int64_t>(limit_size - reserve_size, 1);
}

bool Reserve::settle(int64_t limit_size, int64_t reserve_size) {
  if (reserve_size == 0 && !board_.has_reserved()) return false;
  int64_t unreserved = 0;
  for (uint32_t slot = 0; slot < board_.used(); ++slot) {
    if (!is_of_use(board_.word(slot).state())) {
      board_.set_reserved(slot, false);
    } else if (!board_.is_reserved(slot)) {
      ++unreserved;
    }
  }
  const int64_t wanted = open_to_all(limit_size, reserve_size);
  if (unreserved > wanted) change(unreserved - wanted, true);
  const bool is_more = unreserved < wanted && board_.has_reserved();
  if (is_more) change(wanted - unreserved, false);
  return is_more;
}

void Reserve::change(int64_t n, bool is_reserved) {
  for (const bool is_in_use : {false, true}) {
    for (uint32_t slot = board_.used(); slot > 0 && n > 0; --slot) {
      const SlotState state = board_.word(slot - 1).state();
      const bool is_held = state == SlotState::leased || state == SlotState::returning;
      if (!is_of_use(state) || is_held != is_in_use || board_.is_reserved(slot - 1) == is_reserved) continue;
      board_.set_reserved(slot - 1, is_reserved);
      --n;
    }
  }
}

}  // namespace tide
