#include "statement/placeholders.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

#include "base/nearest.hpp"
#include "base/text.hpp"
#include "statement/limits.hpp"
#include "statement/operands.hpp"
#include "statement/splitter.hpp"

namespace tide {
namespace {

using Kind = SqlScanner::Kind;
using Token = SqlScanner::Token;

constexpr char kAccepted[] =
    "Accepted are $1, $2 ..., ?1, ?2 ..., or ? for each parameter in the order of the text, but not ? together with "
    "numbers.";

bool is_part_of_name(char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '$' || (c & 0x80) != 0; }
bool is_start_of_name(char c) { return is_part_of_name(c) && !is_digit(c) && c != '$'; }

bool has_number(std::string_view parameter) {
  return parameter.size() > 1 && (parameter[0] == '$' || parameter[0] == '?') &&
         std::all_of(parameter.begin() + 1, parameter.end(), is_digit);
}

class Translator {
 public:
  Translator(std::string_view given, Dialect dialect, Placeholders style, std::span<const std::string_view> names)
      : given_(given),
        dialect_(dialect),
        style_(style),
        names_(names),
        scanner_(given, dialect),
        splitter_(dialect),
        is_named_(names.size(), false) {}

  Result<StatementText> run() {
    if (given_.size() > std::numeric_limits<int32_t>::max()) {
      return Status::error(Code::bad_argument, "the statement is too long", "Accepted are texts of less than 2 GiB.");
    }
    if (given_.find('\0') != given_.npos) {
      return Status::error(Code::bad_argument, "the statement contains a NUL byte",
                           "The database would execute only the part before it.", "Pass the value as a parameter.");
    }
    if (style_ == Placeholders::native) {
      out_.parameters = -1;
      is_untouched_ = true;
    } else if (Status status = check_names(); !status) {
      return status;
    } else {
      const bool is_any_sign = style_ == Placeholders::named || !is_postgresql();
      is_untouched_ = given_.find_first_of(is_any_sign ? "?$:@#" : "?$") == given_.npos;
    }
    are_operators_ = style_ == Placeholders::named || has_dollar_number();
    if (!is_untouched_ || given_.find(';') != given_.npos) scan();
    if (!status_) return std::move(status_);
    if (Status status = check_use_of_names(); !status) return status;
    out_.sql.append(given_, copied_);
    return std::move(out_);
  }

 private:
  bool is_postgresql() const { return dialect_ == Dialect::postgresql; }

  // PostgreSQL: whether ? is an operator throughout, because the parameters are $1 ...
  bool has_dollar_number() const {
    if (!is_postgresql() || given_.find('?') == given_.npos || given_.find('$') == given_.npos) return false;
    SqlScanner scanner(given_, dialect_);
    for (Token token = scanner.next(); token.kind != Kind::end; token = scanner.next()) {
      if (token.kind == Kind::parameter) return true;
    }
    return false;
  }

  void scan() {
    for (Token token = scanner_.next(); token.kind != Kind::end && status_; token = scanner_.next()) {
      if (is_ended_) out_.has_several = out_.has_several || !token.is_symbol(';');
      if (splitter_.take(token)) is_ended_ = true;
      if (is_untouched_) continue;
      if (!is_postgresql()) {
        if (token.kind == Kind::parameter) take_parameter(token.text, scanner_.start(), scanner_.position());
        continue;
      }
      if (token.kind == Kind::parameter) {
        take_parameter(token.text, scanner_.start(), scanner_.position());
        operands_.take(token);
      } else if (token.kind == Kind::symbol && is_operator_character(token.text.front())) {
        take_operators(scanner_.start());
      } else if (token.is_symbol(':')) {
        take_colon(scanner_.start());
      } else {
        operands_.take(token);
      }
    }
  }

