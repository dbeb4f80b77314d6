// "Did you mean": finds the known name most similar to a given one.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tide {

// Number of edits (insert, delete, replace, swap of neighbours) between two texts, ignoring case and '_'.
size_t edit_distance(std::string_view a, std::string_view b);

// The most similar of `known`, or "" if none is similar enough.
std::string_view nearest_name(std::string_view typed, std::span<const std::string_view> known);

// `Did you mean "..."?`, or "" if no name is similar.
std::string did_you_mean(std::string_view typed, std::span<const std::string_view> known);

}  // namespace tide
