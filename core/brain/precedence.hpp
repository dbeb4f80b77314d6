// Precedence: which rule sets the size, in one place.
//
// Strongest first: a server that is full, emergency cap, burst, manual, then what the load asks for (predicted,
// adaptive; overload is its upper end), then min_size and max_size. A rule is a range for the target; its upper end is
// the limit. Within the range the sizers move the target. The table with who begins and ends each stands in README.md.
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
  int64_t lowest = 0;  // the target never goes below
  int64_t limit = 0;   // nor above; and no open is asked for beyond, but for
  int64_t probe = 0;   // so many that see whether a full server has room again
  SizeSource source = SizeSource::config;
};

// `source` is config where neither emergency, burst nor manual is in force, autoscale where overload or a full server
// sets the limit.
SizeBounds precedence(const Policy& policy, int64_t capacity, const Controls& controls, const Caps& caps);
SizeBounds precedence(const Ledger& ledger);
// As if these caps of the pool's own did not hold: what there is to come back to.
SizeBounds precedence_without(const Ledger& ledger, std::initializer_list<std::optional<int64_t> Caps::*> caps);

// The target moves into the range of the rule in force; every move is told, with the reason.
void keep_target_in_range(Desk& desk);

// Why the limit is what it is, for error texts.
std::string limit_reason(const Ledger& ledger);

}  // namespace tide::brain
