#include "statement/operands.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace tide {
namespace {

// Keywords that an expression can follow. Those that are also used as names are not among them: `data ? 'k'` with such a
// column has to remain an operator.
constexpr std::string_view kBeforeOperands[] = {
    "all", "and",      "asymmetric", "between", "both",     "case",      "default", "distinct", "else",      "escape",
    "for", "from",     "having",     "ilike",   "in",       "leading",   "like",    "limit",    "not",       "offset",
    "on",  "or",       "passing",    "placing", "return",   "returning", "select",  "similar",  "symmetric", "then",
    "to",  "trailing", "using",      "values",  "variadic", "when",      "where"};
static_assert(std::ranges::is_sorted(kBeforeOperands));

// Words that are also names, and the word before that makes them keywords.
struct Pair {
  std::string_view before, word;
};
constexpr Pair kPairsBeforeOperands[] = {{"order", "by"},  {"group", "by"},    {"partition", "by"},
                                         {"time", "zone"}, {"fetch", "first"}, {"fetch", "next"}};

// Longer ones before those they start with.
constexpr std::string_view kOperators[] = {"?||", "?-|", "?@>", "?<@", "?|", "?&", "?#", "?-", "?~", "?@", "@?", "?"};

}  // namespace

bool is_operator_character(char c) { return std::string_view("~!@#^&|`?+-*/%<>=").find(c) != std::string_view::npos; }

size_t end_of_operators(std::string_view sql, size_t begin) {
  size_t end = begin;
  while (end < sql.size() && is_operator_character(sql[end])) {
    const std::string_view rest = sql.substr(end);
    if (rest.starts_with("--") || rest.starts_with("/*")) break;
    ++end;
  }
  return end;
}

size_t known_operator(std::string_view run) {
  for (const std::string_view known : kOperators) {
    // The last ? of "@??" belongs to an escape.
    const bool is_whole = run.starts_with(known) && !(known.back() == '?' && run.substr(known.size()).starts_with('?'));
    if (is_whole) return known.size();
  }
  return 0;
}

void Operands::take(const SqlScanner::Token& token) {
  using Kind = SqlScanner::Kind;
  switch (token.kind) {
    case Kind::word: return note(token.text, true, is_followed_by_operand(token.text));
    case Kind::symbol: break;
    default: return note({}, false, false);
  }
  const char c = token.text.front();
  if (c == '(') {
    open_ += is_word_last_ && is_same_word(last_, "operator") ? 'o' : '(';
  } else if (c == '[') {
    const bool is_array = is_expected_ || (is_word_last_ && is_same_word(last_, "array"));
    open_ += is_array ? 'a' : 's';
  } else if ((c == ')' || c == ']') && !open_.empty()) {
    const bool is_operator = open_.back() == 'o';
    open_.pop_back();
    return note(token.text, false, is_operator);
  }
  note(token.text, false, c == '(' || c == '[' || c == ',' || c == ';');
}

void Operands::take_operator(std::string_view first) {
  const bool is_all_columns = first == "*" && last_ == ".";  // t.*
  note(first, false, !is_all_columns);
}

void Operands::take_operand() { note({}, false, false); }

void Operands::take_colons(bool expects_operand) { note(":", false, expects_operand); }

bool Operands::is_followed_by_operand(std::string_view word) const {
  if (last_ == ".") return false;  // t.limit
  if (word.size() > 10) return false;
  const std::string lower = lower_case(word);
  if (std::ranges::binary_search(kBeforeOperands, std::string_view(lower))) return true;
  return is_word_last_ && std::ranges::any_of(kPairsBeforeOperands, [&](const Pair& pair) {
           return lower == pair.word && is_same_word(last_, pair.before);
         });
}

void Operands::note(std::string_view text, bool is_word, bool expects_operand) {
  last_ = text;
  is_word_last_ = is_word;
  is_expected_ = expects_operand;
}

}  // namespace tide
