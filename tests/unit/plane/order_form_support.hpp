// What the tests of order forms share: a form that is good, and one that is refused as it should be.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "plane/order_form.hpp"

namespace tide::test {

inline OrderForm good(std::string_view verb, std::string_view arguments) {
  auto form = check_order(verb, arguments);
  EXPECT_TRUE(form.is_ok()) << verb << " " << arguments << ": " << form.status().message;
  return form ? form.take() : OrderForm{};
}

inline Status bad(std::string_view verb, std::string_view arguments) {
  auto form = check_order(verb, arguments);
  EXPECT_FALSE(form.is_ok()) << verb << " " << arguments;
  EXPECT_EQ(form.status().code, Code::bad_argument);
  EXPECT_FALSE(form.status().message.empty());
  return form.take_status();
}

inline void refuses(std::string_view verb, std::string_view arguments) { EXPECT_FALSE(bad(verb, arguments).is_ok()); }

inline bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace tide::test
