// Structs of callers: those that begin with their size are copied into the layout that this library knows.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include <tidepool/base.h>

#include "base/status.hpp"

namespace tide {

// A shorter struct leaves the other members of `out` at their defaults; a longer one is accepted as long as its unknown
// bytes are zero.
template <typename T>
Status read_struct(const T* from, const char* name, T& out) {
  if (from == nullptr) return Status::ok();
  uint32_t size = 0;
  std::memcpy(&size, from, sizeof size);
  if (size < sizeof size || size > 4096) {
    return Status::error(Code::bad_argument, std::string(name) + ".size is " + std::to_string(size),
                         "accepted: sizeof(" + std::string(name) + ")", "initialise it with its ..._INIT macro");
  }
  const auto* bytes = reinterpret_cast<const unsigned char*>(from);
  for (uint32_t i = sizeof(T); i < size; ++i) {
    if (bytes[i] != 0) {
      return Status::error(Code::bad_argument,
                           std::string(name) + " requests something that this version does not support",
                           "this is tidepool " + std::string(TIDE_VERSION_TEXT), "use a newer library");
    }
  }
  std::memcpy(&out, from, size < sizeof(T) ? size : sizeof(T));
  return Status::ok();
}

// Of TIDE_TEXT; the pointer is not NULL.
inline std::string_view text_of(const tide_value& value) {
  return value.length == 0 ? std::string_view(value.text) : std::string_view(value.text, value.length);
}

}  // namespace tide
