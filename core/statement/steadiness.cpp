#include "statement/steadiness.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <vector>

#include "base/text.hpp"

namespace tide {
namespace {

using Kind = SqlScanner::Kind;
using Token = SqlScanner::Token;

// Functions whose result depends on their arguments and the data alone, if no argument means the current time. Each list is
// sorted.
// clang-format off
constexpr std::string_view kSteadyFunctions[] = {
    "abs", "acos", "acosd", "acosh", "any_value", "array_agg", "array_append", "array_cat", "array_dims", "array_fill",
    "array_length", "array_lower", "array_ndims", "array_position", "array_positions", "array_prepend", "array_remove",
    "array_replace", "array_to_json", "array_to_string", "array_upper", "ascii", "asin", "asinh", "atan", "atan2",
    "atanh", "avg", "bit_and", "bit_count", "bit_length", "bit_or", "bit_xor", "bm25", "bool_and", "bool_or", "bpchar",
    "broadcast", "btrim", "cardinality", "cbrt", "ceil", "ceiling", "char", "char_length", "character_length", "chr",
    "coalesce", "concat", "concat_ws", "convert", "convert_from", "convert_to", "corr", "cos", "cosh", "cot", "count",
    "covar_pop", "covar_samp", "cume_dist", "date", "date_add", "date_bin", "date_part", "date_subtract", "date_trunc",
    "daterange", "datetime", "decode", "degrees", "dense_rank", "digest", "div", "encode", "enum_first", "enum_last",
    "enum_range", "every", "exp", "extract", "factorial", "first_value", "float4", "float8", "floor", "format", "gcd",
    "generate_series", "generate_subscripts", "get_bit", "get_byte", "glob", "greatest", "group_concat", "grouping",
    "hashtext", "hashtextextended", "hex", "highlight", "hmac", "host", "ifnull", "iif", "initcap", "instr", "int2",
    "int4", "int4range", "int8", "int8range", "isempty", "isfinite", "json", "json_agg", "json_array",
    "json_array_elements", "json_array_elements_text", "json_array_length", "json_build_array", "json_build_object",
    "json_each", "json_each_text", "json_error_position", "json_extract", "json_extract_path", "json_extract_path_text",
    "json_group_array", "json_group_object", "json_insert", "json_object", "json_object_agg", "json_object_keys",
    "json_patch", "json_populate_record", "json_populate_recordset", "json_pretty", "json_quote", "json_remove",
    "json_replace", "json_set", "json_strip_nulls", "json_to_record", "json_to_recordset", "json_tree", "json_type",
    "json_typeof", "json_valid", "jsonb", "jsonb_agg", "jsonb_array", "jsonb_array_elements",
    "jsonb_array_elements_text", "jsonb_array_length", "jsonb_build_array", "jsonb_build_object", "jsonb_each",
    "jsonb_each_text", "jsonb_extract", "jsonb_extract_path", "jsonb_extract_path_text", "jsonb_group_array",
    "jsonb_group_object", "jsonb_insert", "jsonb_object", "jsonb_object_agg", "jsonb_object_keys", "jsonb_patch",
    "jsonb_path_exists", "jsonb_path_match", "jsonb_path_query", "jsonb_path_query_array", "jsonb_path_query_first",
    "jsonb_populate_record", "jsonb_populate_recordset", "jsonb_pretty", "jsonb_remove", "jsonb_replace", "jsonb_set",
    "jsonb_strip_nulls", "jsonb_to_record", "jsonb_to_recordset", "jsonb_tree", "jsonb_typeof", "julianday",
    "justify_days", "justify_hours", "justify_interval", "lag", "last_value", "lcm", "lead", "least", "left", "length",
    "like", "likelihood", "likely", "ln", "log", "log10", "lower", "lower_inc", "lower_inf", "lpad", "ltrim",
    "make_date", "make_interval", "make_time", "make_timestamp", "make_timestamptz", "max", "md5", "median", "min",
    "mod", "mode", "network", "normalize", "nth_value", "ntile", "nullif", "num_nonnulls", "num_nulls", "numeric",
    "numrange", "octet_length", "overlay", "percent_rank", "percentile", "percentile_cont", "percentile_disc",
    "phraseto_tsquery", "pi", "plainto_tsquery", "position", "pow", "power", "printf", "quote", "quote_ident",
    "quote_literal", "quote_nullable", "radians", "range_agg", "range_merge", "rank", "regexp_count", "regexp_instr",
    "regexp_like", "regexp_match", "regexp_matches", "regexp_replace", "regexp_split_to_array", "regexp_split_to_table",
    "regexp_substr", "regr_count", "regr_r2", "regr_slope", "repeat", "replace", "reverse", "right", "round",
    "row_number", "row_to_json", "rpad", "rtrim", "scale", "set_byte", "setweight", "sha224", "sha256", "sha384",
    "sha512", "sign", "similarity", "sin", "sinh", "snippet", "soundex", "split_part", "sqrt", "starts_with", "stddev",
    "stddev_pop", "stddev_samp", "strftime", "string_agg", "string_to_array", "string_to_table", "strip", "strpos",
    "substr", "substring", "sum", "tan", "tanh", "time", "timediff", "timestamp", "timestamptz", "timetz", "timezone",
    "to_char", "to_date", "to_hex", "to_json", "to_jsonb", "to_number", "to_timestamp", "to_tsquery", "to_tsvector",
    "total", "translate", "trim", "trim_array", "trunc", "ts_headline", "ts_rank", "ts_rank_cd", "tsrange", "tstzrange",
    "typeof", "unaccent", "unhex", "unicode", "unixepoch", "unlikely", "unnest", "upper", "upper_inc", "upper_inf",
    "var_pop", "var_samp", "varchar", "variance", "websearch_to_tsquery", "width_bucket", "word_similarity", "xmlagg",
    "xmlcomment", "xmlelement", "xmlforest", "xmlparse", "xmlserialize", "xpath", "xpath_exists", "zeroblob"};

// Before a parenthesis, but no functions: operators and clauses, and types with a length.
constexpr std::string_view kOtherWords[] = {
    "all", "and", "any", "array", "as", "between", "bit", "by", "case", "cast", "character", "cube", "decimal", "distinct",
    "else", "escape", "except", "exists", "filter", "float", "from", "glob", "group", "having", "ilike", "in", "intersect",
    "interval", "is", "join", "lateral", "like", "limit", "match", "materialized", "not", "numeric", "offset", "on", "or",
    "over", "regexp", "rollup", "row", "select", "sets", "similar", "some", "then", "timestamp", "timestamptz", "timetz",
    "to", "union", "using", "values", "varbit", "varchar", "varying", "when", "where", "window"};

// Without a parenthesis: the current time, and a sample.
constexpr std::string_view kVolatileWords[] = {"current_date", "current_time", "current_timestamp", "localtime",
                                               "localtimestamp", "tablesample"};

// These functions take the current time if they have fewer arguments.
struct TimeFunction {
  std::string_view name;
  int arguments_min;
};
constexpr TimeFunction kTimeFunctions[] = {{"date", 1}, {"time", 1}, {"datetime", 1}, {"julianday", 1}, {"unixepoch", 1},
                                           {"strftime", 2}};
// clang-format on

bool is_in(std::span<const std::string_view> sorted, std::string_view word) {
  return std::binary_search(sorted.begin(), sorted.end(), word);
}

std::string lower_of(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower;
}

// Relations that show the state of a server or a process.
bool is_state(std::string_view lower) {
  for (const std::string_view prefix : {"pg_", "tidepool", "pragma_", "sqlite_stmt", "sqlite_db", "sqlite_temp"}) {
    if (lower.starts_with(prefix)) return true;
  }
  return lower == "dbstat" || lower == "bytecode" || lower == "tables_used";
}

class Judge {
 public:
  Judge(std::string_view sql, Dialect dialect) : dialect_(dialect) {
    SqlScanner scanner(sql, dialect);
    for (Token token = scanner.next(); token.kind != Kind::end; token = scanner.next()) {
      if (token.kind == Kind::literal) token.text = sql.substr(scanner.start(), scanner.position() - scanner.start());
      tokens_.push_back(token);
    }
    is_unclear_ = scanner.is_unclear();
  }

