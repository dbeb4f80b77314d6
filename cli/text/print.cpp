#include "text/print.hpp"

#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

namespace tide::cli {
namespace {

struct Character {
  uint32_t code = 0;
  size_t bytes = 0;  // 0: invalid
};

// Strict: no overlong forms, no surrogates.
Character character_at(std::string_view text, size_t place) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[place + i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1};
  const size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || place + bytes > text.size()) return {};
  uint32_t code = first & (0xffU >> (bytes + 1));
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3fU);
  }
  const bool is_overlong = code < (bytes == 2 ? 0x80U : bytes == 3 ? 0x800U : 0x10000U);
  if (is_overlong || (code >= 0xd800 && code < 0xe000) || code > 0x10ffff) return {};
  return {code, bytes};
}

// Invisible, or with an effect on the characters around.
bool is_harmful(uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0xad || code == 0x61c ||
         (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
         (code >= 0x2060 && code <= 0x206f) || code == 0xfeff || (code >= 0xfff9 && code <= 0xfffb) ||
         (code >= 0xe0000 && code < 0xe0080);
}

std::string escape_of(uint32_t code) {
  if (code == '\n') return "\\n";
  if (code == '\t') return "\\t";
  if (code == '\r') return "\\r";
  return code < 0x80 ? fmt::format("\\x{:02x}", code) : fmt::format("\\u{:04x}", code);
}

bool is_utf8() {
  static const bool is = std::strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
  return is;
}

int columns_of(uint32_t code) {
  if (code < 0x80) return 1;
  const int columns = is_utf8() ? wcwidth(static_cast<wchar_t>(code)) : 1;
  return columns < 0 ? 1 : columns;
}

bool has_failed = false;

void write_to(std::FILE* file, std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), file) != text.size() && file == stdout) has_failed = true;
}

std::string message_of(std::string_view first, std::string_view detail, std::string_view hint) {
  std::string text = fmt::format("tidepool: {}\n", first);
  if (!detail.empty()) text += fmt::format("  {}\n", detail);
  if (!hint.empty()) text += fmt::format("  hint: {}\n", hint);
  return text;
}

// Lines of a detail stay lines; everything else foreign becomes visible.
std::string visible_lines(std::string_view text) {
  std::string out;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    out += (begin == 0 ? "" : "\n  ") + visible(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

}  // namespace

Terminal terminal() {
  Terminal found;
  found.is_terminal = ::isatty(STDOUT_FILENO) == 1;
  if (!found.is_terminal) return found;
  const char* const no_colour = std::getenv("NO_COLOR");
  const char* const kind = std::getenv("TERM");
  found.has_colour =
      (no_colour == nullptr || no_colour[0] == '\0') && kind != nullptr && std::strcmp(kind, "dumb") != 0;
  winsize size{};
  found.width = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
  return found;
}

void print(std::string_view text) { write_to(stdout, text); }

void print_error(std::string_view text) {
  std::fflush(stdout);
  write_to(stderr, text);
}

void print_failure(const Failure& failure) {
  print_error(message_of(visible(failure.message), visible_lines(failure.detail), visible(failure.hint)));
}

void print_warning(std::string_view message, std::string_view hint) {
  print_error(message_of("warning: " + visible(message), "", visible(hint)));
}

bool is_output_complete() {
  if (!has_failed && std::fflush(stdout) == 0) return true;
  if (errno == EPIPE) return true;  // the reader has seen enough
  print_failure({kFailed, std::string("cannot write the output: ") + std::strerror(errno)});
  return false;
}

std::string visible(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t place = 0; place < text.size();) {
    const Character character = character_at(text, place);
    if (character.bytes == 0) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[place++]));
      continue;
    }
    if (is_harmful(character.code)) {
      out += escape_of(character.code);
    } else {
      out += text.substr(place, character.bytes);
    }
    place += character.bytes;
  }
  return out;
}

std::string in_quotes(std::string_view text) {
  constexpr size_t kShownMax = 80;
  return '"' + cut(visible(text), kShownMax) + '"';
}

int width_of(std::string_view text) {
  int width = 0;
  for (size_t place = 0; place < text.size();) {
    const Character character = character_at(text, place);
    width += character.bytes == 0 ? 1 : columns_of(character.code);
    place += std::max<size_t>(1, character.bytes);
  }
  return width;
}

std::string cut(std::string_view text, int width) {
  if (width_of(text) <= width) return std::string(text);
  if (width <= 0) return "";
  size_t end = 0;
  for (int used = 1; end < text.size();) {  // one for the mark
    const Character character = character_at(text, end);
    used += character.bytes == 0 ? 1 : columns_of(character.code);
    if (used > width) break;
    end += std::max<size_t>(1, character.bytes);
  }
  return std::string(text.substr(0, end)) + (is_utf8() ? "…" : "~");
}

}  // namespace tide::cli
