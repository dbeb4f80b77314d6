// Values: every type as a parameter and back as a cell, its limits, and what is refused.
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tidepool/tidepool.hpp>
#include <vector>

#include "support.hpp"

namespace {

using namespace std::chrono_literals;
using tidepool::conversion_error;
using tidepool_test::error_of;
using tidepool_test::is_postgresql;

enum class Color : uint8_t { red = 1, green = 2 };
enum class Far : int64_t { away = std::numeric_limits<int64_t>::min() };

struct Money {
  int64_t cents;
  bool operator==(const Money&) const = default;
};

// Written as text, read from text; the codec keeps a text during the call.
struct Point {
  int x;
  int y;
  bool operator==(const Point&) const = default;
};

}  // namespace

template <>
struct tidepool::codec<Money> {
  static int64_t encode(const Money& money) { return money.cents; }
  static Money decode(const value& from) { return {from.as<int64_t>()}; }
};

template <>
struct tidepool::codec<Point> {
  static std::string encode(const Point& point) {
    return "a point that is too long for a short string: " + std::to_string(point.x) + "," + std::to_string(point.y);
  }
  static Point decode(const value& from) {
    const std::string_view text = from.as<std::string_view>();
    const size_t colon = text.find(": ");
    const size_t comma = text.find(',');
    if (colon == text.npos || comma == text.npos) from.fail_type("a point");
    return {std::stoi(std::string(text.substr(colon + 2, comma - colon - 2))),
            std::stoi(std::string(text.substr(comma + 1)))};
  }
};

namespace {

class Conversions : public tidepool_test::Database {
 protected:
  // A value, sent as a parameter of this type of PostgreSQL and read back.
  template <typename T>
  T echo(const T& value, const std::string& type) {
    const auto rows = pool().query<T>("select " + typed("$1", type), value);
    return rows[0];
  }
  // A cell, read as a T.
  template <typename T>
  T read(const std::string& expression) {
    return pool().query<T>("select " + expression)[0];
  }
  // The message of the refusal to read a cell as a T.
  template <typename T>
  std::string refusal(const std::string& expression) {
    return error_of<conversion_error>([&] { read<T>(expression); }).what();
  }

