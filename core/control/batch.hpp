// Batch: commands that are sent together: checked, ordered, posted one after the other, and answered.
//
// S2, S3  Which of them, and in which order: plan.hpp.
// S4  No command is posted before all have passed every check that can be made in advance, and none after a refusal.
//     With BatchMode::post only the latter holds.
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
  std::optional<std::string> pool;  // a name or an instance id; nothing: the command determines the pool
  Command command;

  CommandState state = CommandState::not_given;  // `given` initially: sent before, the answer is missing
  uint64_t command_id = 0;                       // of the last pool that received it
  int32_t pools = 0;                             // number of pools that received it
};

struct BatchWait {
  std::optional<Span> all;       // for all answers together; nothing: the time of each verb
  IsInterrupted is_interrupted;  // may be empty
};

enum class BatchMode : uint8_t {
  check,  // only the checks; limits of the pools are ignored, because a later command may change them
  give,
  post,  // in the given order: the pools do the checks
};

// ok: each command is applied, replaced, or sent and not answered in time. timeout: interrupted; the same call
// continues. For a command to every pool, pools that cannot be reached are skipped, unless none can be reached.
Status run_batch(std::span<BatchCommand> batch, BatchMode mode, const BatchWait& wait);

}  // namespace tide
