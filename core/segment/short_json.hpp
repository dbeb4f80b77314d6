// A JSON object within so many bytes: it stays one, and says where something is left out.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tide {

// The object as it is where it fits. Else its longest texts are cut, the longest first, each at a word and marked by
// "..."; if that is not enough, members are left out from the end. "" for what is no object.
std::string shortened_object(std::string_view object, size_t bytes_max);

}  // namespace tide
