// Precedence: which rule sets the size, in one place.
//
// Strongest first: a full server, emergency cap, burst, manual, then what the load requires (predicted, adaptive;
// overload is its upper bound), then min_size and max_size. A rule is a range for the target; its upper end is the
// limit. Within the range the sizers move the target, which is zero without pooling (max_size=0). README.md has the
// table of what begins and ends each.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>

#include "brain/ledger.hpp"

namespace tide::brain {

class Desk;

// Invariant: 0 <= lowest <= limit <= capacity.
struct SizeBounds {
  int64_t lowest = 0;  // lower bound of the target
  int64_t limit = 0;   // upper bound of the target and of all opens, except for
  int64_t probe = 0;   // this number that test whether a full server has room again
  SizeSource source = SizeSource::config;
};

// `source` is config if neither emergency, burst nor manual is in force, autoscale if overload or a full server sets
// the limit.
SizeBounds precedence(const Policy& policy, int64_t capacity, const Controls& controls, const Caps& caps);
SizeBounds precedence(const Ledger& ledger);
// As if these caps of the pool itself did not apply: the state to return to.
SizeBounds precedence_without(const Ledger& ledger, std::initializer_list<std::optional<int64_t> Caps::*> caps);

// Moves the target into the range of the rule in force; every move is reported, with the reason.
void keep_target_in_range(Desk& desk);

// Why the limit has its value, for error texts.
std::string limit_reason(const Ledger& ledger);

}  // namespace tide::brain