  template <typename T>
  void expect_limits(const std::string& type) {
    EXPECT_EQ(echo(std::numeric_limits<T>::min(), type), std::numeric_limits<T>::min());
    EXPECT_EQ(echo(std::numeric_limits<T>::max(), type), std::numeric_limits<T>::max());
  }
};

TEST_F(Conversions, IntegersOfEveryWidthAtTheirLimits) {
  expect_limits<int8_t>("smallint");
  expect_limits<uint8_t>("smallint");
  expect_limits<int16_t>("smallint");
  expect_limits<uint16_t>("int");
  expect_limits<int32_t>("int");
  expect_limits<uint32_t>("bigint");
  expect_limits<int64_t>("bigint");
  expect_limits<long long>("bigint");
  EXPECT_EQ(echo(uint64_t{1} << 62, "bigint"), uint64_t{1} << 62);
}

TEST_F(Conversions, IntegersOutOfRangeAreRefusedInBothDirections) {
  EXPECT_EQ(refusal<int8_t>("128 as small"),
            "column 1 (\"small\"): 128 is out of range for a signed integer of 8 bits");
  EXPECT_EQ(refusal<uint32_t>("-1 as n"), "column 1 (\"n\"): -1 is out of range for an unsigned integer of 32 bits");
  EXPECT_EQ(refusal<uint64_t>("-1 as n"), "column 1 (\"n\"): -1 is out of range for an unsigned integer of 64 bits");
  EXPECT_EQ(refusal<int>("2147483648 as n"),
            "column 1 (\"n\"): 2147483648 is out of range for a signed integer of 32 bits");
  const auto error = error_of<conversion_error>(
      [&] { pool().query("select " + typed("$1", "text") + ", " + typed("$2", "text"), 1, ~uint64_t{0}); });
  EXPECT_STREQ(error.what(), "parameter 2: 18446744073709551615 is out of range");
  EXPECT_EQ(error.sqlstate(), "22003");
  EXPECT_EQ(error.kind(), tidepool::error_kind::conversion);
}

TEST_F(Conversions, IntegersFromTextsAndFloatingPointNumbersOnlyIfExact) {
  EXPECT_EQ(read<int64_t>("'-9223372036854775808'"), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(read<uint64_t>("'18446744073709551615'"), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(read<int>(typed("3.0", "float8")), 3);
  EXPECT_EQ(refusal<int>(typed("3.5", "float8") + " as x"),
            "column 1 (\"x\"): expected an integer, found a floating-point number: 3.5");
  EXPECT_EQ(
      refusal<int64_t>(typed("9223372036854775808.0", "float8") + " as x").find("out of range") != std::string::npos,
      true);
  EXPECT_EQ(refusal<int>("'12x' as x"), "column 1 (\"x\"): expected an integer, found a text: 12x");
  EXPECT_EQ(refusal<int>("'' as x"), "column 1 (\"x\"): expected an integer, found a text: ");
  EXPECT_EQ(refusal<int8_t>("'300' as x"), "column 1 (\"x\"): 300 is out of range for a signed integer of 8 bits");
  EXPECT_EQ(refusal<uint8_t>("'-3' as x"), "column 1 (\"x\"): -3 is out of range for an unsigned integer of 8 bits");
}

TEST_F(Conversions, BooleansAndEnums) {
  EXPECT_EQ(echo(true, "boolean"), true);
  EXPECT_EQ(echo(false, "boolean"), false);
  EXPECT_EQ(read<bool>("1"), true);
  EXPECT_EQ(refusal<bool>("2 as b"), "column 1 (\"b\"): 2 is out of range for a boolean");
  EXPECT_EQ(refusal<bool>("'yes' as b"), "column 1 (\"b\"): expected a boolean, found a text: yes");
  EXPECT_EQ(echo(Color::green, "int"), Color::green);
  EXPECT_EQ(echo(Far::away, "bigint"), Far::away);
  EXPECT_EQ(refusal<Color>("256 as c"), "column 1 (\"c\"): 256 is out of range for an unsigned integer of 8 bits");
}

TEST_F(Conversions, FloatingPointNumbersAreExact) {
  for (const double number : {0.0, -0.0, 0.1, 1e308, 5e-324, std::numeric_limits<double>::max(),
                              std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(echo(number, "float8"), number) << number;
  }
  EXPECT_EQ(echo(0.1F, "float4"), 0.1F);
  EXPECT_EQ(read<double>("3"), 3.0);
  EXPECT_EQ(read<double>("'2.5'"), 2.5);
  EXPECT_EQ(
      refusal<float>(typed("1e300", "float8") + " as f").find("out of range for a floating-point number of 32 bits") !=
          std::string::npos,
      true);
  EXPECT_EQ(refusal<double>("'2.5 m' as f"), "column 1 (\"f\"): expected a floating-point number, found a text: 2.5 m");
  if (is_postgresql()) {
    EXPECT_TRUE(std::isnan(echo(std::numeric_limits<double>::quiet_NaN(), "float8")));
    EXPECT_EQ(read<std::string>("12345678901234567890.5"), "12345678901234567890.5");
  }
}

TEST_F(Conversions, Texts) {
  EXPECT_EQ(echo<std::string>("", "text"), "");
  EXPECT_EQ(echo<std::string>("it's $1 and ?", "text"), "it's $1 and ?");
  EXPECT_EQ(echo<std::string>("\xC3\xA4\xE2\x82\xAC", "text"), "\xC3\xA4\xE2\x82\xAC");
  EXPECT_EQ(read<std::string>("12"), "12");
  const std::string_view inside = std::string_view("abcdef").substr(1, 3);
  EXPECT_EQ(*pool().query_first<std::string>("select " + typed("$1", "text"), inside), "bcd");
  EXPECT_EQ(*pool().query_first<std::string>("select " + typed("$1", "text"), inside.substr(0, 0)), "");
  char own[] = "own";
  char* const pointer = own;
  EXPECT_EQ(*pool().query_first<std::string>("select " + typed("$1", "text"), own), "own");
  EXPECT_EQ(*pool().query_first<std::string>("select " + typed("$1", "text"), pointer), "own");
  const char* const none = nullptr;
  EXPECT_EQ((*pool().query_first<std::optional<std::string>>("select " + typed("$1", "text"), none)), std::nullopt);
  const std::string blob = is_postgresql() ? "'\\x00'::bytea" : "x'00'";
  EXPECT_EQ(refusal<std::string>(blob + " as b"), "column 1 (\"b\"): expected a text, found bytes");
}

TEST_F(Conversions, TextsWithNulBytesAreExactOrRefused) {
  const std::string text("a\0b", 3);
  if (is_postgresql()) {
    EXPECT_THROW(echo(text, "text"), tidepool::error);
  } else {
    EXPECT_EQ(echo(text, "text"), text);
  }
}

TEST_F(Conversions, Bytes) {
  std::vector<std::byte> all(256);
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::byte>(i);
  EXPECT_EQ(echo(all, "bytea"), all);
  EXPECT_EQ(echo(std::vector<std::byte>(), "bytea"), std::vector<std::byte>());
  const std::span<const std::byte> view(all);
  const auto rows = pool().query<std::span<const std::byte>>("select " + typed("$1", "bytea"), view);
  const std::span<const std::byte> found = rows[0];
  EXPECT_TRUE(std::equal(found.begin(), found.end(), all.begin(), all.end()));
  EXPECT_EQ(refusal<std::vector<std::byte>>("'text' as b"), "column 1 (\"b\"): expected bytes, found a text: text");
}

TEST_F(Conversions, Null) {
  EXPECT_EQ(echo(std::optional<int>(), "int"), std::nullopt);
  EXPECT_EQ(echo(std::optional<int>(7), "int"), 7);
  EXPECT_EQ(echo(std::optional<std::string>("x"), "text"), "x");
  EXPECT_EQ(echo(std::optional<std::chrono::sys_seconds>(), "timestamptz"), std::nullopt);
  EXPECT_TRUE(*pool().query_first<bool>("select " + typed("$1", "int") + " is null", nullptr));
  EXPECT_TRUE(*pool().query_first<bool>("select " + typed("$1", "int") + " is null", std::nullopt));
  const auto error = error_of<conversion_error>([&] { read<int>("null as gone"); });
  EXPECT_STREQ(error.what(), "column 1 (\"gone\"): NULL cannot be converted: use std::optional");
  EXPECT_EQ(error.column(), "gone");
  EXPECT_EQ(error.sqlstate(), "22004");
}

TEST_F(Conversions, TimesToTheMicrosecond) {
  using micros = std::chrono::sys_time<std::chrono::microseconds>;
  const auto noon = std::chrono::sys_days(std::chrono::year(2026) / 11 / 30) + 12h + 34min + 56s + 123456us;
  for (const micros when : {micros(noon), micros(0us), micros(-1us), micros::max(), micros::min(),
                            micros(std::chrono::sys_days(std::chrono::year(-43) / 3 / 15)),
                            micros(std::chrono::sys_days(std::chrono::year(12000) / 1 / 1))}) {
    EXPECT_EQ(echo(when, "timestamptz"), when) << when.time_since_epoch().count();
    EXPECT_EQ(echo(when, "timestamp"), when) << when.time_since_epoch().count();
  }
  EXPECT_EQ(*pool().query_first<std::string>("select " + typed("$1", "text"), noon),
            "2026-11-30 12:34:56.123456+00:00");
  EXPECT_EQ(echo(std::chrono::floor<std::chrono::seconds>(noon), "timestamptz"),
            std::chrono::floor<std::chrono::seconds>(noon));
  EXPECT_EQ(echo(std::chrono::year(2026) / 2 / 28, "date"), std::chrono::year(2026) / 2 / 28);
}

TEST_F(Conversions, TimesAsTheDatabasesWriteThem) {
  using std::chrono::sys_days;
  using std::chrono::sys_seconds;
  using std::chrono::year;
  const sys_seconds morning = sys_days(year(2026) / 11 / 30) + 6h + 31min + 19s;
  const std::pair<const char*, sys_seconds> texts[] = {
      {"2026-11-30 06:31:19", morning},
      {"2026-11-30T06:31:19Z", morning},
      {"2026-11-30 06:31:19.9", morning},
      {"2026-11-30 08:31:19+02", morning},
      {"2026-11-30 01:01:19-05:30", morning},
      {"2026-11-30", sys_days(year(2026) / 11 / 30)},
      {"2026-11-30 06:31", morning - 19s},
      {"0044-03-15 BC", sys_days(year(-43) / 3 / 15)},
      {"1900-01-01 00:00:00-00:12:28", sys_days(year(1900) / 1 / 1) + 12min + 28s},
      {"infinity", sys_seconds::max()},
      {"-infinity", sys_seconds::min()},
  };
  for (const auto& [text, when] : texts) EXPECT_EQ(read<sys_seconds>("'" + std::string(text) + "'"), when) << text;
  EXPECT_EQ(read<sys_seconds>("1796020279"), sys_seconds(1796020279s));  // SQLite's unixepoch()
  for (const char* text :
       {"", "now", "2026-02-30", "2026-13-01", "2026-11-30 25:00", "2026-11-30 06:31:19 CET", "30.11.2026"}) {
    EXPECT_NE(refusal<sys_seconds>("'" + std::string(text) + "' as t").find("expected a timestamp"), std::string::npos)
        << text;
  }
  using nanos = std::chrono::sys_time<std::chrono::nanoseconds>;
  EXPECT_NE(refusal<nanos>("'2300-01-01' as t").find("out of range"), std::string::npos);
  EXPECT_EQ(read<nanos>("'2026-11-30 00:00:00.123456789'"), sys_days(year(2026) / 11 / 30) + 123456789ns);
  if (is_postgresql()) {
    EXPECT_EQ(read<sys_seconds>("timestamptz '2026-11-30 06:31:19+00'"), morning);
    pool().transact([&](tidepool::transaction& tx) {
      tx.execute("set local timezone to 'Asia/Kolkata'");
      const auto found = tx.query_first<sys_seconds>("select timestamptz '2026-11-30 06:31:19+00'");
      EXPECT_EQ(found, morning);
    });
  } else {
    EXPECT_EQ(read<sys_seconds>("datetime('2026-11-30 06:31:19.123456+00:00')"), morning);
  }
}

TEST_F(Conversions, OwnTypes) {
  EXPECT_EQ(echo(Money{1299}, "bigint"), Money{1299});
  EXPECT_EQ(echo(std::optional<Money>(), "bigint"), std::nullopt);
  EXPECT_EQ(echo(Point{3, -4}, "text"), (Point{3, -4}));
  EXPECT_EQ(echo(std::optional(Point{5, 6}), "text"), (Point{5, 6}));
  EXPECT_EQ(refusal<Point>("'nowhere' as p"), "column 1 (\"p\"): expected a point, found a text: nowhere");
}

TEST_F(Conversions, AnyValue) {
  const auto rows = pool().query<tidepool::value, tidepool::value>("select null, 'x' as name");
  const auto [none, name] = rows[0];
  EXPECT_TRUE(none.is_null());
  EXPECT_EQ(name.type(), TIDE_TEXT);
  EXPECT_EQ(name.column_name(), "name");
  EXPECT_EQ(name.as<std::string>(), "x");
}

}  // namespace
