// Whatever a segment contains, every format stays valid: checked here for its form, by its real readers in tests/render.
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "base/text.hpp"
#include "unit/render/render_support.hpp"
#include "unit/support/hostile.hpp"

namespace tide {
namespace {

// The length of `name{label="value",...}` at the beginning of a sample; 0 if it is none.
size_t series_length(std::string_view line) {
  size_t at = line.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
  if (at == 0 || at == line.npos || line[at] != '{') return 0;
  bool is_quoted = false;
  for (++at; at < line.size(); ++at) {
    if (is_quoted && line[at] == '\\') {
      ++at;
      if (at >= line.size() || std::string_view("\\\"n").find(line[at]) == std::string_view::npos) return 0;
    } else if (line[at] == '"') {
      is_quoted = !is_quoted;
    } else if (!is_quoted && line[at] == '}') {
      return at + 1;
    }
  }
  return 0;
}

bool is_finite_number(std::string_view text) {
  double number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  return read.ec == std::errc{} && read.ptr == text.data() + text.size() && std::isfinite(number);
}

std::string fault_of_exposition(const std::string& text) {
  std::set<std::string> series, families;
  for (const std::string& line : test::lines_with(text, {})) {
    if (line.starts_with("# HELP ") && !families.insert(line.substr(0, line.find(' ', 7))).second)
      return "twice: " + line;
    if (line.starts_with("# ")) continue;
    const size_t length = series_length(line);
    if (length == 0) return "no series: " + line;
    if (!series.insert(line.substr(0, length)).second) return "twice: " + line;
    const std::string_view rest = std::string_view(line).substr(length);
    const std::string_view value = rest.substr(1, rest.find(" # ") == rest.npos ? rest.npos : rest.find(" # ") - 1);
    if (rest.front() != ' ' || !is_finite_number(value)) return "no number: " + line;
  }
  return is_plain_utf8(text) ? "" : "not UTF-8";
}

std::string fault_of_csv(const std::string& text) {
  size_t columns = 0, first = 0;
  bool is_quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') is_quoted = !is_quoted;
    if (is_quoted) continue;
    if (text[i] == ',') ++columns;
    if (text[i] != '\n') continue;
    if (i == 0 || text[i - 1] != '\r') return "a line ends without CR";
    if (first == 0) first = columns;
    if (columns != first) return "columns: " + std::to_string(columns);
    columns = 0;
  }
  if (is_quoted || !text.ends_with("\r\n")) return "the last line is cut";
  return is_plain_utf8(text) ? "" : "not UTF-8";
}

// Histograms of OTLP count nothing negative.
std::string fault_of_json(const std::string& text) {
  if (!nlohmann::json::accept(text)) return "not JSON";
  return text.find("\"-") == text.npos || text.find("resourceMetrics") == text.npos ? "" : "a count is negative";
}

std::string fault_of(std::string_view format, const std::string& text) {
  if (format == "csv") return fault_of_csv(text);
  return format.ends_with("json") ? fault_of_json(text) : fault_of_exposition(text);
}

class HostileExportTest : public test::RenderTest {
 protected:
  void expect_valid(std::string_view format, int64_t since_wall_ns = 0) {
    RenderRequest all = request();
    all.has_legacy_names = all.has_connection_max = true;
    all.since_wall_ns = since_wall_ns;
    const std::string text = exported(format, all);
    const std::string fault = fault_of(format, text);
    EXPECT_EQ(fault, "") << format;
  }
};

constexpr std::string_view kExports[] = {"json", "csv", "prometheus", "openmetrics", "otlp_json"};

TEST_F(HostileExportTest, EveryMutantGivesValidOutput) {
  test::SegmentMaker made;
  const auto sound = published(made);
  test::SegmentFile mutant(folder_.path() + "/" + test::SegmentMaker("mutant", 2).file_name(), "", true);
  constexpr auto kTries = static_cast<uint64_t>(test::rounds(400));
  for (uint64_t seed = 1; seed <= kTries && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    mutant.rewrite(test::spoilt_segment(seed));
    expect_valid(kExports[seed % std::size(kExports)], seed % 2 == 0 ? 0 : 1);
  }
}

// Quotes, line breaks, backslashes, UTF-8, invalid UTF-8, control characters, and texts as long as they can be.
TEST_F(HostileExportTest, EveryTextGivesValidOutput) {
  const std::string texts[] = {"\"",
                               "\n",
                               "\\",
                               "\\n\\\"",
                               "a,b\r\nc",
                               "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x8C\x8A",
                               "\xFF\xFE\xC3",
                               std::string("a\0b", 3),
                               "\x1B[31m\x7F",
                               "{}=# EOF\n# EOF",
                               "</script>",
                               std::string(62, 'x'),
                               std::string(62, '"'),
                               std::string(62, '\n')};
  for (const std::string& text : texts) {
    SCOPED_TRACE(testing::PrintToString(text));
    test::SegmentMaker made;
    for (auto* each : {&made.header().app, &made.header().host}) each->assign(text);
    made.header().pool.assign(text);
    made.header().db_user.assign(text);
    made.header().target.assign(text);
    made.header().version.assign(text);
    made.stats(0).query.count[41] = 1;
    for (uint64_t n = 0; n < 3; ++n) made.record<format::QueryRecord>(made.header().query_log, n).tag.assign(text);
    made.totals().last_error.assign(text);
    for (uint64_t n = 0; n < 8; ++n) made.record<format::JournalRecord>(made.header().journal, n).detail.assign(text);
    const auto file = published(made);
    for (const std::string_view format : kExports) expect_valid(format);
  }
}

}  // namespace
}  // namespace tide
