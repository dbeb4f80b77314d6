#include "statement/fingerprint.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "base/text.hpp"

namespace tide {
namespace {

using TokenKind = SqlScanner::Kind;
using Token = SqlScanner::Token;

constexpr std::string_view kMore = "...";
constexpr size_t kDepthMax = 64;                     // of parentheses; what is deeper is left out
constexpr size_t kNameBytesMax = 128;                // a longer one in quotes is no name
constexpr std::string_view kNoSymbols = "'\"$\\{}";  // there is no such symbol: a literal is broken
constexpr std::string_view kNoSpaceBefore = ",).];";

// After these no operand has ended: a sign belongs to the number, and "(" is no call.
constexpr std::string_view kKeywords[] = {"all",    "and",  "any",    "as",    "between", "by",   "case",      "else",
                                          "exists", "from", "having", "ilike", "in",      "is",   "join",      "like",
                                          "limit",  "not",  "offset", "on",    "or",      "over", "returning", "select",
                                          "set",    "some", "then",   "using", "values",  "when", "where",     "with"};
// Behind these a text in double quotes is a name.
constexpr std::string_view kBeforeNames[] = {"as",    "column", "exists",     "from",   "index", "into", "join",
                                             "table", "update", "references", "rename", "to",    "view", "trigger"};
constexpr std::string_view kVerbs[] = {
    "alter",  "analyze",  "begin",     "call",   "comment", "commit",   "copy",   "create",  "delete",  "do",
    "drop",   "execute",  "explain",   "grant",  "insert",  "merge",    "pragma", "prepare", "release", "replace",
    "revoke", "rollback", "savepoint", "select", "set",     "truncate", "update", "vacuum",  "values",  "with"};

template <size_t N>
bool is_one_of_words(std::string_view word, const std::string_view (&words)[N]) {
  return std::any_of(std::begin(words), std::end(words),
                     [&](std::string_view each) { return is_same_word(word, each); });
}

bool is_word_byte(char c) { return is_letter(c) || is_digit(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80; }

// Whether a literal that a scanner returned has its closing quote.
bool has_closing_quote(std::string_view literal) {
  if (literal.front() == '$') {
    const size_t tag = literal.find('$', 1) + 1;
    return literal.size() >= 2 * tag && literal.ends_with(literal.substr(0, tag));
  }
  const size_t quote = literal.find('\'');
  if (quote == literal.npos) return true;  // a number
  const bool has_backslashes = quote == 1 && (literal[0] == 'e' || literal[0] == 'E');
  for (size_t i = quote + 1; i < literal.size(); ++i) {
    if (has_backslashes && literal[i] == '\\') {
      ++i;
    } else if (literal[i] == '\'') {
      if (i + 1 == literal.size()) return true;
      ++i;  // doubled
    }
  }
  return false;
}

class Normalizer {
 public:
  Normalizer(std::string_view sql, Dialect dialect, bool may_be_string)
      : sql_(sql.substr(0, kNormalizedBytesMax)),
        is_cut_(sql.size() > kNormalizedBytesMax),
        is_sqlite_(dialect == Dialect::sqlite),
        may_be_string_(may_be_string),
        scanner_(sql_, dialect) {}

  std::string text() {
    frames_.emplace_back();
    while (!is_over_ && !is_doubtful_) {
      const Token token = scanner_.next();
      if (token.kind == TokenKind::end) break;
      take(token);
      end_ = scanner_.position();
    }
    if (is_doubtful_ || sql_.find('\0') != sql_.npos)
      return verb_.empty() ? std::string(kMore) : verb_ + " " + std::string(kMore);
    if (is_cut_ || is_over_) {
      // The values of a list that is not complete would make another form of every length.
      if (frames_.size() > 1) out_.resize(frames_[1].open);
      while (out_.ends_with(' ') || out_.ends_with(',')) out_.pop_back();
      out_.append(" ").append(kMore);
    }
    while (out_.ends_with(';') || out_.ends_with(' ')) out_.pop_back();
    return clean_text(out_, "");
  }

 private:
  // What the last token was.
  enum class Last : uint8_t { none, operand, keyword, symbol, sign, literal };
  struct Part {
    size_t begin = 0, end = 0;
    bool is_set() const { return end != 0; }
  };
  // A pair of parentheses or brackets; the first one is the whole text.
  struct Frame {
    size_t open = 0;     // in the output
    size_t item = 0;     // the current item of the list begins here
    Part previous_item;  // of the list
    Part group;          // the last pair of parentheses inside
  };

  void take(const Token& token) {
    const size_t start = scanner_.start();
    if (is_beside_quote(token, start)) {
      is_doubtful_ = true;
      return;
    }
    switch (token.kind) {
      case TokenKind::word: take_word(token); break;
      case TokenKind::name: take_name(token, start); break;
      case TokenKind::literal: take_literal(token); break;
      case TokenKind::parameter: put_value(Last::operand); break;
      case TokenKind::symbol: take_symbol(token, start); break;
      case TokenKind::end: break;
    }
    was_quoted_ = is_quoted(token);
  }

  static bool is_quoted(const Token& token) {
    if (token.kind == TokenKind::name) return true;
    return token.kind == TokenKind::literal && (token.text.back() == '\'' || token.text.back() == '$');
  }
  // A quote beside a letter is often one inside a text, which was not doubled.
  bool is_beside_quote(const Token& token, size_t start) const {
    if (start != end_ || start == 0) return false;
    if (was_quoted_) return is_quoted(token) || is_word_byte(sql_[start]);
    return is_quoted(token) && is_word_byte(sql_[start - 1]);
  }

  void take_word(const Token& token) {
    const size_t end = scanner_.position();
    // U&'...' and U&"..."
    if (!is_sqlite_ && token.is_word("u") && sql_.substr(end, 1) == "&" && end + 1 < sql_.size() &&
        (sql_[end + 1] == '\'' || sql_[end + 1] == '"')) {
      scanner_.next();
      return;
    }
    std::string word = lower_case(token.text);
    if (out_.empty() && is_one_of_words(word, kVerbs)) verb_ = word;
    is_setting_ = is_setting_ || (last_ == Last::none && (word == "set" || word == "pragma"));
    if (is_setting_ && is_value_of_setting_) return put_value(Last::operand);
    is_value_of_setting_ = is_value_of_setting_ || (is_setting_ && word == "to");
    is_insert_ = is_insert_ || word == "into";
    const bool is_keyword = is_one_of_words(word, kKeywords);
    put(word);
    last_ = is_keyword ? Last::keyword : Last::operand;
    last_word_ = std::move(word);
  }

  void take_name(const Token& token, size_t start) {
    const bool is_open = start + 1 + token.text.size() >= sql_.size();
    if (is_open && !is_cut_) {
      is_doubtful_ = true;
      return;
    }
    const bool is_known = !may_be_string_ || sql_[start] != '"' || is_place_of_name();
    if (is_open || !is_known || token.text.size() > kNameBytesMax || (is_setting_ && is_value_of_setting_))
      return put_value(Last::operand);
    put(sql_.substr(start, scanner_.position() - start));
    last_ = Last::operand;
    last_word_.clear();
  }

  // Whether no string may stand here.
  bool is_place_of_name() const {
    const size_t end = scanner_.position();
    if (out_.ends_with('.') || (end < sql_.size() && sql_[end] == '.')) return true;
    if (is_one_of_words(last_word_, kBeforeNames)) return true;
    return is_insert_ && frames_.size() == 2 && is_columns_;
  }

  void take_literal(const Token& token) {
    if (scanner_.is_unclear() || (!has_closing_quote(token.text) && !is_cut_)) {
      is_doubtful_ = true;
      return;
    }
    if (last_ == Last::literal) return;  // 'a' 'b' is one
    take_exponent(token.text);
    put_value(Last::literal);
  }

  // 1e-5 is three tokens of the scanner.
  void take_exponent(std::string_view number) {
    const size_t end = scanner_.position();
    if (!is_digit(number.front()) && number.front() != '.') return;
    if ((number.back() != 'e' && number.back() != 'E') || end + 1 >= sql_.size()) return;
    if (number.size() > 1 && (number[1] == 'x' || number[1] == 'X')) return;
    if ((sql_[end] != '-' && sql_[end] != '+') || !is_digit(sql_[end + 1])) return;
    scanner_.next();
    scanner_.next();
  }

  void take_symbol(const Token& token, size_t start) {
    const char c = token.text.front();
    const bool ends_comment = c == '*' && sql_.substr(start, 2) == "*/";  // whose beginning is missing
    if (ends_comment || kNoSymbols.find(c) != kNoSymbols.npos) {
      is_doubtful_ = true;
      return;
    }
    const bool is_adjacent = start == end_ && start != 0;
    const char after = scanner_.position() < sql_.size() ? sql_[scanner_.position()] : ' ';
    if (c == ':' && !is_sqlite_ && !(is_adjacent && sql_[start - 1] == ':') && is_word_byte(after) &&
        !is_digit(after)) {
      scanner_.next();  // :name
      return put_value(Last::operand);
    }
    if (c == '?' && !(is_adjacent && last_ == Last::symbol)) return put_value(Last::operand);
    switch (c) {
      case '(':
      case '[': return open(c);
      case ')':
      case ']': return close(c);
      case ',': return next_item();
      case ';': return end_statement();
      default: break;
    }
    if (is_setting_ && c == '=') is_value_of_setting_ = true;
    const bool is_sign = (c == '-' || c == '+') && last_ != Last::operand && last_ != Last::literal;
    const bool is_glued = is_adjacent && (last_ == Last::symbol || last_ == Last::sign) && !is_sign;
    if (is_glued || c == '.' || (c == ':' && after == ':') || (c == ':' && out_.ends_with(':')))
      out_ += c;
    else
      put({&c, 1});
    last_ = is_sign ? Last::sign : Last::symbol;
    last_word_.clear();
  }

  // ---- the output
  void put(std::string_view piece) {
    const bool is_first = out_.empty();
    const char before = is_first ? ' ' : out_.back();
    const bool is_tight = before == '(' || before == '[' || before == ' ' || out_.ends_with("::") ||
                          (before == '.' && !out_.ends_with("..")) ||
                          kNoSpaceBefore.find(piece.front()) != kNoSpaceBefore.npos;
    if (!is_first && !is_tight) out_ += ' ';
    out_ += piece;
  }
  void put_value(Last kind) {
    // The sign of a number is part of it.
    if (last_ == Last::sign) {
      out_.pop_back();
      while (out_.ends_with(' ')) out_.pop_back();
    }
    put("?");
    last_ = kind;
    last_word_.clear();
  }
  void open(char c) {
    if (frames_.size() > kDepthMax) {
      is_over_ = true;
      return;
    }
    is_columns_ = frames_.size() == 1 && is_insert_ && last_word_ != "values" && last_ == Last::operand;
    if (is_setting_ && last_ == Last::operand) is_value_of_setting_ = true;  // PRAGMA name(value)
    if (last_ == Last::operand)
      out_ += c;
    else
      put({&c, 1});
    frames_.push_back({out_.size() - 1, out_.size(), {}, {}});
    last_ = Last::symbol;
    last_word_.clear();
  }
  void close(char c) {
    const bool is_nested = frames_.size() > 1;
    if (is_nested) fold_item();
    out_ += c;
    last_ = Last::operand;
    last_word_.clear();
    if (!is_nested) return;
    const size_t begin = frames_.back().open;
    frames_.pop_back();
    if (frames_.size() == 1) fold_group(begin);
    is_columns_ = false;
  }
  void next_item() {
    if (frames_.size() > 1) fold_item();
    out_ += ',';
    frames_.back().item = out_.size();
    last_ = Last::symbol;
    last_word_.clear();
  }
  void end_statement() {
    if (!out_.empty() && !out_.ends_with(';')) out_ += ';';
    frames_.resize(1);
    frames_.front() = {};
    is_setting_ = is_value_of_setting_ = is_insert_ = is_columns_ = false;
    last_ = Last::none;
    last_word_.clear();
  }
  // A list with equal items, one after the other: the later ones are left out, if they contain values.
  void fold_item() {
    Frame& frame = frames_.back();
    size_t begin = frame.item;
    while (begin < out_.size() && out_[begin] == ' ') ++begin;
    const std::string_view item = std::string_view(out_).substr(begin);
    const Part& last = frame.previous_item;
    if (last.is_set() && item.find('?') != item.npos &&
        item == std::string_view(out_).substr(last.begin, last.end - last.begin))
      out_.resize(last.end);
    else
      frame.previous_item = {begin, out_.size()};
  }
  // The same for (...), (...) that are in no parentheses.
  void fold_group(size_t begin) {
    Frame& frame = frames_.back();
    const std::string_view all = out_, group = all.substr(begin);
    const Part& last = frame.group;
    const bool follows = last.is_set() && last.end <= begin && all.substr(last.end, begin - last.end) == ", ";
    if (follows && group.find('?') != group.npos && group == all.substr(last.begin, last.end - last.begin))
      out_.resize(last.end);
    else
      frame.group = {begin, out_.size()};
  }

  const std::string_view sql_;
  const bool is_cut_;
  const bool is_sqlite_;
  const bool may_be_string_;
  SqlScanner scanner_;
  std::string out_;
  std::string verb_;
  std::vector<Frame> frames_;
  std::string last_word_;  // if the last token was a word
  Last last_ = Last::none;
  size_t end_ = 0;  // of the last token
  bool was_quoted_ = false;
  bool is_setting_ = false;  // SET, PRAGMA: what follows the name is a value, also without quotes
  bool is_value_of_setting_ = false;
  bool is_insert_ = false;
  bool is_columns_ = false;   // in the list of columns of INSERT
  bool is_over_ = false;      // the rest is left out
  bool is_doubtful_ = false;  // what is a literal
};

uint64_t folded_product(uint64_t a, uint64_t b) {
  __extension__ typedef unsigned __int128 Wide;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}
uint64_t load_word(const char* at, size_t bytes) {
  uint64_t word = 0;
  std::memcpy(&word, at, bytes);
  return word;
}

constexpr uint64_t kSeeds[] = {0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f, 0xd6e8feb86659fd93};

}  // namespace

NormalForm normal_form(std::string_view sql, Dialect dialect, bool may_be_string) {
  NormalForm form;
  form.text = Normalizer(sql, dialect, may_be_string).text();
  form.fingerprint = std::max<uint64_t>(1, hash_of_text(form.text));
  return form;
}

uint64_t hash_of_text(std::string_view text) noexcept {
  const uint64_t length = text.size();
  text = text.substr(0, kNormalizedBytesMax);
  const char* at = text.data();
  size_t left = text.size();
  uint64_t a = kSeeds[0] ^ std::min<uint64_t>(length, kNormalizedBytesMax + 1), b = kSeeds[1];
  for (; left >= 16; left -= 16, at += 16) {
    a = folded_product(a ^ load_word(at, 8), kSeeds[2]);
    b = folded_product(b ^ load_word(at + 8, 8), kSeeds[0]);
  }
  if (left >= 8) {
    a = folded_product(a ^ load_word(at, 8), kSeeds[2]);
    at += 8;
    left -= 8;
  }
  if (left > 0) b = folded_product(b ^ load_word(at, left) ^ (uint64_t{left} << 56), kSeeds[0]);
  return folded_product(a ^ kSeeds[1], b ^ kSeeds[2]);
}

}  // namespace tide
