// Mailbox, the sender's side: posts a command to a pool of another process.
//
// The file is trusted no more than a segment: its owner and every other sender may have written anything into it. The
// count in its header is used only if the command with that number is there; otherwise numbering continues after the
// numbers in the ring and in the pool's answers, so that no issued command id already has an answer.
// Threads: any; senders exclude each other by flock().
// Failure: refused (no mailbox, no permission, full, busy, damaged); then nothing was posted.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/status.hpp"
#include "segment/attach.hpp"

namespace tide {

// The arguments are the JSON of a checked Command. Returns the command id, by which the answer is found in
// segment.read_commands().
Result<uint64_t> post_command(const Attachment& segment, std::string_view verb, std::string_view arguments,
                              std::string_view actor);

// Checks that post_command() would find a mailbox that this user may write and that has room. Nothing is posted.
Status check_mailbox(const Attachment& segment);

// Commands posted but not yet answered, oldest first, as `queued`. None if the mailbox cannot be read.
std::vector<format::CommandRecord> read_posted_commands(const Attachment& segment);

}  // namespace tide
