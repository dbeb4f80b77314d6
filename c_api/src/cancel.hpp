// Cancel tokens and priorities as the program passes them.
//
// Threads: any. Failure: a Status that names the value and what is accepted.
#pragma once

#include <tidepool/cancel.h>

#include "base/status.hpp"
#include "pool/cancel_token.hpp"
#include "pool/ports.hpp"

namespace tide {

inline CancelToken* token_of(tide_cancel_token* token) { return reinterpret_cast<CancelToken*>(token); }

Status check_priority(int32_t priority);
inline Priority priority_of(int32_t priority) {
  return priority == TIDE_CRITICAL ? Priority::critical : Priority::normal;
}

}  // namespace tide
