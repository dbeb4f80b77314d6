// Traces: may a statement have left something in the session that outlives its transaction?
//
// Told from the command tag, which the server itself reports, and for what a tag cannot tell (set_config(), advisory
// locks, temporary tables) from the text. What a user's own function does inside is not seen: who needs certainty says
// reset_on_release = full.
// Threads: pure.
#pragma once

#include <string_view>

namespace tide::libpq {

bool tag_leaves_traces(std::string_view tag) noexcept;
bool text_leaves_traces(std::string_view sql) noexcept;
// The statement ends a transaction by undoing it all: ROLLBACK or ABORT, but not ROLLBACK TO.
bool is_rollback(std::string_view sql) noexcept;

}  // namespace tide::libpq
