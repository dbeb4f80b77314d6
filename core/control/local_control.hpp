// Local control: controls pools of this process that have no files.
//
// The code that observes and controls pools is a library without the engine, so it cannot access the engine's pools.
// The engine, where it is linked, registers functions here that list its pools and send commands to them.
// Threads: any; the registered object must live forever, and its functions must be callable from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tide {

struct LocalPool {
  std::string instance_id;  // 32 hex digits
  std::string name;
  int segment_fd = -1;  // the pool's own; the reader duplicates it and checks the duplicate
};

struct LocalControl {
  std::vector<LocalPool> (*list)() = nullptr;
  // Returns the command id; 0 if that pool is no longer open.
  uint64_t (*post)(const std::string& instance_hex, const std::string& verb, const std::string& arguments,
                   const std::string& actor) = nullptr;
  // The schemes of the drivers that the program has registered.
  std::vector<std::string> (*schemes)() = nullptr;
};

// nullptr unregisters it.
void set_local_control(const LocalControl* control) noexcept;
// nullptr: no engine in this process, or nothing registered.
const LocalControl* local_control() noexcept;

}  // namespace tide
