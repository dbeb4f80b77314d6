// Value and Row: the contents of a relation, before a database converts them to its own types.
//
// A time is int64 microseconds since 1970, a boolean is int64 0 or 1. Null means "not measured" or "does not apply",
// never 0.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace tide {

using Value = std::variant<std::monostate, int64_t, double, std::string>;
using Row = std::vector<Value>;

inline bool is_null(const Value& value) { return std::holds_alternative<std::monostate>(value); }

}  // namespace tide
