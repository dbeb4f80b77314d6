#include "policy/words.hpp"

#include "base/text.hpp"

namespace tide {
namespace {

bool is_key_char(char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '.'; }
bool is_quote(char c) { return c == '\'' || c == '"'; }
bool is_separator(char c) { return is_blank(c) || c == ','; }

class WordReader {
 public:
  explicit WordReader(std::string_view text) : text_(text) {}

  bool at_end() {
    while (at_ < text_.size() && is_separator(text_[at_])) ++at_;
    return at_ == text_.size();
  }

  Result<GivenOption> next() {
    const size_t start = at_;
    while (at_ < text_.size() && is_key_char(text_[at_])) ++at_;
    GivenOption option{std::string(text_.substr(start, at_ - start)), {}, {}};
    if (option.name.empty()) {
      return broken("expected the name of an option", start,
                    "Write options as key=value, and enclose a value with blanks in quotes.");
    }
    skip_blanks();
    if (at_ == text_.size() || text_[at_] != '=') {
      // Only the name of an option is certainly not a secret.
      const bool is_known = find_setting(option.name) != nullptr;
      return broken(is_known ? "option " + in_quotes(option.name) + " has no value" : "expected \"=\" after the word",
                    start, is_known ? "Write " + option.name + "=..." : "Enclose a value with blanks in quotes.");
    }
    ++at_;
    const bool has_blank = at_ < text_.size() && is_blank(text_[at_]);
    skip_blanks();
    Status status =
        at_ < text_.size() && is_quote(text_[at_]) ? read_quoted(option.value) : read_bare(option.value, has_blank);
    if (!status) return status;
    return option;
  }

 private:
  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }

  Status read_quoted(std::string& value) {
    const size_t start = at_;
    const char quote = text_[at_++];
    for (; at_ < text_.size(); ++at_) {
      const bool has_next = at_ + 1 < text_.size();
      if (text_[at_] == '\\' && has_next && (is_quote(text_[at_ + 1]) || text_[at_ + 1] == '\\')) {
        ++at_;
      } else if (text_[at_] == quote) {
        if (!has_next || text_[at_ + 1] != quote) break;
        ++at_;
      }
      value.push_back(text_[at_]);
    }
    if (at_ == text_.size()) {
      return broken("a quoted value is not terminated", start, "Close it with the same kind of quote.");
    }
    ++at_;
    if (at_ < text_.size() && !is_separator(text_[at_])) {
      return broken("text follows a closing quote", at_,
                    "Separate options by blanks, and double a quote inside a value.");
    }
    return Status::ok();
  }

  Status read_bare(std::string& value, bool has_blank) {
    const size_t start = at_;
    while (at_ < text_.size() && !is_separator(text_[at_])) ++at_;
    value = std::string(text_.substr(start, at_ - start));
    // "a= b=1" was more likely meant to leave a empty than to set it to "b=1".
    if (has_blank && value.find('=') != std::string::npos) {
      return broken("a value is missing", start, "Write an empty value as ''.");
    }
    return Status::ok();
  }

  static Status broken(const std::string& what, size_t at, std::string hint) {
    return Status::error(Code::bad_option, "invalid options: " + what + " at position " + std::to_string(at + 1),
                         "Options are key=value words, separated by blanks, commas or line breaks, or a JSON object.",
                         std::move(hint));
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

Result<std::vector<GivenOption>> parse_words(std::string_view text) {
  std::vector<GivenOption> given;
  WordReader reader(text);
  while (!reader.at_end()) {
    Result<GivenOption> next = reader.next();
    if (!next) return next.take_status();
    given.push_back(next.take());
  }
  return given;
}

}  // namespace tide
