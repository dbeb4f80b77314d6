#include "grid.hpp"

#include <wchar.h>

#include <algorithm>

#include "text/print.hpp"

namespace tide::cli::top {
namespace {

// The character at the beginning of valid UTF-8, which is removed from it.
char32_t take_character(std::string_view& text) {
  const auto first = static_cast<unsigned char>(text.front());
  const size_t bytes = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  auto code = static_cast<char32_t>(bytes == 1 ? first : first & (0xFFu >> (bytes + 1)));
  for (size_t i = 1; i < std::min(bytes, text.size()); ++i) {
    code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3Fu);
  }
  text.remove_prefix(std::min(bytes, text.size()));
  return code;
}

std::string utf8_of(char32_t c) {
  std::string out;
  if (c < 0x80) return std::string(1, static_cast<char>(c));
  const int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  static constexpr unsigned kFirst[] = {0, 0xC0, 0xE0, 0xF0};
  out.push_back(static_cast<char>(kFirst[more] | c >> (6 * more)));
  for (int i = more - 1; i >= 0; --i) out.push_back(static_cast<char>(0x80 | (c >> (6 * i) & 0x3F)));
  return out;
}

// Combining characters have none; they are left out.
int columns_of(char32_t c) { return c < 0x80 ? 1 : wcwidth(static_cast<wchar_t>(c)); }

}  // namespace

Grid::Grid(Size size, bool is_utf8)
    : size_{std::max(size.width, 1), std::max(size.height, 1)},
      is_utf8_(is_utf8),
      cells_(static_cast<size_t>(size_.width) * static_cast<size_t>(size_.height)) {}

GridCell* Grid::cell(int x, int y) {
  if (x < 0 || y < 0 || x >= size_.width || y >= size_.height) return nullptr;
  return &cells_[static_cast<size_t>(y * size_.width + x)];
}

void Grid::set(int x, int y, char32_t character, Style style) {
  if (GridCell* one = cell(x, y)) {
    one->character = character;
    one->style = style;
  }
}

int Grid::put(int x, int y, std::string_view text, Style style, int width, bool is_bold) {
  const std::string safe = visible(text);
  const int end = std::min(x + std::min(width, size_.width), size_.width);
  // Where there is no room for the whole text, its last column is for the mark.
  const bool is_cut = shown_width(text) > end - x;
  std::string_view left = safe;
  int at = x;
  while (!left.empty()) {
    char32_t c = take_character(left);
    int columns = is_utf8_ ? columns_of(c) : 1;
    if (columns < 0 || (!is_utf8_ && c >= 0x80)) {
      c = '?';
      columns = 1;
    }
    if (columns == 0) continue;
    if (at + columns > end - (is_cut ? 1 : 0)) break;
    set(at, y, c, style);
    for (int i = 1; i < columns; ++i) set(at + i, y, 0, style);
    for (int i = 0; i < columns; ++i) {
      if (GridCell* one = cell(at + i, y)) one->is_bold = is_bold;
    }
    at += columns;
  }
  if (is_cut && at < end) set(at++, y, is_utf8_ ? U'…' : U'~', style);
  return at;
}

void Grid::set_reverse(int x, int y, int width, bool is_reverse) {
  for (int i = 0; i < std::min(width, size_.width); ++i) {
    if (GridCell* one = cell(x + i, y)) one->is_reverse = is_reverse;
  }
}

std::string Grid::row(int y) const {
  std::string out;
  for (int x = 0; x < size_.width; ++x) {
    if (at(x, y).character != 0) out += utf8_of(at(x, y).character);
  }
  out.erase(out.find_last_not_of(' ') + 1);
  return out;
}

int shown_width(std::string_view text) {
  const std::string safe = visible(text);
  std::string_view left = safe;
  int width = 0;
  while (!left.empty()) {
    const int columns = columns_of(take_character(left));
    width += columns < 0 ? 1 : columns;
  }
  return width;
}

}  // namespace tide::cli::top
