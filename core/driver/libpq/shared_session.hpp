// Detects statements that must not be executed through a pooler in transaction mode, in which the server session, with its
// state, is passed to another client as soon as no transaction is open.
//
// Based on the text, as a protection against mistakes: effects of functions, triggers and DO blocks are not detected.
// Threads: pure.
#pragma once

#include <string_view>

#include "base/status.hpp"

namespace tide::libpq {

// 0A000 for a statement that would leave state: SET, LISTEN, PREPARE, LOAD, DISCARD, session-level advisory locks,
// set_config() beyond its transaction, cursors WITH HOLD, temporary objects, UPDATE pg_settings.
Status check_shared(std::string_view sql);

// The same for a read lease, whose transactions are made read-only individually: BEGIN, COMMIT and ROLLBACK must be sent
// as separate statements.
Status check_shared_read(std::string_view sql);

}  // namespace tide::libpq
