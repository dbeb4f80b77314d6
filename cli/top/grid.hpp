// Grid: a screen of characters with their styles. Painted by the painter, shown by the terminal.
//
// Foreign texts are made visible first (text/print.hpp): a grid contains no control characters, and a wide character never
// ends in the margin.
//
// Threads: one. Failure: none; what is outside of the grid is left out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "views.hpp"

namespace tide::cli::top {

struct Size {
  int width = 80;
  int height = 24;
  bool operator==(const Size&) const = default;
};

struct GridCell {
  char32_t character = ' ';  // 0: the second half of a wide one
  Style style = Style::plain;
  bool is_bold = false;
  bool is_reverse = false;
  bool operator==(const GridCell&) const = default;
};

class Grid {
 public:
  Grid(Size size, bool is_utf8);

  Size size() const { return size_; }
  bool is_utf8() const { return is_utf8_; }
  // Writes at most `width` columns of a text, the last one "…" if it is longer. Returns the column after it.
  int put(int x, int y, std::string_view text, Style style = Style::plain, int width = 1 << 20, bool is_bold = false);
  // A character of the program's own.
  void set(int x, int y, char32_t character, Style style = Style::plain);
  void set_reverse(int x, int y, int width, bool is_reverse = true);
  const GridCell& at(int x, int y) const { return cells_[static_cast<size_t>(y * size_.width + x)]; }
  // A row as UTF-8, without blanks at its end.
  std::string row(int y) const;

 private:
  GridCell* cell(int x, int y);

  Size size_;
  bool is_utf8_;
  std::vector<GridCell> cells_;
};

// Columns of a foreign text on the grid.
int shown_width(std::string_view text);

}  // namespace tide::cli::top
