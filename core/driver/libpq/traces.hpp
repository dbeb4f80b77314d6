// Traces: detects whether a statement may have left session state that outlives its transaction.
//
// Based on the command tag reported by the server, and on the text for what the tag does not show: functions that are
// not known to be harmless, set_config(), advisory locks, temporary tables, UPDATE pg_settings, EXPLAIN ANALYZE. Not
// detected is what is executed without being named in the text: triggers, rules and column defaults of a changed table,
// and the definitions of views, operators, casts and prepared statements. reset_on_release = full does not depend on
// this.
// Threads: pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace tide::libpq {

enum class Trace : uint8_t {
  none,
  resettable,  // DISCARD ALL removes it
  lasting,     // cannot be removed: a loaded library, the seed of random(), a connection of dblink
};

Trace trace_of_tag(std::string_view tag) noexcept;
Trace trace_of_text(std::string_view sql) noexcept;

}  // namespace tide::libpq
