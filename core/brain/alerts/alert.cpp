#include "brain/alerts/alert.hpp"

#include <algorithm>
#include <cmath>

#include "base/text.hpp"
#include "base/units.hpp"

namespace tide::brain {
namespace {

// "begin middle end" within the limit for a text; if it is too long, the middle is cut.
std::string fitted(std::string begin, std::string_view middle, const std::string& end) {
  const size_t fixed = begin.size() + end.size();
  const size_t room = fixed < kEventTextBytesMax ? kEventTextBytesMax - fixed : 0;
  return begin.append(shortened(middle, room)).append(end);
}

std::string numbers(const Alert& alert) {
  return " (" + std::string(about(alert.metric).name) + " " + figure(alert.value) + ", threshold " +
         figure(alert.threshold) + ")";
}

// As much of `text` as a JSON string as fits into `room` bytes; cut at a word, and marked.
std::string json_text_within(std::string_view text, size_t room) {
  std::string out = json_text(text);
  // Escaped characters take more bytes than in `text`.
  for (size_t most = std::min(text.size(), room); out.size() > room && most > 0; --most) {
    out = json_text(shortened(text, most));
  }
  return out;
}

std::string json_number(double value) { return std::isfinite(value) ? figure(value) : "null"; }

}  // namespace

std::string firing_text(const Alert& alert) { return fitted(alert.rule + ": ", alert.message, numbers(alert)); }

std::string resolved_text(const Alert& alert, std::string_view why) {
  const std::string lasted = describe_span(alert.resolved_at - alert.since);
  return fitted(alert.rule + ": resolved after " + lasted + ", ", why, numbers(alert));
}

std::string alert_detail(const Alert& alert) {
  constexpr std::string_view kAdvice = ",\"advice\":";
  constexpr size_t kWorthWhile = 20;  // bytes of advice
  std::string out = "{\"rule\":" + json_text(alert.rule) + ",\"metric\":\"" + std::string(about(alert.metric).name) +
                    "\",\"value\":" + json_number(alert.value) + ",\"threshold\":" + json_number(alert.threshold);
  const size_t used = out.size() + kAdvice.size() + 1;
  if (!alert.advice.empty() && used + kWorthWhile <= kEventDetailBytesMax) {
    out.append(kAdvice).append(json_text_within(alert.advice, kEventDetailBytesMax - used));
  }
  return out + "}";
}

}  // namespace tide::brain
