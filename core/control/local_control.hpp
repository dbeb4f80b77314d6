// Local control: how pools of this very process are steered that have no files.
//
// What observes and steers is a library without the engine, so it cannot know the engine's pools: the engine, where it
// is linked, says here how to list them and how to give them commands.
// Threads: any; what is set must live for ever, and its functions must be callable by any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tide {

struct LocalPool {
  std::string instance_id;  // 32 hex digits
  std::string name;
  int segment_fd = -1;  // the pool's own; the reader duplicates it and checks what it got
};

struct LocalControl {
  std::vector<LocalPool> (*list)() = nullptr;
  // Returns the command id; 0 if that pool is not open any more.
  uint64_t (*post)(const std::string& instance_hex, const std::string& verb, const std::string& arguments,
                   const std::string& actor) = nullptr;
  // The schemes of drivers that the program has registered.
  std::vector<std::string> (*schemes)() = nullptr;
};

// nullptr takes it away again.
void set_local_control(const LocalControl* control) noexcept;
// nullptr: no engine in this process, or no hook.
const LocalControl* local_control() noexcept;

}  // namespace tide