  // A run of characters of operators of PostgreSQL, which may be several operators and parameters: ||?||
  void take_operators(size_t begin) {
    const size_t end = end_of_operators(given_, begin);
    scanner_.seek(end);
    for (size_t i = begin; i < end && status_;) {
      const std::string_view run = given_.substr(i, end - i);
      if (run.front() != '?') {
        const size_t known = operands_.is_expected() ? 0 : known_operator(run);
        i += known > 0 ? known : std::min(run.find('?'), run.size());
        operands_.take_operator(run.substr(0, 1));
      } else if (run.starts_with("??")) {  // the escape for an operator with ?
        replace(i, i + 2, "?");
        i += 2;
        i += std::min(given_.substr(i, end - i).find('?'), end - i);
        operands_.take_operator("?");
      } else if (are_operators_ || operands_.is_in_operator_clause()) {
        ++i;
        operands_.take_operator("?");
      } else if (operands_.is_expected() || (run.size() == 1 && is_before_bound_of_frame(end))) {
        size_t after = i + 1;
        if (after == end) {
          while (after < given_.size() && is_digit(given_[after])) ++after;
          scanner_.seek(after);
        }
        take_parameter(given_.substr(i, after - i), i, after);
        operands_.take_operand();
        i = after;
      } else {
        i += std::max(known_operator(run), size_t{1});
        operands_.take_operator("?");
      }
    }
  }

  // Whether PRECEDING or FOLLOWING is next: ROWS ? PRECEDING.
  bool is_before_bound_of_frame(size_t from) const {
    SqlScanner ahead(given_.substr(from), dialect_);
    Token token = ahead.next();
    if (token.kind == Kind::literal) token = ahead.next();  // of ?1
    return token.is_word("preceding") || token.is_word("following");
  }

  void take_colon(size_t begin) {
    const char after = begin + 1 < given_.size() ? given_[begin + 1] : '\0';
    if (after == ':' || after == '=') {
      scanner_.seek(begin + 2);
      operands_.take_colons(after == '=');
    } else if (style_ == Placeholders::named && is_start_of_name(after) && operands_.is_expected() &&
               !operands_.is_in_subscript()) {
      size_t end = begin + 1;
      while (end < given_.size() && is_part_of_name(given_[end])) ++end;
      scanner_.seek(end);
      take_parameter(given_.substr(begin, end - begin), begin, end);
      operands_.take_operand();
    } else {
      operands_.take_colons(true);
    }
  }

  // A parameter as it is written, at these bytes of the given text.
  void take_parameter(std::string_view written, size_t begin, size_t end) {
    const std::optional<int> number = style_ == Placeholders::named ? number_of_name(written) : number_of(written);
    if (!number) return;
    out_.parameters = std::max(out_.parameters, *number);
    std::string sent = (is_postgresql() ? '$' : '?') + std::to_string(*number);
    if (sent == written) return;
    // "limit?" and "?and": without a blank the number would become a part of the word, or the word one of the number.
    if (is_postgresql() && begin > 0 && is_part_of_name(given_[begin - 1])) sent.insert(0, 1, ' ');
    if (is_postgresql() && end < given_.size() && is_part_of_name(given_[end])) sent += ' ';
    replace(begin, end, sent);
  }

  std::optional<int> number_of(std::string_view written) {
    if (written != "?" && !has_number(written)) {
      return refuse("parameter " + in_quotes(written) + " in a text with numbered parameters", kAccepted,
                    "Request named parameters, or pass the text as it is (native placeholders).");
    }
    std::string_view& seen = written == "?" ? plain_ : numbered_;
    if (seen.empty()) seen = written;
    if (!plain_.empty() && !numbered_.empty()) {
      return refuse("parameters " + std::string(plain_) + " and " + in_quotes(numbered_) + " in one text", kAccepted);
    }
    int number = ++plain_count_;
    if (written != "?") {
      const char* const last = written.data() + written.size();
      const auto [stop, error] = std::from_chars(written.data() + 1, last, number);
      if (error != std::errc() || stop != last) number = 0;
    }
    if (number < 1 || number > kParametersMax) {
      return refuse(written == "?" ? "too many parameters ?" : "parameter number out of range: " + in_quotes(written),
                    "Accepted are 1 to " + std::to_string(kParametersMax) + ".");
    }
    return number;
  }

