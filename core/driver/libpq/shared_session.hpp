// What must not be run through a pooler in transaction mode, where the server's session goes to another client as soon
// as no transaction is open, with everything that was left in it.
//
// Told from the text, so it is a guard against mistakes: what a function, a trigger or a DO block leaves is not seen.
// Threads: pure.
#pragma once

#include <string_view>

#include "base/status.hpp"

namespace tide::libpq {

// 0A000 for a statement that would leave something: SET, LISTEN, PREPARE, LOAD, DISCARD, session-level advisory locks,
// set_config() beyond its transaction, cursors WITH HOLD, temporary objects, UPDATE pg_settings.
Status check_shared(std::string_view sql);

// The same for a read lease, whose transactions are made read-only one by one: BEGIN, COMMIT and ROLLBACK have to be
// sent alone.
Status check_shared_read(std::string_view sql);

}  // namespace tide::libpq
