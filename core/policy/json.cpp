#include "policy/json.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>

#include "base/text.hpp"

namespace tide {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::string_view, 9> kGroups = {"poolConfig",           "monitoringConfig", "alertThresholds",
                                                     "notifications",        "lifecycleConfig",  "healthCheckConfig",
                                                     "adaptiveSizingConfig", "thresholds",       "optimization"};
// Keys that are meaningless without the group that contains them.
constexpr std::array<std::string_view, 3> kGroupsOwn = {"enabled", "intervalMs", "timeoutMs"};

bool is_one_of(std::string_view name, std::span<const std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// The text of the source is not used, because the library may format it with the decimal point of the locale.
std::string number_text(double number) {
  const double size = std::abs(number);
  const bool is_plain = size == 0 || (size >= 1e-6 && size < 1e15);
  std::array<char, 64> out{};
  const auto [end, error] = std::to_chars(out.data(), out.data() + out.size(), number,
                                          is_plain ? std::chars_format::fixed : std::chars_format::general);
  TIDE_ASSERT(error == std::errc{});
  return {out.data(), end};
}

// A stream of events instead of a document, because a document keeps only the last of two equal keys.
class OptionReader final : public nlohmann::json_sax<Json> {
 public:
  explicit OptionReader(std::string_view text) : text_(text) {}

  bool null() override { return refused("is null", "Omit the key to keep the default."); }
  bool boolean(bool value) override { return scalar(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { return scalar(std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override { return scalar(std::to_string(value)); }
  bool number_float(number_float_t value, const string_t&) override { return scalar(number_text(value)); }
  bool string(string_t& value) override { return scalar(value); }
  bool binary(binary_t&) override { return refused("is binary", {}); }
  bool start_array(std::size_t) override {
    if (list_) return refused("is an array in an array", {});
    list_.emplace();
    return true;
  }
  bool end_array() override {
    const std::string list = *list_;
    list_.reset();
    return option(list, true);
  }

  bool start_object(std::size_t) override {
    if (list_) return refused("is an object in an array", {});
    if (depth_ == kJsonDepthMax) {
      return refused("is nested too deeply", "The maximum depth is " + std::to_string(kJsonDepthMax) + ".");
    }
    if (depth_++ > 0) outer_.push_back(key_);
    return true;
  }
  bool end_object() override {
    if (--depth_ > 0) outer_.pop_back();
    return true;
  }
  bool key(string_t& name) override {
    key_ = name;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const Json::exception&) override {
    const std::string_view before = text_.substr(0, position > 0 ? position - 1 : 0);
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const size_t newline = before.rfind('\n');
    const size_t column = newline == std::string_view::npos ? before.size() + 1 : before.size() - newline;
    status = Status::error(
        Code::bad_option,
        "invalid options: not valid JSON at line " + std::to_string(line) + ", column " + std::to_string(column),
        "Options are key=value words, or one JSON object.", "Check the text at this position and just before it.");
    return false;
  }

  std::vector<GivenOption> given;
  Status status;

 private:
  std::string path() const {
    std::string out;
    for (const std::string& name : outer_) out += name + ".";
    return out + key_;
  }

  bool scalar(std::string value) {
    if (!list_) return option(std::move(value), false);
    if (value.empty() || value.find(',') != std::string::npos) {
      return refused("has an element that is empty or contains a comma", "Array elements must be single words.");
    }
    list_->append(list_->empty() ? "" : ",").append(value);
    return true;
  }

  bool option(std::string value, bool is_list) {
    std::string name;
    for (const std::string& outer : outer_) {
      const bool is_innermost = &outer == &outer_.back();
      if (!is_one_of(outer, kGroups) || (is_innermost && is_one_of(key_, kGroupsOwn))) name += outer + ".";
    }
    given.push_back(
        {name + key_, std::move(value), outer_.empty() ? std::string{} : "JSON key " + in_quotes(path()), is_list});
    return true;
  }

  bool refused(const std::string& why, std::string hint) {
    status = Status::error(Code::bad_option, "invalid options: JSON key " + in_quotes(path()) + " " + why,
                           "Accepted are numbers, strings, true, false, arrays of words, and objects of these.",
                           std::move(hint));
    return false;
  }

  std::string_view text_;
  size_t depth_ = 0;
  std::vector<std::string> outer_;  // the keys of the enclosing objects, except the outermost, which has none
  std::string key_;
  std::optional<std::string> list_;  // inside an array: the elements read so far
};

}  // namespace

Result<std::vector<GivenOption>> parse_json(std::string_view text) {
  OptionReader reader(text);
  if (Json::sax_parse(text, &reader)) return std::move(reader.given);
  if (reader.status) return Status::error(Code::internal, "the JSON reader stopped without a reason");
  return std::move(reader.status);
}

}  // namespace tide