  std::optional<int> number_of_name(std::string_view written) {
    if (!written.starts_with(':')) {
      return refuse("parameter " + in_quotes(written) + " in a text with named parameters",
                    "Accepted is :name for each name given.");
    }
    const std::string_view name = written.substr(1);
    const auto found = std::find(names_.begin(), names_.end(), name);
    if (found == names_.end()) {
      return refuse("no value for parameter " + in_quotes(written), given_names(), did_you_mean(name, names_));
    }
    is_named_[static_cast<size_t>(found - names_.begin())] = true;
    return static_cast<int>(found - names_.begin()) + 1;
  }

  std::string given_names() const {
    constexpr size_t kNamesShownMax = 20;
    if (names_.empty()) return "No names were given.";
    std::string text = "Names given:";
    for (size_t i = 0; i < std::min(names_.size(), kNamesShownMax); ++i) {
      text += (i > 0 ? ", " : " ") + shown_text(names_[i]);
    }
    return text + (names_.size() > kNamesShownMax ? " ..." : ".");
  }

  Status check_names() const {
    if (style_ != Placeholders::named) return Status::ok();
    if (names_.size() > kParametersMax) {
      return Status::error(Code::bad_argument, "too many parameters: " + std::to_string(names_.size()),
                           "Accepted are up to " + std::to_string(kParametersMax) + ".");
    }
    std::vector<std::string_view> sorted(names_.begin(), names_.end());
    std::sort(sorted.begin(), sorted.end());
    const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
    if (twice != sorted.end()) {
      return Status::error(Code::bad_argument, "parameter name " + in_quotes(*twice) + " specified more than once");
    }
    for (const std::string_view name : names_) {
      if (!name.empty() && is_start_of_name(name.front()) && std::all_of(name.begin(), name.end(), is_part_of_name))
        continue;
      return Status::error(
          Code::bad_argument, "invalid parameter name " + in_quotes(name),
          "A name consists of letters, digits and _, does not start with a digit, and is given without "
          "the colon.");
    }
    return Status::ok();
  }

  Status check_use_of_names() const {
    const auto unused = std::find(is_named_.begin(), is_named_.end(), false);
    if (style_ != Placeholders::named || unused == is_named_.end()) return Status::ok();
    const std::string_view name = names_[static_cast<size_t>(unused - is_named_.begin())];
    return Status::error(Code::bad_argument, "the statement has no parameter " + in_quotes(":" + std::string(name)));
  }

  std::nullopt_t refuse(std::string message, std::string detail, std::string hint = {}) {
    status_ = Status::error(Code::bad_argument, std::move(message), std::move(detail), std::move(hint));
    return std::nullopt;
  }

  // Replaces bytes of the given text.
  void replace(size_t begin, size_t end, std::string_view by) {
    out_.sql.append(given_.substr(copied_, begin - copied_));
    out_.sql.append(by);
    copied_ = end;
    if (by.size() != end - begin) {
      out_.shifts.emplace_back(static_cast<uint32_t>(out_.sql.size()), static_cast<uint32_t>(end));
    }
  }

