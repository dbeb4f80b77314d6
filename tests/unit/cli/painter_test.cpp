// What the screen looks like, in all sizes and with hostile names.
#include <gtest/gtest.h>

#include <algorithm>

#include "text/print.hpp"
#include "unit/cli/frames.hpp"

namespace tide::cli::test {
namespace {

using top::Grid;
using top::Key;
using top::Model;
using top::paint;

class ScreenPainter : public ::testing::Test {
 protected:
  ScreenPainter() : model_(kSecond_ns) { use_utf8(); }
  void show(const std::vector<Invented>& pools) { model_.show(snapshot_of(frame_of(pools))); }
  std::string painted(int width, int height, bool is_utf8 = true) {
    return text_of(paint(model_, {width, height}, is_utf8));
  }

  Model model_;
};

TEST_F(ScreenPainter, TheUsualTerminalShowsWhatMatters) {
  show({{}, {.name = "web", .in_use = 9, .idle = 0, .waiting = 4}});
  const std::string text = painted(80, 24);
  for (const char* part : {"db1", "2 pools", "no alerts", "[1 Pools 2]", "shop", "running", "3/10", "9/10", "12ms",
                           "97", "LAST MINUTE", "checkout", "? help"}) {
    EXPECT_TRUE(contains(text, part)) << part << "\n" << text;
  }
}

TEST_F(ScreenPainter, NarrowScreensShowWhatFits) {
  show({{.name = "shop", .in_use = 3}});
  const std::string text = painted(20, 10);
  EXPECT_TRUE(contains(text, "shop")) << text;
  EXPECT_TRUE(contains(text, "3/10")) << text;
}

TEST_F(ScreenPainter, WideScreensShowMore) {
  show({{}});
  EXPECT_FALSE(contains(painted(80, 24), "ACQ/S"));
  EXPECT_TRUE(contains(painted(160, 24), "ACQ/S"));
}

// With something in every view.
Frame full_frame() {
  Frame frame = frame_of({{}, {.name = "web", .tags = std::vector<std::string>(40, "x")}});
  const std::string instance = instance_of(0);
  const std::string pool = "shop";
  frame.tables.back().rows.push_back({instance, pool, int64_t{1}, std::string("long_queue"), std::string("critical"),
                                      std::string("firing"), std::monostate{}, std::string(190, 'm'),
                                      std::string("Scale up.")});
  frame.tables.push_back(
      {"insights",
       {"instance_id", "pool", "severity", "subject", "finding", "evidence", "advice", "option_name", "option_value"},
       {{instance, pool, std::string("warning"), std::string("size"), std::string("The pool is too small."),
         std::string("All 10 connections were in use for 40 of 60 s."), std::string("Raise max_size."),
         std::string("max_size"), std::string("20")}}});
  frame.tables.push_back(
      {"events",
       {"instance_id", "pool", "seq", "at", "kind", "severity", "message"},
       {{instance, pool, int64_t{1}, kNoon_us, std::string("scale_up"), std::string("info"),
         std::string("target 6 -> 9: 1 caller waiting, and more words than fit into a row of the table")}}});
  frame.tables.push_back({"waiters",
                          {"instance_id", "pool", "ticket", "tag", "waited_ms"},
                          {{instance, pool, int64_t{1}, std::string("patient"), 50.0}}});
  frame.tables.push_back(
      {"tags", {"instance_id", "pool", "tag", "in_use"}, {{instance, pool, std::string("checkout"), int64_t{2}}}});
  return frame;
}

TEST_F(ScreenPainter, TextsThatTheTableCutsAreShownBelow) {
  model_.show(snapshot_of(full_frame()));
  const std::pair<char, std::vector<std::string>> kExpected[] = {
      {'4', {"long_queue of shop", "to do    Scale up."}},
      {'5', {"finding  The pool is too small.", "in use for 40 of 60 s.", "max_size = 20"}},
      {'7', {"than fit into a row", "of the table"}},
  };
  for (const auto& [view, parts] : kExpected) {
    model_.press(Key::of(static_cast<unsigned char>(view)), 0);
    for (const std::string& part : parts) EXPECT_TRUE(contains(painted(80, 24), part)) << painted(80, 24);
  }
}

TEST_F(ScreenPainter, ThePoolAtTheCursorIsExplained) {
  model_.show(snapshot_of(full_frame()));
  const std::string text = painted(80, 30);
  for (const char* part :
       {"alert    long_queue", "insight  The pool is too small.  Change: max_size = 20", "patient", "checkout"}) {
    EXPECT_TRUE(contains(text, part)) << part << "\n" << text;
  }
}

TEST_F(ScreenPainter, HelpFitsTheUsualTerminal) {
  show({{}});
  model_.press(Key::of('?'), 0);
  const std::string text = painted(80, 24);
  EXPECT_TRUE(contains(text, "quit")) << text;
  EXPECT_FALSE(contains(text, "…")) << text;
}

TEST_F(ScreenPainter, EverySizeIsSafe) {
  model_.show(snapshot_of(full_frame()));
  for (const char view : std::string("1234567?")) {
    model_.press(Key::of(static_cast<unsigned char>(view)), 0);
    for (int width = 1; width <= 200; width += width < 30 ? 1 : 37) {
      for (int height = 1; height <= 60; height += height < 12 ? 1 : 13) {
        const Grid grid = paint(model_, {width, height}, true);
        EXPECT_EQ(grid.size().width, width);
        for (int y = 0; y < height; ++y) EXPECT_LE(width_of(grid.row(y)), width);
      }
    }
  }
}

TEST_F(ScreenPainter, ForeignTextsCannotChangeTheScreen) {
  const std::string hostile = "a\x1b[2J\n\tb\xff\xe2\x80\xae日本語e\xcc\x81";
  show({{.name = hostile, .tags = {hostile, std::string(62, 'x')}}});
  for (const int width : {20, 21, 80, 81, 132}) {
    const Grid grid = paint(model_, {width, 24}, true);
    for (int y = 0; y < 24; ++y) {
      for (int x = 0; x < width; ++x) {
        const char32_t c = grid.at(x, y).character;
        EXPECT_TRUE(c == 0 || (c >= 0x20 && c != 0x7F && !(c >= 0x80 && c < 0xA0) && c != 0x202E))
            << static_cast<uint32_t>(c);
      }
      EXPECT_LE(width_of(grid.row(y)), width);
    }
  }
  EXPECT_TRUE(contains(painted(132, 24), "\\x1b[2J"));
}

TEST_F(ScreenPainter, WithoutUtf8OnlyAsciiIsUsed) {
  show({{.name = "größe", .waiting = 2}});
  for (const char view : std::string("12345671")) {
    model_.press(Key::of(static_cast<unsigned char>(view)), 0);
    const std::string text = painted(120, 30, false);
    EXPECT_TRUE(std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; }))
        << text;
  }
}

