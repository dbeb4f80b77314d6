// Durations, sizes and wall-clock times as people write and read them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/instant.hpp"

namespace tide {

// "30s", "500ms", "1.5h", "5min", "2d", "250us", or a bare number of milliseconds; blanks may stand around number and
// unit. Not negative. Whole microseconds only: what is finer is refused, never rounded. The one grammar of durations;
// whoever takes one from a user hands the text on to here.
std::optional<Span> parse_span(std::string_view text);
// The shortest exact form parse_span() reads back: "30s", "500ms", "1500ms", "10min".
std::string format_span(Span span);
// For people: "1.2 s", "350 ms", "12 us".
std::string describe_span(Span span);

// "16MB", "512kB", "1GB", "100B" (powers of 1024, as PostgreSQL), or bare bytes. Not negative; whole bytes only.
std::optional<int64_t> parse_bytes(std::string_view text);
std::string format_bytes(int64_t bytes);

// Nanoseconds since 1970 as "2026-01-31 23:59:59.123Z"; sorts as text and SQLite's datetime() reads it.
std::string format_wall_ns(int64_t unix_ns);

}  // namespace tide
