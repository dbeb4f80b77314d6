#include "render/text_page.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/text.hpp"

namespace tide {
namespace {

struct CodeRange {
  char32_t first, last;
};
// Controls of ISO 6429, marks and overrides of the direction of writing, line separators, invisible characters.
constexpr CodeRange kObeyed[] = {{0x00, 0x1F},     {0x7F, 0x9F},     {0x200B, 0x200F},
                                 {0x2028, 0x202E}, {0x2060, 0x206F}, {0xFEFF, 0xFEFF}};
constexpr CodeRange kCombining[] = {{0x0300, 0x036F}, {0x1AB0, 0x1AFF}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}};
constexpr CodeRange kWide[] = {{0x1100, 0x115F}, {0x2E80, 0xA4CF},   {0xAC00, 0xD7A3},
                               {0xF900, 0xFAFF}, {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},
                               {0xFFE0, 0xFFE6}, {0x1F300, 0x1FAFF}, {0x20000, 0x3FFFD}};

template <size_t N>
bool is_in(const CodeRange (&ranges)[N], char32_t c) {
  return std::any_of(std::begin(ranges), std::end(ranges),
                     [&](CodeRange each) { return c >= each.first && c <= each.last; });
}

// A character and its bytes; invalid bytes are one question mark each.
struct Character {
  char32_t code = U'?';
  std::string_view bytes = "?";

  size_t columns() const { return is_in(kCombining, code) ? 0 : is_in(kWide, code) ? 2 : 1; }
};

Character next_of(std::string_view& text) {
  const size_t length = utf8_length(text);
  if (length == 0) {
    text.remove_prefix(1);
    return {};
  }
  const std::string_view bytes = text.substr(0, length);
  text.remove_prefix(length);
  auto code = static_cast<char32_t>(static_cast<unsigned char>(bytes[0]));
  if (length > 1) code &= (0x7FU >> length);
  for (size_t i = 1; i < length; ++i) code = (code << 6U) | (static_cast<unsigned char>(bytes[i]) & 0x3FU);
  return {code, bytes};
}

// The first part of the word that fits into `columns`, at least one character.
std::string_view part_that_fits(std::string_view word, size_t columns) {
  std::string_view rest = word;
  size_t used = 0;
  while (!rest.empty()) {
    std::string_view after = rest;
    used += next_of(after).columns();
    if (used > columns && rest.size() < word.size()) break;
    rest = after;
  }
  return word.substr(0, word.size() - rest.size());
}

// Appends words and breaks lines.
class Lines {
 public:
  Lines(std::string& out, size_t used, size_t indent) : out_(out), used_(used), indent_(indent) {}

  void add(std::string_view word) {
    if (!is_first_ && used_ + 1 + columns_of(word) > kPageColumns) {
      new_line();
    } else if (!is_first_) {
      append(" ");
    }
    while (used_ + columns_of(word) > kPageColumns) {
      if (used_ >= kPageColumns) new_line();
      const std::string_view part = part_that_fits(word, kPageColumns - used_);
      append(part);
      word.remove_prefix(part.size());
      if (!word.empty()) new_line();
    }
    append(word);
    is_first_ = false;
  }

 private:
  void append(std::string_view text) {
    out_ += text;
    used_ += columns_of(text);
  }
  void new_line() {
    out_.append("\n").append(indent_, ' ');
    used_ = indent_;
  }

  std::string& out_;
  size_t used_, indent_;
  bool is_first_ = true;
};

std::vector<std::string> arguments_of(std::string_view sql) {
  std::vector<std::string> parts(1);
  bool is_literal = false;
  for (const char c : sql) {
    if (c == '\'') is_literal = !is_literal;
    if (c == ' ' && !is_literal && parts.back().ends_with(',')) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

}  // namespace

std::string one_line(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const Character c = next_of(text);
    if (c.code == U'\n' || c.code == U'\t' || c.code == U'\r') {
      out += ' ';
    } else {
      out += is_in(kObeyed, c.code) ? std::string_view("?") : c.bytes;
    }
  }
  return out;
}

size_t columns_of(std::string_view text) {
  size_t columns = 0;
  while (!text.empty()) columns += next_of(text).columns();
  return columns;
}

void TextPage::put(std::string_view label, std::string_view text, size_t indent) {
  const std::string head = one_line(label);
  size_t used = columns_of(head);
  out_ += head;
  if (used < indent) {
    out_.append(indent - used, ' ');
    used = indent;
  } else if (used < kPageColumns && !label.empty() && !label.ends_with(' ') && !text.empty()) {
    out_ += ' ';
    ++used;
  }
  Lines lines(out_, used, indent);
  const std::string clean = one_line(text);
  std::string_view rest = trimmed_blanks(clean);
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(' '), rest.size());
    lines.add(rest.substr(0, end));
    rest = trimmed_blanks(rest.substr(end));
  }
  out_ += '\n';
}

void TextPage::heading(std::string_view left, std::string_view right) {
  const std::string first = one_line(left);
  const std::string second = one_line(right);
  const size_t used = columns_of(first) + columns_of(second);
  out_ += first;
  if (used < kPageColumns) out_.append(kPageColumns - used, ' ').append(second);
  out_ += '\n';
  if (used >= kPageColumns) put("", second, 0);
  out_.append(kPageColumns, '-').append("\n");
}

void TextPage::command(std::string_view sql, size_t indent) {
  const std::string clean = one_line(sql);
  if (indent + columns_of(clean) <= kPageColumns) {
    out_.append(indent, ' ').append(clean).append("\n");
    return;
  }
  for (const std::string& part : arguments_of(clean)) out_.append(indent, ' ').append(part).append("\n");
}

}  // namespace tide