  Steadiness run() {
    while (!tokens_.empty() && tokens_.back().is_symbol(';')) tokens_.pop_back();
    if (is_unclear_ || !is_query()) return Steadiness::unfit;
    for (i_ = 0; i_ < tokens_.size(); ++i_) {
      if (tokens_[i_].is_symbol(';')) return Steadiness::unfit;
      if (tokens_[i_].kind == Kind::literal) see_literal();
      if (tokens_[i_].kind == Kind::word || tokens_[i_].kind == Kind::name) see_word();
    }
    return result_;
  }

 private:
  bool is_query() const {
    size_t first = 0;
    while (first < tokens_.size() && tokens_[first].is_symbol('(')) ++first;
    if (first == tokens_.size()) return false;
    const Token& word = tokens_[first];
    return word.is_word("select") || word.is_word("values") || word.is_word("with") ||
           (word.is_word("table") && dialect_ == Dialect::postgresql);
  }
  bool is_symbol_at(size_t i, char c) const { return i < tokens_.size() && tokens_[i].is_symbol(c); }
  bool is_word_at(size_t i, std::string_view word) const { return i < tokens_.size() && tokens_[i].is_word(word); }
  void lower_to(Steadiness found) { result_ = std::min(result_, found); }

  void see_literal() {
    std::string_view text = tokens_[i_].text;
    const size_t begin = text.find('\'');
    if (begin == text.npos) {
      if (text.starts_with('$')) lower_to(Steadiness::volatile_);  // not worth a closer look
      return;
    }
    text.remove_prefix(begin + 1);
    // With escapes it may mean anything.
    const bool has_escapes = begin > 0 && text.find('\\') != text.npos;
    if (has_escapes || means_current_time(text)) lower_to(Steadiness::volatile_);
  }

