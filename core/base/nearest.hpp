// "Did you mean": the known name nearest to what was typed.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tide {

// Edits (insert, delete, replace, swap of neighbours) between two texts, case and '_' ignored.
size_t edit_distance(std::string_view a, std::string_view b);

// The nearest of `known`, or "" when even the nearest is too far off to be meant.
std::string_view nearest_name(std::string_view typed, std::span<const std::string_view> known);

// `did you mean "..."?`, or "" where none is near.
std::string did_you_mean(std::string_view typed, std::span<const std::string_view> known);

}  // namespace tide