  std::string_view given_;
  Dialect dialect_;
  Placeholders style_;
  std::span<const std::string_view> names_;
  SqlScanner scanner_;
  Splitter splitter_;
  Operands operands_;
  StatementText out_;
  Status status_;
  size_t copied_ = 0;           // bytes of the given text that are in out_.sql
  bool is_untouched_ = false;   // nothing can have to be replaced
  bool are_operators_ = false;  // PostgreSQL: every ? is one
  bool is_ended_ = false;       // the first statement
  std::string_view plain_;      // the first ? of the text
  std::string_view numbered_;   // the first $1 or ?1
  int plain_count_ = 0;
  std::vector<bool> is_named_;  // parallel to names_: it is in the text
};

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// The byte at which a character begins, from 1.
size_t byte_of(std::string_view text, int32_t character) {
  size_t byte = 0;
  for (int32_t i = 1; i < character && byte < text.size(); ++i) {
    ++byte;
    while (byte < text.size() && continues_character(text[byte])) ++byte;
  }
  return byte;
}

int32_t character_of(std::string_view text, size_t byte) {
  const std::string_view before = text.substr(0, byte);
  return 1 + static_cast<int32_t>(
                 before.size() - static_cast<size_t>(std::count_if(before.begin(), before.end(), continues_character)));
}

// The byte of `to` for one of `from`, where both have the same tokens; at most the end.
size_t same_byte(std::string_view from, std::string_view to, size_t byte, Dialect dialect) {
  SqlScanner source(from, dialect), target(to, dialect);
  for (;;) {
    const Token token = source.next();
    const bool is_end = target.next().kind == Kind::end || token.kind == Kind::end;
    if (is_end || byte < source.position()) break;
  }
  const size_t inside = byte > source.start() ? byte - source.start() : 0;
  return std::min(target.start() + inside, to.size());
}

}  // namespace

Result<StatementText> translate(std::string_view given, Dialect dialect, Placeholders style,
                                std::span<const std::string_view> names) {
  return Translator(given, dialect, style, names).run();
}

int32_t StatementText::position_in(std::string_view given, int32_t position) const {
  if (position <= 0) return 0;
  size_t byte = byte_of(sql, position);
  const auto next = std::find_if(shifts.begin(), shifts.end(), [&](const auto& shift) { return shift.first > byte; });
  if (next != shifts.begin()) {
    const auto& [sent, written] = *(next - 1);
    byte = written + (byte - sent);
  }
  // A position inside of what was replaced becomes one inside of what was written.
  if (next != shifts.end() && byte >= next->second) byte = next->second - 1;
  return character_of(given, std::min(byte, given.size()));
}

int32_t same_position(std::string_view from, std::string_view to, int32_t position, Dialect dialect) {
  if (position <= 0 || from == to) return position;
  return character_of(to, same_byte(from, to, byte_of(from, position), dialect));
}

namespace {

// Comments beside blanks become one blank, in which hints remain. A line break remains, because it makes one literal of
// 'a' and 'b' in PostgreSQL; with a block comment between them it does not.
class Gap {
 public:
  Gap(std::string_view text, Dialect dialect) : text_(text), dialect_(dialect) {
    while (at_ < text_.size()) {
      if (rest().starts_with("--")) {
        has_comment_ = true;
        while (at_ < text_.size() && !is_line_break(text_[at_])) ++at_;
      } else if (rest().starts_with("/*")) {
        take_block();
      } else {
        has_line_break_ = has_line_break_ || is_line_break(text_[at_]);
        ++at_;
      }
    }
  }
  const std::string& hints() const { return hints_; }
  std::string blank() const {
    if (!has_comment_) return std::string(text_);
    if (!hints_.empty()) return ' ' + hints_;
    return has_line_break_ && !has_block_ ? "\n" : " ";
  }

 private:
  std::string_view rest() const { return text_.substr(at_); }
  bool is_line_break(char c) const { return c == '\n' || (c == '\r' && dialect_ == Dialect::postgresql); }
  void take_block() {
    const size_t begin = at_;
    int depth = 0;
    while (at_ < text_.size()) {
      const bool opens = rest().starts_with("/*") && (depth == 0 || dialect_ == Dialect::postgresql);
      const bool closes = !opens && rest().starts_with("*/");
      depth += opens ? 1 : closes ? -1 : 0;
      at_ += opens || closes ? 2 : 1;
      if (depth == 0) break;
    }
    has_comment_ = has_block_ = true;
    const std::string_view comment = text_.substr(begin, at_ - begin);
    if (comment.starts_with("/*+")) hints_.append(comment).append(1, ' ');
  }

  std::string_view text_;
  Dialect dialect_;
  size_t at_ = 0;
  bool has_comment_ = false;
  bool has_block_ = false;
  bool has_line_break_ = false;
  std::string hints_;
};

}  // namespace

std::string statement_key(std::string_view sql, Dialect dialect) {
  std::string key;
  key.reserve(sql.size());
  SqlScanner scanner(sql, dialect);
  size_t end = 0;  // of the last token
  for (Token token = scanner.next(); token.kind != Kind::end; token = scanner.next()) {
    const Gap gap(sql.substr(end, scanner.start() - end), dialect);
    key += end == 0 ? gap.hints() : gap.blank();
    end = scanner.position();
    key.append(sql.substr(scanner.start(), end - scanner.start()));
  }
  key += Gap(sql.substr(end), dialect).hints();
  // Where a literal ends is not known: what looks like a comment may be a part of it.
  return scanner.is_unclear() ? std::string(sql) : key;
}

}  // namespace tide
