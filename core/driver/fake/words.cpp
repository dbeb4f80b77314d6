#include "driver/fake/words.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace tide::fake {
namespace {

constexpr std::array<std::string_view, 6> kTransactionWords = {"begin",     "commit",  "rollback",
                                                               "savepoint", "release", "to"};

std::string in_lower_case(std::string_view word) {
  std::string lower(word);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

}  // namespace

Status refuse(std::string_view sqlstate, std::string message) {
  Status status = Status::error(Code::database, std::move(message));
  status.text().sqlstate = sqlstate;
  return status;
}

std::vector<std::string> words_of(std::string_view sql) {
  std::vector<std::string> words;
  for (size_t at = 0; at < sql.size();) {
    const size_t end = std::min(sql.find(' ', at), sql.size());
    if (end > at) words.emplace_back(sql.substr(at, end - at));
    at = end + 1;
  }
  if (words.empty()) return words;
  const std::string first = in_lower_case(words.front());
  if (std::find(kTransactionWords.begin(), kTransactionWords.end(), first) == kTransactionWords.end()) return words;
  for (std::string& word : words) {
    word = in_lower_case(word);
    std::erase(word, '"');
  }
  return words;
}

bool is_commit(std::string_view sql) {
  const std::vector<std::string> words = words_of(sql);
  return words.size() == 1 && words[0] == "commit";
}

bool is_rollback(std::string_view sql) {
  const std::vector<std::string> words = words_of(sql);
  return !words.empty() && words[0] == "rollback";
}

void add_value(const SqlValue& value, ResultTable& out) {
  switch (value.kind) {
    case SqlValue::Kind::null: out.add_null(); break;
    case SqlValue::Kind::integer: out.add_integer(value.integer); break;
    case SqlValue::Kind::real: out.add_real(value.real); break;
    case SqlValue::Kind::boolean: out.add_boolean(value.integer != 0); break;
    case SqlValue::Kind::text: out.add_text(value.data); break;
    case SqlValue::Kind::bytes: out.add_bytes(value.data); break;
  }
}

std::string text_of(const SqlValue& value) {
  ResultTable table;
  table.set_columns(columns_named({"value"}));
  add_value(value, table);
  size_t length = 0;
  const char* text = table.text(0, 0, &length);
  return text == nullptr ? std::string() : std::string(text, length);
}

}  // namespace tide::fake