TEST_F(ScreenPainter, NoPoolsSaysWhereItLooked) {
  show({});
  const std::string text = painted(80, 24);
  EXPECT_TRUE(contains(text, "No pools in /run/tidepool")) << text;
  EXPECT_TRUE(contains(text, "TIDEPOOL_DIR"));
}

TEST_F(ScreenPainter, AHundredPoolsScroll) {
  std::vector<Invented> pools;
  for (int i = 0; i < 100; ++i) pools.push_back({.name = "pool" + std::to_string(1000 + i)});
  show(pools);
  (void)painted(80, 24);
  EXPECT_FALSE(contains(painted(80, 24), "pool1099"));
  model_.press(Key{Key::Name::end}, 0);
  EXPECT_TRUE(contains(painted(80, 24), "> pool1099"));
  EXPECT_TRUE(contains(painted(80, 24), "100 pools"));
}

TEST_F(ScreenPainter, DeadPoolsAreMarked) {
  show({{.state = "dead"}});
  const Grid grid = paint(model_, {80, 24}, true);
  bool is_bad = false;
  for (int x = 0; x < 80; ++x)
    is_bad = is_bad || (grid.at(x, 3).character == 'd' && grid.at(x, 3).style == top::Style::bad);
  EXPECT_TRUE(is_bad) << text_of(grid);
}

TEST_F(ScreenPainter, CursorDoesNotInvertBars) {
  show({{.in_use = 5, .idle = 0}});
  const Grid grid = paint(model_, {80, 24}, true);
  EXPECT_TRUE(grid.at(2, 3).is_reverse);
  for (int x = 0; x < 80; ++x) {
    if (grid.at(x, 3).character == U'█') EXPECT_FALSE(grid.at(x, 3).is_reverse) << x;
  }
}

TEST_F(ScreenPainter, QuestionsShowTheirKeys) {
  show({{.name = std::string(62, 'p')}});
  model_.press(Key::of('p'), 0);
  for (const int width : {20, 80}) EXPECT_TRUE(contains(painted(width, 24), "y/N")) << width;
}

TEST(ScreenTexts, DurationsHaveReadableUnits) {
  const std::pair<double, const char*> kCases[] = {
      {0, "0ms"},        {0.42, "0.4ms"},   {9.96, "10ms"},     {999.6, "1.0s"},      {12'345, "12.3s"},
      {59'949, "59.9s"}, {59'960, "1m00s"}, {190'000, "3m10s"}, {7'500'000, "2h05m"}, {273'600'000, "3d04h"},
  };
  for (const auto& [ms, text] : kCases) EXPECT_EQ(top::duration_text(ms), text);
  EXPECT_EQ(top::duration_text(std::nullopt), "-");
  EXPECT_EQ(top::duration_text(-5), "0ms");
  EXPECT_EQ(top::rate_text(12'345), "12.3k");
}

TEST(ScreenRates, AreNeverNegativeWhateverTheClocksDo) {
  const Frame first = frame_of({{.acquires = 100}});
  Frame second = frame_of({{.acquires = 160}}, 2);
  second.wall_us -= 3'600'000'000;  // the clock was set back
  EXPECT_EQ(top::make_snapshot(second, &first).pools[0].acquires_per_s, 30.0);
  const Frame reset = frame_of({{.acquires = 5}}, 4);
  EXPECT_EQ(top::make_snapshot(reset, &second).pools[0].acquires_per_s, std::nullopt);
  EXPECT_EQ(top::make_snapshot(first, &first).pools[0].acquires_per_s, std::nullopt);
}

}  // namespace
}  // namespace tide::cli::test
