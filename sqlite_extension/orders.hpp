// Orders: the functions that steer, and what the arguments of each mean in the words of tide_control().
//
// Threads: any; nothing is kept. Failure: a Failure, which becomes the error of the statement.
#pragma once

#include <sqlite3ext.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tide::sqlite {

// A refusal should be an error of the statement, so the usual order waits for its answer. What takes its time by nature
// (draining, recycling) is only given the time of a prompt refusal; tidepool_wait_applied() is the barrier.
inline constexpr int64_t kAnswerWaitMs = 5'000;
inline constexpr int64_t kPromptWaitMs = 500;

struct Failure {
  std::string text;
};

using Arguments = sqlite3_value**;

struct Call {
  std::optional<std::string> pool;  // nothing: the arguments alone say which
  std::string arguments;
  bool is_for_all = false;  // every live pool that this user may steer
};

// One function. Its parameters stand in the usage, the optional ones in brackets.
struct Function {
  const char* name;   // behind "tidepool_"
  const char* usage;  // what stands between the parentheses
  int arguments_min;
  int arguments_max;
  uint32_t nullable;  // bit n: argument n may be NULL
  int64_t wait_ms;
  Call (*call)(const Function& function, int count, Arguments values);
};

std::span<const Function> order_functions();

std::string usage_of(const Function& function);
[[noreturn]] void fail(const Function& function, const std::string& text);
// The name of the n-th parameter, out of "pool, target_size [, reason]".
std::string parameter(const Function& function, int n);
int64_t whole_argument(const Function& function, int n, Arguments values);

struct Owner {
  std::string instance_id;
  std::string pool;
};

// Those whose owner is not gone.
std::vector<Owner> live_pools();

}  // namespace tide::sqlite
