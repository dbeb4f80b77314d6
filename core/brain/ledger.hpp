// Ledger: what the deciders share from one tick to the next.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/instant.hpp"
#include "base/rng.hpp"
#include "brain/action.hpp"
#include "brain/dossier.hpp"
#include "brain/pulse.hpp"
#include "policy/policy.hpp"

namespace tide::brain {

// Operators' settings in force. Written by commands; burst_until also by steering.
struct Controls {
  bool is_paused = false;
  bool is_draining = false;
  std::optional<int64_t> manual_size;
  std::string manual_actor;
  std::optional<Instant> burst_until;
};

// Totals since the pool opened; counted where the events happen.
struct Tallies {
  uint64_t bursts = 0;
  uint64_t emergencies = 0;
  uint64_t recovery_attempts = 0;
  uint64_t health_checks = 0;
  uint64_t health_check_failures = 0;
};

// Limits the pool sets itself. Written only by health_monitor (emergency, recovery), steering (overload) and room.
struct Caps {
  std::optional<int64_t> emergency;  // during an emergency, and while its cap is lifted afterwards
  std::optional<int64_t> overload;   // while more connections make the database slower
  std::optional<int64_t> recovery;   // a lower bound: what a recovery opened is kept for a while
  std::optional<int64_t> room;       // the number of connections a full server had room for
  int64_t probe = 0;                 // beyond it: connects that test whether there is more room
};

struct Ledger {
  Ledger(const Policy& wanted, uint32_t slots, uint64_t seed)
      : policy(wanted), capacity(slots), rng(seed), dossiers(capacity) {}

  Policy policy;
  int64_t capacity;  // slots; no rule can exceed it
  Rng rng;
  Dossiers dossiers;
  Controls controls;
  Pulse pulse;
  Caps caps;
  Tallies tallies;
  int64_t wish = 0;                                  // what the sizer would choose if a full server had room
  std::string room_reason;                           // of caps.room: the server's message
  int64_t spares = 0;                                // connections beyond the target: successors of those that will end
  SizeSource target_source = SizeSource::autoscale;  // what moved the target last
  int64_t target = 0;       // the size chosen by the sizer; always within the rule in force at the end of a tick
  bool is_steered = false;  // the adaptive sizer moves the target, and has a load to measure
  std::optional<Instant> target_changed_at;
  std::optional<Instant> resumed_at;  // idle time before it does not count
  bool is_started = false;            // min_size were open once
  bool is_awake = false;              // init_mode lazy: a connection was requested
  uint64_t generation = 0;            // of controls
  Instant seen_at;                    // `now` of the last call, for texts only
};

}  // namespace tide::brain
