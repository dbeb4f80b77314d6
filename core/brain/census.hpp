// Census: the input of the brain at a tick. A value; the brain owns no slot and sees no other fact.
#pragma once

#include <cstdint>
#include <span>

#include "base/instant.hpp"
#include "os/process.hpp"

namespace tide {

enum class Phase : uint8_t {
  opening,  // connect in progress
  idle,     // may be leased
  leased,   // in use by a caller
  held,     // in use by the keeper: validation, reset
  closing,  // the server's session may still exist
};

struct SlotCensus {
  uint32_t slot = 0;
  Phase phase = Phase::idle;
  bool is_retiring = false;               // will be closed as soon as it is not in use
  uint64_t conn_id = 0;                   // never reused within a pool
  Instant since;                          // start of the phase
  Instant born;                           // the connect finished (opening: was requested)
  Instant expires_at = Instant::never();  // end of its lifetime, fixed at birth
  Instant last_used;                      // last return of a lease, else born
  Instant validated_at;  // last proof that it is alive: born, validated, or a used lease without errors
  uint64_t uses = 0;     // leases so far
  // phase leased only
  uint64_t lease_id = 0;
  Instant leased_at;
  // reported by some sessions (SQLite), else unset
  Instant idle_in_transaction_since;
  Instant reading_since;  // holds a read snapshot of the database
};

// What the process and the server have left. NaN: not measured.
struct Resources : ProcessResources {
  double server_sessions = kUnknown;  // all clients' sessions at the database server
  double server_sessions_max = kUnknown;
  double driver_bytes = kUnknown;    // allocated by the driver's library (SQLite)
  double wal_bytes = kUnknown;       // the size of the database's WAL (SQLite)
  double wal_blocked_ms = kUnknown;  // since when readers have kept it from being reset; 0: they do not
  bool is_file_missing = false;      // the database's file was deleted or replaced (SQLite)
};

// Sums since the pool opened. They never decrease.
struct Traffic {
  uint64_t requests_total = 0;  // leases requested: granted, refused, or still waiting
  uint64_t releases_total = 0;  // leases that ended
  uint64_t slow_total = 0;      // waited longer than wait_objective, or without success
  uint64_t queries_total = 0;
  uint64_t query_errors_total = 0;  // all failed statements
  uint64_t query_faults_total = 0;  // of those, the ones that no healthy application causes in normal work
  uint64_t connects_total = 0;
  uint64_t connect_failures_total = 0;
  uint64_t validations_total = 0;
  uint64_t validation_failures_total = 0;
  double use_seconds = 0;    // of leases, until now
  double ended_seconds = 0;  // of leases that ended
  double wait_seconds = 0;   // of requests, until now
  double query_seconds = 0;
};

struct Census {
  std::span<const SlotCensus> slots;  // every slot that is not empty, lowest index first
  uint32_t waiting = 0;               // callers in the queue
  uint32_t waiting_critical = 0;      // of them, those of priority critical
  Instant oldest_wait_since;          // unset if none waits
  uint64_t acquires_total = 0;
  uint64_t acquires_waited_total = 0;
  uint64_t acquire_timeouts_total = 0;
  Span wait_p95;              // of the leases granted within the last scaling interval; zero if none waited
  double in_use_average = 0;  // over the last scaling interval
  Traffic traffic;
  Resources resources;
};

}  // namespace tide
