// The words everyone uses: durations, sizes and times as people write them, bounded text, nearest names, seeds.
#include <gtest/gtest.h>

#include <array>

#include "base/fixed_text.hpp"
#include "base/nearest.hpp"
#include "base/rng.hpp"
#include "base/status.hpp"
#include "base/text.hpp"
#include "base/units.hpp"

namespace tide {
namespace {

TEST(Units, ParsesDurations) {
  EXPECT_EQ(parse_span("30s"), Span::seconds(30));
  EXPECT_EQ(parse_span("500ms"), Span::millis(500));
  EXPECT_EQ(parse_span("5min"), Span::seconds(300));
  EXPECT_EQ(parse_span("1.5s"), Span::millis(1500));
  EXPECT_EQ(parse_span(" 250 us "), Span::micros(250));
  EXPECT_EQ(parse_span("1500"), Span::millis(1500)) << "a bare number is milliseconds";
  EXPECT_EQ(parse_span("0"), Span{});
  for (const char* bad : {"", "s", "-1s", "30 parsecs", "30sec", "1e3s", "+5s", "5s5s", "nan", "99999999999999d"}) {
    EXPECT_FALSE(parse_span(bad).has_value()) << bad;
  }
}

TEST(Units, DurationsAreNotRounded) {
  EXPECT_EQ(parse_span("0.001ms"), Span::micros(1));
  EXPECT_EQ(parse_span("0.1s"), Span::millis(100));
  EXPECT_EQ(parse_span("1.000000000000000000000000s"), Span::seconds(1));
  EXPECT_EQ(parse_span("0.0000000000115740740740d"), std::nullopt) << "not quite a microsecond";
  EXPECT_EQ(parse_span("2251799813685249us"), Span::micros(2'251'799'813'685'249)) << "no double holds its nanoseconds";
  for (const char* finer : {"0.5us", "0.0001ms", "1.0000001s", "0.33333333333333h", "1.s", "1..5s", "1 000ms"}) {
    EXPECT_FALSE(parse_span(finer).has_value()) << finer;
  }
  EXPECT_EQ(parse_bytes("1.5kB"), 1536);
  EXPECT_FALSE(parse_bytes("0.3kB").has_value()) << "307.2 bytes";
  EXPECT_FALSE(parse_bytes("99999999TB").has_value());
}

TEST(Units, FormattedValuesAreParsedBack) {
  Rng rng(7);
  for (int i = 0; i < 10'000; ++i) {
    const Span span = Span::micros(static_cast<int64_t>(rng.below(1ULL << (rng.below(40) + 1))));
    EXPECT_EQ(parse_span(format_span(span)), span) << format_span(span);
  }
  EXPECT_EQ(format_span(Span::seconds(600)), "10min");
  EXPECT_EQ(format_span(Span::millis(1500)), "1500ms");
  EXPECT_EQ(format_bytes(int64_t{16} << 20), "16MB");
  EXPECT_EQ(parse_bytes("16MB"), int64_t{16} << 20);
  EXPECT_FALSE(parse_bytes("16 mb").has_value());
}

TEST(Units, WallClockSortsAsText) {
  EXPECT_EQ(format_wall_ns(0), "1970-01-01 00:00:00.000Z");
  EXPECT_EQ(format_wall_ns(1'000'000'000'123'456'789), "2001-09-09 01:46:40.123Z");
  EXPECT_EQ(format_wall_ns(-1), "1969-12-31 23:59:59.999Z");
}

TEST(FixedText, TruncatesBetweenCharactersAndClearsTheRest) {
  FixedText<16> text("a longer text than fits");
  EXPECT_EQ(text.view(), "a longer text ");
  text.assign("b");
  for (size_t i = 1; i < text.kBytesMax; ++i) EXPECT_EQ(text.bytes[i], 0) << "old text must not stay behind";
  text.assign("1234567890123\xC3\xA4");  // the last character needs two bytes, one is left
  EXPECT_EQ(text.view(), "1234567890123");
  text.assign({});
  EXPECT_TRUE(text.empty());
}

TEST(FixedText, ChecksUntrustedLength) {
  FixedText<16> text("abc");
  text.length = 60'000;
  EXPECT_EQ(text.view().size(), text.kBytesMax);
}

TEST(Text, CleanTextIsUtf8WithoutControlCharactersAndNoLonger) {
  EXPECT_EQ(clean_text("a\x01\nb\tc\x7F\xC3\xA4\xFF\xC3"), "a?\nb\tc?\xC3\xA4??");
  EXPECT_EQ(clean_text(std::string_view("\0x", 2)), "?x");
  EXPECT_EQ(clean_text("a\nb", ""), "a?b");
}

TEST(Text, QuotesAreDoubledForSqlAndEscapedForJson) {
  EXPECT_EQ(sql_quoted("a\"b'c", '"'), "\"a\"\"b'c\"");
  EXPECT_EQ(sql_quoted("it's a\\b", '\'', "\\"), "'it''s a\\\\b'");
  EXPECT_EQ(json_text("a\"b\n\xFF"), "\"a\\\"b\\n\xEF\xBF\xBD\"");
}

TEST(Span, MillisecondsOfAWaitAreRoundedUp) {
  EXPECT_EQ(Span::nanos(1).ms_up(), 1);
  EXPECT_EQ(Span::millis(3).ms_up(), 3);
  EXPECT_EQ(Span{}.ms_up(), 0);
}

TEST(Nearest, FindsWhatWasMeant) {
  constexpr std::array<std::string_view, 4> kKnown = {"max_size", "min_size", "idle_timeout", "maxConnections"};
  EXPECT_EQ(nearest_name("max_conections", kKnown), "maxConnections");
  EXPECT_EQ(nearest_name("idel_timeout", kKnown), "idle_timeout");
  EXPECT_EQ(nearest_name("colour", kKnown), "");
  EXPECT_EQ(edit_distance("ab", "ba"), 1U) << "two neighbours swapped are one mistake";
}

TEST(Rng, SameSeedSameSequence) {
  Rng a(42), b(42), c(43);
  bool is_different = false;
  for (int i = 0; i < 100; ++i) {
    const uint64_t x = a.next();
    EXPECT_EQ(x, b.next());
    is_different = is_different || x != c.next();
  }
  EXPECT_TRUE(is_different);
  for (int i = 0; i < 1000; ++i) EXPECT_LT(a.unit(), 1.0);
}

TEST(Status, RetryableCodes) {
  EXPECT_TRUE(Status::error(Code::timeout, "x").is_retryable);
  EXPECT_FALSE(Status::error(Code::bad_option, "x").is_retryable);
  EXPECT_TRUE(Status::ok().is_ok());
  EXPECT_STREQ(code_name(Code::stale_lease), "stale_lease");
}

}  // namespace
}  // namespace tide
