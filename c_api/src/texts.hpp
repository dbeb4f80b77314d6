// Texts of callers.
#pragma once

#include <string>

namespace tide {

inline std::string or_empty(const char* text) { return text == nullptr ? std::string{} : std::string(text); }

}  // namespace tide
