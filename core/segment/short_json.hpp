// Limits a JSON object to a number of bytes: the result is valid JSON and marks what was left out.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tide {

// The object unchanged if it fits. Otherwise its longest texts are cut first, each at a word and marked by "..."; if
// that is not enough, members are left out from the end. "" for anything but an object.
std::string shortened_object(std::string_view object, size_t bytes_max);

}  // namespace tide
