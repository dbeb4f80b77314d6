#include "notify/log_line.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "base/units.hpp"
#include "brain/brain.hpp"

namespace tide {
namespace {

bool is_plain_word(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return c > ' ' && c < 0x7F && c != '"' && c != '=' && c != '\\'; });
}

class LineMaker {
 public:
  explicit LineMaker(LogFormat format) : is_json_(format == LogFormat::json) {}

  void text(std::string_view key, std::string_view value) {
    if (!value.empty()) put(key, is_json_ || !is_plain_word(value) ? json_text(value) : std::string(value));
  }
  void number(std::string_view key, uint64_t value) {
    if (value != 0) put(key, std::to_string(value));
  }
  void object(std::string_view key, std::string_view json) {
    if (json.empty()) return;
    const bool is_whole = nlohmann::json::accept(json);
    put(key, is_json_ && is_whole ? std::string(json) : json_text(json));
  }
  std::string take() { return is_json_ ? "{" + line_ + "}" : std::move(line_); }

 private:
  void put(std::string_view key, const std::string& value) {
    if (!line_.empty()) line_.push_back(is_json_ ? ',' : ' ');
    line_ += is_json_ ? "\"" + std::string(key) + "\":" : std::string(key) + "=";
    line_ += value;
  }

  const bool is_json_;
  std::string line_;
};

}  // namespace

std::string log_line(const LogFact& fact, std::string_view pool, LogFormat format) {
  LineMaker line(format);
  line.text("time", format_wall_ns(fact.at_wall_ns));
  line.text("level", word(fact.severity));
  line.text("pool", pool);
  line.text("event", fact.event);
  line.text("message", without_password(fact.message));
  line.text("tag", fact.tag);
  line.number("conn_id", fact.conn_id);
  line.number("lease_id", fact.lease_id);
  line.object("detail", without_password(fact.detail));
  return line.take();
}

}  // namespace tide