  void see_word() {
    const std::string word = lower_of(tokens_[i_].text);
    const bool is_quoted = tokens_[i_].kind == Kind::name;
    const bool is_member = i_ > 0 && tokens_[i_ - 1].is_symbol('.');
    if (is_symbol_at(i_ + 1, '(')) {
      see_call(word, is_quoted, is_member);
    } else if (!is_quoted && !is_member && is_writing(word)) {
      result_ = Steadiness::unfit;
    } else if (word == "pg_catalog" && is_symbol_at(i_ + 1, '.')) {
      return;  // what it qualifies matters
    } else if ((!is_quoted && is_in(kVolatileWords, word)) || is_state(word)) {
      lower_to(Steadiness::volatile_);
    }
  }

  bool is_writing(std::string_view word) const {
    if (word == "for") {
      for (const std::string_view lock : {"update", "share", "no", "key"}) {
        if (is_word_at(i_ + 1, lock)) return true;
      }
    }
    for (const std::string_view writing : {"insert", "update", "delete", "merge", "replace", "into"}) {
      if (word == writing) return true;
    }
    return false;
  }

  // A word before a parenthesis.
  void see_call(std::string_view word, bool is_quoted, bool is_member) {
    if (!is_quoted && !is_member && (is_in(kOtherWords, word) || is_column_list())) return;
    if (!is_quoted && !is_member && word == "into") {
      result_ = Steadiness::unfit;
      return;
    }
    if (!is_known(word, is_quoted, is_member)) lower_to(Steadiness::volatile_);
  }

  // AS name (columns), WITH name (columns) AS
  bool is_column_list() const {
    if (i_ > 0 && tokens_[i_ - 1].is_word("as")) return true;
    const bool may_be_cte = i_ > 0 && (tokens_[i_ - 1].is_word("with") || tokens_[i_ - 1].is_word("recursive") ||
                                       tokens_[i_ - 1].is_symbol(','));
    return may_be_cte && is_word_at(end_of_call() + 1, "as");
  }

  bool is_known(std::string_view word, bool is_quoted, bool is_member) const {
    if (is_member && (dialect_ == Dialect::sqlite || i_ < 2 || !tokens_[i_ - 2].is_word("pg_catalog"))) return false;
    // PostgreSQL: a name in quotes with capitals is another function.
    if (is_quoted && dialect_ == Dialect::postgresql && word != tokens_[i_].text) return false;
    if (!is_in(kSteadyFunctions, word)) return false;
    for (const TimeFunction& function : kTimeFunctions) {
      if (function.name == word && arguments() < function.arguments_min) return false;
    }
    return true;
  }

  // The closing parenthesis of the call at i_.
  size_t end_of_call() const {
    int depth = 0;
    for (size_t i = i_ + 1; i < tokens_.size(); ++i) {
      if (tokens_[i].is_symbol('(')) ++depth;
      if (tokens_[i].is_symbol(')') && --depth == 0) return i;
    }
    return tokens_.size();
  }

  int arguments() const {
    const size_t end = end_of_call();
    if (end <= i_ + 2) return 0;
    int depth = 0, commas = 0;
    for (size_t i = i_ + 1; i < end; ++i) {
      if (tokens_[i].is_symbol('(')) ++depth;
      if (tokens_[i].is_symbol(')')) --depth;
      if (depth == 1 && tokens_[i].is_symbol(',')) ++commas;
    }
    return commas + 1;
  }

  const Dialect dialect_;
  std::vector<Token> tokens_;
  size_t i_ = 0;
  bool is_unclear_ = false;
  Steadiness result_ = Steadiness::steady;
};

}  // namespace

bool means_current_time(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t' || text.front() == '\n')) text.remove_prefix(1);
  for (const std::string_view word : {"now", "today", "tomorrow", "yesterday"}) {
    if (text.size() < word.size() || !is_same_word(text.substr(0, word.size()), word)) continue;
    if (text.size() == word.size() || !is_letter(text[word.size()])) return true;
  }
  return false;
}

Steadiness steadiness_of(std::string_view sql, Dialect dialect) { return Judge(sql, dialect).run(); }

}  // namespace tide
