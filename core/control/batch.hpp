// Batch: commands that are given together: checked, put in order, posted one after the other, and answered.
//
// S2, S3  Which of them, and in which order: plan.hpp.
// S4  Nothing is posted before every command has passed all checks that can be made beforehand, and nothing after a
//     refusal. With BatchMode::post only the latter holds.
// Threads: one at a time. Failure: the first refusal; its detail names what was applied before it.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "control/pool_locator.hpp"

namespace tide {

enum class CommandState : uint8_t { not_given, given, applied, refused, replaced };

struct BatchCommand {
  std::string directory;
  std::optional<std::string> pool;  // a name or an instance id; nothing: the command says which
  Command command;

  CommandState state = CommandState::not_given;  // `given` at first: given before, its answer is missing
  uint64_t command_id = 0;                       // of the last pool that has it
  int32_t pools = 0;                             // that have it
};

struct BatchWait {
  std::optional<Span> all;       // for all answers together; nothing: each verb has its own time
  IsInterrupted is_interrupted;  // may be empty
};

enum class BatchMode : uint8_t {
  check,  // only the checks; the limits of the pools do not count, because a later command may change them
  give,
  post,  // as they are, in their order: their pools check them
};

// ok: each is applied, replaced, or given and not answered in time. timeout: interrupted; the same call again goes on.
// Of the pools of a command that is for every pool those that cannot be told are left out, unless none can.
Status run_batch(std::span<BatchCommand> batch, BatchMode mode, const BatchWait& wait);

}  // namespace tide
