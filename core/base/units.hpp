// Durations, sizes and wall-clock times as text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/instant.hpp"

namespace tide {

// "30s", "500ms", "1.5h", "5min", "2d", "250us", or a number of milliseconds; blanks around number and unit are allowed.
// Not negative. Whole microseconds only: finer values are an error, they are not rounded. All durations from users are
// parsed here.
std::optional<Span> parse_span(std::string_view text);
// The shortest exact text for parse_span(): "30s", "500ms", "1500ms", "10min".
std::string format_span(Span span);
// Rounded, for messages: "1.2 s", "350 ms", "12 us".
std::string describe_span(Span span);

// "16MB", "512kB", "1GB", "100B" (powers of 1024, as in PostgreSQL), or a number of bytes. Not negative; whole bytes only.
std::optional<int64_t> parse_bytes(std::string_view text);
std::string format_bytes(int64_t bytes);

// Nanoseconds since 1970 as "2026-01-31 23:59:59.123Z"; sorts as text, and is valid for datetime() of SQLite.
std::string format_wall_ns(int64_t unix_ns);

}  // namespace tide
