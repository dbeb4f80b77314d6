// TextPage: a page of text for people, 80 columns wide, into which texts of others may be put.
//
// No control character reaches the page except its own line breaks: neither escape sequences (also those of one character)
// nor characters that change the direction of writing. Text is valid UTF-8. Lines break at blanks, and within words that
// are wider than the page; wide characters count as two columns.
// Threads: one at a time. Failure: none.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tide {

inline constexpr size_t kPageColumns = 80;

// The text in one line without anything that a terminal would obey.
std::string one_line(std::string_view text);
// Columns of a terminal.
size_t columns_of(std::string_view text);

class TextPage {
 public:
  explicit TextPage(std::string& out) : out_(out) {}

  // Text after `label`, which is padded to `indent` columns; further lines begin there too.
  void put(std::string_view label, std::string_view text, size_t indent);
  void put(std::string_view text) { put("", text, 0); }
  void heading(std::string_view left, std::string_view right);  // at both ends of a line, underlined
  // SQL that can be copied: one line if it fits, else broken after commas that are outside of literals.
  void command(std::string_view sql, size_t indent);
  void blank() { out_ += '\n'; }

 private:
  std::string& out_;
};

}  // namespace tide
