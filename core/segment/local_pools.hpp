// Local pools: pools of this process that have no files, as the engine provides them.
//
// The code that observes and controls pools is a library without the engine, so it cannot access the engine's pools.
// The engine, where it is linked, registers functions here that list its pools and send commands to them.
// Threads: any; the registered object must live forever, and its functions must be callable from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace tide {

struct LocalPool {
  std::string instance_id;  // 32 hex digits
  std::string name;
  int segment_fd = -1;  // the pool's own; the reader duplicates it and checks the duplicate
};

struct LocalPools {
  std::vector<LocalPool> (*list)() = [] { return std::vector<LocalPool>(); };
  // Returns the command id; 0 if that pool is no longer open.
  uint64_t (*post)(const std::string& instance_hex, const std::string& verb, const std::string& arguments,
                   const std::string& actor) = [](const auto&...) { return uint64_t{0}; };
  // The schemes of the drivers that the program has registered.
  std::vector<std::string> (*schemes)() = [] { return std::vector<std::string>(); };
};

// Without an engine there are none.
inline constexpr LocalPools kNoLocalPools;
inline std::atomic<const LocalPools*> registered_local_pools{&kNoLocalPools};
inline const LocalPools& local_pools() noexcept { return *registered_local_pools.load(std::memory_order_acquire); }

}  // namespace tide
