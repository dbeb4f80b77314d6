// FixedText<N>: at most N bytes of text, for memory that other processes read.
//
// Trivially copyable. The bytes after the text are always zero, so that no old text remains in a segment.
// A text that is too long is truncated at a UTF-8 boundary, never inside a character.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace tide {

// The longest prefix of `text` with at most `bytes_max` bytes that ends between two UTF-8 characters.
inline std::string_view utf8_prefix(std::string_view text, size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  size_t n = bytes_max;
  while (n > 0 && (static_cast<unsigned char>(text[n]) & 0xC0U) == 0x80U) --n;
  return text.substr(0, n);
}

// Like that, for display: truncation is marked by "...", and is between words if possible.
inline std::string shortened(std::string_view text, size_t bytes_max) {
  constexpr std::string_view kMark = "...";
  if (text.size() <= bytes_max) return std::string(text);
  std::string_view kept = utf8_prefix(text, bytes_max < kMark.size() ? 0 : bytes_max - kMark.size());
  const size_t space = text[kept.size()] == ' ' ? kept.size() : kept.find_last_of(' ');
  if (space != kept.npos && space >= kept.size() / 2) kept = kept.substr(0, space);
  while (kept.ends_with(' ')) kept.remove_suffix(1);
  return std::string(kept).append(kMark);
}

template <size_t N>
struct FixedText {
  static_assert(N % 8 == 0 && N > 8 && N <= 4096);
  static constexpr size_t kBytesMax = N - 2;

  uint16_t length = 0;
  char bytes[kBytesMax] = {};

  FixedText() = default;
  explicit FixedText(std::string_view text) { assign(text); }

  void assign(std::string_view text) {
    const std::string_view kept = utf8_prefix(text, kBytesMax);
    if (!kept.empty()) std::memcpy(bytes, kept.data(), kept.size());
    std::memset(bytes + kept.size(), 0, kBytesMax - kept.size());
    length = static_cast<uint16_t>(kept.size());
  }
  // For display: see shortened().
  void assign_shortened(std::string_view text) {
    if (text.size() <= kBytesMax) return assign(text);
    assign(shortened(text, kBytesMax));
  }
  // How much of a NUL-terminated text assign() needs: enough to find the beginning of the last character.
  static std::string_view prefix_of(const char* text) { return {text, strnlen(text, kBytesMax + 4)}; }
  // Safe for memory written by an untrusted process: the length is checked against the capacity.
  std::string_view view() const { return {bytes, length <= kBytesMax ? length : kBytesMax}; }
  std::string str() const { return std::string(view()); }
  bool empty() const { return length == 0; }
};

static_assert(std::is_trivially_copyable_v<FixedText<64>> && sizeof(FixedText<64>) == 64);

}  // namespace tide
