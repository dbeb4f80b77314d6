// Kinds: the faults of a world. Each can be disabled, which is used to reduce a failing world.
#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tide::sim {

enum class Kind : uint8_t {
  down,         // no server listens, and every session ends
  flapping,     // down and up every few 100 ms
  slow,         // slow answers
  silent,       // connects are accepted and never answered; sessions too
  refusing,     // connects are refused with an error, for various reasons
  crowded,      // no room for more sessions
  password,     // connects are refused permanently
  foreign,      // other clients take nearly all sessions
  partial,      // some sessions freeze, the others continue
  kills,        // sessions end
  hangs,        // the next opens are given a fault
  closes,       // closes are answered late
  clock_jump,   // of the wall clock, by a day
  memory,       // the process is short of memory
  brownout,     // the more statements run, the slower each
  heavy,        // some statements take very long
  errors,       // most statements fail
  leaks,        // one caller in ten never releases its lease
  resizing,     // max_size 10, 200, 3, 50
  settings,     // options are set at random
  alert_rules,  // alert commands
  orders,       // all other commands
};
inline constexpr size_t kKinds = 22;

class Kinds {
 public:
  Kinds() { on_.set(); }
  static Kinds none() {
    Kinds kinds;
    kinds.on_.reset();
    return kinds;
  }

  bool has(Kind kind) const { return on_[static_cast<size_t>(kind)]; }
  void put(Kind kind, bool is_on) { on_[static_cast<size_t>(kind)] = is_on; }
  size_t count() const { return on_.count(); }
  bool is_all() const { return on_.all(); }
  // "down,slow"; "" if none is enabled.
  std::string names() const;

 private:
  std::bitset<kKinds> on_;
};

std::string_view kind_name(Kind kind);
// From "down,slow"; nullopt for an unknown word.
std::optional<Kinds> parse_kinds(std::string_view list);

}  // namespace tide::sim
