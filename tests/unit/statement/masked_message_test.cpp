#include "statement/masked_message.hpp"

#include <gtest/gtest.h>

#include "base/rng.hpp"

namespace tide {
namespace {

std::string masked(std::string_view message) { return masked_message(message, "22000"); }

TEST(MaskedMessage, WithoutTheValuesThatTheServerQuotes) {
  EXPECT_EQ(masked("invalid input syntax for type integer: \"secret\""), "invalid input syntax for type integer: ?");
  EXPECT_EQ(masked("date/time field value out of range: \"2024-99-99\""), "date/time field value out of range: ?");
  EXPECT_EQ(masked("syntax error at or near \"secret\""), "syntax error at or near ?");
  EXPECT_EQ(masked("unrecognized token: \"'secret\""), "unrecognized token: ?");
  EXPECT_EQ(masked("syntax error at or near \"secret"), "syntax error at or near ?");
  EXPECT_EQ(masked("cannot find user 12, bob@example.com"), "cannot find user ?, ?");
  EXPECT_EQ(masked("value 'secret' isn't allowed"), "value ? isn't allowed");
  EXPECT_EQ(masked_message("no account for secret", "P0001"), "raised by a function");
}

TEST(MaskedMessage, NamesOfObjectsAreKept) {
  for (const char* message : {"duplicate key value violates unique constraint \"users_email_key\"",
                              "null value in column \"a\" of relation \"t\" violates not-null constraint",
                              "UNIQUE constraint failed: users.email", "division by zero", ""})
    EXPECT_EQ(masked(message), message);
  EXPECT_EQ(masked("column \"bob@example.com\" does not exist"), "column ? does not exist");
}

// A value may imitate the end of its quotes.
TEST(MaskedMessage, NothingAfterAValueIsTakenForAName) {
  EXPECT_EQ(masked("invalid input syntax for type uuid: \"x\" for column \"secret\" of"),
            "invalid input syntax for type uuid: ? of");
  Rng rng(3);
  constexpr std::string_view kPieces[] = {"\"", "'", " column ", "constraint \"", "\" ", "a", "`", "\n", "\xff"};
  for (int round = 0; round < 5'000; ++round) {
    std::string value = "qzx";
    for (uint64_t n = rng.below(8); n > 0; --n) value += kPieces[rng.below(std::size(kPieces))];
    value += "qzx";
    const std::string message = masked("invalid input syntax for type uuid: \"" + value + "\"");
    ASSERT_EQ(message, "invalid input syntax for type uuid: ?") << value;
  }
}

}  // namespace
}  // namespace tide
