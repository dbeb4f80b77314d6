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

// What operators have ordered and is still in force. Written by commands, and burst_until by steering too.
struct Controls {
  bool is_paused = false;
  bool is_draining = false;
  std::optional<int64_t> manual_size;
  std::string manual_actor;
  std::optional<Instant> burst_until;
};

// What happened since the pool opened; counted where it happens.
struct Tallies {
  uint64_t bursts = 0;
  uint64_t emergencies = 0;
  uint64_t recovery_attempts = 0;
  uint64_t health_checks = 0;
  uint64_t health_check_failures = 0;
};

// Limits the pool sets itself. Written by health_monitor (emergency, recovery), steering (overload) and room alone.
struct Caps {
  std::optional<int64_t> emergency;  // while an emergency lasts, and while its cap is lifted again
  std::optional<int64_t> overload;   // while the database gets slower with more connections
  std::optional<int64_t> recovery;   // a lower end: what a recovery opened is kept for a while
  std::optional<int64_t> room;       // what a server that is full has had room for
  int64_t probe = 0;                 // beyond it: connects that see whether there is more
};

struct Ledger {
  Ledger(const Policy& wanted, uint32_t slots, uint64_t seed)
      : policy(wanted), capacity(slots), rng(seed), dossiers(capacity) {}

  Policy policy;
  int64_t capacity;  // slots; no rule can ask for more
  Rng rng;
  Dossiers dossiers;
  Controls controls;
  Pulse pulse;
  Caps caps;
  Tallies tallies;
  int64_t wish = 0;         // what the sizer would have, had a full server room for it
  std::string room_reason;  // of caps.room: what the server said
  int64_t spares = 0;       // connections wanted beyond the target: successors of those that will end
  SizeSource target_source = SizeSource::autoscale;  // who moved the target last
  int64_t target = 0;       // what the sizer wants; always within the rule in force once a tick is over
  bool is_steered = false;  // the adaptive sizer moves the target, and there is a load it goes by
  std::optional<Instant> target_changed_at;
  std::optional<Instant> resumed_at;  // idleness before it was not the connections' fault
  bool is_started = false;            // min_size was there once
  bool is_awake = false;              // init_mode lazy: somebody has asked for a connection
  uint64_t generation = 0;            // of controls
  Instant seen_at;                    // `now` of the last call, for texts only
};

}  // namespace tide::brain
