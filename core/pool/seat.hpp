// Seat: the private part of a slot, which stays in this process: the connection and what its holder did with it.
//
// Threads: the owner of the slot (its holder, the thread that ended its lease, or the keeper in states opening, held,
// soiled, closing, revoked); the board's compare-and-swap hands it over. `connection` changes only while the keeper
// owns the slot, and is destroyed only when no thread is at the slot any more (pool/presence.hpp). One call at a time
// uses the session for a lease: `call` says for which lease. A thread that ends a lease during a call of it leaves the
// rest to that call.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "brain/action.hpp"
#include "pool/ports.hpp"

namespace tide {

// How a lease ends.
enum class Return : uint8_t { plain, unchanged, discard };

struct alignas(64) Seat {
  std::unique_ptr<Connection> connection;
  std::atomic<LeaseMode> mode{LeaseMode::read_write};  // requested by the current holder
  bool is_touched = false;                             // the holder queried or took the native handle
  bool is_native_out = false;                          // the holder took the native handle
  CloseReason retire_reason = CloseReason::none;       // for a slot that must not be leased again (keeper)
  // The lease whose acquirer has finished preparing the slot. Until then the times in the slot may still be those of
  // the last holder and the acquirer still writes here, so the keeper neither judges nor revokes the lease.
  std::atomic<uint64_t> begun_lease{0};

  // How long the acquirer of this lease waited; another lease did not.
  uint64_t waited_lease = 0;
  int64_t waited_ns = 0;

  // Of the connection's statements: what the counters of the slot contain already.
  StatementCounts counted;

  // From the slot's last holder: a lease with this mark is no new peak (pool/in_use_peak.hpp).
  uint64_t peak_mark = 0;

  // The lease that a call serves, or 0; with kEnded, the call must finish the end of the current lease.
  std::atomic<uint64_t> call{0};
  Return ended_how = Return::plain;                      // goes with kEnded
  static constexpr uint64_t kEnded = uint64_t{1} << 63;  // no lease has this bit (segment/slot_word.hpp)

  // The holder uses the slot from here on; the last write of an acquirer.
  void begin(uint64_t lease, LeaseMode wanted) {
    mode.store(wanted, std::memory_order_relaxed);
    begun_lease.store(lease, std::memory_order_release);
  }
  bool has_begun(uint64_t lease) const { return begun_lease.load(std::memory_order_acquire) == lease; }
  // Stores a new connection.
  void seat(std::unique_ptr<Connection> fresh) {
    connection = std::move(fresh);
    mode.store(LeaseMode::read_write, std::memory_order_relaxed);
    is_touched = is_native_out = false;
    retire_reason = CloseReason::none;
    begun_lease.store(0, std::memory_order_relaxed);
    counted = {};
  }
};

}  // namespace tide
