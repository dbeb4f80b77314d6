// Seat: the private half of a slot, what stays in this process: the connection and what its holder did with it.
//
// Threads: whoever has the slot (its holder, or the keeper in states opening, held, soiled, closing, revoked); the
// board's compare-and-swap hands it over. `connection` changes only while the keeper has the slot.
#pragma once

#include <cstdint>
#include <memory>

#include "brain/action.hpp"
#include "pool/ports.hpp"

namespace tide {

struct alignas(64) Seat {
  std::unique_ptr<Connection> connection;
  LeaseMode mode = LeaseMode::read_write;         // wanted by the current holder
  bool is_touched = false;                        // the holder queried or took the native handle
  bool is_native_out = false;                     // the holder took the native handle
  CloseReason retire_reason = CloseReason::none;  // of a slot that must not be leased again (keeper)
};

}  // namespace tide
