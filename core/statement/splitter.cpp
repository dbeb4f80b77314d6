#include "statement/splitter.hpp"

namespace tide {

Splitter::Body Splitter::body() const {
  if (dialect_ == Dialect::postgresql) {
    const size_t i = is(1, "or") ? 3 : 1;  // CREATE OR REPLACE
    return is(0, "create") && (is(i, "function") || is(i, "procedure")) ? Body::routine : Body::none;
  }
  const size_t create = is(0, "explain") ? 1 : 0;
  const size_t i = create + (is(create + 1, "temp") || is(create + 1, "temporary") ? 2 : 1);
  return is(create, "create") && is(i, "trigger") ? Body::trigger : Body::none;
}

bool Splitter::take(const SqlScanner::Token& token) {
  if (is_ended_) {
    *this = Splitter(dialect_);
  }
  const Body body = this->body();
  if (token.is_symbol(';')) {
    if (count_ == 0) return false;  // an empty statement
    const bool is_inside = body == Body::trigger ? at_end_of_trigger_ != 2 : parentheses_ > 0 || blocks_ > 0;
    if (!is_inside) return is_ended_ = true;
  }
  if (count_ < head_.size()) head_[count_] = token;
  ++count_;
  if (token.is_symbol('(')) ++parentheses_;
  if (token.is_symbol(')') && parentheses_ > 0) --parentheses_;
  if (body == Body::routine) {
    if (token.is_word("begin") || (blocks_ > 0 && token.is_word("case"))) ++blocks_;
    if (blocks_ > 0 && token.is_word("end")) --blocks_;
  } else if (body == Body::trigger) {
    const bool is_end = at_end_of_trigger_ == 1 && token.is_word("end");
    at_end_of_trigger_ = token.is_symbol(';') ? 1 : is_end ? 2 : 0;
  }
  return false;
}

}  // namespace tide
