// Sampler: takes frames of the pools of this host through the C API.
//
// Threads: one.
// Failure: a pool that cannot be read has no rows. What the library refuses is thrown as a Failure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "record/frame.hpp"

namespace tide::cli::record {

// Which pools, and where. Empty: all.
struct Scope {
  std::string directory;
  std::vector<std::string> pools;
  std::string instance_id;
};

inline constexpr size_t kRowsMax = 200'000;  // of a relation in a frame; further rows are left out

// What changes all the time, and is read for all pools at once.
inline constexpr const char* kLiveRelations[] = {"pools", "pool_stats", "leases", "waiters", "alerts", "tags"};

// The rows of a relation. `columns`: only these, if there are any.
Table read_table(const char* relation, const Scope& scope, std::span<const std::string_view> columns = {});

// The seconds of the last `seconds`, up to the last one that the pool measured; only what is drawn.
Table read_history(const Scope& scope, int64_t seconds);

// A frame without tables, as of now.
Frame empty_frame();
// Everything that can be told about the pools now, with their history: what remains of them when they are gone.
Frame complete_frame(const Scope& scope, int64_t seconds);

}  // namespace tide::cli::record
