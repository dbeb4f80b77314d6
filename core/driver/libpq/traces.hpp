// Traces: may a statement have left something in the session that outlives its transaction?
//
// Told from the command tag, which the server itself reports, and from the text for what a tag cannot tell: functions
// that are not known to be harmless, set_config(), advisory locks, temporary tables, UPDATE pg_settings, EXPLAIN
// ANALYZE. Not seen is what runs without being named in the text: triggers, rules and column defaults of a table that
// is changed, and what stands behind a view, an operator, a cast or a prepared statement. Who needs certainty says
// reset_on_release = full.
// Threads: pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace tide::libpq {

enum class Trace : uint8_t {
  none,
  resettable,  // DISCARD ALL removes it
  lasting,     // nothing does: a loaded library, the seed of random(), a connection of dblink
};

Trace trace_of_tag(std::string_view tag) noexcept;
Trace trace_of_text(std::string_view sql) noexcept;

}  // namespace tide::libpq
