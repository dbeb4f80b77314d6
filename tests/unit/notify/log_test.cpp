// Lines of the log: one line a fact whatever its texts hold, no password, and both forms readable by machines.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "notify/log_line.hpp"
#include "notify/log_writer.hpp"

namespace tide {
namespace {

LogFact fact_of(std::string_view message, std::string_view detail = {}) {
  LogFact fact;
  fact.at_wall_ns = 1'769'903'999'123'000'000;
  fact.severity = Severity::warning;
  fact.event = "alert_firing";
  fact.message = message;
  fact.detail = detail;
  fact.conn_id = 7;
  return fact;
}

TEST(LogLine, WordsOrObject) {
  EXPECT_EQ(log_line(fact_of("too many wait"), "app", LogFormat::key_value),
            "time=\"2026-01-31 23:59:59.123Z\" level=warning pool=app event=alert_firing message=\"too many wait\" "
            "conn_id=7");
  EXPECT_EQ(log_line(fact_of("idle", "{\"a\":1}"), "app", LogFormat::json),
            "{\"time\":\"2026-01-31 23:59:59.123Z\",\"level\":\"warning\",\"pool\":\"app\",\"event\":\"alert_firing\","
            "\"message\":\"idle\",\"conn_id\":7,\"detail\":{\"a\":1}}");
}

TEST(LogLine, OneLineAndOneObject) {
  for (const std::string_view text :
       {"two\nlines", "a \"quote\" and \\", "tab\tand \x01", "broken \xFF\xFE", "a=b", "", "{\"level\":\"info\"}"}) {
    for (const LogFormat format : {LogFormat::key_value, LogFormat::json}) {
      const std::string line = log_line(fact_of(text, text), "app", format);
      EXPECT_EQ(line.find('\n'), std::string::npos) << line;
      if (format == LogFormat::json) EXPECT_TRUE(nlohmann::json::accept(line)) << line;
    }
  }
}

TEST(LogLine, MasksPasswords) {
  for (const LogFormat format : {LogFormat::key_value, LogFormat::json}) {
    const std::string line =
        log_line(fact_of("connect to postgresql://me:hunter2@h/db failed", "{\"password\":\"x\"}"), "app", format);
    EXPECT_EQ(line.find("hunter2"), std::string::npos) << line;
  }
}

TEST(LogWriter, FileMayBeMovedAway) {
  const auto folder = std::filesystem::temp_directory_path() / ("tidepool-log-" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  const std::filesystem::path path = folder / "pool.log";
  const LogWriter writer(path);
  ASSERT_TRUE(writer.check());
  EXPECT_TRUE(writer.write("one", Severity::info));
  std::filesystem::rename(path, folder / "pool.log.1");
  EXPECT_TRUE(writer.write("two", Severity::info));
  std::string line;
  std::getline(std::ifstream(path) >> std::ws, line);
  EXPECT_EQ(line, "two");
  const LogWriter nowhere(folder / "missing" / "pool.log");
  const Status refused = nowhere.check();
  EXPECT_FALSE(refused);
  EXPECT_NE(refused.message().find("log_destination"), std::string::npos) << refused.message();
  EXPECT_FALSE(nowhere.write("three", Severity::info));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace tide
