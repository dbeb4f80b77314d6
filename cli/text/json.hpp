// JSON: writes values so that every reader accepts them, whatever they contain.
//
// Threads: any.
#pragma once

#include <string>
#include <string_view>

namespace tide::cli {

// A string with its quotes; invalid UTF-8 becomes U+FFFD.
std::string json_string(std::string_view text);
// `text` itself if it is JSON, else the same as a string.
std::string json_or_string(std::string_view text);

// ["a","b"] as people read it: "a; b"; other JSON as it is.
std::string json_shown(std::string_view text);

}  // namespace tide::cli
