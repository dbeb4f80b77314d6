// Shared by the tests of commands: expects a valid command, or a refused one with a complete error.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "model/command.hpp"

namespace tide::test {

inline Command good(std::string_view verb, std::string_view arguments) {
  auto command = parse_command(verb, arguments);
  EXPECT_TRUE(command.is_ok()) << verb << " " << arguments << ": " << command.status().message();
  return command ? command.take() : Command();
}

inline Status bad(std::string_view verb, std::string_view arguments) {
  auto command = parse_command(verb, arguments);
  EXPECT_FALSE(command.is_ok()) << verb << " " << arguments;
  EXPECT_EQ(command.status().code, Code::bad_argument);
  EXPECT_FALSE(command.status().message().empty());
  return command.take_status();
}

inline void refuses(std::string_view verb, std::string_view arguments) { EXPECT_FALSE(bad(verb, arguments).is_ok()); }

inline bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace tide::test
