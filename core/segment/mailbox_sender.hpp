// Mailbox, the sender's side: posting a command to a pool of another process.
//
// The file is as little believed as a segment: its owner and every other sender may have written anything into it. The
// count in its header is taken only where the command it speaks of is there; else numbering goes on behind what the ring
// and the pool's answers show, so that no command id is given out that has an answer already.
// Threads: any; senders exclude each other by flock().
// Failure: refused (no mailbox, no permission, full, busy, damaged); then nothing was posted.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/status.hpp"
#include "segment/attach.hpp"

namespace tide {

// The arguments are canonical, as check_order() makes them. Returns the command id: its answer will stand under it in
// segment.read_commands().
Result<uint64_t> post_command(const Attachment& segment, std::string_view verb, std::string_view arguments,
                              std::string_view actor);

// Would post_command() find a mailbox that this user may write and that has room? Nothing is posted.
Status check_mailbox(const Attachment& segment);

// Commands that were posted and not answered yet, oldest first, as `queued`. None where the mailbox cannot be read.
std::vector<format::CommandRecord> read_posted_commands(const Attachment& segment);

}  // namespace tide
